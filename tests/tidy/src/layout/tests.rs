//! Files that are too long, too wide or in the wrong place are found.

use super::{size_faults, style_faults, width_faults};

#[test]
fn lines_of_code_are_counted_without_comments() {
    let code = |lines: usize| format!("//! Why.\n\n// Because.\n{}", "x();\n".repeat(lines));
    assert_eq!(size_faults("a.rs", &code(500)), Vec::<String>::new());
    let fault = "a.rs: 501 lines of code, at most 500 are allowed: split the idea";
    assert_eq!(size_faults("a.rs", &code(501)), [fault]);
}

#[test]
fn a_file_says_why_it_exists() {
    let fault = "a.rs: begin the file with a //! comment that says why it exists";
    assert_eq!(size_faults("a.rs", "use x;\n"), [fault]);
}

#[test]
fn wide_lines_are_counted_in_characters() {
    let text = format!("{}\n// {}\n", "ä".repeat(110), "x".repeat(108));
    assert_eq!(width_faults("a.rs", &text), ["a.rs:2: 111 columns, at most 110 are allowed"]);
}

#[test]
fn other_module_styles_are_faults() {
    assert_eq!(
        style_faults("a/b.rs", "// #[path = \"x\"]\nconst X: &str = \"#[path = 1]\";"),
        Vec::<String>::new()
    );
    assert_eq!(style_faults("a/mod.rs", "").len(), 1);
    let fault = "a.rs:2: put the module where its name says, without #[path]";
    assert_eq!(style_faults("a.rs", "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;"), [fault]);
}
