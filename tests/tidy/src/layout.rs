//! How a Rust file is laid out: short, with short lines, a comment that says why it exists, and modules where
//! one looks for them.

#[cfg(test)]
mod tests;

use crate::tokens::tokens;

/// The most lines of code a file may have.
pub const MAX_FILE_LINES: usize = 500;
/// The most columns a line may have.
pub const MAX_COLUMNS: usize = 110;

/// Faults of a file's length and of its first line.
pub fn size_faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    let code = text.lines().map(str::trim).filter(is_code).count();
    if code > MAX_FILE_LINES {
        let most = MAX_FILE_LINES;
        faults.push(format!("{path}: {code} lines of code, at most {most} are allowed: split the idea"));
    }
    if !text.starts_with("//!") {
        faults.push(format!("{path}: begin the file with a //! comment that says why it exists"));
    }
    faults
}

/// A fault for each line that is too wide.
pub fn width_faults(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate().map(|(place, line)| (place + 1, line.chars().count()));
    let describe = |(line, wide)| format!("{path}:{line}: {wide} columns, at most {MAX_COLUMNS} are allowed");
    lines.filter(|(_, wide)| *wide > MAX_COLUMNS).map(describe).collect()
}

/// Faults of the one module style: `foo.rs` beside `foo/`, found by its name.
pub fn style_faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if path.ends_with("/mod.rs") {
        faults.push(format!("{path}: name the file after its module and put it beside the module's folder"));
    }
    let tokens = tokens(text);
    for window in tokens.windows(4) {
        let attribute = window[0].is_sign('#') && window[1].is_sign('[') && window[2].is_word("path");
        if attribute && window[3].is_sign('=') {
            faults.push(format!(
                "{path}:{}: put the module where its name says, without #[path]",
                window[0].line
            ));
        }
    }
    faults
}
