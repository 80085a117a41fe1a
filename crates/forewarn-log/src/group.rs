//! Frames that are written together. Small ones are gathered; a large payload is written from where it was
//! encoded, without a copy.

use std::io::IoSlice;

use crate::frame::{FRAME_BYTES, frame_head};
use crate::queue::Pending;

/// From this size on a payload is not copied. The copy of a smaller one costs less than one more piece to
/// write.
const LARGE_BYTES: usize = 8 << 10;
/// What memory for gathered frames is kept from one group to the next. One giant group must not hold its
/// memory for ever.
const KEEP_BYTES: usize = 4 << 20;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// The frames of the first records of a batch.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Heads of all frames, and small payloads.
    gathered: Vec<u8>,
    /// The large payloads: how much was gathered before each, and its record's place in the batch.
    large: Vec<(usize, usize)>,
    /// Bytes of all frames.
    bytes: usize,
}

impl Group {
    /// Bytes of all frames.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the frame of the record that has place `index` in the batch.
    pub(crate) fn push(&mut self, index: usize, pending: &Pending) {
        let payload = &pending.payload;
        self.gathered.extend(frame_head(self.bytes, payload));
        if payload.bytes.len() < LARGE_BYTES {
            self.gathered.extend_from_slice(&payload.bytes);
        } else {
            self.large.push((self.gathered.len(), index));
        }
        self.bytes += FRAME_BYTES + payload.bytes.len();
    }

    /// What is to be written, in order: the frames, of records of `batch`, and so many `zeros` behind them.
    pub(crate) fn parts<'a>(&'a self, batch: &'a [Pending], mut zeros: usize) -> Vec<IoSlice<'a>> {
        let mut parts = Vec::with_capacity(2 * self.large.len() + 1 + zeros.div_ceil(ZEROS.len()));
        let mut from = 0;
        for &(gathered, index) in &self.large {
            parts.push(IoSlice::new(&self.gathered[from..gathered]));
            parts.push(IoSlice::new(&batch[index].payload.bytes));
            from = gathered;
        }
        parts.push(IoSlice::new(&self.gathered[from..]));
        while zeros > 0 {
            let part = &ZEROS[..zeros.min(ZEROS.len())];
            parts.push(IoSlice::new(part));
            zeros -= part.len();
        }
        parts
    }

    /// Forgets the frames.
    pub(crate) fn clear(&mut self) {
        self.gathered.clear();
        self.gathered.shrink_to(KEEP_BYTES);
        self.large.clear();
        self.bytes = 0;
    }
}
