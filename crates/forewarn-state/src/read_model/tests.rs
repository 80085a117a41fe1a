//! The laws of the fold: nothing newer is overwritten, bounds hold, and a snapshot makes no difference.

use std::sync::Arc;
use std::time::Duration;

use forewarn_types::{
    AlertId, AlertState, AlertTransition, CommandAction, Evidence, LifeEvent, LifeEventKind, Offset,
    OperatorCommand, Prediction, Quality, ReadingBatch, ReadingFlags, Record, SeriesDef, SeriesId, Severity,
    Timestamp, Transition,
};
use proptest::prelude::*;

use super::alerts::{MAX_ENDED, MAX_STEPS};
use super::*;

fn series(id: u32) -> SeriesDef {
    SeriesDef {
        id: SeriesId(id),
        asset: format!("plant/pump{}", id / 2).into(),
        signal: format!("s{}", id % 2).into(),
    }
}

fn reading(id: u32, time: i64, value: f64, late: bool) -> Record {
    let mut batch = ReadingBatch::default();
    batch.push(SeriesId(id), Timestamp(time), value, ReadingFlags::new(Quality::Good, late));
    Record::Readings(batch)
}

fn step(rule: &str, started: i64, transition: Transition, state: AlertState) -> AlertTransition {
    AlertTransition {
        alert: AlertId::derive(rule, "plant/pump0", Timestamp(started)),
        rule: rule.into(),
        asset: "plant/pump0".into(),
        severity: Severity::Major,
        transition,
        state,
        unknown: false,
        time: Timestamp(started + 5),
        started: Timestamp(started),
        value: Some(1.5),
        score: None,
        message: format!("{rule} {}", transition.as_str()),
        actor: None,
        comment: None,
        cause: Offset(0),
        ordinal: 0,
        evidence: Evidence::default(),
    }
}

fn prediction(asset: &str, model: &str, p50: f64) -> Record {
    Record::Prediction(Prediction {
        model: model.into(),
        version: "1".into(),
        asset: asset.into(),
        time: Timestamp(1),
        made: Timestamp(2),
        unit: "hours".into(),
        p05: p50 - 1.0,
        p50,
        p95: p50 + 1.0,
        cap: 720.0,
        contributions: Vec::new(),
        out_of_distribution: false,
        life_started: Timestamp(0),
        from: Some(Timestamp(0)),
        coverage: Some(0.9),
    })
}

fn life(asset: &str, time: i64) -> Record {
    event(asset, LifeEventKind::Failed, time)
}

fn event(asset: &str, event: LifeEventKind, time: i64) -> Record {
    Record::LifeEvent(LifeEvent {
        asset: asset.into(),
        event,
        time: Timestamp(time),
        actor: None,
        comment: None,
        corrects: None,
    })
}

fn fold(records: impl IntoIterator<Item = Record>) -> State {
    let mut state = State::default();
    for (offset, record) in (0..).zip(records) {
        state.apply(Offset(offset), &record);
    }
    state
}

#[test]
fn the_newest_reading_wins_whatever_comes_late() {
    let records = [
        Record::Series(vec![series(0), series(1)]),
        reading(0, 100, 1.0, false),
        reading(0, 50, 2.0, true),
        reading(0, 100, 3.0, true),
        reading(1, 7, 4.0, false),
        reading(9, 7, 4.0, false),
    ];
    let state = fold(records);
    let last = |id| state.series(SeriesId(id)).unwrap().last.unwrap();
    assert_eq!((last(0).time, last(0).value, last(0).offset), (Timestamp(100), 1.0, Offset(1)));
    assert_eq!(last(1).value, 4.0);
    assert_eq!(state.asset("plant/pump0").unwrap().signals.len(), 2);
    assert_eq!(state.holes(), 1, "a reading of an unknown series is counted");
}

#[test]
fn a_record_counts_once() {
    let mut state = State::default();
    let event = life("a", 1);
    state.apply(Offset(3), &event);
    state.apply(Offset(3), &event);
    assert_eq!(state.asset("a").unwrap().lives.len(), 1);
    assert_eq!(state.applied(), Offset(4));
}

