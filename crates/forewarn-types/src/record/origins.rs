//! From what a sender calls a series its names were made. Two senders' names may come to the same one; whose
//! it is must be the same after every restart, so the log holds it.

use serde::{Deserialize, Serialize};

use crate::body::JsonBody;
use crate::series::SeriesId;

/// What the names of a series were made of, as fingerprints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesOrigin {
    /// The series.
    pub series: SeriesId,
    /// Of what its asset's path was made.
    pub asset: u64,
    /// Of what both of its names were made.
    pub name: u64,
}

impl JsonBody for Vec<SeriesOrigin> {
    const NAME: &'static str = "origins";
    const TABLE: Option<&'static str> = None;
}
