//! What is code and what is not, and what is only there for tests.

use super::{Token, tokens, without_tests};

fn words(tokens: &[Token]) -> Vec<&str> {
    tokens.iter().filter_map(Token::word).collect()
}

#[test]
fn comments_texts_characters_and_lifetimes_hold_no_words() {
    let source = "
        a /* b /* c */ d */ e // f
        \"g \\\" h\" r#\"i \" j\"# b\"k\" 'l' '\\'' '\\u{1F600}' b'm' n<'o> r#type 12_u8 é
    ";
    assert_eq!(words(&tokens(source)), ["a", "e", "n", "type", "é"]);
}

#[test]
fn lines_are_counted_through_texts_and_comments() {
    let found = tokens("a\n\"\n\n\" /*\n*/ b");
    assert_eq!((found[0].line, found.last().map(|token| token.line)), (1, Some(5)));
}

#[test]
fn what_is_for_tests_is_left_out_and_nothing_else() {
    let source = "
        use a::b;
        #[cfg(test)] use c::{d, e};
        #[cfg(test)] #[allow(unused)] mod tests { fn f() {} }
        #[cfg(test)] mod g;
        #[cfg(test)] pub(crate) fn h(i: J) -> [K; 2] { l }
        #[cfg(not(test))] fn m() {}
        struct N { #[cfg(test)] o: P, q: R, #[cfg(all(test, unix))] s: T }
        #[cfg(unix)] fn u() { #[cfg(test)] v::w(); x }
    ";
    let kept = without_tests(&tokens(source));
    let expected = "use a b cfg not test fn m struct N q R cfg unix fn u x";
    assert_eq!(words(&kept).join(" "), expected);
}

#[test]
fn a_file_that_is_only_for_tests_is_left_out_whole() {
    assert_eq!(without_tests(&tokens("#![cfg(test)] use a::b;")), []);
}
