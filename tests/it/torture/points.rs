//! The crash points of the program, each with the largest number of its passage that is to kill.

use std::collections::BTreeSet;
use std::path::Path;

/// A crash point: its name, and the latest passage that kills.
pub(super) type Point = (&'static str, u64);

/// Those that only a start on an empty folder passes, in its order.
pub(super) const BEGINNING: &[Point] = &[("lake.create.before", 3), ("lake.create.after", 3), ("lake.marker.before", 1)];

/// Those that a start passes before it serves.
pub(super) const START: &[Point] = &[("start.restored", 1), ("start.lake_open", 1)];

/// Those that a server passes again and again, with each start, or when its definitions have changed.
pub(super) const LIFE: &[Point] = &[
    ("start.restored", 1),
    ("start.lake_open", 1),
    ("start.definitions.before", 1),
    ("start.definitions.after", 1),
    ("alert.before", 20),
    ("alert.durable", 20),
    ("lake.data.before", 12),
    ("lake.data.after", 12),
    ("lake.append.before", 12),
    ("lake.append.after", 12),
    ("lake.marker.before", 6),
    ("lake.marker.after", 6),
    ("lake.optimize.before", 2),
    ("lake.optimize.after", 2),
    ("lake.delete.before", 2),
    ("lake.delete.after", 2),
    ("lake.checkpoint.before", 1),
    ("lake.checkpoint.after", 1),
    ("lake.last_checkpoint.before", 1),
    ("lake.last_checkpoint.after", 1),
    ("lake.notes.before", 3),
    ("lake.notes.after", 3),
    ("lake.vacuum.before", 4),
    ("lake.vacuum.after", 4),
    ("lake.clean.before", 4),
    ("lake.clean.after", 4),
    ("lake.snapshot.before", 3),
    ("lake.snapshot.after", 3),
    ("lake.old_snapshot.before", 2),
    ("lake.old_snapshot.after", 2),
];

/// The crash points that the code of the crates names.
pub(super) fn in_the_code() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates"), &mut found);
    // The tables' own steps are all there is to the lake; what else is stored, such as models, is written in one piece.
    found.retain(|point| !point.starts_with("lake.other.") && !point.starts_with("lake.delete_other."));
    found
}

fn look(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the code") {
        let path = entry.expect("a file of the code").path();
        if path.is_dir() {
            look(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("the code is UTF-8");
            let named = |call: &str| text.split(call).skip(1).filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()).collect();
            let (alone, in_pairs): (Vec<String>, Vec<String>) = (named("crash_point(\""), named("points!(\""));
            found.extend(alone);
            found.extend(in_pairs.iter().flat_map(|step| ["before", "after"].map(|when| format!("lake.{step}.{when}"))));
        }
    }
}
