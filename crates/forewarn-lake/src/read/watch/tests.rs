//! Queries end when they take too much, or when their answer is not wanted any more.

use super::*;

#[test]
fn the_query_that_has_read_most_ends_when_memory_runs_out() {
    let held = Arc::new(AtomicU64::new(100));
    let probe = Arc::clone(&held);
    let watch = Watch::with_probe(1_000_000, Box::new(move || Some(probe.load(Ordering::Relaxed))));
    let (small, large) = (watch.begin(), watch.begin());
    assert!(small.check(10).is_ok() && large.check(1_000).is_ok());
    held.store(1_000_099, Ordering::Relaxed);
    assert!(small.check(10).is_ok() && large.check(10).is_ok(), "a byte is left");
    held.store(1_000_100, Ordering::Relaxed);
    assert!(small.check(10).is_ok(), "the other one has read more");
    let error = large.check(10).unwrap_err();
    assert!(
        matches!(error, LakeError::TooLarge(_)) && error.to_string().contains("1 MB that queries may take"),
        "{error}"
    );
    assert!(small.check(5_000).is_ok(), "the other one is to end");
    let third = watch.begin();
    held.store(1_250_099, Ordering::Relaxed);
    assert!(third.check(1).is_ok() && small.check(1).is_ok());
    held.store(1_250_100, Ordering::Relaxed);
    assert!(small.check(1).is_err(), "it does not end, and memory goes on growing");
    assert!(third.check(1).is_ok());
    drop((large, third));
    assert!(small.check(10).is_err());
    drop(small);
    let next = watch.begin();
    assert!(next.check(10).is_ok(), "what is held before a query is not its own");
}

#[test]
fn a_query_ends_when_nobody_waits_for_it() {
    let watch = Watch::with_probe(1, Box::new(|| None));
    let query = watch.begin();
    let waiting = query.waiting();
    assert!(query.check(10).is_ok());
    drop(waiting);
    assert!(matches!(query.check(10), Err(LakeError::Stopped(_))));
}

#[test]
fn what_a_query_fetches_for_all_its_tables_is_bounded() {
    let watch = Watch::with_probe(1_000_000, Box::new(|| None));
    let (query, other) = (watch.begin(), watch.begin());
    assert!(
        query.fetch("a", 600_000).is_ok()
            && query.fetch("b", 400_000).is_ok()
            && other.fetch("a", 1_000_000).is_ok()
    );
    let error = query.fetch("c", 1_000_000).unwrap_err();
    assert!(
        matches!(error, LakeError::TooLarge(_))
            && error.to_string().contains("fetch 2 MB from the store, the last of table c"),
        "{error}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn the_system_tells_what_the_process_holds() {
    assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
}
