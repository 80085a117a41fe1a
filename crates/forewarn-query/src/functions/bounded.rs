//! Functions that can make much out of little: their arguments are looked at before they run, so that no
//! short query can ask for gigabytes.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::guard::refused;

/// The most that one call may make, of one batch of rows.
const MAX_BYTES: u64 = 64 << 20;
/// The longest text or list that one call may make.
const MAX_VALUE_BYTES: u64 = 1 << 20;

/// How much a function makes of the arguments of one row, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// As long as the second argument says: `lpad('x', 10)`.
    Length,
    /// The first argument, as often as the second says: `repeat('x', 10)`.
    Times,
    /// For each part of the first argument the last one: `replace(text, 'a', 'bcd')`.
    Replaced,
    /// All arguments together: `concat(a, b)`.
    Sum,
    /// From the first to the second, in steps of the third: `range(0, 10, 2)`.
    Series,
}

/// Which functions grow, and how.
const GROWING: [(&str, Growth); 16] = [
    ("lpad", Growth::Length),
    ("rpad", Growth::Length),
    ("repeat", Growth::Times),
    ("replace", Growth::Replaced),
    ("regexp_replace", Growth::Replaced),
    ("overlay", Growth::Sum),
    ("concat", Growth::Sum),
    ("concat_ws", Growth::Sum),
    ("array_repeat", Growth::Times),
    ("array_resize", Growth::Length),
    ("range", Growth::Series),
    ("generate_series", Growth::Series),
    ("array_concat", Growth::Sum),
    ("array_append", Growth::Sum),
    ("array_prepend", Growth::Sum),
    ("array_to_string", Growth::Replaced),
];

/// `function`, behind a look at its arguments if it is one that grows.
pub(super) fn bound(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    match GROWING.iter().find(|(name, _)| *name == function.name()) {
        Some((_, growth)) => Arc::new(ScalarUDF::from(Bounded { inner: function, growth: *growth })),
        None => function,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(types)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // What DataFusion would turn these into is not looked at when it runs.
        let _ = info;
        Ok(ExprSimplifyResult::Original(args))
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check(&args.args, args.number_rows)?;
        self.inner.invoke_with_args(args)
    }
}

impl Bounded {
    fn check(&self, args: &[ColumnarValue], rows: usize) -> Result<()> {
        let rows = if args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) { 1 } else { rows };
        let args = args.iter().map(Argument::of).collect::<Result<Vec<_>>>()?;
        let mut total = 0_u64;
        for row in 0..rows {
            let bytes = self.growth.bytes(&args, row);
            total = total.saturating_add(bytes);
            if bytes > MAX_VALUE_BYTES || total > MAX_BYTES {
                return Err(refused(format!(
                    "{} would make a text or list of more than {} kB, or more than {} MB in a few thousand rows",
                    self.inner.name(),
                    MAX_VALUE_BYTES >> 10,
                    MAX_BYTES >> 20
                )));
            }
        }
        Ok(())
    }
}

impl Growth {
    fn bytes(self, args: &[Argument], row: usize) -> u64 {
        let size = |place: usize| args.get(place).map_or(0, |arg| arg.bytes(row));
        let number = |place: usize| args.get(place).and_then(|arg| arg.number(row));
        let count = |place: usize| number(place).map_or(0, |number| u64::try_from(number).unwrap_or(0));
        match self {
            // A character has up to four bytes.
            Self::Length => count(1).saturating_mul(4).saturating_add(size(0)),
            Self::Times => {
                let (first, times) = if number(0).is_some() && number(1).is_none() { (1, 0) } else { (0, 1) };
                count(times).saturating_mul(size(first).max(1))
            }
            Self::Replaced => {
                let with = args.len().saturating_sub(1).min(2);
                (size(0) + 1).saturating_mul(size(with).max(1))
            }
            Self::Sum => (0..args.len()).fold(0_u64, |sum, place| sum.saturating_add(size(place))),
            Self::Series => {
                let (from, to) = match (number(0), number(1)) {
                    (Some(to), None) => (0, to),
                    (Some(from), Some(to)) => (from, to),
                    // A series of times is bounded by how many of them there can be.
                    _ => return 0,
                };
                let step = number(2).unwrap_or(1).unsigned_abs().max(1);
                (to.abs_diff(from) / step).saturating_mul(8)
            }
        }
    }
}

/// An argument as far as its size matters.
struct Argument {
    constant: bool,
    array: ArrayRef,
    numbers: Option<Int64Array>,
}

impl Argument {
    fn of(value: &ColumnarValue) -> Result<Self> {
        let constant = matches!(value, ColumnarValue::Scalar(_));
        let array = value.to_array(1)?;
        let numbers = array
            .data_type()
            .is_integer()
            .then(|| cast(&array, &DataType::Int64).map(|array| array.as_primitive::<Int64Type>().clone()))
            .transpose()?;
        Ok(Self { constant, array, numbers })
    }

    fn row(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    fn number(&self, row: usize) -> Option<i64> {
        let (numbers, row) = (self.numbers.as_ref()?, self.row(row));
        (row < numbers.len() && numbers.is_valid(row)).then(|| numbers.value(row))
    }

    fn bytes(&self, row: usize) -> u64 {
        let row = self.row(row);
        if row >= self.array.len() || self.array.is_null(row) {
            return 0;
        }
        let bytes = match self.array.data_type() {
            DataType::Utf8 => self.array.as_string::<i32>().value(row).len(),
            DataType::LargeUtf8 => self.array.as_string::<i64>().value(row).len(),
            DataType::Utf8View => self.array.as_string_view().value(row).len(),
            DataType::List(_) => self.array.as_list::<i32>().value(row).get_array_memory_size(),
            _ => 8,
        };
        bytes as u64
    }
}
