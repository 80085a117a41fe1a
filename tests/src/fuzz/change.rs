//! Questions that are changed: words exchanged, one put inside another, bytes flipped.

use crate::random::Random;

/// Characters that are easily overlooked.
const ODD: [&str; 8] = ["\u{0}", "\u{202e}", "\u{feff}", "é", "𝕏", "\r\n", "\u{ff07}", "\u{85}"];
/// Words that change what a question means.
const WORDS: [&str; 40] = [
    "SELECT",
    "FROM",
    "WHERE",
    "NOT",
    "NULL",
    "DISTINCT",
    "ALL",
    "EXISTS",
    "LATERAL",
    "OVER",
    "FILTER",
    "(",
    ")",
    ",",
    "*",
    "'",
    "\"",
    "--",
    "/*",
    ";",
    "::",
    "$$",
    "\\",
    "-9223372036854775808",
    "1e400",
    "''",
    "NaN",
    "INTERVAL",
    "readings",
    "value",
    "time",
    "asset",
    "CROSS JOIN",
    "NATURAL",
    "USING",
    "GROUP BY",
    "ORDER BY 99",
    "LIMIT -1",
    "OFFSET 1e9",
    "COLLATE",
];

/// A question with a few words taken out, doubled, exchanged, or put in.
pub(super) fn words(random: &mut Random, forms: &[&str]) -> String {
    let mut words = cut(random.of(forms));
    for _ in 0..=random.below(4) {
        let place = random.index(words.len() + 1);
        let other = random.index(words.len().max(1));
        match random.below(6) {
            0 if place < words.len() => {
                words.remove(place);
            }
            1 if place < words.len() => words.insert(place, words[place].clone()),
            2 if place < words.len() && other < words.len() => words.swap(place, other),
            3 => words.insert(place, random.of(&WORDS).to_owned()),
            4 => {
                let donor = cut(random.of(forms));
                let from = random.index(donor.len());
                let length = 1 + random.index(6);
                words.splice(place..place, donor.into_iter().skip(from).take(length));
            }
            _ if place < words.len() => random.of(&WORDS).clone_into(&mut words[place]),
            _ => words.truncate(place),
        }
    }
    words.concat()
}

/// A question inside another one: as a value, as a table, or as one of a list.
pub(super) fn splice(random: &mut Random, forms: &[&str]) -> String {
    let mut text = random.of(forms).to_owned();
    for _ in 0..=random.below(3) {
        let inner = random.of(forms);
        let place = random.of(&[
            "value",
            "readings",
            "asset",
            "time",
            "life_events",
            "'plant1/pump1'",
            "count(*)",
            "*",
        ]);
        text = text.replacen(place, &format!("({inner})"), 1);
        if text.len() > 20_000 {
            break;
        }
    }
    text
}

/// Bytes flipped, taken out, doubled, or put in.
pub(super) fn bytes(random: &mut Random, text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..=random.below(6) {
        let place = random.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        let byte = u8::try_from(random.below(256)).unwrap_or(0);
        match random.below(6) {
            0 if !bytes.is_empty() => bytes[place] ^= 1 << (byte % 8),
            1 if !bytes.is_empty() => {
                bytes.remove(place);
            }
            2 => bytes.insert(place, byte),
            3 => {
                let odd = random.of(&ODD);
                bytes.splice(place..place, odd.bytes());
            }
            4 => {
                let end = (place + random.index(30)).min(bytes.len());
                let part = bytes[place.min(end)..end].to_vec();
                bytes.splice(place..place, part);
            }
            _ => bytes.truncate(place),
        }
    }
    bytes
}

/// The words of a question with the blanks between them.
fn cut(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let kind = |c: char| {
        if c.is_alphanumeric() || c == '_' {
            0
        } else if c.is_whitespace() {
            1
        } else {
            2
        }
    };
    let mut last = 3;
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if kind(c) == last && last != 2 => word.push(c),
            _ => words.push(c.to_string()),
        }
        last = kind(c);
    }
    words
}
