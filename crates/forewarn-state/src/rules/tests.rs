//! Questions about rules, asked in portions.

use forewarn_types::{
    DefinitionFile, Definitions, Offset, Quality, ReadingBatch, ReadingFlags, Record, SeriesDef, SeriesId,
    Timestamp,
};

use super::*;
use crate::{Decisions, EngineFold, Fold as _, Part};

const RULES: &str = "\
pipeline: pumps
rules:
  - { name: hot, assets: \"plant/*\", when: \"temperature > 90.0\", severity: critical }
  - { name: shaky, assets: \"plant/*\", when: \"vibration > 4.5\", severity: critical }
";

fn definitions(text: &str) -> Record {
    let file = DefinitionFile { path: "pumps.yaml".into(), text: text.into() };
    Record::Definitions(Definitions::of(vec![file]))
}

/// So many pumps that send a temperature, every tenth too hot, and the first of them a vibration.
fn pumps(count: u32) -> (EngineFold, Rules) {
    let rules = Rules::new(EngineOptions::default());
    let mut fold = EngineFold::behind(rules.clone());
    let name = |pump: u32| format!("plant/p{pump:05}");
    let mut series: Vec<SeriesDef> = (0..count)
        .map(|pump| SeriesDef { id: SeriesId(pump), asset: name(pump).into(), signal: "temperature".into() })
        .collect();
    series.push(SeriesDef { id: SeriesId(count), asset: name(0).into(), signal: "vibration".into() });
    let mut batch = ReadingBatch::with_capacity(Timestamp::from_secs(1), 1);
    for pump in 0..=count {
        let value = if pump % 10 == 3 { 95.0 } else { 1.0 };
        let flags = ReadingFlags::new(Quality::Good, false);
        batch.push(SeriesId(pump), Timestamp::from_secs(1), value, flags);
    }
    judge(&mut fold, [definitions(RULES), Record::Series(series), Record::Readings(batch)]);
    (fold, rules)
}

fn judge<const N: usize>(fold: &mut EngineFold, records: [Record; N]) {
    let records: Vec<_> = (0..).map(Offset).zip(records.map(Arc::new)).collect();
    fold.judge(&records, &mut Decisions::default());
}

#[test]
fn each_asset_is_counted_once_however_many_portions_it_takes() {
    for count in [2, 1_024, 2_048, 5_000] {
        let (_fold, rules) = pumps(count);
        let [hot, shaky] = <[_; 2]>::try_from(rules.all(&|_| true).unwrap()).unwrap();
        let pumps = count as usize;
        let hot_pumps = (0..pumps).filter(|pump| pump % 10 == 3).count();
        assert_eq!((hot.matches, hot.counts), (pumps, [pumps - hot_pumps, 0, hot_pumps, 0, 0, 0]));
        assert_eq!((shaky.matches, shaky.counts), (pumps, [1, 0, 0, 0, pumps - 1, 0]));
        let lacking = format!("vibration was never heard on {} of the {count} assets", count - 1);
        assert_eq!(shaky.notes, [format!("{lacking}, such as plant/p00001")]);
        assert_eq!(hot.notes, [""; 0]);
    }
}

#[test]
fn pages_make_up_the_whole() {
    let (_fold, rules) = pumps(5_000);
    let mut ask = RulePageAsk { state: Some(RuleState::Alert), after: None, limit: 90 };
    let mut found = Vec::new();
    loop {
        let page = rules.one("hot", &ask, &|_| true).unwrap().unwrap();
        assert_eq!(page.summary.matches, 5_000);
        assert!(page.assets.len() <= 90);
        found.extend(page.assets.iter().map(|row| row.asset.to_string()));
        ask.after = page.next.map(|next| next.to_string());
        if ask.after.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 500);
    assert!(found.is_sorted() && found[0] == "plant/p00003", "{found:?}");
    assert_eq!(rules.one("hottest", &ask, &|_| true).unwrap(), None);
}

#[test]
fn who_asks_sees_the_state_that_is_restored_and_the_definitions_that_come_in() {
    let (fold, _) = pumps(20);
    let Part::Ready(bytes) = fold.snapshot().unwrap() else { panic!("it rests on nothing") };
    let rules = Rules::new(EngineOptions::default());
    let mut fold = EngineFold::behind(rules.clone());
    assert_eq!(rules.all(&|_| true), Ok(Vec::new()));
    fold.restore(&bytes).unwrap();
    assert_eq!(rules.all(&|_| true).unwrap()[0].counts, [18, 0, 2, 0, 0, 0]);
    judge(&mut fold, [definitions(&RULES.replace("plant/*", "plant/p00003"))]);
    assert_eq!(rules.all(&|_| true).unwrap()[0].counts, [0, 0, 1, 0, 0, 0]);
    fold.reset();
    assert_eq!(rules.all(&|_| true), Ok(Vec::new()));
}

#[test]
fn rules_that_change_while_a_question_is_answered_are_asked_about_anew() {
    let (mut fold, rules) = pumps(20);
    let before = rules.0.read().rules();
    judge(&mut fold, [definitions(&RULES.replace("90.0", "0.5"))]);
    assert_eq!(rules.look(&before, None, &|_| true, |_, _| {}), None);
    assert_eq!(rules.all(&|_| true).unwrap()[0].counts[2], 20, "it is judged anew");
    assert_eq!(rules.consistently(|_| None::<()>), Err(RulesChanging), "it gives up in the end");
}
