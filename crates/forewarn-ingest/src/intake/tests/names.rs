//! Names that line protocol makes: different series never become one.

use super::*;
use crate::decode::line_protocol::{self, Precision};
use crate::decode::{DecodeOptions, InfluxMapping};

/// Stores lines of protocol with the default templates, or the given one for assets.
fn write(intake: &Intake, asset: &str, body: &str) -> Accepted {
    let mapping = InfluxMapping::new(asset, "{measurement}_{field}").unwrap();
    let options = DecodeOptions::default();
    let batch = line_protocol::decode(body.as_bytes(), Precision::Microseconds, &mapping, &options).unwrap();
    block_on(intake.accept(batch)).unwrap()
}

/// Asset, signal and value of every reading in the log.
fn names_in(log: &MemoryLog, intake: &Intake) -> Vec<(String, String, f64)> {
    let table = intake.series.read();
    let name = |(id, _, value, _): (u32, i64, f64, bool)| {
        let def = table.def(SeriesId(id)).unwrap();
        (def.asset.to_string(), def.signal.to_string(), value)
    };
    readings(log).into_iter().map(name).collect()
}

/// The template of assets, the lines, and the names of each reading.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

#[test]
fn different_series_of_line_protocol_never_become_one() {
    const TAGS: &str = "{tags}";
    let cases: [Case; 11] = [
        (
            TAGS,
            "m,unit=P#7 v=1\nm,unit=P&7 v=2\nm,unit=P_7 v=3",
            &[("P_x23_7", "m_v"), ("P_x26_7", "m_v"), ("P_7", "m_v")],
        ),
        (
            TAGS,
            "m,inlet=a v=1\nm,outlet=a v=2\nm,outlet=a w=3",
            &[("a", "m_v"), ("outlet:a", "m_v"), ("outlet:a", "m_w")],
        ),
        (TAGS, "m,inlet=a v=1\nn,outlet=a w=2", &[("a", "m_v"), ("outlet:a", "n_w")]),
        (TAGS, "m,x=a/b,y=c v=1\nm,x=a,y=b/c v=2", &[("a/b/c", "m_v"), ("x:a/y:b_x2F_c", "m_v")]),
        (
            TAGS,
            "m,path=/var v=1\nm,path=var v=2\nm,path=var/ v=3",
            &[("var", "m_v"), ("path:var", "m_v"), ("path:var_x2F_", "m_v")],
        ),
        (TAGS, "d,path=/ v=1\nd,path=_ v=2", &[("_", "d_v"), ("path:_", "d_v")]),
        (
            TAGS,
            "pump v=1\nm,unit=pump v=2\npump,unit=pump v=3",
            &[("pump", "pump_v"), ("unit:pump", "m_v"), ("unit:pump", "pump_v")],
        ),
        (TAGS, "a_b,t=x c=1\na,t=x b_c=2", &[("x", "a_b_c"), ("x", "a:b_c")]),
        (TAGS, "a,t=x b=1\na_b,t=x value=2", &[("x", "a_b"), ("x", "a_b:value")]),
        (TAGS, "m,t=x flow\\ rate=1\nm,t=x flow_rate=2", &[("x", "m_flow_rate"), ("x", "m:flow_rate")]),
        (
            "{tag:x}/{tag:y}",
            "m,x=a/b,y=c v=1\nm,x=a,y=b/c,z=1 v=2\nm,x=a,y=b/c,z=2 w=3",
            &[("a/b/c", "m_v"), ("a/b_x2F_c", "m_v"), ("a/b_x2F_c", "m_w")],
        ),
    ];
    for (template, body, expected) in cases {
        let log = memory_log();
        let intake = intake_on(&log, 100);
        let expected: Vec<_> = expected
            .iter()
            .zip([1.0, 2.0, 3.0])
            .map(|((asset, signal), value)| ((*asset).to_owned(), (*signal).to_owned(), value))
            .collect();
        assert_eq!(write(&intake, template, body).rejected, [], "{body}");
        assert_eq!(names_in(&log, &intake), expected, "{body}");
        // One line a request makes no difference, and a line that comes again has the same name.
        let log = memory_log();
        let intake = intake_on(&log, 100);
        for line in body.lines().chain(body.lines().rev()) {
            write(&intake, template, line);
        }
        let found = names_in(&log, &intake);
        assert_eq!(found[..expected.len()], expected, "{body}");
        assert!(found[expected.len()..].iter().all(|row| expected.contains(row)), "{body}");
    }
}

