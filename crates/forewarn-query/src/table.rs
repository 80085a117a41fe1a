//! A table of the lake as DataFusion reads it: the files of one snapshot and the log's tail after them.
//!
//! Files are read by DataFusion's own Parquet reader, which skips row groups and pages by their statistics;
//! which files are opened at all is decided here, by what the query's conditions say about the columns
//! ([`bounds`]). The tail is turned into rows while it is read, so that a query holds no copy of it.

mod bounds;
mod files;
mod tail;
mod visible;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, project_schema};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use forewarn_lake::{ColumnType, TableSchema, TableSnapshot};

pub(crate) use self::files::STORE;
use crate::scope::Sees;

/// The column that holds the UTC day of `time` in a table partitioned by date.
const DATE: &str = "date";

/// One table of a snapshot.
pub(crate) struct LakeTable {
    snapshot: TableSnapshot,
    schema: SchemaRef,
    /// Which assets' rows are visible; none means all.
    sees: Option<Sees>,
}

impl fmt::Debug for LakeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeTable").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

impl LakeTable {
    pub(crate) fn new(snapshot: TableSnapshot, sees: Option<Sees>) -> Self {
        let schema = schema_of(snapshot.schema());
        Self { snapshot, schema, sees }
    }

    /// The snapshot it reads.
    pub(crate) const fn snapshot(&self) -> &TableSnapshot {
        &self.snapshot
    }

    /// The rows of all assets.
    fn scan_all(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let bounds = self.bounds(filters.iter());
        let files = self.snapshot.files(&bounds);
        let mut parts: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(2);
        if !files.is_empty() {
            parts.push(files::scan(self, state, &files, projection, limit)?);
        }
        if self.snapshot.has_tail() {
            parts.push(tail::scan(self, state, &bounds, projection, limit)?);
        }
        match (parts.pop(), parts.pop()) {
            (None, _) => Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?))),
            (Some(one), None) => Ok(one),
            (Some(tail), Some(files)) => UnionExec::try_new(vec![files, tail]),
        }
    }

    /// The bounds that `filters`, which all hold, put on its columns.
    pub(crate) fn bounds<'a>(&self, filters: impl Iterator<Item = &'a Expr>) -> forewarn_lake::Bounds {
        bounds::of(filters, self.snapshot.schema())
    }
}

/// The columns that SQL sees, in order: those in the files that are not Forewarn's own, and the partition.
fn schema_of(table: &TableSchema) -> SchemaRef {
    let shown = table.columns.iter().filter(|column| !column.is_hidden());
    let mut fields: Vec<Field> =
        shown.map(|column| Field::new(&column.name, data_type(column.ty), true)).collect();
    if table.by_date {
        fields.push(Field::new(DATE, DataType::Date32, true));
    }
    Arc::new(Schema::new(fields))
}

/// Texts are read as views, which copy no bytes out of a dictionary.
fn data_type(ty: ColumnType) -> DataType {
    match ty {
        ColumnType::Text => DataType::Utf8View,
        other => other.to_arrow(),
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // A filter decides which files, row groups and rows are read, but not to the last row.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(sees) = &self.sees else {
            return self.scan_all(state, projection, filters, limit);
        };
        // Which rows are visible is found out first; only of those there may be as many as are wanted.
        let (columns, asset) = visible::columns(self, projection)?;
        let inner = self.scan_all(state, Some(&columns), filters, None)?;
        visible::scan(self, state, &inner, (asset, sees), (projection, limit))
    }
}
