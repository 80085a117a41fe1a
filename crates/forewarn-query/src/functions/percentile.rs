//! `percentile_cont` of many groups at once.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Float64Array, ListBuilder, PrimitiveBuilder,
};
use arrow::datatypes::Float64Type;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

/// The values of each group, and the share that is asked for.
#[derive(Debug, Default)]
pub(super) struct Groups {
    values: Vec<Vec<f64>>,
    share: Option<f64>,
    /// What all of `values` take, bytes.
    bytes: usize,
}

impl Groups {
    fn add(&mut self, group: usize, values: &[f64]) {
        if let Some(of_group) = self.values.get_mut(group) {
            let before = of_group.capacity();
            of_group.extend_from_slice(values);
            self.bytes += (of_group.capacity() - before) * size_of::<f64>();
        }
    }

    fn make_room(&mut self, groups: usize) {
        self.bytes += groups.saturating_sub(self.values.len()) * size_of::<Vec<f64>>();
        self.values.resize_with(groups, Vec::new);
    }

    fn take_share(&mut self, array: &ArrayRef) {
        self.share = self.share.or_else(|| array.as_primitive::<Float64Type>().iter().flatten().next());
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<Vec<f64>> {
        let taken = emit_to.take_needed(&mut self.values);
        let bytes: usize = taken.iter().map(|values| values.capacity() * size_of::<f64>()).sum();
        self.bytes = self.bytes.saturating_sub(bytes + taken.len() * size_of::<Vec<f64>>());
        taken
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let [values, share] = values else {
            return exec_err!("a percentile got {} arguments", values.len());
        };
        self.take_share(share);
        self.make_room(total_num_groups);
        let values = values.as_primitive::<Float64Type>();
        for (row, group) in group_indices.iter().enumerate() {
            if is_wanted(values, opt_filter, row) {
                self.add(*group, &[values.value(row)]);
            }
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        let [lists, share] = values else { return exec_err!("a percentile got {} states", values.len()) };
        self.take_share(share);
        self.make_room(total_num_groups);
        let lists = lists.as_list::<i32>();
        for (row, group) in group_indices.iter().enumerate() {
            if lists.is_valid(row) {
                self.add(*group, lists.value(row).as_primitive::<Float64Type>().values());
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let share = self.share;
        if let Some(share) = share
            && !(0.0..=1.0).contains(&share)
        {
            return exec_err!("a percentile's share is between 0 and 1, and not {share}");
        }
        let found = self.take(emit_to).into_iter();
        let found: Float64Array = found.map(|mut values| between(&mut values, share?)).collect();
        Ok(Arc::new(found))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let taken = self.take(emit_to);
        let shares: Float64Array = taken.iter().map(|_| self.share).collect();
        let count = taken.iter().map(Vec::len).sum();
        let mut lists =
            ListBuilder::with_capacity(PrimitiveBuilder::<Float64Type>::with_capacity(count), taken.len());
        for values in taken {
            lists.values().append_slice(&values);
            lists.append(true);
        }
        Ok(vec![Arc::new(lists.finish()), Arc::new(shares)])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let [values, share] = values else {
            return exec_err!("a percentile got {} arguments", values.len());
        };
        let values = values.as_primitive::<Float64Type>();
        let mut lists = ListBuilder::new(PrimitiveBuilder::<Float64Type>::new());
        for row in 0..values.len() {
            if is_wanted(values, opt_filter, row) {
                lists.values().append_value(values.value(row));
            }
            lists.append(true);
        }
        Ok(vec![Arc::new(lists.finish()), Arc::clone(share)])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes
    }
}

/// Whether the row has a value, and fulfils the condition if there is one.
fn is_wanted(values: &Float64Array, condition: Option<&BooleanArray>, row: usize) -> bool {
    values.is_valid(row) && condition.is_none_or(|condition| condition.is_valid(row) && condition.value(row))
}

/// The value at `share` of `values` in their order: between two of them as the share lies between their
/// places (SQL:2016, part 2, 10.9, `PERCENTILE_CONT`). Nothing if there are none.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among the values")]
pub(super) fn between(values: &mut [f64], share: f64) -> Option<f64> {
    let place = share * values.len().checked_sub(1)? as f64;
    let (_, low, above) = values.select_nth_unstable_by(place.floor() as usize, f64::total_cmp);
    let low = *low;
    let high = if place.fract() == 0.0 { low } else { above.iter().copied().min_by(f64::total_cmp)? };
    Some(if low == high { low } else { low + (high - low) * place.fract() })
}
