//! Rows of a job that come in parts, as there may be more of them than fit in memory, and that are added to
//! their table in one commit.

use std::sync::Arc;

use super::append::{check_target, in_order};
use super::writer::Writer;
use crate::error::LakeError;
use crate::read::ResultSet;
use crate::table::{Appended, ColumnInfo, SharedTable, TableSchema, Uploaded, file_of_columns};

/// Rows on their way into a table. The parts go to the store one by one, and no reader sees any of them
/// before [`Self::commit`]; then all are there. Parts that are never committed are left to the vacuum.
pub struct RowsInParts {
    writer: Arc<Writer>,
    table: SharedTable,
    schema: Arc<TableSchema>,
    app_id: String,
    version: i64,
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
        app_id: &str,
        version: i64,
    ) -> Result<Option<RowsInParts>, LakeError> {
        check_target(&self.reader, table)?;
        let table = self.find_or_create(table, columns.clone()).await?;
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
        let (of_table, app) = (Arc::clone(&table), app_id.to_owned());
        let known = move || of_table.lock().version_of(&app);
        let there =
            tokio::task::spawn_blocking(known).await.map_err(|error| LakeError::cut_off(&error))??;
        if there.is_some_and(|there| there >= version) {
            return Ok(None);
        }
        Ok(Some(RowsInParts {
            writer: Arc::clone(self),
            table,
            schema,
            app_id: app_id.to_owned(),
            version,
            uploaded: Uploaded::none(),
            rows: 0,
        }))
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
        let write = move || {
            let file = file_of_columns(&schema, &in_order(&schema, &rows)?)?;
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

    /// Adds all rows to the table, in one commit, and says how many there are. Without any, nothing is
    /// committed, and if another has committed the version meanwhile, nothing is added: 0 comes back.
    ///
    /// # Errors
    /// [`LakeError::Table`] or [`LakeError::Store`] if the commit fails.
    pub async fn commit(self) -> Result<u64, LakeError> {
        if self.rows == 0 {
            return Ok(0);
        }
        let Self { writer, table, app_id, version, uploaded, rows, .. } = self;
        let commit = move || writer.commit_uploaded(&table, &uploaded, &app_id, version);
        let appended =
            tokio::task::spawn_blocking(commit).await.map_err(|error| LakeError::cut_off(&error))??;
        Ok(if appended == Appended::Added { rows } else { 0 })
    }
}
