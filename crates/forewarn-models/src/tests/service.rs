//! The service on a synthetic plant.

use std::sync::Arc;

use forewarn_spec::{Model, Promote, Statistic};
use forewarn_types::LifeEventKind::{Failed, Installed, Repaired, Retired};
use forewarn_types::{ManualClock, Timestamp};

use super::core::{HOUR, fleet, model, worn};
use super::memory::Memory;
use crate::{ModelError, ModelService};

const SIGNALS: [&str; 3] = ["vibration", "temperature", "switch"];

fn definition() -> Model {
    model(&SIGNALS, &[Statistic::Last, Statistic::Mean, Statistic::Slope])
}

async fn open(memory: &Arc<Memory>, model: Model, now: i64) -> ModelService {
    let clock = Arc::new(ManualClock::new(Timestamp(now)));
    ModelService::with_history(vec![model], memory.clone(), memory.clone(), memory.series.clone(), clock)
        .await
        .unwrap()
}

/// Ten pumps, each of which has failed, been repaired, and runs again, 20, 30, … hours into a second life of
/// 150; and what the time is.
fn plant() -> (Arc<Memory>, i64) {
    let memory = Memory::new();
    let lives = fleet(10);
    let now = 2_000_000 * HOUR;
    for (index, (life, end)) in lives.iter().enumerate() {
        let asset = format!("plant1/pump{index}");
        let ran = 20 + 10 * i64::try_from(index).unwrap();
        let start = now - ran * HOUR;
        let second = worn(start, 150, 1_000 + index as u64);
        for (signal, name) in SIGNALS.iter().enumerate() {
            memory.add(&asset, name, &life.signals[signal]);
            // Between failure and repair the broken machine sends nonsense.
            memory.add(&asset, name, &[(end + HOUR, 1e6), (start - HOUR, -1e6)]);
            memory.add(&asset, name, &second.signals[signal][..=usize::try_from(ran).unwrap()]);
        }
        memory.event(&asset, *end, Failed);
        memory.event(&asset, start, Repaired);
    }
    memory.add("plant2/fan", "vibration", &[(now, 1.0)]);
    (memory, now)
}

#[tokio::test]
async fn a_plant_is_trained_predicted_and_remembered() {
    let (memory, now) = plant();
    let service = open(&memory, definition(), now).await;
    assert_eq!(
        service.predict("pump-life", Timestamp(now)).await,
        Err(ModelError::NotTrained("pump-life".into()))
    );
    let report = service.train("pump-life", Timestamp(now + 1)).await.unwrap();
    assert!(report.promoted && report.warnings.is_empty(), "{report:?}");
    assert_eq!((report.summary.lives, report.summary.incomplete_rows), (10, 0));
    assert!(report.summary.metrics.rmse < 15.0, "{report:?}");

    *memory.handed_out.lock() = 0;
    assert_eq!(service.predict("pump-life", Timestamp(now)).await, Ok(10));
    let predictions = memory.predictions();
    for prediction in &predictions {
        assert_eq!(
            (prediction.time, prediction.made, prediction.unit.as_str()),
            (Timestamp(now), Timestamp(now), "hours")
        );
        assert!(
            prediction.p05 <= prediction.p50
                && prediction.p50 <= prediction.p95
                && !prediction.out_of_distribution,
            "{prediction:?}"
        );
        let left = 150.0 - ((now - prediction.life_started.0) / HOUR) as f64;
        assert!((prediction.p50 - left.min(100.0)).abs() < 35.0, "{left} {prediction:?}");
    }
    let assets: Vec<&str> = predictions.iter().map(|prediction| &*prediction.asset).collect();
    assert!(assets.contains(&"plant1/pump9") && !assets.contains(&"plant2/fan"), "{assets:?}");
    assert!(*memory.handed_out.lock() < 10 * 2 * 25, "only the look-back is read, and no constant signal");

    assert_eq!(service.predict("pump-life", Timestamp(now + HOUR)).await, Ok(0), "no new readings");
    for signal in SIGNALS {
        memory.add("plant1/pump3", signal, &[(now + HOUR, if signal == "temperature" { 62.0 } else { 2.0 })]);
    }
    let again = open(&memory, definition(), now + HOUR).await;
    assert_eq!(
        again.predict("pump-life", Timestamp(now + HOUR)).await,
        Ok(1),
        "a restart knows what was predicted"
    );
    assert_eq!(memory.predictions().last().unwrap().time, Timestamp(now + HOUR));
    assert_eq!(again.models()[0].version.as_ref().unwrap().version, report.version);
}

