//! Reads a file piece by piece, as a mapping says. Nothing is sent from here.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use forewarn_ingest::RawBatch;
use forewarn_types::LifeEvent;

use crate::cell::Step;
use crate::error::ImportError;
use crate::form::Form;
use crate::input::Input;
use crate::lives::LifeSpans;
use crate::look::Look;
use crate::mapping::{Format, ImportMapping};
use crate::parquet::ParquetRows;
use crate::plan::{Plan, Tally};
use crate::repeats::Repeats;
use crate::row::RowRef;
use crate::text::TextRows;

/// Reads a file piece by piece.
pub struct Importer {
    file: String,
    plan: Plan,
    rows: Rows,
    tally: Tally,
    bytes_total: u64,
    notes: Vec<String>,
    left_out: u64,
}

/// A file, and the mapping fitted to it.
struct Fitted {
    plan: Plan,
    rows: Rows,
    bytes_total: u64,
    look: Look,
}

enum Rows {
    Text(TextRows),
    Parquet(Box<ParquetRows>),
}

/// Opens a file and fits the mapping to its columns.
///
/// # Errors
/// [`ImportError`] if the file cannot be read or a part of the mapping does not fit it.
pub fn open(path: &Path, mapping: &ImportMapping) -> Result<Importer, ImportError> {
    let file = path.display().to_string();
    match Importer::fit(path, mapping) {
        Ok(Fitted { plan, rows, bytes_total, look }) => {
            let repeats = Repeats::new(look.descending);
            let tally = Tally::new(LifeSpans::new(mapping.lives, plan.step_us()), repeats);
            let (left, left_out) = plan.left_out(mapping, &look.columns);
            let notes = [look.notes, left].concat();
            Ok(Importer { file, plan, rows, tally, bytes_total, notes, left_out })
        }
        Err(problem) => Err(ImportError { file, problem }),
    }
}

impl Importer {
    /// What `open` needs, with the problem alone as the error.
    fn fit(path: &Path, mapping: &ImportMapping) -> Result<Fitted, String> {
        let failed = |error: std::io::Error| error.to_string();
        let mut source = File::open(path).map_err(failed)?;
        let bytes_total = source.metadata().map_err(failed)?.len();
        let mut magic = [0; 4];
        let is_parquet = source.read_exact(&mut magic).is_ok() && &magic == b"PAR1";
        if mapping.format == Some(Format::Parquet) || (mapping.format.is_none() && is_parquet) {
            let source = File::open(path).map_err(failed)?;
            let (rows, columns, spans) = ParquetRows::open(source, bytes_total)?;
            let look = Look::of_columns(columns, &spans, mapping);
            let plan = Plan::new(mapping, &look)?;
            return Ok(Fitted { plan, rows: Rows::Parquet(Box::new(rows)), bytes_total, look });
        }
        let mut notes = Vec::new();
        let form = Form::of(Input::open(path)?.head(), mapping, &mut notes)?;
        let mut look = Look::at(path, &form, mapping)?;
        look.notes.splice(..0, notes);
        let plan = Plan::new(mapping, &look)?;
        let (rows, _) = TextRows::open(path, &form, look.units, mapping)?;
        Ok(Fitted { plan, rows: Rows::Text(rows), bytes_total, look })
    }

    /// What the file shows and the mapping does not say, for people: how it is read, and what is left out.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How many numbers stand in columns that are left out.
    pub fn numbers_left_out(&self) -> u64 {
        self.left_out
    }

    /// Reads the next rows of the file, at most `max_rows`; `None` at its end. What cannot be used stands in
    /// the batch.
    ///
    /// # Errors
    /// [`ImportError`] if the file cannot be read on.
    pub fn next_batch(&mut self, max_rows: usize) -> Result<Option<RawBatch>, ImportError> {
        let mut batch =
            RawBatch::with_capacity(max_rows.saturating_mul(self.plan.readings_a_row()).min(1 << 20));
        let mut count = 0;
        while count < max_rows.max(1) {
            let step = match &mut self.rows {
                Rows::Text(rows) => rows.advance(),
                Rows::Parquet(rows) => rows.advance(self.plan.used()),
            };
            let step = step.map_err(|problem| ImportError { file: self.file.clone(), problem })?;
            let (line, done) = match step {
                Step::End => break,
                Step::Bad(line, reason) => (line, Err(reason)),
                Step::Row(line) => {
                    let row = match &self.rows {
                        Rows::Text(rows) => RowRef::Text(rows.row()),
                        Rows::Parquet(rows) => {
                            let (columns, at) = rows.row();
                            RowRef::Columns(columns, at)
                        }
                    };
                    (line, self.plan.row(row, line, &mut batch, &mut self.tally))
                }
            };
            count += 1;
            if let Err(reason) = done {
                batch.reject(usize::try_from(line).unwrap_or(usize::MAX), reason);
            }
        }
        Ok((count > 0).then_some(batch))
    }

    /// How far the file is read, for a progress bar.
    pub fn bytes_read(&self) -> u64 {
        match &self.rows {
            Rows::Text(rows) => rows.bytes_read().min(self.bytes_total),
            Rows::Parquet(rows) => rows.bytes_read(),
        }
    }

    /// How large the file is.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// How many cells of signals were empty or held a word for that so far: no reading, and no mistake
    /// either.
    pub fn skipped_cells(&self) -> u64 {
        self.tally.skipped
    }

    /// The beginnings and ends of lives that the rows read so far show; to be asked for at the end.
    pub fn life_events(&self) -> Vec<LifeEvent> {
        self.tally.lives.events()
    }
}
