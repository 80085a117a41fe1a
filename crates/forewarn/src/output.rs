//! What commands write: results to standard output, messages to standard error.

use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use forewarn_spec::Diagnostics;
use forewarn_types::printable;
use indicatif::HumanCount;
use serde_json::Value;

/// The reader of standard output has gone, as `head` does when it has enough: nothing is wrong, and no
/// message would be seen.
#[derive(Debug)]
pub(crate) struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output is closed")
    }
}

impl std::error::Error for ReaderGone {}

/// Prints text to standard output. What a terminal would obey is written out: names and comments come from
/// elsewhere.
///
/// # Errors
/// [`ReaderGone`] if it is closed, or why else it cannot be written.
pub(crate) fn print(text: &str) -> Result<()> {
    print_bytes(printable(text).as_bytes())
}

/// Prints text of this program's own, with what colours it.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_painted(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// Prints what may be no text to standard output.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let printed = out.write_all(bytes).and_then(|()| out.flush());
    printed
        .map_err(|error| if error.kind() == ErrorKind::BrokenPipe { ReaderGone.into() } else { error.into() })
}

/// Prints JSON, indented.
///
/// # Errors
/// If standard output is closed.
pub(crate) fn print_json(value: &Value) -> Result<()> {
    print(&format!("{value:#}\n"))
}

/// Writes a message to standard error. If that fails, no message would be seen.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}

/// Writes all mistakes to standard error; gives the exit code.
pub(crate) fn report(diagnostics: &Diagnostics) -> ExitCode {
    complain(&diagnostics.to_string());
    complain(&format!("\n{} mistake(s)", diagnostics.0.len()));
    ExitCode::FAILURE
}

/// A count and what is counted, in the plural where that is right.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}
