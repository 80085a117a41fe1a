//! Mistakes in definitions, shown as a compiler shows them: the place, the line, a caret, and what to do.

use std::fmt;

use crate::ExprError;
use serde_saphyr::{Location, Spanned};

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as it was named by the caller.
    pub file: String,
    /// Line, from 1; 0 if the mistake belongs to the file as a whole.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The line's text.
    pub source: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.message)?;
        } else {
            writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
            let number = self.line.to_string();
            let margin = " ".repeat(number.len());
            writeln!(f, " {number} | {}", self.source)?;
            write!(f, " {margin} | {}^", " ".repeat(self.column.saturating_sub(1)))?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// All mistakes of a definition tree, by file and line.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

/// Collects the mistakes of one file.
pub(crate) struct Report<'a> {
    file: &'a str,
    text: &'a str,
    pub(crate) found: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    pub(crate) const fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    pub(crate) const fn file(&self) -> &'a str {
        self.file
    }

    pub(crate) fn at(&mut self, place: Location, message: impl Into<String>, hint: Option<String>) {
        let line = usize::try_from(place.line()).unwrap_or(0);
        self.add(line, usize::try_from(place.column()).unwrap_or(1), message.into(), hint);
    }

    pub(crate) fn on<T>(&mut self, value: &Spanned<T>, message: impl Into<String>, hint: Option<String>) {
        self.at(value.referenced, message, hint);
    }

    /// A mistake that is a key: the caret points at the key of the value at `place`, the last such word before it.
    pub(crate) fn at_key(&mut self, key: &str, place: Location, message: impl Into<String>, hint: Option<String>) {
        let line = usize::try_from(place.line()).unwrap_or(0);
        let mut column = usize::try_from(place.column()).unwrap_or(1);
        for number in (1..=line).rev() {
            let text = self.line(number);
            let before = if number == line { text.chars().take(column.saturating_sub(1)).collect() } else { text.to_owned() };
            if let Some(start) = before.rfind(key) {
                column = before[..start].chars().count() + 1;
                return self.add(number, column, message.into(), hint);
            }
        }
        self.add(line, column, message.into(), hint);
    }

    /// A mistake inside an expression: the caret points into the text where the text stands on one line as it was written.
    pub(crate) fn inside(&mut self, text: &Spanned<String>, error: &ExprError) {
        let line = usize::try_from(text.referenced.line()).unwrap_or(0);
        let column = usize::try_from(text.referenced.column()).unwrap_or(1);
        let before: String = text.value.chars().take(text.value[..error.span.start.min(text.value.len())].chars().count()).collect();
        let source: String = self.line(line).chars().skip(column.saturating_sub(1)).collect();
        let quote = usize::from(source.starts_with(['"', '\'']));
        let verbatim = source.chars().skip(quote).collect::<String>().starts_with(&text.value);
        let column = if verbatim { column + quote + before.chars().count() } else { column };
        self.add(line, column, error.message.clone(), error.hint.clone());
    }

    pub(crate) fn whole_file(&mut self, message: impl Into<String>) {
        self.add(0, 0, message.into(), None);
    }

    fn add(&mut self, line: usize, column: usize, message: String, hint: Option<String>) {
        let source = self.line(line).to_owned();
        self.found.push(Diagnostic { file: self.file.to_owned(), line, column, message, hint, source });
    }

    fn line(&self, line: usize) -> &'a str {
        self.text.lines().nth(line.wrapping_sub(1)).unwrap_or("")
    }
}
