//! Arithmetic on whole numbers that fails where the result does not fit, and rounding as PostgreSQL casts.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float32Array, Float64Array};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Operator, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::rows::is_decimal;

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Op {
    Add,
    Subtract,
    Multiply,
}

impl Op {
    pub(super) const fn of(operator: Operator) -> Option<Self> {
        match operator {
            Operator::Plus => Some(Self::Add),
            Operator::Minus => Some(Self::Subtract),
            Operator::Multiply => Some(Self::Multiply),
            _ => None,
        }
    }
}

/// An operator on two whole numbers of one type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Checked {
    op: Op,
    signature: Signature,
}

impl Checked {
    pub(super) fn new(op: Op) -> Self {
        Self { op, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Op::Add => "+",
            Op::Subtract => "-",
            Op::Multiply => "*",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [left, right] if left == right => Ok(left.clone()),
            _ => exec_err!("{} needs two whole numbers of one type, and has {types:?}", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return exec_err!("{} needs two numbers", self.name());
        };
        let compute = match self.op {
            Op::Add => numeric::add,
            Op::Subtract => numeric::sub,
            Op::Multiply => numeric::mul,
        };
        let done = match (left, right) {
            (ColumnarValue::Array(left), ColumnarValue::Array(right)) => compute(left, right)?,
            (ColumnarValue::Array(left), ColumnarValue::Scalar(right)) => compute(left, &right.to_scalar()?)?,
            (ColumnarValue::Scalar(left), ColumnarValue::Array(right)) => compute(&left.to_scalar()?, right)?,
            (ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)) => {
                let value = compute(&left.to_array()?, &right.to_array()?)?;
                return Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(
                    &value, 0,
                )?));
            }
        };
        Ok(ColumnarValue::Array(done))
    }
}

/// The nearest whole number: of floats the even one of two that are as near, of decimals the one away from
/// zero, as PostgreSQL's casts do.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Round {
    signature: Signature,
}

impl Round {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Round {
    fn name(&self) -> &'static str {
        "round_to_whole"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Float64))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(value) = args.args.into_iter().next() else { return exec_err!("a number is missing") };
        match value {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(round(&array)?)),
            ColumnarValue::Scalar(scalar) => {
                let rounded = round(&scalar.to_array()?)?;
                Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&rounded, 0)?))
            }
        }
    }
}

fn round(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Float64 => {
            let rounded: Float64Array = array.as_primitive::<Float64Type>().unary(f64::round_ties_even);
            Arc::new(rounded)
        }
        DataType::Float32 => {
            let rounded: Float32Array = array.as_primitive::<Float32Type>().unary(f32::round_ties_even);
            Arc::new(rounded)
        }
        // Arrow rounds a decimal half away from zero when it loses digits behind the point.
        ty if is_decimal(ty) => {
            let whole = arrow::compute::cast(array, &DataType::Decimal128(38, 0))?;
            arrow::compute::cast(&whole, ty)?
        }
        _ => Arc::clone(array),
    })
}