#[tokio::test]
async fn one_asset_may_be_asked_and_a_retired_one_stays_silent() {
    let (memory, now) = plant();
    let service = open(&memory, definition(), now).await;
    service.train("pump-life", Timestamp(now)).await.unwrap();
    let one = service.predict_asset("pump-life", "plant1/pump9", Timestamp(now)).await.unwrap().unwrap();
    assert_eq!(memory.predictions(), std::slice::from_ref(&one));
    assert_eq!(&*one.contributions[0].signal, "vibration", "{one:?}");
    memory.event("plant1/pump9", now, Retired);
    assert_eq!(service.predict_asset("pump-life", "plant1/pump9", Timestamp(now)).await, Ok(None));
    assert_eq!(service.predict("pump-life", Timestamp(now)).await, Ok(9));
    // Back in service, but with no reading since.
    memory.event("plant1/pump9", now + HOUR, Installed);
    assert_eq!(service.predict_asset("pump-life", "plant1/pump9", Timestamp(now + 2 * HOUR)).await, Ok(None));
}

#[tokio::test]
async fn a_prediction_can_be_made_again_from_the_readings_it_names() {
    let (memory, now) = plant();
    let service = open(&memory, definition(), now).await;
    let report = service.train("pump-life", Timestamp(now)).await.unwrap();
    let ask = || service.predict_asset("pump-life", "plant1/pump9", Timestamp(now));
    let said = ask().await.unwrap().unwrap();
    assert_eq!((said.version.as_str(), said.coverage), (report.version.as_str(), Some(0.9)));
    // The longest window has ten rows, and a value may be carried three rows into it.
    assert_eq!((said.from, said.time), (Some(Timestamp(now - 12 * HOUR)), Timestamp(now)));
    memory.keep(said.from.unwrap().0, said.time.0);
    let again = ask().await.unwrap().unwrap();
    assert_eq!((again.from, again.time, again.life_started), (said.from, said.time, said.life_started));
    for (again, said) in [(again.p05, said.p05), (again.p50, said.p50), (again.p95, said.p95)] {
        assert!((again - said).abs() < 1e-9, "{again} {said}");
    }
}

#[tokio::test]
async fn history_that_is_imported_later_is_predicted_from() {
    let (memory, now) = plant();
    let service = open(&memory, definition(), now).await;
    service.train("pump-life", Timestamp(now)).await.unwrap();
    assert_eq!(service.predict("pump-life", Timestamp(now)).await, Ok(10));

    // A test unit, all of it older than anything asked for since, and more of it than was asked for.
    let old = worn(now - 5_000 * HOUR, 150, 7);
    let send = |asset: &str, hours: std::ops::Range<usize>| {
        for (signal, name) in SIGNALS.iter().enumerate() {
            memory.add(asset, name, &old.signals[signal][hours.clone()]);
        }
    };
    send("plant1/tested", 60..140);
    assert_eq!(service.predict("pump-life", Timestamp(now)).await, Ok(1), "an asset that was not known");
    let newest = || memory.predictions().pop().unwrap();
    assert_eq!((&*newest().asset, newest().time), ("plant1/tested", Timestamp(old.start + 139 * HOUR)));
    assert_eq!(newest().life_started, Timestamp(old.start + 60 * HOUR));

    send("plant1/tested", 0..60);
    assert_eq!(
        service.predict("pump-life", Timestamp(now + HOUR)).await,
        Ok(1),
        "its life is longer than was known"
    );
    assert_eq!(
        (newest().life_started, newest().time),
        (Timestamp(old.start), Timestamp(old.start + 139 * HOUR))
    );

    // Stored before a round that looked less far.
    for signal in SIGNALS {
        memory.add(
            "plant1/pump3",
            signal,
            &[(now + 9 * HOUR, if signal == "temperature" { 62.0 } else { 2.0 })],
        );
    }
    send("plant1/tested", 140..141);
    assert_eq!(service.predict("pump-life", Timestamp(now + 2 * HOUR)).await, Ok(1));
    assert_eq!(service.predict("pump-life", Timestamp(now + 9 * HOUR)).await, Ok(1));
    assert_eq!((&*newest().asset, newest().time), ("plant1/pump3", Timestamp(now + 9 * HOUR)));
    assert_eq!(service.predict("pump-life", Timestamp(now + 9 * HOUR)).await, Ok(0), "nothing new");
}