#[test]
fn an_alert_keeps_what_its_onset_said() {
    let mut acknowledged = step("hot", 10, Transition::Acknowledged, AlertState::Acknowledged);
    acknowledged.actor = Some("anna".into());
    let id = acknowledged.alert;
    let mut records = vec![
        Record::Alert(step("hot", 10, Transition::Pending, AlertState::Pending)),
        Record::Alert(step("hot", 10, Transition::Raised, AlertState::Unacknowledged)),
        Record::Alert(acknowledged),
    ];
    let state = fold(records.clone());
    let alert = state.alerts().get(id).unwrap();
    assert_eq!((alert.message.as_str(), alert.acknowledged_by.as_deref()), ("hot raised", Some("anna")));
    assert_eq!((alert.raised, alert.ended, alert.steps.len()), (Some(Timestamp(15)), None, 3));

    records.push(Record::Alert(step("hot", 10, Transition::Reraised, AlertState::Unacknowledged)));
    assert_eq!(fold(records.clone()).alerts().get(id).unwrap().acknowledged_by, None);

    let until = Timestamp(99);
    records.push(Record::Command(OperatorCommand {
        alert: id,
        action: CommandAction::Shelve { until },
        actor: "anna".into(),
        comment: None,
        reason: None,
        time: Timestamp(20),
    }));
    records.push(Record::Alert(step("hot", 10, Transition::Shelved, AlertState::Shelved)));
    assert_eq!(fold(records.clone()).alerts().get(id).unwrap().shelved_until, Some(until));

    records.push(Record::Alert(step("hot", 10, Transition::Normal, AlertState::Normal)));
    let state = fold(records);
    let alert = state.alerts().get(id).unwrap();
    assert_eq!((alert.shelved_until, alert.ended), (None, Some(Timestamp(15))));
    assert_eq!((state.alerts().open_count(), state.alerts().len()), (0, 1));
}

#[test]
fn an_alert_nobody_was_told_of_leaves_no_trace() {
    let state = fold([
        Record::Alert(step("hot", 10, Transition::Pending, AlertState::Pending)),
        Record::Alert(step("hot", 10, Transition::Normal, AlertState::Normal)),
    ]);
    assert!(state.alerts().is_empty());
    assert_eq!(state.alerts().open_count(), 0);
}

#[test]
fn bounds_hold() {
    let mut state = State::default();
    let mut offset = Offset(0);
    let mut apply = |record: Record| {
        state.apply(offset, &record);
        offset = offset.next();
    };
    for at in 0..i64::try_from(MAX_ENDED).unwrap() + 5 {
        apply(Record::Alert(step("hot", at, Transition::Raised, AlertState::Unacknowledged)));
        apply(Record::Alert(step("hot", at, Transition::Normal, AlertState::Normal)));
    }
    for _ in 0..MAX_STEPS + 10 {
        apply(Record::Alert(step("open", -1, Transition::Reraised, AlertState::Unacknowledged)));
    }
    for at in 0..300 {
        apply(life("a", at - 300));
        apply(prediction("a", &format!("m{at}"), 1.0));
    }
    let open = state.alerts().get(AlertId::derive("open", "plant/pump0", Timestamp(-1))).unwrap();
    assert_eq!((open.steps.len(), open.steps_dropped, open.steps[0].time), (MAX_STEPS, 10, Timestamp(4)));
    assert_eq!(state.alerts().len(), MAX_ENDED + 1);
    assert!(
        state.alerts().get(AlertId::derive("hot", "plant/pump0", Timestamp(4))).is_none(),
        "the oldest make room"
    );
    assert!(state.alerts().get(AlertId::derive("hot", "plant/pump0", Timestamp(5))).is_some());
    let asset = state.asset("a").unwrap();
    assert_eq!((asset.lives.len(), asset.predictions.len()), (MAX_LIFE_EVENTS, MAX_MODELS));
    assert!(asset.predictions.contains_key("m299"));
}

#[test]
fn a_statement_ends_with_the_life_it_is_about() {
    use LifeEventKind::{Failed, Installed, Repaired, Retired};
    // Predictions are about a life that began at 0.
    let said = |records: Vec<Record>| fold(records).prediction("a", None).is_some();
    for kind in [Installed, Repaired, Failed, Retired] {
        assert!(!said(vec![prediction("a", "m", 3.0), event("a", kind, 5)]), "{kind:?}");
        assert!(
            !said(vec![event("a", kind, 5), prediction("a", "m", 3.0)]),
            "{kind:?} while the model was thinking"
        );
        assert!(
            said(vec![prediction("a", "m", 3.0), event("a", kind, -5)]),
            "an older {kind:?} that is posted late"
        );
        assert!(said(vec![prediction("a", "m", 3.0), event("b", kind, 5)]), "{kind:?} of another machine");
    }
    assert!(
        said(vec![event("a", Installed, 0), prediction("a", "m", 3.0)]),
        "the beginning of the life itself"
    );
}

#[test]
fn an_event_that_was_withdrawn_or_corrected_ends_no_life() {
    let correction = |kind, time| {
        let Record::LifeEvent(event) = event("a", kind, time) else { unreachable!() };
        Record::LifeEvent(LifeEvent { corrects: Some(Offset(1)), ..event })
    };
    let said = |by| {
        let wrong = event("a", LifeEventKind::Failed, 5);
        fold([Record::Series(vec![series(0)]), wrong, by, prediction("a", "m", 3.0)])
            .prediction("a", None)
            .is_some()
    };
    assert!(!said(event("b", LifeEventKind::Failed, 5)));
    assert!(said(correction(LifeEventKind::Withdrawn, 5)));
    assert!(said(correction(LifeEventKind::Failed, -5)), "it failed before this life began");
    assert!(!said(correction(LifeEventKind::Failed, 6)), "only its time was wrong");
    let state = fold([event("x", LifeEventKind::Failed, 5), event("mistaken", LifeEventKind::Failed, 5), {
        let Record::LifeEvent(event) = event("mistaken", LifeEventKind::Withdrawn, 5) else { unreachable!() };
        Record::LifeEvent(LifeEvent { corrects: Some(Offset(1)), ..event })
    }]);
    assert!(state.asset("x").is_some() && state.asset("mistaken").is_none(), "a misspelt asset goes with it");
}

