//! Each kind of record has a table that fits it, or none.

use forewarn_types::{
    Account, AccountChange, AlertId, AlertState, AlertTransition, Audit, CommandAction, Contribution,
    Definitions, Evidence, JobKind, JobRun, LifeEvent, LifeEventKind, Notification, NotificationKind,
    NotificationOutcome, OperatorCommand, Prediction, Promotion, Quiet, QuietKind, RunState, Severity,
    Timestamp, Transition, Weekly,
};

use super::*;

/// A record of the kind `kind` in which nothing is missing.
#[expect(clippy::too_many_lines, reason = "a sample of each kind of record")]
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
        RecordKind::Notification => Record::Notification(Notification {
            key: "k".to_owned(),
            kind: NotificationKind::Alert,
            route: "r".to_owned(),
            contact: "ops".to_owned(),
            recipient: "ops".to_owned(),
            channel: "webhook".to_owned(),
            outcome: NotificationOutcome::Delivered,
            attempts: 1,
            detail: some,
            alerts: vec![AlertId(7)],
            count: 1,
            title: "hot".to_owned(),
            due: time,
            time,
        }),
        RecordKind::Quiet => Record::Quiet(Quiet {
            id: "s".to_owned(),
            kind: QuietKind::Silence,
            removed: false,
            assets: vec!["plant1/**".to_owned()],
            rules: vec!["hot".to_owned()],
            severities: vec![Severity::Minor],
            from: time,
            until: Some(time),
            weekly: Some(Weekly { days: vec![0], from_minute: 0, to_minute: 60, timezone: "UTC".to_owned() }),
            actor: some.clone(),
            comment: some,
            time,
        }),
        RecordKind::Account => Record::Account(Account {
            change: AccountChange::UserRemoved { user: "anna".to_owned() },
            actor: some,
            time,
        }),
        RecordKind::Audit => Record::Audit(Audit {
            time,
            principal: some.clone(),
            role: some.clone(),
            address: some.clone(),
            route: "POST /v1/sql".to_owned(),
            path: some,
            outcome: "done".to_owned(),
            status: 200,
            count: 1,
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
