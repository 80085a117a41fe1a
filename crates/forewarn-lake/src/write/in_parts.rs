//! Rows of one data interval of a job that come in parts, as there may be more of them than fit in
//! memory, and that take the place of those of an earlier run in one commit.

use std::sync::Arc;

use super::append::{check_target, in_order};
use super::interval::{IntervalOf, marked, marks};
use super::writer::Writer;
use crate::error::LakeError;
use crate::read::ResultSet;
use crate::table::{ColumnInfo, SharedTable, TableSchema, Uploaded, file_of_columns};

/// Rows on their way into a table. The parts go to the store one by one, and no reader sees any of them
/// before [`Self::commit`]; then all are there. Parts that are never committed are left to the vacuum.
pub struct RowsInParts {
    writer: Arc<Writer>,
    table: SharedTable,
    schema: Arc<TableSchema>,
    interval: IntervalOf,
    uploaded: Uploaded,
    rows: u64,
}

impl std::fmt::Debug for RowsInParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowsInParts")
            .field("table", &self.schema.name)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// Begins rows of the table `table`; see [`Lake::rows_in_parts`](crate::Lake::rows_in_parts).
    pub(crate) async fn rows_in_parts(
        self: &Arc<Self>,
        table: &str,
        columns: Vec<ColumnInfo>,
        interval: IntervalOf,
    ) -> Result<RowsInParts, LakeError> {
        check_target(&self.reader, table)?;
        let with_marks = columns.iter().cloned().chain(marks()).collect();
        let table = self.find_or_create(table, with_marks).await?;
        let (writer, of_table) = (Arc::clone(self), Arc::clone(&table));
        let mark = move || writer.mark(&of_table);
        tokio::task::spawn_blocking(mark).await.map_err(|error| LakeError::cut_off(&error))??;
        let schema = Arc::clone(&table.lock().schema);
        for column in &columns {
            let problem = match schema.column(&column.name) {
                None => format!("column {} is not in the table", column.name),
                Some(there) if there.ty != column.ty => {
                    format!("column {} is {}, not {}", column.name, column.ty.as_str(), there.ty.as_str())
                }
                Some(_) => continue,
            };
            return Err(LakeError::Schema { table: schema.name.clone(), problem });
        }
        Ok(RowsInParts {
            writer: Arc::clone(self),
            table,
            schema,
            interval,
            uploaded: Uploaded::none(),
            rows: 0,
        })
    }
}

impl RowsInParts {
    /// Takes further rows. Columns may stand in any order.
    ///
    /// # Errors
    /// [`LakeError::Schema`] if the rows do not fit the table, [`LakeError::Table`] or [`LakeError::Store`]
    /// if writing fails.
    pub async fn push(&mut self, rows: ResultSet) -> Result<(), LakeError> {
        if rows.row_count() == 0 {
            return Ok(());
        }
        let (writer, schema) = (Arc::clone(&self.writer), Arc::clone(&self.schema));
        self.rows += rows.row_count() as u64;
        let interval = self.interval.clone();
        let write = move || {
            let columns = marked(&schema, in_order(&schema, &rows)?, &interval, rows.row_count());
            let file = file_of_columns(&schema, &columns)?;
            Uploaded::new(&writer.reader.store, &schema.name, vec![file])
        };
        let uploaded =
            tokio::task::spawn_blocking(write).await.map_err(|error| LakeError::cut_off(&error))??;
        self.uploaded.extend(uploaded);
        Ok(())
    }

    /// How many rows there are so far.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Puts all rows in the place of those that an earlier run has written for the interval, in one
    /// commit, and says how many there are.
    ///
    /// # Errors
    /// [`LakeError::Query`] if the table has rows of another interval of the job that overlaps this one,
    /// [`LakeError::Table`] or [`LakeError::Store`] if the commit fails or a part is gone from the store.
    pub async fn commit(self) -> Result<u64, LakeError> {
        let Self { writer, table, interval, uploaded, rows, .. } = self;
        let commit = move || {
            table.lock().check_uploaded(&uploaded)?;
            writer.swap(&table, uploaded, &interval)
        };
        tokio::task::spawn_blocking(commit).await.map_err(|error| LakeError::cut_off(&error))??;
        Ok(rows)
    }
}
