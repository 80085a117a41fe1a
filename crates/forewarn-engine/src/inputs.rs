//! The values that an expression is evaluated over: those of its signals that are known at a time.

use forewarn_spec::Inputs;

use crate::slot::Slot;

/// Hands the values of `inputs` to `use_them`. Most expressions have few inputs, and clearing 64 numbers
/// costs more than they do.
pub(crate) fn with_inputs<T>(
    inputs: &[u32],
    slots: &[Slot],
    at: i64,
    tolerance_us: Option<i64>,
    use_them: impl FnOnce(&Inputs<'_>) -> T,
) -> T {
    if inputs.len() <= 4 {
        gather::<4, T>(inputs, slots, at, tolerance_us, use_them)
    } else {
        gather::<64, T>(inputs, slots, at, tolerance_us, use_them)
    }
}

fn gather<const N: usize, T>(
    inputs: &[u32],
    slots: &[Slot],
    at: i64,
    tolerance_us: Option<i64>,
    use_them: impl FnOnce(&Inputs<'_>) -> T,
) -> T {
    let mut values = [0.0; N];
    let mut known = 0u64;
    for (index, (value, slot)) in values.iter_mut().zip(inputs).enumerate() {
        if let Some(slot) = slots.get(*slot as usize)
            && slot.is_known_at(at, tolerance_us)
        {
            *value = slot.value;
            known |= 1 << index;
        }
    }
    let count = inputs.len().min(N);
    use_them(&Inputs { values: &values[..count], known })
}
