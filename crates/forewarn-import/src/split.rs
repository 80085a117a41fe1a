//! Cells of a line.

use csv::StringRecord;

/// How the cells of a line are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cells {
    /// By a delimiter, with quotes where needed.
    Delimited(u8),
    /// By any number of blanks.
    Blanks,
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A quote is not closed; the cell may go on in the next line.
    Open,
    /// Something stands behind a closing quote.
    Quote,
}

/// Takes a line apart.
pub(super) fn split(text: &str, cells: Cells, record: &mut StringRecord) -> Result<(), Broken> {
    record.clear();
    let Cells::Delimited(delimiter) = cells else {
        text.split_ascii_whitespace().for_each(|cell| record.push_field(cell));
        return Ok(());
    };
    let delimiter = char::from(delimiter);
    let mut rest = text;
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let Some((cell, after)) = rest.split_once(delimiter) else {
                record.push_field(rest);
                return Ok(());
            };
            record.push_field(cell);
            rest = after;
            continue;
        };
        let (cell, after) = unquote(quoted)?;
        record.push_field(&cell);
        // Blanks behind a quote do no harm.
        match after.trim_start_matches(' ') {
            "" => return Ok(()),
            behind => rest = behind.strip_prefix(delimiter).ok_or(Broken::Quote)?,
        }
    }
}

/// The text up to the quote that closes it, in which two quotes are one, and what follows.
fn unquote(text: &str) -> Result<(String, &str), Broken> {
    let mut cell = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"').ok_or(Broken::Open)?;
        cell.push_str(before);
        let Some(more) = after.strip_prefix('"') else { return Ok((cell, after)) };
        cell.push('"');
        rest = more;
    }
}
