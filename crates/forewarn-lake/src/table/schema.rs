//! The tables: their names, columns and types, and how these types are spelt in Delta and Arrow.

use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, Schema as ArrowSchema, TimeUnit as ArrowUnit};
use delta_kernel::schema::{DataType as DeltaType, PrimitiveType, StructField, StructType};

use super::day::DATE;
use crate::error::LakeError;

/// In the tables of jobs: which job has written a row, and for which interval. Queries do not see them.
pub(crate) const MARKS: [(&str, ColumnType); 3] =
    [("_job", ColumnType::Text), ("_from", ColumnType::Time), ("_to", ColumnType::Time)];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// True or false.
    Bool,
    /// 64-bit integers.
    Int,
    /// 64-bit floats.
    Float,
    /// UTF-8 text.
    Text,
    /// Points in time, µs UTC.
    Time,
}

impl ColumnType {
    /// The name used in messages and by the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Text => "text",
            Self::Time => "time",
        }
    }

    pub(crate) fn to_delta(self) -> DeltaType {
        match self {
            Self::Bool => DeltaType::BOOLEAN,
            Self::Int => DeltaType::LONG,
            Self::Float => DeltaType::DOUBLE,
            Self::Text => DeltaType::STRING,
            Self::Time => DeltaType::TIMESTAMP,
        }
    }

    fn from_delta(delta: &DeltaType) -> Option<Self> {
        match delta {
            DeltaType::Primitive(PrimitiveType::Boolean) => Some(Self::Bool),
            DeltaType::Primitive(PrimitiveType::Long) => Some(Self::Int),
            DeltaType::Primitive(PrimitiveType::Double) => Some(Self::Float),
            DeltaType::Primitive(PrimitiveType::String) => Some(Self::Text),
            DeltaType::Primitive(PrimitiveType::Timestamp) => Some(Self::Time),
            _ => None,
        }
    }

    /// As Arrow has it where texts are dictionaries: one look-up for each text of a batch instead of one a
    /// row.
    #[must_use]
    pub fn to_arrow_dictionary(self) -> ArrowType {
        match self {
            Self::Text => ArrowType::Dictionary(Box::new(ArrowType::Int32), Box::new(ArrowType::Utf8)),
            other => other.to_arrow(),
        }
    }

    /// As Arrow has it.
    #[must_use]
    pub fn to_arrow(self) -> ArrowType {
        match self {
            Self::Bool => ArrowType::Boolean,
            Self::Int => ArrowType::Int64,
            Self::Float => ArrowType::Float64,
            Self::Text => ArrowType::Utf8,
            Self::Time => ArrowType::Timestamp(ArrowUnit::Microsecond, Some("UTC".into())),
        }
    }
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub ty: ColumnType,
}

impl ColumnInfo {
    /// Whether it is Forewarn's own and nothing for users to see: it says which run has written a row.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        MARKS.iter().any(|(name, _)| *name == self.name)
    }
}

/// A table as users see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    /// Its name in SQL.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<ColumnInfo>,
}

/// A table: its name, the columns its files hold, and whether it is partitioned by the day of `time`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    /// Its name in SQL.
    pub name: String,
    /// The columns its files hold, in order.
    pub columns: Vec<ColumnInfo>,
    /// Whether it is partitioned by the day of `time`.
    pub by_date: bool,
}

impl TableSchema {
    pub(crate) fn new(name: &str, columns: &[(&str, ColumnType)], by_date: bool) -> Self {
        let columns = columns.iter().map(|&(name, ty)| ColumnInfo { name: name.to_owned(), ty }).collect();
        Self { name: name.to_owned(), columns, by_date }
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnInfo> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(crate) fn to_delta(&self) -> Result<StructType, LakeError> {
        let fields =
            self.columns.iter().map(|column| StructField::nullable(&column.name, column.ty.to_delta()));
        let date = self.by_date.then(|| StructField::nullable(DATE, DeltaType::DATE));
        StructType::try_new(fields.chain(date)).map_err(|error| LakeError::table(&self.name, error))
    }

    /// The schema of a table found in the store. Columns of types that Forewarn does not know are another
    /// program's and left out.
    pub(crate) fn from_delta(name: &str, delta: &StructType) -> Self {
        let mut columns = Vec::new();
        let mut by_date = false;
        for field in delta.fields() {
            if field.name() == DATE && *field.data_type() == DeltaType::DATE {
                by_date = true;
                continue;
            }
            if let Some(ty) = ColumnType::from_delta(field.data_type()) {
                columns.push(ColumnInfo { name: field.name().clone(), ty });
            } else {
                tracing::warn!(table = name, column = field.name(), ty = %field.data_type(), "a column of \
                    this type is left out");
            }
        }
        Self { name: name.to_owned(), columns, by_date }
    }

    /// With texts as dictionaries.
    pub(crate) fn to_arrow_dictionaries(&self) -> Arc<ArrowSchema> {
        let field = |column: &ColumnInfo| Field::new(&column.name, column.ty.to_arrow_dictionary(), true);
        Arc::new(ArrowSchema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    pub(crate) fn to_arrow(&self) -> Arc<ArrowSchema> {
        Arc::new(ArrowSchema::new(
            self.columns.iter().map(|c| Field::new(&c.name, c.ty.to_arrow(), true)).collect::<Vec<_>>(),
        ))
    }

    /// Which of these columns `found` has not. It may have more: those of a newer version, or of another
    /// program.
    ///
    /// # Errors
    /// In words, if a column of that name is of another type, or the tables are partitioned in different
    /// ways.
    pub(crate) fn missing_in(&self, found: &Self) -> Result<Vec<ColumnInfo>, String> {
        if self.by_date != found.by_date {
            return Err(format!("it is partitioned by {DATE} in one version and not in the other"));
        }
        let differs =
            |column: &&ColumnInfo| found.column(&column.name).is_some_and(|other| other.ty != column.ty);
        if let Some(column) = self.columns.iter().find(differs) {
            let other = found.column(&column.name).map_or("another", |other| other.ty.as_str());
            return Err(format!("column {} should be {}, but is {other}", column.name, column.ty.as_str()));
        }
        Ok(self.columns.iter().filter(|column| found.column(&column.name).is_none()).cloned().collect())
    }

    pub(crate) fn info(&self) -> TableInfo {
        let mut columns: Vec<ColumnInfo> =
            self.columns.iter().filter(|column| !column.is_hidden()).cloned().collect();
        if self.by_date {
            columns.push(ColumnInfo { name: DATE.to_owned(), ty: ColumnType::Text });
        }
        TableInfo { name: self.name.clone(), columns }
    }
}
