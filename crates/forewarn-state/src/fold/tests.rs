//! The laws of the list: parts go to the folds of their names, and what is not restored is empty.

use forewarn_types::Timestamp;

use super::*;

/// Counts records; one that judges does so before the others, and decides on each.
struct Count {
    name: &'static str,
    judges: bool,
    seen: u64,
}

impl Fold for Count {
    fn name(&self) -> &'static str {
        self.name
    }

    fn apply(&mut self, records: &[Logged]) {
        self.seen += if self.judges { 0 } else { records.len() as u64 };
    }

    fn snapshot(&self) -> Result<Part, StateError> {
        Ok(self.seen.to_le_bytes().to_vec().into())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let bytes = bytes.try_into().map_err(|_| StateError::read(self.name, "it is no number"))?;
        self.seen = u64::from_le_bytes(bytes);
        Ok(())
    }

    fn reset(&mut self) {
        self.seen = 0;
    }

    fn judges(&self) -> bool {
        self.judges
    }

    fn judge(&mut self, records: &[Logged], decisions: &mut Decisions) {
        self.seen += records.len() as u64;
        decisions.records.extend(records.iter().map(|(_, record)| record.as_ref().clone()));
    }
}

fn folds(names: &[&'static str]) -> Folds {
    let fold = |name: &&'static str| -> Box<dyn Fold> {
        Box::new(Count { name, judges: *name == "judge", seen: 0 })
    };
    Folds::new(names.iter().map(fold).collect())
}

fn parts(parts: &[(&str, u64)]) -> Parts {
    parts.iter().map(|(name, seen)| ((*name).to_owned(), seen.to_le_bytes().to_vec())).collect()
}

fn records(count: u64) -> Vec<Logged> {
    (0..count).map(|offset| (Offset(offset), Arc::new(Record::Tick(Timestamp(0))))).collect()
}

#[test]
fn what_is_judged_is_not_in_the_state_of_before() {
    let mut folds = folds(&["judge", "other"]);
    folds.apply(&records(5));
    let before = folds.judging_parts().unwrap();
    assert_eq!(folds.judge(&records(2)).records.len(), 2);
    assert_eq!(folds.parts(Some(&before)).unwrap().0, parts(&[("judge", 0), ("other", 5)]));
    folds.apply(&records(2));
    assert_eq!(folds.parts(None).unwrap().0, parts(&[("judge", 2), ("other", 7)]));
}

#[test]
fn a_fold_without_a_part_is_empty_whatever_was_restored_before() {
    let mut folds = folds(&["judge", "other"]);
    folds.restore(&parts(&[("judge", 3), ("other", 4)])).unwrap();
    folds.restore(&parts(&[("judge", 2)])).unwrap();
    assert_eq!(folds.parts(None).unwrap().0, parts(&[("judge", 2), ("other", 0)]));
}

#[test]
fn a_snapshot_with_a_part_of_a_later_version_is_refused() {
    let mut folds = folds(&["judge"]);
    let refused = folds.restore(&parts(&[("judge", 3), ("users", 4)])).unwrap_err();
    assert!(refused.to_string().contains("`users`"), "{refused}");
    assert_eq!(folds.parts(None).unwrap().0, parts(&[("judge", 0)]), "nothing of it was taken");
}
