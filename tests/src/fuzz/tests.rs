//! Questions are many, and the same each time.

use std::collections::BTreeSet;

use super::{FORMS, question};

#[test]
fn the_same_number_gives_the_same_question_and_others_give_others() {
    let asked: Vec<_> = (0..500).map(|number| question(7, number, "/canary")).collect();
    let again: Vec<_> = (0..500).map(|number| question(7, number, "/canary")).collect();
    assert_eq!(asked, again);
    assert!(asked.iter().collect::<BTreeSet<_>>().len() > 450, "nearly all differ");
    assert!(asked.iter().any(|question| std::str::from_utf8(question).is_err()), "some are no texts");
    assert!(!asked.iter().any(|question| question.windows(6).any(|part| part == b"CANARY")));
}

#[test]
fn forms_are_whole_lines() {
    assert!(FORMS.lines().count() > 40 && FORMS.lines().all(|line| line.len() > 10), "{FORMS}");
}
