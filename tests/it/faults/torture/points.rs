//! The crash points of the program, each with the passages of which one is to kill.

use std::collections::BTreeSet;
use std::path::Path;

/// A crash point: its name, and the first and the last passage that may kill.
pub(super) type Point = (&'static str, u64, u64);

/// Those that only a start on an empty folder passes, in its order.
pub(super) const BEGINNING: &[Point] = &[
    ("log.id.created", 1, 1),
    ("log.id.torn", 1, 1),
    ("log.id.written", 1, 1),
    ("log.id.synced", 1, 1),
    ("log.id.rename.before", 1, 1),
    ("log.id.rename.after", 1, 1),
    ("log.segment.created", 1, 1),
    ("log.segment.torn", 1, 1),
    ("log.segment.written", 1, 1),
    ("log.segment.synced", 1, 1),
    ("lake.create.before", 1, 3),
    ("lake.create.after", 1, 3),
    ("lake.marker.before", 1, 1),
];

/// Those that a start passes before it serves.
pub(super) const START: &[Point] = &[
    ("log.segment.torn", 1, 1),
    ("log.segment.written", 1, 1),
    ("log.segment.synced", 1, 1),
    ("start.restored", 1, 1),
    ("start.lake_open", 1, 1),
];

/// The one that only a start passes that finds a write cut off in its middle: it comes after [`TORN`].
pub(super) const REPAIR: Point = ("log.segment.resized", 1, 1);
/// See [`REPAIR`].
pub(super) const TORN: &str = "log.segment.torn";

/// Those that a server passes again and again, with each start, or when its definitions have changed.
pub(super) const LIFE: &[Point] = &[
    ("start.restored", 1, 1),
    ("start.lake_open", 1, 1),
    ("start.definitions.before", 1, 1),
    ("start.definitions.after", 1, 1),
    ("log.segment.created", 1, 4),
    ("log.segment.torn", 5, 60),
    ("log.segment.written", 3, 60),
    ("log.segment.synced", 3, 60),
    ("log.segment.remove.before", 1, 6),
    ("log.segment.remove.after", 1, 6),
    ("log.checkpoints.created", 1, 6),
    ("log.checkpoints.torn", 1, 6),
    ("log.checkpoints.written", 1, 6),
    ("log.checkpoints.synced", 1, 6),
    ("log.checkpoints.rename.before", 1, 6),
    ("log.checkpoints.rename.after", 1, 6),
    ("alert.before", 1, 6),
    ("alert.durable", 1, 2),
    ("lake.data.before", 1, 12),
    ("lake.data.after", 1, 12),
    ("lake.append.before", 1, 12),
    ("lake.append.after", 1, 12),
    ("lake.marker.before", 1, 6),
    ("lake.marker.after", 1, 6),
    ("lake.optimize.before", 1, 2),
    ("lake.optimize.after", 1, 2),
    ("lake.delete.before", 1, 2),
    ("lake.delete.after", 1, 2),
    ("lake.checkpoint.before", 1, 1),
    ("lake.checkpoint.after", 1, 1),
    ("lake.last_checkpoint.before", 1, 1),
    ("lake.last_checkpoint.after", 1, 1),
    ("lake.notes.before", 1, 3),
    ("lake.notes.after", 1, 3),
    ("lake.vacuum.before", 1, 4),
    ("lake.vacuum.after", 1, 4),
    ("lake.clean.before", 1, 4),
    ("lake.clean.after", 1, 4),
    ("lake.snapshot.before", 1, 3),
    ("lake.snapshot.after", 1, 3),
    ("lake.old_snapshot.before", 1, 2),
    ("lake.old_snapshot.after", 1, 2),
];

/// Steps of files of the log that can be told by name and are never taken.
const NEVER: &[&str] = &[
    "log.id.resized",
    "log.id.remove",
    "log.checkpoints.resized",
    "log.checkpoints.remove",
    "log.segment.rename",
];
/// Steps of the lake that are no part of its tables; what else is stored, such as models, is written in one
/// piece. Those of the notifier have a test of their own (`peers/notify.rs`).
const ASIDE: &[&str] = &["lake.other", "lake.delete_other", "notify."];
const FILE_STEPS: [&str; 9] = [
    "created",
    "torn",
    "written",
    "resized",
    "synced",
    "rename.before",
    "rename.after",
    "remove.before",
    "remove.after",
];

/// All the points of the matrix.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    BEGINNING.iter().chain(LIFE).chain([&REPAIR]).map(|(point, ..)| *point)
}

/// The crash points that the code of the crates names.
pub(super) fn in_the_code() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates"), &mut found);
    found.retain(|point| !NEVER.iter().chain(ASIDE).any(|step| point.starts_with(step)));
    found
}

fn look(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the code") {
        let path = entry.expect("a file of the code").path();
        if path.is_dir() {
            look(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("the code is UTF-8");
            let named = |call: &str| {
                text.split(call)
                    .skip(1)
                    .filter_map(|rest| rest.split_once('"'))
                    .map(|(name, _)| name.to_owned())
                    .collect()
            };
            let (alone, steps, files): (Vec<String>, Vec<String>, Vec<String>) =
                (named("crash_point(\""), named(" points!(\""), named("file_points!(\""));
            found.extend(alone);
            found.extend(
                steps.iter().flat_map(|step| ["before", "after"].map(|when| format!("lake.{step}.{when}"))),
            );
            found.extend(files.iter().flat_map(|file| FILE_STEPS.map(|step| format!("log.{file}.{step}"))));
        }
    }
}
