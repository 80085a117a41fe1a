//! Reads a file piece by piece, as a mapping says. Nothing is sent from here.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use forewarn_ingest::RawBatch;
use forewarn_types::LifeEvent;

use crate::cell::Step;
use crate::error::ImportError;
use crate::lives::LifeSpans;
use crate::mapping::{Format, ImportMapping};
use crate::parquet::ParquetRows;
use crate::plan::{Plan, Tally};
use crate::row::RowRef;
use crate::text::TextRows;

/// Reads a file piece by piece.
pub struct Importer {
    file: String,
    plan: Plan,
    rows: Rows,
    tally: Tally,
    bytes_total: u64,
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
        Ok((plan, rows, bytes_total)) => {
            let tally = Tally::new(LifeSpans::new(mapping.lives, plan.step_us()));
            Ok(Importer { file, plan, rows, tally, bytes_total })
        }
        Err(problem) => Err(ImportError { file, problem }),
    }
}

impl Importer {
    /// What `open` needs, with the problem alone as the error.
    fn fit(path: &Path, mapping: &ImportMapping) -> Result<(Plan, Rows, u64), String> {
        let failed = |error: std::io::Error| error.to_string();
        let mut head = vec![0; 64 * 1024];
        let mut source = File::open(path).map_err(failed)?;
        let bytes_total = source.metadata().map_err(failed)?.len();
        let mut filled = 0;
        while filled < head.len() {
            match source.read(&mut head[filled..]).map_err(failed)? {
                0 => break,
                count => filled += count,
            }
        }
        head.truncate(filled);
        if head.trim_ascii().is_empty() {
            return Err("the file is empty".into());
        }
        if mapping.format == Some(Format::Parquet) || (mapping.format.is_none() && head.starts_with(b"PAR1"))
        {
            let source = File::open(path).map_err(failed)?;
            let (rows, columns) = ParquetRows::open(source, bytes_total)?;
            let plan = Plan::new(mapping, &columns)?;
            return Ok((plan, Rows::Parquet(Box::new(rows)), bytes_total));
        }
        let (rows, columns) = TextRows::open(path, &head, mapping)?;
        let plan = Plan::new(mapping, &columns)?;
        Ok((plan, Rows::Text(rows), bytes_total))
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

    /// How many cells of signals were empty or `NaN` so far: no reading, and no mistake either.
    pub fn skipped_cells(&self) -> u64 {
        self.tally.skipped
    }

    /// The beginnings and ends of lives that the rows read so far show; to be asked for at the end.
    pub fn life_events(&self) -> Vec<LifeEvent> {
        self.tally.lives.events()
    }
}
