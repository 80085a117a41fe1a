//! What keeps the lake in shape while it is in use: compaction, retention, vacuum, and states held for a
//! backup. One at a time.

mod compact;
mod hold;
mod retention;
mod shared;
#[cfg(test)]
mod tests;
mod vacuum;

pub use self::compact::{CompactOptions, Compacted};
pub use self::hold::{Held, HeldTable, LeftOut, Paused};
pub use self::retention::Retained;
pub(crate) use self::shared::Upkeep;
pub use self::vacuum::Vacuumed;
