//! Memory that records were encoded into, kept for the next ones: fresh memory of that size comes from the
//! system page by page, which takes longer than the encoding.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// Smaller ones are not worth keeping.
const LEAST_BYTES: usize = 4 << 10;
/// What is kept at most.
const MOST_BYTES: usize = 8 << 20;
/// How many of those kept last are looked at for one that fits.
const LOOK_AT: usize = 16;

/// Buffers in nobody's use.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Those kept last are at the back.
    buffers: VecDeque<Vec<u8>>,
    /// Their capacities together.
    bytes: usize,
}

impl Buffers {
    /// An empty buffer for about `bytes`: a kept one if one fits that is not far too large, which would hold
    /// memory for nothing.
    pub(crate) fn take(&self, bytes: usize) -> Vec<u8> {
        if bytes < LEAST_BYTES {
            return Vec::new();
        }
        let mut kept = self.0.lock();
        let first = kept.buffers.len().saturating_sub(LOOK_AT);
        let found = kept
            .buffers
            .range(first..)
            .rposition(|buffer| (bytes..=bytes.saturating_mul(4)).contains(&buffer.capacity()));
        let Some(buffer) = found.and_then(|at| kept.buffers.remove(first + at)) else { return Vec::new() };
        kept.bytes -= buffer.capacity();
        buffer
    }

    /// Keeps `buffers`. Those kept for longest make room: records may have another size by now.
    pub(crate) fn give(&self, buffers: impl IntoIterator<Item = Vec<u8>>) {
        let mut kept = self.0.lock();
        for mut buffer in buffers {
            let bytes = buffer.capacity();
            if !(LEAST_BYTES..=MOST_BYTES).contains(&bytes) {
                continue;
            }
            buffer.clear();
            kept.bytes += bytes;
            kept.buffers.push_back(buffer);
            while kept.bytes > MOST_BYTES
                && let Some(oldest) = kept.buffers.pop_front()
            {
                kept.bytes -= oldest.capacity();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_where_it_fits() {
        let buffers = Buffers::default();
        buffers.give([Vec::with_capacity(10), Vec::with_capacity(100_000), Vec::with_capacity(20_000)]);
        for bytes in [20_001, 3_000, 100_001, 4_096] {
            let taken = buffers.take(bytes).capacity();
            assert!(taken == 0 || (bytes..=4 * bytes).contains(&taken), "{taken} for {bytes}");
        }
        let buffers = Buffers::default();
        buffers.give([vec![7; 20_000]]);
        let taken = buffers.take(15_000);
        assert_eq!((taken.len(), taken.capacity()), (0, 20_000));
        assert_eq!(buffers.take(15_000).capacity(), 0, "it was the only one");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let buffers = Buffers::default();
        buffers.give((0..100).map(|_| Vec::with_capacity(1 << 20)));
        let again = (0..100).filter(|_| buffers.take(1 << 20).capacity() > 0).count();
        assert_eq!(again, MOST_BYTES >> 20);
        buffers.give([Vec::with_capacity(MOST_BYTES + 1)]);
        assert_eq!(buffers.take(MOST_BYTES).capacity(), 0);
    }

    #[test]
    fn buffers_of_a_new_size_take_the_place_of_the_oldest() {
        let buffers = Buffers::default();
        buffers.give((0..8).map(|_| Vec::with_capacity(1 << 20)));
        buffers.give((0..20).map(|_| Vec::with_capacity(20_000)));
        let again = (0..20).filter(|_| buffers.take(15_000).capacity() > 0).count();
        assert_eq!(again, 20);
        let left = (0..8).filter(|_| buffers.take(1 << 20).capacity() > 0).count();
        assert_eq!(left, 7, "no more go than need be");
    }
}
