//! How a text file is built, as its first lines show where the mapping does not say it.

use crate::mapping::{Format, ImportMapping};
use crate::split::Cells;

/// Lines that are looked at.
const MOST_LINES: usize = 60;
/// Most lines before a table that are taken for a preamble.
const MOST_PREAMBLE: usize = 30;
const DELIMITERS: [(u8, &str); 4] = [(b',', "commas"), (b';', "semicolons"), (b'\t', "tabs"), (b'|', "bars")];

/// How a text file is built.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) cells: Cells,
    /// So many lines at the beginning are no rows.
    pub(super) skip: u64,
    /// Lines that begin with it are no rows.
    pub(super) comment: Option<String>,
}

impl Form {
    /// Looks at the beginning of a file; what was seen there, and not said, is added to `notes`.
    pub(super) fn of(head: &[u8], mapping: &ImportMapping, notes: &mut Vec<String>) -> Result<Self, String> {
        let text = String::from_utf8_lossy(head);
        let mut lines: Vec<&str> = text.split(['\n', '\r']).collect();
        if text.contains('\n') {
            lines = text.split('\n').collect();
        }
        lines.truncate(MOST_LINES);
        let given = usize::try_from(mapping.skip.unwrap_or(0)).unwrap_or(usize::MAX);
        let rows = lines.get(given..).unwrap_or(&[]);
        let begins = rows.iter().find(|line| !line.trim().is_empty()).copied().unwrap_or("");
        let comment = match &mapping.comment {
            Some(comment) => Some(comment.clone()).filter(|comment| !comment.is_empty()),
            None if begins.starts_with('#') => {
                notes.push(
                    "lines that begin with # are passed over; say --comment \"\" if they are rows".into(),
                );
                Some("#".to_owned())
            }
            None => None,
        };
        let is_row = |line: &&str| {
            !line.trim().is_empty() && !comment.as_ref().is_some_and(|comment| line.starts_with(comment))
        };
        let numbered: Vec<(usize, &str)> = rows
            .iter()
            .enumerate()
            .filter(|(_, line)| is_row(line))
            .map(|(at, line)| (given + at, *line))
            .collect();
        let preamble = |cells| preamble(&numbered, cells);
        if let Some(cells) = given_cells(mapping)? {
            let skip = mapping.skip.or_else(|| say_preamble(preamble(cells), notes)).unwrap_or(0);
            return Ok(Self { cells, skip, comment });
        }
        let first = numbered.first().map_or("", |(_, line)| *line);
        let cells = of_line(first, mapping).unwrap_or(Cells::Delimited(b','));
        let best = DELIMITERS
            .iter()
            .map(|(byte, _)| Cells::Delimited(*byte))
            .find(|cells| preamble(*cells).is_some());
        let skip = match (mapping.skip, preamble(cells).map(|skip| (cells, skip))) {
            (Some(skip), _) => Some((cells, skip)),
            (None, Some(found)) => say_preamble(Some(found.1), notes).map(|skip| (found.0, skip)),
            (None, None) if cells == Cells::Blanks || !is_used(&numbered, cells) => {
                best.and_then(|best| Some((best, say_preamble(preamble(best), notes)?)))
            }
            (None, None) => None,
        };
        let (cells, skip) = skip.unwrap_or((cells, 0));
        Ok(Self { cells, skip, comment })
    }

    /// The delimiter in words.
    pub(super) fn words(&self) -> &'static str {
        let Cells::Delimited(byte) = self.cells else { return "blanks" };
        DELIMITERS.iter().find(|(known, _)| *known == byte).map_or("delimiters", |(_, words)| words)
    }
}

/// What the mapping says of the cells.
fn given_cells(mapping: &ImportMapping) -> Result<Option<Cells>, String> {
    let is_table = mapping.format == Some(Format::Table);
    let Some(delimiter) = mapping.delimiter else { return Ok(is_table.then_some(Cells::Blanks)) };
    if is_table {
        return Err("a table has no delimiter; leave out delimiter, or set format to csv".into());
    }
    let byte = u8::try_from(delimiter).ok().filter(u8::is_ascii);
    byte.map(|byte| Some(Cells::Delimited(byte)))
        .ok_or_else(|| format!("delimiter {delimiter:?} is not a single-byte character; use , ; or tab"))
}

/// The commonest delimiter of a line; the comma goes before the rest.
fn of_line(line: &str, mapping: &ImportMapping) -> Option<Cells> {
    let counts = DELIMITERS.map(|(byte, _)| (byte, count(line, Cells::Delimited(byte)) - 1));
    // The first of equals wins.
    let best = counts.iter().rev().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0);
    let blanks = line.trim().contains(|c: char| c.is_ascii_whitespace());
    match best {
        Some((delimiter, _)) => Some(Cells::Delimited(*delimiter)),
        None if blanks && mapping.format.is_none() => Some(Cells::Blanks),
        None => None,
    }
}

/// How many cells a line has, without regard to quotes that are not closed.
fn count(line: &str, cells: Cells) -> usize {
    let Cells::Delimited(delimiter) = cells else { return line.split_ascii_whitespace().count() };
    let mut quoted = false;
    let mut count = 1;
    for byte in line.trim_end().bytes() {
        quoted ^= byte == b'"';
        count += usize::from(byte == delimiter && !quoted);
    }
    count
}

/// How many lines stand before a table: all of them have fewer cells than it, and what follows has as many.
fn preamble(lines: &[(usize, &str)], cells: Cells) -> Option<u64> {
    let counts: Vec<usize> = lines.iter().map(|(_, line)| count(line, cells)).collect();
    // The last line may be cut off.
    let whole = counts.len().saturating_sub(usize::from(lines.len() > 3));
    let counts = &counts[..whole];
    let most = *counts.iter().max()?;
    let start = counts.iter().position(|count| *count == most)?;
    let rows = counts.len() - start;
    let alike = counts[start..].iter().filter(|count| **count == most).count();
    // A header may have a cell less than its rows.
    let short = counts[..start].iter().all(|count| *count == 1 || count * 2 <= most);
    let is_table = most >= 2 && rows >= 3 && alike == rows && short && cells != Cells::Blanks;
    let at = lines.get(start)?.0;
    (is_table && start > 0 && at <= MOST_PREAMBLE).then_some(at as u64)
}

/// Whether at least half of the lines have as many cells as the first one, and more than one.
fn is_used(lines: &[(usize, &str)], cells: Cells) -> bool {
    let first = lines.first().map_or(0, |(_, line)| count(line, cells));
    let alike = lines.iter().filter(|(_, line)| count(line, cells) == first).count();
    first > 1 && alike * 2 >= lines.len()
}

fn say_preamble(skip: Option<u64>, notes: &mut Vec<String>) -> Option<u64> {
    let skip = skip.filter(|skip| *skip > 0)?;
    notes.push(format!(
        "the first {skip} lines are no table and are passed over; say --skip 0 if they are rows"
    ));
    Some(skip)
}