#[test]
fn whose_a_name_is_stays_after_a_restart() {
    let log = memory_log();
    let intake = intake_on(&log, 100);
    write(&intake, "{tags}", "m,inlet=a v=1 10\nm,outlet=a v=2 10");
    let snapshot = block_on(intake.state()).unwrap();
    assert_eq!(snapshot.origins.len(), 2);
    write(&intake, "{tags}", "n,inlet=b v=1 10");
    // From the log alone, and from a snapshot with what the log holds behind it.
    for snapshot in [IntakeState::default(), snapshot] {
        let again = intake_on(&log, 100);
        again.restore(&snapshot).unwrap();
        for (offset, record) in (0..).zip(log.records()) {
            again.replay(Offset(offset), &record).unwrap();
        }
        write(&again, "{tags}", "m,outlet=a v=3 20\nn,outlet=b v=4 20\nm,inlet=a v=5 20\nn,inlet=b v=6 20");
        let found: Vec<_> =
            names_in(&log, &again).into_iter().rev().take(4).map(|(asset, ..)| asset).collect();
        assert_eq!(found, ["b", "a", "outlet:b", "outlet:a"]);
    }
}

#[test]
fn data_from_before_keep_their_names() {
    let log = memory_log();
    let intake = intake_on(&log, 100);
    // As the same lines were named before it was kept of what names are made.
    let mut old = RawBatch::default();
    old.push("a", "m_v", 1, 1.0, Quality::Good, 1);
    old.push("a", "n_w", 1, 1.0, Quality::Good, 2);
    block_on(intake.accept(old)).unwrap();
    write(&intake, "{tags}", "m,inlet=a v=2 20\nn,outlet=a w=2 20\nm,outlet=a v=3 30\nn,outlet=a x=3 30");
    let found: Vec<_> =
        names_in(&log, &intake).into_iter().skip(2).map(|(asset, signal, _)| (asset, signal)).collect();
    let expected = [("a", "m_v"), ("a", "n_w"), ("outlet:a", "m_v"), ("outlet:a", "n_x")];
    assert_eq!(found, expected.map(|(asset, signal)| (asset.to_owned(), signal.to_owned())));
}

#[test]
fn a_name_that_cannot_be_told_apart_is_refused_with_the_reason() {
    let log = memory_log();
    let intake = intake_on(&log, 100);
    let taken = write(&intake, "{tag:x}-{tag:y}", "m,x=a-b,y=c v=1 1\nm,x=a,y=b-c v=2 1");
    assert_eq!((taken.accepted, taken.rejected_total), (1, 1));
    assert_eq!(
        (taken.rejected[0].line, taken.rejected[0].reason.as_str()),
        (2, "the asset \"a-b-c\" stands for other tags already; hold them apart with influx.asset")
    );
    // A refused batch leaves names behind that the log holds once there is room.
    log.set_room(0);
    let mapping = InfluxMapping::new("{tags}", "{field}").unwrap();
    let decode = |body: &str| {
        line_protocol::decode(body.as_bytes(), Precision::Seconds, &mapping, &DecodeOptions::default())
            .unwrap()
    };
    assert!(block_on(intake.accept(decode("m,inlet=q v=1 1"))).is_err());
    log.set_room(usize::MAX);
    block_on(intake.accept(decode("m,outlet=q v=1 2"))).unwrap();
    let again = intake_on(&log, 100);
    for (offset, record) in (0..).zip(log.records()) {
        again.replay(Offset(offset), &record).unwrap();
    }
    assert_eq!(block_on(again.state()).unwrap().origins, block_on(intake.state()).unwrap().origins);
}