#[test]
fn pages_join_without_a_gap() {
    let state = fold(
        (0..10).map(|at| Record::Alert(step("hot", at, Transition::Raised, AlertState::Unacknowledged))),
    );
    let filter = |from, to| AlertFilter {
        state: StateFilter::Open,
        severity: Vec::new(),
        asset: None,
        rule: None,
        from: Timestamp(from),
        to: Timestamp(to),
    };
    let all = filter(2, 9);
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page: Vec<&Alert> = state.alerts().newest(&all, cursor).take(3).collect();
        let Some(last) = page.last() else { break };
        cursor = Some(Cursor { started: last.started, id: last.id });
        seen.extend(page.iter().map(|alert| alert.started.0));
    }
    assert_eq!(seen, [8, 7, 6, 5, 4, 3, 2]);
    assert_eq!(state.alerts().newest(&filter(5, 5), None).count(), 0);
    assert_eq!(state.alerts().newest(&filter(9, 2), None).count(), 0, "ends the wrong way round");
}

#[test]
fn a_snapshot_of_another_version_is_refused() {
    let bytes = State::default().to_bytes().unwrap();
    assert!(State::from_bytes(&bytes).is_ok());
    let cut = State::from_bytes(&bytes[..bytes.len() - 1]).unwrap_err();
    assert!(cut.to_string().contains("read_model cannot be read"), "{cut}");
    let none: [(); 0] = [];
    let other = rmp_serde::to_vec(&(99_u32, Offset(0), 0_u64, none, none, none, none)).unwrap();
    let other = State::from_bytes(&other).unwrap_err().in_full();
    assert!(other.contains("version 99"), "{other}");
}

#[tokio::test]
async fn waiting_ends_with_the_fold_or_the_time() {
    let shared = SharedState::new(State::default());
    let waiter = shared.clone();
    let waiting = tokio::spawn(async move { waiter.wait(Offset(2), Duration::from_hours(1)).await });
    shared.apply(&[(Offset(0), Arc::new(life("a", 1))), (Offset(1), Arc::new(life("a", 2)))]);
    assert!(waiting.await.unwrap());
    assert!(!shared.wait(Offset(3), Duration::ZERO).await);
}

fn any_record() -> impl Strategy<Value = Record> {
    let alert = (0_i64..4, 0_usize..8, 0_usize..5).prop_map(|(start, transition, state)| {
        use Transition::{Acknowledged, Amended, Known, Normal, Pending, Raised, Reraised, Unknown};
        let transition =
            [Pending, Raised, Reraised, Acknowledged, Normal, Unknown, Known, Amended][transition];
        let state = [
            AlertState::Pending,
            AlertState::Unacknowledged,
            AlertState::Acknowledged,
            AlertState::Normal,
            AlertState::Shelved,
        ][state];
        Record::Alert(step("hot", start, transition, state))
    });
    prop_oneof![
        Just(Record::Series((0..4).map(series).collect())),
        (0_u32..5, 0_i64..50, -5.0_f64..5.0).prop_map(|(id, time, value)| reading(id, time, value, false)),
        alert,
        (0_i64..9).prop_map(|time| life("plant/pump0", time)),
        (0_usize..3, 1.0_f64..9.0).prop_map(|(model, p50)| prediction(
            "plant/new",
            ["a", "b", "c"][model],
            p50
        )),
        (1.0_f64..9.0).prop_map(|p50| prediction("plant/pump0", "a", p50)),
        Just(Record::Tick(Timestamp(1))),
    ]
}

proptest! {
    #[test]
    fn a_snapshot_makes_no_difference(
        records in prop::collection::vec(any_record(), 0..80),
        cut in 0_usize..80,
    ) {
        let continuous = fold(records.clone());
        let cut = cut.min(records.len());
        let before = fold(records[..cut].iter().cloned());
        let mut restored = State::from_bytes(&before.to_bytes().unwrap()).unwrap();
        prop_assert_eq!(&restored, &before);
        for (offset, record) in records.iter().enumerate().skip(cut) {
            restored.apply(Offset(offset as u64), record);
        }
        prop_assert_eq!(restored, continuous);
    }

    #[test]
    fn what_is_open_is_what_has_not_ended(records in prop::collection::vec(any_record(), 0..80)) {
        let state = fold(records);
        let asset: AssetPath = "plant/pump0".into();
        let open = state.alerts().open_of(&asset).count();
        prop_assert_eq!(open, state.alerts().iter().filter(|alert| alert.ended.is_none()).count());
        prop_assert_eq!(open, state.alerts().open_count());
        let is_whole = |alert: &Alert| alert.state != AlertState::Normal || alert.raised.is_some();
        prop_assert!(state.alerts().iter().all(is_whole));
    }
}
