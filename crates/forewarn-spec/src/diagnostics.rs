//! Mistakes in definitions, shown as a compiler shows them: the place, the line, a caret, and what to do.

use std::fmt;

use forewarn_types::{has_plain_password, redact_urls, redact_urls_in_place};
use serde_saphyr::Location;

use crate::expr::ExprError;

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Line, from 1; 0 if the place is unknown.
    pub(crate) line: usize,
    /// Column in characters, from 1.
    pub(crate) column: usize,
}

impl Place {
    /// Nowhere: the place of what could not be read.
    pub(crate) const UNKNOWN: Self = Self { line: 0, column: 0 };

    pub(crate) const fn is_unknown(self) -> bool {
        self.line == 0
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        let number = |number: u64| usize::try_from(number).unwrap_or(0);
        Self { line: number(location.line()), column: number(location.column()) }
    }
}

/// A value of a file, with its place.
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

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
    /// The line's text; empty if the line is too long to be shown.
    pub source: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.message)?;
        } else if self.source.is_empty() {
            write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        } else {
            writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
            let number = self.line.to_string();
            let margin = " ".repeat(number.len());
            writeln!(f, " {number} | {}", self.source)?;
            // A tab stays one, so that the caret stands below its character however wide tabs are.
            let before =
                self.source.chars().map(|c| if c == '\t' { c } else { ' ' }).chain(std::iter::repeat(' '));
            let before: String = before.take(self.column.saturating_sub(1)).collect();
            write!(f, " {margin} | {before}^")?;
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

impl Diagnostics {
    /// By file, line and column, each mistake once: one in what an alias stands for is found at every use of
    /// the alias.
    pub(crate) fn sorted(mut found: Vec<Diagnostic>) -> Self {
        found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        found.dedup();
        Self(found)
    }
}

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

/// More mistakes of one file than this help nobody.
pub(crate) const MAX_MISTAKES: usize = 1_000;
/// Longer lines are not shown.
const MAX_SHOWN_BYTES: usize = 1_000;

/// Collects the mistakes of one file.
pub(crate) struct Report<'a> {
    file: &'a str,
    lines: Vec<&'a str>,
    pub(crate) found: Vec<Diagnostic>,
    /// What is in order and probably not meant.
    pub(crate) warned: Vec<Diagnostic>,
    /// References, and the values that no message may show.
    hidden: Vec<(String, String)>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            lines: text.trim_start_matches('\u{feff}').lines().collect(),
            found: Vec::new(),
            warned: Vec::new(),
            hidden: Vec::new(),
        }
    }

    /// From now on messages show `reference` in the place of `value`.
    pub(crate) fn hide(&mut self, reference: String, value: String) {
        // What is shorter is no secret, and stands in many words.
        if value.len() >= 3 {
            self.hidden.push((reference, value));
        }
    }

    /// Hides what `other` hides.
    pub(crate) fn hide_as(&mut self, other: &Report<'_>) {
        self.hidden.clone_from(&other.hidden);
    }

    /// `text` without secrets.
    fn shown(&self, text: &str) -> String {
        let without = |text: String, (reference, value): &(String, String)| text.replace(value, reference);
        redact_urls(&self.hidden.iter().fold(text.to_owned(), without))
    }

    /// Whether the line at `place` holds a URL with a password that is written out.
    pub(crate) fn has_plain_password(&self, place: Place) -> bool {
        self.lines.get(place.line.wrapping_sub(1)).is_some_and(|line| has_plain_password(line))
    }

    pub(crate) const fn file(&self) -> &'a str {
        self.file
    }

    /// Whether further mistakes are no longer taken.
    pub(crate) const fn is_full(&self) -> bool {
        self.found.len() >= MAX_MISTAKES
    }

    /// A mistake at `place`. One at an unknown place follows from a fault of form, which has been reported,
    /// and is none by itself.
    pub(crate) fn at(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        if !place.is_unknown() {
            self.fault(place, message, hint);
        }
    }

    pub(crate) fn on<T>(&mut self, value: &Placed<T>, message: impl Into<String>, hint: Option<String>) {
        self.at(value.place, message, hint);
    }

    /// A mistake inside an expression: the caret points into the text where it can be found there as it was
    /// written.
    pub(crate) fn inside(&mut self, text: &Placed<String>, error: &ExprError) {
        let before = text.value.get(..error.span.start).unwrap_or(&text.value);
        let place = self.end_of(before, before.len() < text.value.len(), text.place).unwrap_or(text.place);
        self.at(place, error.message.clone(), error.hint.clone());
    }

    /// Where `before` ends in the file if it begins at `place`, behind a quote or the mark of a block; with
    /// `to_word`, where the next word begins. Blanks are passed over, since YAML folds them.
    fn end_of(&self, before: &str, to_word: bool, place: Place) -> Option<Place> {
        let mut letters = self.letters(place).peekable();
        match letters.peek()?.1 {
            '"' | '\'' => drop(letters.next()),
            '|' | '>' => while letters.next_if(|(at, _)| at.line == place.line).is_some() {},
            _ => {}
        }
        let mut end = place;
        for wanted in before.chars().filter(|c| !c.is_whitespace()) {
            let (at, _) = letters.next_if(|(_, c)| *c == wanted)?;
            end = Place { column: at.column + 1, ..at };
        }
        if to_word { letters.next().map(|(at, _)| at) } else { Some(end) }
    }

    /// What is not blank from `place` on, with its places.
    fn letters(&self, place: Place) -> impl Iterator<Item = (Place, char)> {
        let lines = (1..).zip(&self.lines).skip(place.line.saturating_sub(1));
        lines
            .flat_map(|(line, text)| {
                (1..).zip(text.chars()).map(move |(column, c)| (Place { line, column }, c))
            })
            .skip_while(move |(at, _)| at.line == place.line && at.column < place.column)
            .filter(|(_, c)| !c.is_whitespace())
    }

    /// Something at `value` that loads and is probably not meant.
    pub(crate) fn warn<T>(&mut self, value: &Placed<T>, message: impl Into<String>, hint: Option<String>) {
        if !value.place.is_unknown() && self.warned.len() < MAX_MISTAKES {
            let warning = self.diagnostic(value.place, &message.into(), hint);
            self.warned.push(warning);
        }
    }

    fn diagnostic(&self, Place { line, column }: Place, message: &str, hint: Option<String>) -> Diagnostic {
        let shown = self.lines.get(line.wrapping_sub(1)).filter(|text| text.len() <= MAX_SHOWN_BYTES);
        let source = shown.map_or_else(String::new, |text| redact_urls_in_place(text));
        let (message, hint) = (self.shown(message), hint.map(|hint| self.shown(&hint)));
        Diagnostic { file: self.file.to_owned(), line, column, message, hint, source }
    }

    pub(crate) fn whole_file(&mut self, message: impl Into<String>) {
        self.fault(Place::UNKNOWN, message, None);
    }

    /// A mistake at `place`, or of the file as a whole if the place is unknown.
    pub(crate) fn fault(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        if self.is_full() {
            return;
        }
        let mistake = self.diagnostic(place, &message.into(), hint);
        self.found.push(mistake);
        if self.is_full() {
            let message = format!("these are the first {MAX_MISTAKES} mistakes; there may be more");
            let file = self.file.to_owned();
            self.found.push(Diagnostic {
                file,
                line: 0,
                column: 0,
                message,
                hint: None,
                source: String::new(),
            });
        }
    }
}
