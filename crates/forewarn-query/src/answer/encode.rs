//! The forms of an answer. Each is written batch by batch, so that no answer is in memory as a whole.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray as _, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow_ipc::writer::StreamWriter;
use arrow_json::writer::{LineDelimited, NullableEncoder, WriterBuilder};
use arrow_json::{Encoder, EncoderFactory, EncoderOptions, StructMode};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::Answer;
use crate::error::QueryError;
use crate::rows::{Rows, seconds};

/// Rows of a Parquet answer that are written together.
const PARQUET_GROUP_ROWS: usize = 131_072;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{"columns":[…],"rows":[[…],…]}`, with `"truncated":true` where rows are missing. Times are RFC 3339;
    /// floats that JSON has no number for are the texts `NaN`, `Infinity` and `-Infinity`.
    Json,
    /// CSV after RFC 4180. Null is an empty field, an empty text is `""`.
    Csv,
    /// A Parquet file.
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
}

/// Writes batches in one form.
enum Writer {
    Json { first: bool },
    Csv,
    Parquet(Box<ArrowWriter<Shared>>, Shared),
    Arrow(Box<StreamWriter<Shared>>, Shared),
}

/// What writers of Parquet and Arrow have written and nobody has taken yet.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What there is to write next.
enum Stage {
    Begin,
    Rows,
    Done,
}

/// `answer` in `form`, piece by piece. An error ends it.
pub(super) fn stream(answer: Answer, form: Form) -> impl Stream<Item = Result<Bytes, QueryError>> + Send {
    let (max_bytes, mut sent) = (answer.max_bytes, 0_u64);
    let begin = (answer, None::<Writer>, Stage::Begin);
    let pieces = stream::try_unfold(begin, move |(mut answer, writer, stage)| async move {
        let mut out = Vec::new();
        let writer = match (stage, writer) {
            (Stage::Begin, _) => {
                let writer = Writer::new(form, answer.schema(), &mut out)?;
                return Ok(Some((Bytes::from(out), (answer, Some(writer), Stage::Rows))));
            }
            (Stage::Rows, Some(writer)) => writer,
            _ => return Ok(None),
        };
        if let Some(batch) = answer.next().await? {
            let writer = writer.write(&batch, &mut out)?;
            return Ok(Some((Bytes::from(out), (answer, Some(writer), Stage::Rows))));
        }
        writer.finish(answer.truncated(), &mut out)?;
        Ok(Some((Bytes::from(out), (answer, None, Stage::Done))))
    });
    pieces.map(move |piece: Result<Bytes, QueryError>| {
        let piece = piece?;
        sent += piece.len() as u64;
        if sent > max_bytes {
            return Err(QueryError::TooLarge(format!(
                "the answer has more than {max_bytes} bytes (limits.max_sql_answer); ask for fewer rows or columns"
            )));
        }
        Ok(piece)
    })
}

fn failed(error: impl std::fmt::Display) -> QueryError {
    QueryError::Query(format!("the answer cannot be written in this form: {error}"))
}

impl Writer {
    /// Writes what stands before the rows.
    fn new(form: Form, schema: &SchemaRef, out: &mut Vec<u8>) -> Result<Self, QueryError> {
        Ok(match form {
            Form::Json => {
                let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
                out.extend_from_slice(b"{\"columns\":");
                serde_json::to_writer(&mut *out, &names).map_err(failed)?;
                out.extend_from_slice(b",\"rows\":[");
                Self::Json { first: true }
            }
            Form::Csv => {
                Rows::new(schema).finish(false)?.write_csv(out);
                Self::Csv
            }
            Form::Parquet => {
                let shared = Shared::default();
                let level = ZstdLevel::try_new(3).map_err(failed)?;
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(level))
                    .set_max_row_group_row_count(Some(PARQUET_GROUP_ROWS))
                    .set_created_by("forewarn".to_owned())
                    .build();
                let schema = exported_schema(schema);
                let writer =
                    ArrowWriter::try_new(shared.clone(), schema, Some(properties)).map_err(failed)?;
                Self::Parquet(Box::new(writer), shared)
            }
            Form::Arrow => {
                let shared = Shared::default();
                let writer =
                    StreamWriter::try_new(shared.clone(), &exported_schema(schema)).map_err(failed)?;
                out.append(&mut shared.take());
                Self::Arrow(Box::new(writer), shared)
            }
        })
    }

    fn write(self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<Self, QueryError> {
        Ok(match self {
            Self::Json { first } => {
                write_json(batch, first, out).map_err(failed)?;
                Self::Json { first: false }
            }
            Self::Csv => {
                let mut rows = Rows::new(&batch.schema());
                rows.push(batch)?;
                rows.finish(false)?.write_csv_rows(out);
                Self::Csv
            }
            Self::Parquet(mut writer, shared) => {
                writer.write(&exported(batch).map_err(failed)?).map_err(failed)?;
                out.append(&mut shared.take());
                Self::Parquet(writer, shared)
            }
            Self::Arrow(mut writer, shared) => {
                writer.write(&exported(batch).map_err(failed)?).map_err(failed)?;
                out.append(&mut shared.take());
                Self::Arrow(writer, shared)
            }
        })
    }

    fn finish(self, truncated: bool, out: &mut Vec<u8>) -> Result<(), QueryError> {
        match self {
            Self::Json { .. } => {
                out.extend_from_slice(if truncated { b"],\"truncated\":true}" } else { b"]}" });
            }
            Self::Csv => {}
            Self::Parquet(writer, shared) => {
                writer.close().map_err(failed)?;
                out.append(&mut shared.take());
            }
            Self::Arrow(mut writer, shared) => {
                writer.finish().map_err(failed)?;
                out.append(&mut shared.take());
            }
        }
        Ok(())
    }
}

/// Rows as JSON arrays, with commas between them.
fn write_json(batch: &RecordBatch, first: bool, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let columns = batch.columns().iter().map(for_json).collect::<Result<Vec<_>, _>>()?;
    // Names only have to differ here.
    let fields: Vec<Field> = columns
        .iter()
        .enumerate()
        .map(|(place, column)| Field::new(place.to_string(), column.data_type().clone(), true))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?;
    let mut lines = Vec::new();
    let mut writer = WriterBuilder::new()
        .with_struct_mode(StructMode::ListOnly)
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(Floats))
        .build::<_, LineDelimited>(&mut lines);
    writer.write(&batch)?;
    writer.finish()?;
    drop(writer);
    for (place, line) in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        if place > 0 || !first {
            out.push(b',');
        }
        out.extend_from_slice(line);
    }
    Ok(())
}

/// Writes floats. JSON has no number for infinity and NaN: as PostgreSQL does, they are written as texts.
#[derive(Debug)]
struct Floats;

impl EncoderFactory for Floats {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let Some(numbers) = array.as_primitive_opt::<Float64Type>() else { return Ok(None) };
        Ok(Some(NullableEncoder::new(Box::new(FloatEncoder(numbers)), array.nulls().cloned())))
    }
}

struct FloatEncoder<'a>(&'a Float64Array);

impl Encoder for FloatEncoder<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let number = self.0.value(row);
        let text: &[u8] = if number.is_nan() {
            b"\"NaN\""
        } else if number == f64::INFINITY {
            b"\"Infinity\""
        } else if number == f64::NEG_INFINITY {
            b"\"-Infinity\""
        } else {
            // Writing into memory cannot fail.
            let _ = serde_json::to_writer(out, &number);
            return;
        };
        out.extend_from_slice(text);
    }
}

/// A column in a type that JSON has a plain form for: intervals are seconds where they have a length.
fn for_json(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Interval(_) | DataType::Duration(_) => {
            seconds(column).or_else(|_| cast(column, &DataType::Utf8))
        }
        ty if crate::rows::is_decimal(ty) => cast(column, &DataType::Float64),
        DataType::Dictionary(_, values) => cast(column, values),
        _ => Ok(Arc::clone(column)),
    }
}

/// The columns as programs get them. Many readers do not know views of texts yet.
fn exported_schema(schema: &SchemaRef) -> SchemaRef {
    let field = |field: &Arc<Field>| match exported_type(field.data_type()) {
        Some(ty) => field.as_ref().clone().with_data_type(ty),
        None => field.as_ref().clone(),
    };
    let fields: Vec<Field> = schema.fields().iter().map(field).collect();
    Arc::new(Schema::new(fields))
}

fn exported_type(ty: &DataType) -> Option<DataType> {
    match ty {
        DataType::Utf8View | DataType::Null => Some(DataType::Utf8),
        DataType::BinaryView => Some(DataType::Binary),
        DataType::Duration(_) | DataType::Interval(_) => Some(DataType::Float64),
        DataType::List(field) => {
            let inner = exported_type(field.data_type())?;
            Some(DataType::List(Arc::new(field.as_ref().clone().with_data_type(inner))))
        }
        _ => None,
    }
}

fn exported(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = exported_schema(&batch.schema());
    let column = |(column, field): (&ArrayRef, &Arc<Field>)| match column.data_type() {
        DataType::Duration(_) | DataType::Interval(_) => seconds(column),
        ty if ty == field.data_type() => Ok(Arc::clone(column)),
        _ => cast(column, field.data_type()),
    };
    let columns = batch.columns().iter().zip(schema.fields()).map(column).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}
