//! Each kind of record has a table that fits it, or none.

use forewarn_types::{
    AlertId, AlertState, AlertTransition, CommandAction, Contribution, Definitions, Evidence, JobKind,
    JobRun, LifeEvent, LifeEventKind, OperatorCommand, Prediction, Promotion, RunState, Severity, Timestamp,
    Transition,
};

use super::*;

/// A record of the kind `kind` in which nothing is missing.
fn sample(kind: RecordKind) -> Record {
    let (time, some) = (Timestamp(7_000_000), Some("text".to_owned()));
    match kind {
        RecordKind::Readings => Record::Readings(ReadingBatch::default()),
        RecordKind::Series => Record::Series(Vec::new()),
        RecordKind::Origins => Record::Origins(Vec::new()),
        RecordKind::Tick => Record::Tick(time),
        RecordKind::Attributes => Record::Attributes(forewarn_types::Attributes {
            asset: "p1".into(),
            attributes: forewarn_types::AttributeMap::new(),
            actor: some,
            time,
        }),
        RecordKind::Resumed => Record::Resumed(forewarn_types::Resumed { now: time }),
        RecordKind::Definitions => Record::Definitions(Definitions::default()),
        RecordKind::Command => Record::Command(OperatorCommand {
            alert: AlertId(1),
            action: CommandAction::Shelve { until: time },
            actor: "ann".to_owned(),
            comment: some.clone(),
            reason: some,
            time,
        }),
        RecordKind::Alert => Record::Alert(AlertTransition {
            alert: AlertId(1),
            rule: "hot".into(),
            asset: "p1".into(),
            severity: Severity::Major,
            transition: Transition::Raised,
            state: AlertState::Unacknowledged,
            unknown: false,
            time,
            started: time,
            value: Some(1.0),
            score: Some(2.0),
            message: "hot".to_owned(),
            actor: some.clone(),
            comment: some,
            cause: Offset(1),
            ordinal: 0,
            evidence: Evidence::default(),
        }),
        RecordKind::JobRun => Record::JobRun(JobRun {
            run: "run".to_owned(),
            job: "job".to_owned(),
            kind: JobKind::Sql,
            state: RunState::Succeeded,
            from: time,
            to: time,
            time,
            trigger: "schedule".to_owned(),
            rows: Some(3),
            error: some.clone(),
            details: some,
        }),
        RecordKind::Prediction => Record::Prediction(prediction(time)),
        RecordKind::LifeEvent => Record::LifeEvent(LifeEvent {
            asset: "p1".into(),
            event: LifeEventKind::Failed,
            time,
            actor: some.clone(),
            comment: some,
            corrects: Some(Offset(3)),
        }),
        RecordKind::Promotion => Record::Promotion(Promotion {
            model: "life".to_owned(),
            version: "2".to_owned(),
            from: Some("1".to_owned()),
            actor: some.clone(),
            reason: some,
            time,
        }),
    }
}

fn prediction(time: Timestamp) -> Prediction {
    Prediction {
        model: "life".to_owned(),
        version: "1".to_owned(),
        asset: "p1".into(),
        time,
        made: time,
        unit: "hours".to_owned(),
        p05: 1.0,
        p50: 2.0,
        p95: 3.0,
        cap: 9.0,
        contributions: vec![Contribution { signal: "age".into(), weight: 0.5 }],
        out_of_distribution: false,
        life_started: time,
        from: Some(time),
        coverage: Some(0.9),
    }
}

#[test]
fn every_kind_fills_each_column_of_its_table_and_no_other() {
    for kind in RecordKind::ALL {
        let record = sample(*kind);
        assert_eq!(record.kind(), *kind);
        let Some(table) = schema_of(*kind) else {
            assert_eq!(rows_of(&record), 0, "{kind:?} has rows and no table");
            continue;
        };
        assert_eq!(table.columns.last().map(|column| column.name.as_str()), Some("offset"), "{kind:?}");
        if *kind == RecordKind::Readings {
            continue;
        }
        assert_eq!(rows_of(&record), 1, "{kind:?}");
        // A value of another type than its column's would be null.
        for (column, data) in table.columns.iter().zip(columns(&table, [(Offset(5), &record)].into_iter())) {
            assert!(
                data.len() == 1 && data.cell(0) != Cell::Null,
                "{kind:?} has nothing in {}: {data:?}",
                column.name
            );
        }
    }
}

#[test]
fn no_two_kinds_share_a_table() {
    let mut names: Vec<&str> = RecordKind::tables().collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!((all, names.contains(&"readings")), (names.len(), true), "{names:?}");
}
