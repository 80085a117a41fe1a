//! What goes into the log comes out of it again, or does not go in.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    AlertId, AlertState, AlertTransition, AttributeValue, Attributes, CommandAction, Contribution,
    DefinitionFile, Definitions, Evidence, EvidenceValue, JobKind, JobRun, LifeEvent, LifeEventKind,
    Notification, NotificationKind, NotificationOutcome, OperatorCommand, Prediction, Promotion, Quality,
    Quiet, QuietKind, ReadingBatch, ReadingFlags, Resumed, RunState, SeriesDef, SeriesId, SeriesOrigin,
    Severity, Timestamp, Transition,
};

fn round_trip(record: &Record) -> Record {
    let mut bytes = Vec::new();
    encode_record(record, &mut bytes).unwrap();
    decode_record(Offset(7), &bytes).unwrap()
}

/// Times of all sizes: those of a plant, those of a sender with the wrong unit, and the bounds.
fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        4 => 0i64..4_102_444_800_000_000,
        1 => any::<i64>(),
        1 => prop::sample::select(vec![
            i64::MIN,
            -62_167_219_200_000_001,
            -62_167_219_200_000_000,
            253_402_300_799_999_999,
            i64::MAX,
        ]),
    ]
    .prop_map(Timestamp)
}

/// Numbers with few digits (the parser may err in the last of seventeen), and those that JSON does not know.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => any::<i32>().prop_map(|quarters| f64::from(quarters) / 4.0),
        1 => prop::sample::select(vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN_POSITIVE,
            -0.0,
        ]),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter)
}

fn name() -> impl Strategy<Value = Arc<str>> {
    text().prop_map(Arc::from)
}

fn said() -> impl Strategy<Value = Option<String>> {
    prop::option::of(text())
}

fn alert() -> impl Strategy<Value = Record> {
    let value = prop::option::of(
        number().prop_filter("an optional number that is not finite is none", |value| value.is_finite()),
    );
    let seen = prop::collection::vec((name(), time(), number()), 0..3);
    (
        (any::<u128>(), name(), name(), any::<u64>()),
        [time(), time(), time(), time()],
        value,
        seen,
        said(),
        text(),
    )
        .prop_map(
            |((alert, rule, asset, cause), [time, started, from, to], value, seen, comment, message)| {
                let values = seen
                    .into_iter()
                    .map(|(signal, time, value)| EvidenceValue { signal, time, value })
                    .collect();
                Record::Alert(AlertTransition {
                    alert: AlertId(alert),
                    rule,
                    asset,
                    severity: Severity::Major,
                    transition: Transition::Raised,
                    state: AlertState::OutOfService,
                    unknown: false,
                    time,
                    started,
                    value,
                    score: value,
                    message: message.clone(),
                    actor: comment.clone(),
                    comment,
                    cause: Offset(cause),
                    ordinal: 3,
                    evidence: Evidence { rule_version: message, from, to, values },
                })
            },
        )
}

fn prediction() -> impl Strategy<Value = Record> {
    let contributions = prop::collection::vec((name(), number()), 0..3);
    (
        text(),
        name(),
        [time(), time(), time()],
        [number(), number(), number(), number()],
        contributions,
        any::<bool>(),
    )
        .prop_map(
            |(
                model,
                asset,
                [time, made, life_started],
                [p05, p50, p95, cap],
                contributions,
                out_of_distribution,
            )| {
                let contributions = contributions
                    .into_iter()
                    .map(|(signal, weight)| Contribution { signal, weight })
                    .collect();
                let (version, unit) = (model.clone(), "hours".into());
                Record::Prediction(Prediction {
                    model,
                    version,
                    asset,
                    time,
                    made,
                    unit,
                    p05,
                    p50,
                    p95,
                    cap,
                    contributions,
                    out_of_distribution,
                    life_started,
                    from: Some(time),
                    coverage: Some(cap),
                })
            },
        )
}

