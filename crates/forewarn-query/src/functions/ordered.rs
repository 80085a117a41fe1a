//! `mode(value)`, the most frequent value, and `percentile_disc`, the value that stands at a share of all.

use std::collections::HashMap;
use std::mem::size_of_val;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::compute::{concat, sort};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};

use super::percentile::{self, between};

fn list_field(args: &StateFieldsArgs<'_>, what: &str, ty: DataType) -> FieldRef {
    let item = Field::new_list_field(ty, true);
    Arc::new(Field::new(format_state_name(args.name, what), DataType::List(Arc::new(item)), true))
}

fn first_type(types: &[DataType]) -> Result<DataType> {
    types.first().map_or_else(|| plan_err!("a value is missing"), |ty| Ok(ty.clone()))
}

/// The most frequent value; of several, the smallest.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Mode(Signature);

impl Mode {
    pub(super) fn new() -> Self {
        Self(Signature::any(1, Volatility::Immutable))
    }
}

impl AggregateUDFImpl for Mode {
    fn name(&self) -> &'static str {
        "mode"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        first_type(types)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let ty = args.return_field.data_type().clone();
        Ok(vec![list_field(&args, "values", ty), list_field(&args, "counts", DataType::Int64)])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let ty = args.return_field.data_type().clone();
        Ok(Box::new(Counts { ty, of_value: HashMap::new(), bytes: 0 }))
    }
}

#[derive(Debug)]
struct Counts {
    ty: DataType,
    of_value: HashMap<ScalarValue, i64>,
    bytes: usize,
}

impl Counts {
    fn add(&mut self, value: ScalarValue, count: i64) {
        let bytes = value.size() + size_of_val(&count);
        let known = self.of_value.entry(value).or_insert_with(|| {
            self.bytes += bytes;
            0
        });
        *known += count;
    }
}

impl Accumulator for Counts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(array) = values.first() else { return Ok(()) };
        for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
            self.add(ScalarValue::try_from_array(array, row)?.compacted(), 1);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, counts] = states else { return exec_err!("mode got a state of {} parts", states.len()) };
        let (values, counts) = (values.as_list::<i32>(), counts.as_list::<i32>());
        for row in 0..values.len() {
            let (values, counts) = (values.value(row), counts.value(row));
            for (place, count) in counts.as_primitive::<Int64Type>().iter().enumerate() {
                self.add(ScalarValue::try_from_array(&values, place)?.compacted(), count.unwrap_or(0));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut best: Option<(&ScalarValue, i64)> = None;
        for (value, count) in &self.of_value {
            let better = best.is_none_or(|(other, most)| {
                *count > most || *count == most && value.partial_cmp(other) == Some(std::cmp::Ordering::Less)
            });
            if better {
                best = Some((value, *count));
            }
        }
        best.map_or_else(|| ScalarValue::try_new_null(&self.ty), |(value, _)| Ok(value.clone()))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (values, counts): (Vec<_>, Vec<_>) =
            self.of_value.drain().map(|(value, count)| (value, ScalarValue::Int64(Some(count)))).unzip();
        self.bytes = 0;
        let list = |values: &[ScalarValue], ty: &DataType| {
            ScalarValue::List(ScalarValue::new_list(values, ty, true))
        };
        Ok(vec![list(&values, &self.ty), list(&counts, &DataType::Int64)])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes
    }
}

/// `percentile_disc(value, share)`, the first value, in their order, at or above the share of all; or
/// `percentile_cont(value, share)`, which lies between two values as the share does. DataFusion's own
/// `percentile_cont` is right to six digits only.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Percentile {
    continuous: bool,
    signature: Signature,
}

impl Percentile {
    pub(super) fn new(continuous: bool) -> Self {
        Self { continuous, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &'static str {
        if self.continuous { "percentile_cont" } else { "percentile_disc" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [value, share] if share.is_numeric() && (!self.continuous || value.is_numeric()) => {
                let value = if self.continuous { DataType::Float64 } else { value.clone() };
                Ok(vec![value, DataType::Float64])
            }
            _ => plan_err!("write {}(0.5) WITHIN GROUP (ORDER BY value)", self.name()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        first_type(types)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let ty = args.return_field.data_type().clone();
        Ok(vec![
            list_field(&args, "values", ty),
            Arc::new(Field::new(format_state_name(args.name, "share"), DataType::Float64, true)),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let ty = args.return_field.data_type().clone();
        Ok(Box::new(Values { continuous: self.continuous, ty, parts: Vec::new(), share: None }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.continuous && !args.is_distinct
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(percentile::Groups::default()))
    }
}

#[derive(Debug)]
struct Values {
    continuous: bool,
    ty: DataType,
    parts: Vec<ArrayRef>,
    share: Option<f64>,
}

impl Values {
    fn all(&self) -> Result<ArrayRef> {
        if self.parts.is_empty() {
            return Ok(arrow::array::new_empty_array(&self.ty));
        }
        let parts: Vec<&dyn arrow::array::Array> = self.parts.iter().map(|part| &**part).collect();
        Ok(concat(&parts)?)
    }

    fn take_share(&mut self, array: &ArrayRef) {
        self.share = self.share.or_else(|| array.as_primitive::<Float64Type>().iter().flatten().next());
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [array, share] = values else {
            return exec_err!("a percentile got {} arguments", values.len());
        };
        self.take_share(share);
        let present = arrow::compute::is_not_null(array)?;
        self.parts.push(arrow::compute::filter(array, &present)?);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [lists, share] = states else { return exec_err!("a percentile got {} states", states.len()) };
        self.take_share(share);
        let lists = lists.as_list::<i32>();
        self.parts.extend((0..lists.len()).filter(|row| lists.is_valid(*row)).map(|row| lists.value(row)));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let all = self.all()?;
        let Some(share) = self.share.filter(|_| !all.is_empty()) else {
            return ScalarValue::try_new_null(&self.ty);
        };
        if !(0.0..=1.0).contains(&share) {
            return exec_err!("a percentile's share is between 0 and 1, and not {share}");
        }
        if self.continuous {
            let mut values = all.as_primitive::<Float64Type>().values().to_vec();
            return Ok(ScalarValue::Float64(between(&mut values, share)));
        }
        let sorted = sort(&all, None)?;
        // The standard's definition: the first value whose cumulative share is at least the one asked for.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
        let place = (share * sorted.len() as f64).ceil().max(1.0) as usize - 1;
        ScalarValue::try_from_array(&sorted, place.min(sorted.len() - 1))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = SingleRowListArrayBuilder::new(self.all()?).build_list_scalar();
        Ok(vec![list, ScalarValue::Float64(self.share)])
    }

    fn size(&self) -> usize {
        // Parts share buffers with one another, so only what each of them shows of one counts.
        let shown = |part: &ArrayRef| part.to_data().get_slice_memory_size().unwrap_or(0);
        size_of_val(self) + self.parts.iter().map(shown).sum::<usize>()
    }
}