#[tokio::test]
async fn versions_are_kept_and_promoted_by_rule_or_by_hand() {
    let (memory, now) = plant();
    let manual = Model { promote: Promote::Manually, ..definition() };
    let service = open(&memory, manual.clone(), now).await;
    let first = service.train("pump-life", Timestamp(now)).await.unwrap();
    assert!(!first.promoted && first.reason.contains("manually"), "{first:?}");
    assert!(service.models()[0].problem.as_ref().unwrap().contains("promote"), "{:?}", service.models());
    service.promote("pump-life", &first.version, Some("anna".into()), None).await.unwrap();
    assert_eq!(service.models()[0].problem, None);

    let better = open(&memory, definition(), now + HOUR).await;
    let second = better.train("pump-life", Timestamp(now)).await.unwrap();
    assert!(
        second.promoted && second.version > first.version,
        "the error is the same, so it takes over: {second:?}"
    );
    let versions = better.versions("pump-life").await.unwrap();
    let shown: Vec<(&str, bool, bool)> =
        versions.iter().map(|info| (info.version.as_str(), info.current, info.usable)).collect();
    assert_eq!(shown, [(second.version.as_str(), true, true), (first.version.as_str(), false, true)]);
    let error = better.promote("pump-life", "../../secrets", None, None).await.unwrap_err();
    assert!(matches!(error, ModelError::UnknownVersion { .. }), "{error}");
}

/// Pumps whose lives last `hours`, one after another, from `start` on; gives when the last one failed.
fn send_lives(memory: &Arc<Memory>, name: &str, start: i64, hours: impl Iterator<Item = i64>) -> i64 {
    let mut at = start;
    for (index, hours) in hours.enumerate() {
        let life = worn(at, hours, index as u64 + hours.unsigned_abs());
        let asset = format!("plant1/{name}{index}");
        for (signal, name) in SIGNALS.iter().enumerate() {
            memory.add(&asset, name, &life.signals[signal]);
        }
        memory.event(&asset, at + hours * HOUR, Failed);
        at += 700 * HOUR;
    }
    at
}

#[tokio::test]
async fn a_version_that_knows_longer_lives_takes_over_from_one_that_knew_short_ones_only() {
    let memory = Memory::new();
    let definition = || {
        let mut model = definition();
        model.target.cap = 720.0;
        model
    };
    let then = send_lives(&memory, "early", 0, std::iter::repeat_n(100, 5));
    let first = open(&memory, definition(), then).await.train("pump-life", Timestamp(then)).await.unwrap();
    assert!(first.promoted && first.comparison.is_none(), "{first:?}");
    let now = send_lives(&memory, "late", then, (0..20).map(|index| 150 + 450 * index / 19));
    let service = open(&memory, definition(), now).await;
    let second = service.train("pump-life", Timestamp(now)).await.unwrap();
    assert!(second.summary.metrics.rmse > first.summary.metrics.rmse, "on other lives each");
    let compared = second.comparison.as_ref().unwrap();
    assert_eq!((compared.lives, &compared.champion), (20, &first.version));
    assert!(compared.challenger_rmse < compared.champion_rmse, "{compared:?}");
    assert!(second.promoted && second.reason.contains("20 lives that neither had seen"), "{second:?}");
    // The third has no new lives to show what it can do.
    let third = service.train("pump-life", Timestamp(now)).await.unwrap();
    assert!(third.promoted && third.comparison.is_none(), "the same error on the same lives: {third:?}");
    assert!(third.reason.contains("no life has ended since"), "{third:?}");
}