fn run() -> impl Strategy<Value = Record> {
    (text(), text(), [time(), time(), time()], prop::option::of(any::<u64>()), said()).prop_map(
        |(run, job, [from, to, time], rows, error)| {
            let (kind, state, details) = (JobKind::Train, RunState::Cancelled, error.clone());
            Record::JobRun(JobRun {
                run,
                job: job.clone(),
                kind,
                state,
                from,
                to,
                time,
                trigger: job,
                rows,
                error,
                details,
            })
        },
    )
}

fn command() -> impl Strategy<Value = Record> {
    let action = prop_oneof![
        time().prop_map(|until| CommandAction::Shelve { until }),
        prop::sample::select(vec![
            CommandAction::Acknowledge,
            CommandAction::Unshelve,
            CommandAction::Comment
        ]),
    ];
    (any::<u128>(), action, text(), said(), time()).prop_map(|(alert, action, actor, comment, time)| {
        Record::Command(OperatorCommand {
            alert: AlertId(alert),
            action,
            actor,
            reason: comment.clone(),
            comment,
            time,
        })
    })
}

/// Records of all kinds whose body is JSON.
fn rare() -> impl Strategy<Value = Record> {
    let series = prop::collection::vec((any::<u32>(), name(), name()), 0..4).prop_map(|defs| {
        Record::Series(
            defs.into_iter()
                .map(|(id, asset, signal)| SeriesDef { id: SeriesId(id), asset, signal })
                .collect(),
        )
    });
    let definitions = prop::collection::vec((text(), name()), 0..3).prop_map(|files| {
        let files = files.into_iter().map(|(path, text)| DefinitionFile { path, text });
        Record::Definitions(Definitions::of(files.collect()))
    });
    let origins = prop::collection::vec(any::<(u32, u64, u64)>(), 0..4).prop_map(|origins| {
        Record::Origins(
            origins
                .into_iter()
                .map(|(id, asset, name)| SeriesOrigin { series: SeriesId(id), asset, name })
                .collect(),
        )
    });
    let life = (name(), time(), said()).prop_map(|(asset, time, comment)| {
        Record::LifeEvent(LifeEvent {
            asset,
            event: LifeEventKind::Failed,
            time,
            actor: comment.clone(),
            comment,
            corrects: None,
        })
    });
    let promotion = (text(), time(), said()).prop_map(|(model, time, from)| {
        let (actor, reason) = (from.clone(), from.clone());
        Record::Promotion(Promotion { model, version: "v".into(), from, actor, reason, time })
    });
    let attributes = (name(), time(), said(), any::<bool>()).prop_map(|(asset, time, actor, flag)| {
        let values =
            [AttributeValue::Bool(flag), AttributeValue::Number(1.5), AttributeValue::Text("a".into())];
        let attributes = ["a", "b", "c"].map(str::to_owned).into_iter().zip(values).collect();
        Record::Attributes(Attributes { asset, attributes, actor, time })
    });
    prop_oneof![
        attributes,
        origins,
        promotion,
        series,
        definitions,
        command(),
        alert(),
        run(),
        prediction(),
        life,
        time().prop_map(Record::Tick),
        time().prop_map(|now| Record::Resumed(Resumed { now }))
    ]
}

