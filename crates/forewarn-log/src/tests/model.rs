//! The law of the log: after any sequence of appends, restarts and trims it reads like a vector that has lost
//! only a prefix which every consumer had passed.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// Submit so many records at once, of so many rows, and wait for all.
    Append(i64, usize),
    Reopen,
    /// One of two consumers moves to this share of the log, in percent.
    Checkpoint(bool, u64),
    /// Read from this share of the log, in percent, so many records.
    Read(u64, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1i64..12, 0usize..12).prop_map(|(count, rows)| Step::Append(count, rows)),
        1 => Just(Step::Reopen),
        2 => (any::<bool>(), 0u64..=100).prop_map(|(which, percent)| Step::Checkpoint(which, percent)),
        3 => (0u64..=100, 1usize..30).prop_map(|(percent, records)| Step::Read(percent, records)),
    ];
    prop::collection::vec(step, 1..25)
}

fn run(steps: Vec<Step>, cache_bytes: usize, compression: Compression) {
    let dir = TempDir::new().unwrap();
    let open = || {
        LocalLog::open(LogOptions {
            cache_bytes,
            compression,
            consumers: vec!["a".into(), "b".into()],
            ..options(dir.path())
        })
        .unwrap()
    };
    let mut log = open();
    let mut model: Vec<i64> = Vec::new();
    let mut passed = [0u64; 2];
    for step in steps {
        let length = model.len() as u64;
        match step {
            Step::Append(count, rows) => {
                let first = i64::try_from(length).unwrap();
                let tickets: Vec<_> =
                    (first..first + count).map(|number| log.submit(record(number, rows)).unwrap()).collect();
                for ticket in tickets {
                    block_on(ticket.durable).unwrap();
                }
                model.extend(first..first + count);
            }
            Step::Reopen => {
                drop(log);
                log = open();
            }
            Step::Checkpoint(which, percent) => {
                let offset = length * percent / 100;
                log.checkpoint(if which { "a" } else { "b" }, Offset(offset)).unwrap();
                let before = &mut passed[usize::from(which)];
                *before = offset.max(*before);
            }
            Step::Read(percent, records) => {
                let from = (length * percent / 100).max(log.start().0);
                let found = log.read(Offset(from), records, usize::MAX).unwrap();
                let expected = &model[usize::try_from(from).unwrap()..];
                assert_eq!(found.is_empty(), expected.is_empty());
                assert!(found.len() <= records);
                for ((offset, record), (number, place)) in found.iter().zip(expected.iter().zip(from..)) {
                    assert_eq!((offset.0, number_of(record)), (place, *number));
                }
            }
        }
        assert_eq!(log.end(), Offset(model.len() as u64));
        assert!(log.start().0 <= passed[0].min(passed[1]), "trimmed what a consumer still needs");
    }
    let start = usize::try_from(log.start().0).unwrap();
    assert_eq!(read_all(&log, 5), model[start..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_log_reads_like_a_vector(steps in steps(), cached in any::<bool>(), compressed in any::<bool>()) {
        let compression = if compressed { Compression::Lz4 } else { Compression::None };
        run(steps, if cached { 2_000 } else { 0 }, compression);
    }
}
