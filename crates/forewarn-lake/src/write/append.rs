//! Rows that jobs have computed, added to tables of their own.

use std::sync::Arc;

use super::writer::Writer;
use crate::error::LakeError;
use crate::read::{Reader, ResultSet, TableView};
use crate::table::{Appended, ColumnData, ColumnInfo, SharedTable, TableSchema, file_of_columns};

impl Writer {
    /// Adds `rows` to the table `table`; see [`Lake::append_rows`](crate::Lake::append_rows).
    pub(crate) async fn append_rows(
        self: &Arc<Self>,
        table: &str,
        rows: &ResultSet,
        app_id: &str,
        version: i64,
    ) -> Result<u64, LakeError> {
        check_target(&self.reader, table)?;
        let table = self.find_or_create(table, rows.schema()).await?;
        let (writer, rows, app_id, count) =
            (Arc::clone(self), rows.clone(), app_id.to_owned(), rows.row_count() as u64);
        let append = move || {
            let schema = Arc::clone(&table.lock().schema);
            let ordered = in_order(&schema, &rows)?;
            let file = file_of_columns(&schema, &ordered)?;
            writer.commit(&table, vec![file], &app_id, version, None)
        };
        let appended =
            tokio::task::spawn_blocking(append).await.map_err(|error| LakeError::cut_off(&error))??;
        Ok(if appended == Appended::Added { count } else { 0 })
    }

    /// The table `table`, which is created with `columns` if there is none.
    pub(super) async fn find_or_create(
        &self,
        table: &str,
        columns: Vec<ColumnInfo>,
    ) -> Result<SharedTable, LakeError> {
        let _alone = self.tables.creating().await;
        if let Some(table) = self.tables.get(table) {
            return Ok(table);
        }
        let schema = TableSchema { name: table.to_owned(), columns, by_date: false };
        if schema.columns.is_empty() {
            return Err(LakeError::Schema {
                table: table.to_owned(),
                problem: "the rows have no columns".into(),
            });
        }
        let made = self.tables.create(schema).await?;
        let entry = TableView { schema: Arc::clone(&made.schema), files: made.files(), committed: None };
        let shared = self.tables.add(made);
        self.reader.view.write().tables.insert(table.to_owned(), entry);
        Ok(shared)
    }
}

/// Whether jobs may write to the table `table`.
pub(super) fn check_target(reader: &Reader, table: &str) -> Result<(), LakeError> {
    check_table_name(table)?;
    if reader.view.read().tables.get(table).is_some_and(|table| table.committed.is_some()) {
        return Err(LakeError::Query(format!(
            "table {table} holds records of the log; write to a table of another name"
        )));
    }
    Ok(())
}

fn check_table_name(table: &str) -> Result<(), LakeError> {
    let good = table.starts_with(|c: char| c.is_ascii_lowercase())
        && table.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if good && table.len() <= 64 {
        return Ok(());
    }
    Err(LakeError::Query(format!(
        "{table:?} cannot name a table; use at most 64 small letters, digits and _, beginning with a letter"
    )))
}

/// The columns of `rows` in the order of the table. A column without any value fits every type; one that the
/// rows lack, as another program has added it to the table, stays empty.
pub(super) fn in_order(schema: &TableSchema, rows: &ResultSet) -> Result<Vec<ColumnData>, LakeError> {
    let wrong = |problem: String| LakeError::Schema { table: schema.name.clone(), problem };
    if let Some(extra) = rows.columns().into_iter().find(|name| schema.column(name).is_none()) {
        return Err(wrong(format!("column {extra} is not in the table")));
    }
    if rows.columns().is_empty() {
        return Err(wrong("all columns are missing".into()));
    }
    let fit = |column: &ColumnInfo| {
        let Some(data) = rows.column(&column.name) else {
            return Ok(ColumnData::nulls(column.ty, rows.row_count()));
        };
        data.fit(column.ty).ok_or_else(|| {
            wrong(format!("column {} is {}, not {}", column.name, data.ty().as_str(), column.ty.as_str()))
        })
    };
    schema.columns.iter().map(fit).collect()
}