proptest! {
    #[test]
    fn readings_round_trip(
        rows in prop::collection::vec((any::<u32>(), any::<i64>(), -1e300..1e300f64, 0u8..9), 0..50),
    ) {
        let mut batch = ReadingBatch { arrived: Timestamp(5), ..ReadingBatch::default() };
        for (series, time, value, flags) in rows {
            let quality = [Quality::Good, Quality::Uncertain, Quality::Bad][usize::from(flags % 3)];
            let marked = if flags > 5 {
                ReadingFlags::ahead(quality)
            } else {
                ReadingFlags::new(quality, flags > 2)
            };
            batch.push(SeriesId(series), Timestamp(time), value, marked);
        }
        let record = Record::Readings(batch);
        prop_assert_eq!(round_trip(&record), record);
    }

    #[test]
    fn rare_kinds_round_trip_or_are_refused(record in rare()) {
        let mut bytes = Vec::new();
        match encode_record(&record, &mut bytes) {
            Ok(()) => prop_assert_eq!(decode_record(Offset(7), &bytes).unwrap(), record),
            Err(error) => prop_assert!(matches!(error, TypesError::Encode(_)), "{}", error),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = decode_record(Offset(0), &bytes);
    }
}

#[test]
fn a_usual_record_is_not_refused() {
    let event = LifeEvent {
        asset: "p/1".into(),
        event: LifeEventKind::Failed,
        time: Timestamp(3),
        actor: None,
        comment: Some("bearing".into()),
        corrects: None,
    };
    for record in [Record::Tick(Timestamp(-4)), Record::LifeEvent(event)] {
        assert_eq!(round_trip(&record), record);
    }
}

#[test]
fn a_time_that_text_cannot_hold_is_refused() {
    // Microseconds taken for milliseconds.
    let time = Timestamp::from_millis(1_767_225_600_000_000);
    let event = LifeEvent {
        asset: "p/1".into(),
        event: LifeEventKind::Failed,
        time,
        actor: None,
        comment: None,
        corrects: None,
    };
    let error = encode_record(&Record::LifeEvent(event), &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("years 0 to 9999"), "{error}");
}

#[test]
fn a_newer_version_is_refused_with_advice() {
    let error = decode_record(Offset(9), &[3, 2, 0]).unwrap_err().to_string();
    assert!(error.contains("offset 9") && error.contains("newer"), "{error}");
}

#[test]
fn a_prediction_without_the_later_fields_is_read() {
    let body = r#"{"model":"m","version":"1","asset":"p/1","time":"1970-01-01T00:00:05Z",
        "made":"1970-01-01T00:00:06Z",
        "unit":"hours","p05":1.0,"p50":2.0,"p95":3.0,"cap":9.0,"contributions":[],"out_of_distribution":false,
        "life_started":"1970-01-01T00:00:00Z"}"#;
    let bytes = [&[RecordKind::Prediction as u8, VERSION], body.as_bytes()].concat();
    let Record::Prediction(read) = decode_record(Offset(0), &bytes).unwrap() else { panic!("another kind") };
    assert_eq!((read.time, read.from, read.coverage), (Timestamp::from_secs(5), None, None));
}

