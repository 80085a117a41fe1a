//! Frames: the readings of several signals as a wide table, one row for each asset and step of a time grid.
//!
//! The work is done in portions of so many readings as fit in memory, each a set of assets and a stretch of
//! time ([`portions`]). A portion goes through small pieces, each of which stands by itself:
//!
//! 1. [`readings`]: batches of the lake become one ascending series for each asset and signal;
//! 2. [`grid`]: times become steps;
//! 3. [`aggregate`]: the readings of one signal in one step become one value (polars);
//! 4. [`wide`]: the signals come side by side;
//! 5. [`fill`]: what a step has not is taken from the steps around it (polars);
//! 6. [`columns`]: expressions over the row, and which rows stay (polars).
//!
//! What is computed does not depend on the portions: a step is computed by the portion in which it ends, from
//! all readings of it, and filling looks as far beyond the portion as it may.

mod aggregate;
mod columns;
mod compute;
mod fill;
mod grid;
mod output;
mod portions;
mod readings;
#[cfg(test)]
mod tests;
mod wide;
mod work;

pub use work::FrameWork;
