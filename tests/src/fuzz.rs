//! Questions in SQL that are broken or hostile: correct ones put together by a grammar, correct ones with
//! parts exchanged, texts with bytes changed, and constructs that are small to write and large to answer. The
//! same seed and number give the same question.

mod bombs;
mod change;
mod grammar;
#[cfg(test)]
mod tests;

use crate::random::Random;

/// What the mutations begin with: forms of questions, one a line. `CANARY` stands for the path of a file that
/// no query may read.
const FORMS: &str = include_str!("../fixtures/questions.sql");

/// The question of this number under this seed, as bytes, as not all questions are texts.
pub fn question(seed: u64, number: u64, canary: &str) -> Vec<u8> {
    let mut random = Random::new(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let forms: Vec<&str> = FORMS.lines().collect();
    let text = match random.below(20) {
        0..5 => grammar::question(&mut random),
        5..9 => change::words(&mut random, &forms),
        9..12 => change::splice(&mut random, &forms),
        12..15 => bombs::bomb(&mut random),
        15..17 => {
            let whole = grammar::question(&mut random);
            change::words(&mut random, &[&whole])
        }
        _ => {
            let form = random.of(&forms).replace("CANARY", canary);
            return change::bytes(&mut random, form.as_bytes());
        }
    };
    text.replace("CANARY", canary).into_bytes()
}
