//! `sum` of whole numbers that fails where the sum does not fit, instead of wrapping around. Every other sum
//! is DataFusion's.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature,
};

/// `sum`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Sum {
    /// DataFusion's.
    inner: Arc<AggregateUDF>,
}

impl Sum {
    pub(super) fn new() -> Self {
        Self { inner: sum_udaf() }
    }
}

fn is_whole(args: &AccumulatorArgs<'_>) -> bool {
    *args.return_field.data_type() == DataType::Int64 && !args.is_distinct
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = self.inner.coerce_types(types)?;
        // What counts is a signed number everywhere here.
        types.iter_mut().filter(|ty| **ty == DataType::UInt64).for_each(|ty| *ty = DataType::Int64);
        Ok(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if *args.return_field.data_type() == DataType::Int64 && !args.is_distinct {
            let name = format_state_name(args.name, "sum");
            return Ok(vec![Arc::new(Field::new(name, DataType::Int64, true))]);
        }
        self.inner.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if is_whole(&args) { Ok(Box::new(One::default())) } else { self.inner.accumulator(args) }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if is_whole(&args) {
            Ok(Box::new(One::default()))
        } else {
            self.inner.create_sliding_accumulator(args)
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        is_whole(&args) || self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        if is_whole(&args) {
            Ok(Box::new(Many::default()))
        } else {
            self.inner.create_groups_accumulator(args)
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn set_monotonicity(&self, _: &DataType) -> SetMonotonicity {
        SetMonotonicity::NotMonotonic
    }
}

/// The sum does not fit.
fn overflow() -> datafusion::common::DataFusionError {
    exec_datafusion_err!(
        "the sum of whole numbers is larger than 9223372036854775807; sum(value::double precision) is not exact but fits"
    )
}

fn whole(array: &ArrayRef) -> Result<&Int64Array> {
    let Some(numbers) = array.as_primitive_opt::<Int64Type>() else {
        return exec_err!("sum of whole numbers got {}", array.data_type());
    };
    Ok(numbers)
}

/// One sum. Values can be taken out again, as they leave a window.
#[derive(Debug, Default)]
struct One {
    sum: i128,
    count: u64,
}

impl One {
    fn add(&mut self, array: &ArrayRef) -> Result<()> {
        let numbers = whole(array)?;
        self.sum += numbers.iter().flatten().map(i128::from).sum::<i128>();
        self.count += (numbers.len() - numbers.null_count()) as u64;
        Ok(())
    }

    fn value(&self) -> Result<Option<i64>> {
        if self.count == 0 {
            return Ok(None);
        }
        i64::try_from(self.sum).map(Some).map_err(|_| overflow())
    }
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        values.first().map_or(Ok(()), |array| self.add(array))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(array) = values.first() else { return Ok(()) };
        let numbers = whole(array)?;
        self.sum -= numbers.iter().flatten().map(i128::from).sum::<i128>();
        self.count -= (numbers.len() - numbers.null_count()) as u64;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.value().map(ScalarValue::Int64)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// A sum for each group.
#[derive(Debug, Default)]
struct Many {
    sums: Vec<Option<i64>>,
}

impl Many {
    fn emit(&mut self, emit_to: EmitTo) -> ArrayRef {
        let sums = emit_to.take_needed(&mut self.sums);
        Arc::new(Int64Array::from(sums))
    }
}

impl GroupsAccumulator for Many {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.sums.resize(total, None);
        let Some(array) = values.first() else { return Ok(()) };
        let passes = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, (number, group)) in whole(array)?.iter().zip(groups).enumerate() {
            if let Some(number) = number
                && passes(row)
            {
                let sum = &mut self.sums[*group];
                *sum = Some(sum.unwrap_or(0).checked_add(number).ok_or_else(overflow)?);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.update_batch(states, groups, None, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(self.emit(emit_to))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.emit(emit_to)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let Some(array) = values.first() else { return Ok(Vec::new()) };
        let passes = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let numbers = whole(array)?.iter().enumerate();
        let kept: Int64Array = numbers.map(|(row, number)| number.filter(|_| passes(row))).collect();
        Ok(vec![Arc::new(kept)])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.sums.capacity() * size_of::<Option<i64>>()
    }
}
