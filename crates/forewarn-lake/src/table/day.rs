//! Days: tables with very many rows are partitioned by the UTC day of `time`.

use forewarn_types::Timestamp;
use object_store::path::Path;

/// The partition column of such a table.
pub(crate) const DATE: &str = "date";
pub(crate) const DAY_US: i64 = 86_400_000_000;
/// 0001-01-01 and 9999-12-31, in days since 1970.
const FIRST_DAY: i64 = -719_162;
const LAST_DAY: i64 = 2_932_896;

/// The day of `time`, days since 1970. A clock gone wild must not stop the branch: days that Delta cannot
/// write go to the nearest partition it can.
pub(crate) fn day_of(time: i64) -> i32 {
    i32::try_from(time.div_euclid(DAY_US).clamp(FIRST_DAY, LAST_DAY)).unwrap_or(0)
}

/// The folder of the files of a day, days since 1970: `date=2026-01-31/`.
pub(super) fn folder_of(day: i32) -> String {
    format!("{DATE}={}/", Timestamp(i64::from(day) * DAY_US).date())
}

/// The day in the path of a file, `…/date=2026-01-31/part-….parquet`, days since 1970.
pub(super) fn day_in(location: &Path) -> Option<i32> {
    let day = location
        .parts()
        .find_map(|part| part.as_ref().strip_prefix(DATE)?.strip_prefix('=').map(str::to_owned))?;
    let midnight = Timestamp::parse(&format!("{day}T00:00:00Z")).ok()?;
    i32::try_from(midnight.0.div_euclid(DAY_US)).ok()
}