#[tokio::test]
async fn a_version_that_has_learnt_from_a_life_that_was_taken_back_makes_way() {
    let (memory, now) = plant();
    let service = open(&memory, definition(), now).await;
    let first = service.train("pump-life", Timestamp(now)).await.unwrap();
    let wrong = fleet(10)[3].1;
    memory.withdraw("plant1/pump3", wrong);
    let second = service.train("pump-life", Timestamp(now)).await.unwrap();
    assert_eq!(second.summary.lives, 9);
    assert!(
        second.promoted
            && second.reason.contains(&format!("{} was trained on 1 lives", first.version))
            && second.reason.contains("withdrawn"),
        "{second:?}"
    );
}

#[tokio::test]
async fn few_lives_and_a_tiny_one_are_told_where_the_version_is_shown() {
    let memory = Memory::new();
    let then = send_lives(&memory, "pump", 0, [150, 170, 190, 210].into_iter());
    for (signal, value) in SIGNALS.iter().zip([5.0, 60.0, 1.0]) {
        memory.add("plant1/tiny", signal, &[(then, value)]);
    }
    memory.event("plant1/tiny", then + HOUR, Failed);
    let service = open(&memory, definition(), then + 2 * HOUR).await;
    let report = service.train("pump-life", Timestamp(then + 2 * HOUR)).await.unwrap();
    let told = service.versions("pump-life").await.unwrap().remove(0).summary;
    assert_eq!((told.lives, &told.warnings), (5, &report.summary.warnings));
    let held = format!("held {:.0} % of the truths", 100.0 * told.coverage);
    for said in ["1 of 5 failed lives have fewer than 5 rows", "only 5 failed lives", &held] {
        assert!(told.warnings.iter().any(|warning| warning.contains(said)), "{said}: {told:?}");
        assert!(report.warnings.iter().any(|warning| warning.contains(said)), "{said}: {report:?}");
    }
}