/// What the log of an earlier version holds is read, and what is written is what it reads.
#[test]
#[expect(clippy::too_many_lines, reason = "a sample of each kind of record")]
fn the_encodings_stay_as_they_are() {
    let mut batch = ReadingBatch { arrived: Timestamp(5), ..ReadingBatch::default() };
    batch.push(SeriesId(3), Timestamp(7), 1.0, ReadingFlags::new(Quality::Uncertain, true));
    let time = Timestamp(1_767_225_600_000_001);
    let series = SeriesDef { id: SeriesId(3), asset: "p/1".into(), signal: "t".into() };
    let file = DefinitionFile { path: "a.yaml".to_owned(), text: "pipeline: a".into() };
    let (alert, none) = (AlertId(10), None);
    let command = OperatorCommand {
        alert,
        action: CommandAction::Shelve { until: time },
        actor: "ann".to_owned(),
        comment: none,
        reason: Some("true".to_owned()),
        time,
    };
    let event = LifeEvent {
        asset: "p/1".into(),
        event: LifeEventKind::Installed,
        time,
        actor: None,
        comment: Some("new".to_owned()),
        corrects: None,
    };
    let check = |record: Record, kind: u8, body: &[u8]| {
        let mut bytes = Vec::new();
        encode_record(&record, &mut bytes).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            String::from_utf8_lossy(&[&[kind, 1], body].concat()),
            "{record:?}"
        );
        assert_eq!(decode_record(Offset(0), &bytes).unwrap(), record);
    };
    let columns = [
        &5_i64.to_le_bytes()[..],
        &1_u32.to_le_bytes(),
        &3_u32.to_le_bytes(),
        &7_i64.to_le_bytes(),
        &1_f64.to_le_bytes(),
        &[5],
    ];
    check(Record::Readings(batch), 1, &columns.concat());
    check(Record::Series(vec![series]), 2, br#"[{"id":3,"asset":"p/1","signal":"t"}]"#);
    check(Record::Tick(time), 3, &1_767_225_600_000_001_i64.to_le_bytes());
    let definitions = Record::Definitions(Definitions::of(vec![file]));
    check(definitions, 4, br#"{"files":[{"path":"a.yaml","text":"pipeline: a"}],"models":[],"change":null}"#);
    let at = r#""2026-01-01T00:00:00.000001Z""#;
    let body = format!(
        r#"{{"alert":"0000000000000000000000000000000a","action":{},"actor":"ann",{}{at}}}"#,
        format_args!(r#"{{"action":"shelve","until":{at}}}"#),
        r#""comment":null,"reason":"true","time":"#
    );
    check(Record::Command(command), 5, body.as_bytes());
    let body = format!(r#"{{"asset":"p/1","event":"installed","time":{at},"actor":null,"comment":"new"}}"#);
    check(Record::LifeEvent(event), 9, body.as_bytes());
    let origin = SeriesOrigin { series: SeriesId(3), asset: 7, name: u64::MAX };
    let body = br#"[{"series":3,"asset":7,"name":18446744073709551615}]"#;
    check(Record::Origins(vec![origin]), 11, body);
    let body = format!(r#"{{"now":{at}}}"#);
    check(Record::Resumed(Resumed { now: time }), 10, body.as_bytes());
    let promotion = Promotion {
        model: "m".into(),
        version: "2".into(),
        from: Some("1".into()),
        actor: Some("ann".into()),
        reason: None,
        time,
    };
    let body = format!(r#"{{"model":"m","version":"2","from":"1","actor":"ann","reason":null,"time":{at}}}"#);
    check(Record::Promotion(promotion), 12, body.as_bytes());
    let attributes = [("high".to_owned(), AttributeValue::Number(4.5))].into();
    let attributes = Attributes { asset: "p/1".into(), attributes, actor: Some("ann".into()), time };
    let body = format!(r#"{{"asset":"p/1","attributes":{{"high":4.5}},"actor":"ann","time":{at}}}"#);
    check(Record::Attributes(attributes), 17, body.as_bytes());
}

#[test]
fn what_is_told_and_what_is_not_has_a_fixed_form() {
    let check = |record: Record, kind: u8, body: &[u8]| {
        let mut bytes = Vec::new();
        encode_record(&record, &mut bytes).unwrap();
        let expected = [&[kind, 1], body].concat();
        assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&expected), "{record:?}");
        assert_eq!(decode_record(Offset(0), &bytes).unwrap(), record);
    };
    let time = Timestamp::parse("2026-01-31T08:30:00Z").unwrap();
    let at = "\"2026-01-31T08:30:00Z\"";
    let notification = Notification {
        key: "k".into(),
        kind: NotificationKind::Alert,
        route: "r".into(),
        contact: "ops".into(),
        recipient: "ann".into(),
        channel: "webhook".into(),
        outcome: NotificationOutcome::Failed,
        attempts: 2,
        detail: None,
        alerts: vec![AlertId(1)],
        count: 1,
        title: "t".into(),
        due: time,
        time,
    };
    let body = format!(
        concat!(
            r#"{{"key":"k","kind":"alert","route":"r","contact":"ops","recipient":"ann","#,
            r#""channel":"webhook","outcome":"failed","attempts":2,"detail":null,"#,
            r#""alerts":["00000000000000000000000000000001"],"#,
            r#""count":1,"title":"t","due":{at},"time":{at}}}"#
        ),
        at = at
    );
    check(Record::Notification(notification), 15, body.as_bytes());
    let quiet = Quiet {
        id: "s".into(),
        kind: QuietKind::Maintenance,
        removed: false,
        assets: vec!["p/**".into()],
        rules: Vec::new(),
        severities: vec![Severity::Minor],
        from: time,
        until: None,
        weekly: None,
        actor: None,
        comment: None,
        time,
    };
    let body = format!(
        concat!(
            r#"{{"id":"s","kind":"maintenance","removed":false,"assets":["p/**"],"rules":[],"#,
            r#""severities":["minor"],"from":{at},"until":null,"weekly":null,"actor":null,"comment":null,"#,
            r#""time":{at}}}"#
        ),
        at = at
    );
    check(Record::Quiet(quiet), 16, body.as_bytes());
}