#[tokio::test]
async fn who_promoted_which_version_and_why_is_on_record_and_decides() {
    let (memory, now) = plant();
    let service = open(&memory, definition(), now).await;
    let first = service.train("pump-life", Timestamp(now)).await.unwrap();
    let second = service.train("pump-life", Timestamp(now)).await.unwrap();
    let (anna, why) = (Some("anna".to_owned()), Some("the second one was too early twice".to_owned()));
    service.promote("pump-life", &first.version, anna.clone(), why.clone()).await.unwrap();
    let on_record = memory.promotions();
    let told: Vec<(&str, Option<&str>)> =
        on_record.iter().map(|record| (record.version.as_str(), record.from.as_deref())).collect();
    let (one, two) = (first.version.as_str(), second.version.as_str());
    if one != two {
        assert_eq!(told, [(one, None), (two, Some(one)), (one, Some(two))]);
    }
    assert_eq!(on_record[0].reason.as_deref(), Some("no usable version was in force"));
    assert_eq!(on_record[0].actor.as_deref(), Some("train:pump-life"));
    let last = on_record.last().unwrap();
    assert_eq!((&last.actor, &last.reason, last.time), (&anna, &why, Timestamp(now)));
    let noted = format!(r#"{{"version":"{two}","promoted":"2026-01-01T00:00:00Z"}}"#);
    memory.objects.lock().insert("models/pump-life/current.json".into(), noted.into_bytes());
    let again = open(&memory, definition(), now).await;
    assert_eq!(again.models()[0].version.as_ref().unwrap().version, first.version, "the record decides");
}

#[tokio::test]
async fn a_registry_of_an_earlier_release_still_opens() {
    let (memory, now) = plant();
    let manual = Model { promote: Promote::Manually, ..definition() };
    let report = open(&memory, manual, now).await.train("pump-life", Timestamp(now)).await.unwrap();
    let current = format!(r#"{{"version":"{}","promoted":"2026-01-01T00:00:00Z"}}"#, report.version);
    memory.objects.lock().insert("models/pump-life/current.json".into(), current.into_bytes());
    let service = open(&memory, definition(), now).await;
    assert_eq!(service.models()[0].version.as_ref().unwrap().version, report.version);
    assert_eq!(service.predict("pump-life", Timestamp(now)).await, Ok(10));
}

#[tokio::test]
async fn a_changed_definition_and_a_damaged_version_are_told() {
    let (memory, now) = plant();
    let report = open(&memory, definition(), now).await.train("pump-life", Timestamp(now)).await.unwrap();
    let mut changed = definition();
    changed.target.cap = 50.0;
    let service = open(&memory, changed, now).await;
    let error = service.predict("pump-life", Timestamp(now)).await.unwrap_err();
    assert!(error.to_string().contains("train the model again"), "{error}");
    assert!(matches!(
        service.promote("pump-life", &report.version, None, None).await,
        Err(ModelError::DefinitionChanged { .. })
    ));
    assert!(!service.versions("pump-life").await.unwrap()[0].usable);

    for (path, bytes) in memory.objects.lock().iter_mut().filter(|(path, _)| path.contains("/versions/")) {
        assert!(path.starts_with("models/pump-life/versions/"), "{path}");
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
    }
    let service = open(&memory, definition(), now).await;
    assert!(
        service.models()[0].problem.as_ref().unwrap().contains("changed since it was written"),
        "{:?}",
        service.models()
    );
    let repaired = service.train("pump-life", Timestamp(now)).await;
    assert!(repaired.is_ok(), "a damaged version does not keep the model from being trained: {repaired:?}");
}

#[tokio::test]
async fn an_answer_that_would_not_fit_is_read_in_pieces() {
    let (memory, now) = plant();
    let service = open(&memory, definition(), now).await;
    let whole = service.train("pump-life", Timestamp(now)).await.unwrap();
    *memory.most.lock() = 50;
    let pieces = service.train("pump-life", Timestamp(now)).await.unwrap();
    assert_eq!(whole.summary, pieces.summary);
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let (memory, now) = plant();
    let service = open(&memory, definition(), now).await;
    let error = service.train("fan-life", Timestamp(now)).await.unwrap_err().to_string();
    assert!(error.contains("pump-life"), "{error}");
    // Up to here only the first few have failed.
    let error = service.train("pump-life", Timestamp(2_200 * HOUR)).await.unwrap_err().to_string();
    assert!(error.contains("has 3 failed lives among 3 assets") && error.contains("at least 5"), "{error}");
    memory.event("plant1/pump9", now + HOUR, Failed);
    memory.event("plant1/pump9", now + 2 * HOUR, Failed);
    let report = service.train("pump-life", Timestamp(now + 3 * HOUR)).await.unwrap();
    assert_eq!(report.summary.lives, 11);
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("plant1/pump9") && warning.contains("ends no life")),
        "{report:?}"
    );
}

#[tokio::test]
async fn models_change_while_the_server_runs_and_one_that_stays_keeps_what_it_knows() {
    let (memory, now) = plant();
    let service = open(&memory, definition(), now).await;
    service.train("pump-life", Timestamp(now)).await.unwrap();
    assert_eq!(service.predict("pump-life", Timestamp(now)).await, Ok(10));
    let other = Model { name: "other".into(), ..definition() };
    service.update(vec![other.clone(), definition()]).await;
    let names: Vec<String> = service.models().into_iter().map(|status| status.model).collect();
    assert_eq!(names, ["other", "pump-life"]);
    assert_eq!(service.predict("pump-life", Timestamp(now)).await, Ok(0), "it remembers what it said");
    // Another schedule leaves the version usable, other features do not.
    let monthly = Model { predict_every_us: None, ..definition() };
    service.update(vec![monthly]).await;
    assert_eq!(service.models()[0].problem, None);
    let mut changed = definition();
    changed.target.cap += 1.0;
    service.update(vec![changed]).await;
    let error = service.predict("pump-life", Timestamp(now)).await.unwrap_err();
    assert!(matches!(error, ModelError::DefinitionChanged { .. }), "{error}");
    service.update(vec![other]).await;
    assert!(matches!(
        service.predict("pump-life", Timestamp(now)).await,
        Err(ModelError::UnknownModel { .. })
    ));
}
