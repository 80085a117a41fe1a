//! Assets that were retired, and those that were never heard of.

use forewarn_types::AlertState::{Normal, Returned, Unacknowledged};
use forewarn_types::{LifeEvent, LifeEventKind, Offset, Record, Timestamp, Transition as T};

use super::{Rig, brief, definitions};
use crate::Engine;

const RULES: &str = "rules:
  - { name: silent, assets: '**', missing: { signal: x, longer_than: 1m }, severity: warning }
  - { name: hot, assets: '**', when: 'x > 90.0', for: 10s, severity: major }";

impl Rig {
    fn life(&mut self, asset: &str, event: LifeEventKind, time: i64) -> Vec<forewarn_types::AlertTransition> {
        self.life_instead(asset, event, time, None)
    }

    fn life_instead(
        &mut self,
        asset: &str,
        event: LifeEventKind,
        time: i64,
        corrects: Option<Offset>,
    ) -> Vec<forewarn_types::AlertTransition> {
        self.step(&Record::LifeEvent(LifeEvent {
            asset: asset.into(),
            event,
            time: Timestamp::from_secs(time),
            actor: Some("kim".to_owned()),
            comment: Some("sold".to_owned()),
            corrects,
        }))
    }
}

/// The fault: `missing` was raised after `retired`, and the alerts stayed.
#[test]
fn retirement_ends_rules_and_alerts_on_record_until_the_asset_is_in_service_again() {
    let mut rig = Rig::new(RULES, &[("p", "x"), ("q", "x")]);
    for time in 0..12 {
        rig.read("p", "x", time, 95.0);
        rig.read("q", "x", time, 50.0);
    }
    assert_eq!(rig.engine.open_alerts(), 1);
    let ended = rig.life("p", LifeEventKind::Retired, 20);
    assert_eq!(brief(&ended), [(T::Normal, Normal, 20)]);
    assert_eq!(
        (&*ended[0].message, ended[0].actor.as_deref(), ended[0].comment.as_deref()),
        ("the asset was retired", Some("kim"), Some("sold"))
    );
    rig.engine = Engine::restore(&rig.engine.snapshot().unwrap()).unwrap();
    assert_eq!(rig.read("p", "x", 21, 99.0), [], "no rule judges it");
    assert_eq!(rig.tick(60), []);
    let silent = rig.tick(300);
    assert_eq!(silent.iter().map(|one| &*one.asset).collect::<Vec<_>>(), ["q"]);
    // Installed again, it is watched from its next reading on.
    assert_eq!(rig.life("p", LifeEventKind::Installed, 400), []);
    assert_eq!(rig.tick(500), []);
    rig.read("p", "x", 501, 99.0);
    assert_eq!(brief(&rig.read("p", "x", 512, 99.0)), [(T::Raised, Unacknowledged, 511)]);
    assert_eq!(brief(&rig.tick(600)), [(T::Raised, Unacknowledged, 572)]);
    assert_eq!(rig.problems, [""; 0]);
}

#[test]
fn a_retirement_that_is_taken_back_puts_the_asset_into_service_and_other_events_do_not() {
    let mut rig = Rig::new(RULES, &[("p", "x")]);
    rig.read("p", "x", 0, 50.0);
    let retired = Offset(rig.offset);
    rig.life("p", LifeEventKind::Retired, 20);
    rig.life("p", LifeEventKind::Failed, 10);
    rig.life_instead("p", LifeEventKind::Withdrawn, 10, Some(Offset(retired.0 + 1)));
    assert_eq!(rig.tick(300), [], "it is retired still");
    // A retirement with another date takes the place of the first one: it is what can be taken back now.
    let again = Offset(rig.offset);
    rig.life_instead("p", LifeEventKind::Retired, 25, Some(retired));
    rig.life_instead("p", LifeEventKind::Withdrawn, 20, Some(retired));
    assert_eq!(rig.read("p", "x", 299, 99.0), [], "it is retired still");
    assert_eq!(rig.tick(300), []);
    rig.life_instead("p", LifeEventKind::Withdrawn, 25, Some(again));
    rig.read("p", "x", 301, 99.0);
    assert_eq!(brief(&rig.read("p", "x", 312, 99.0)), [(T::Raised, Unacknowledged, 311)]);
    // What happens to a machine in service changes nothing of an open alert.
    rig.life("p", LifeEventKind::Repaired, 313);
    rig.life("p", LifeEventKind::Failed, 314);
    assert_eq!(rig.engine.open_alerts(), 1);
    assert_eq!(brief(&rig.read("p", "x", 320, 50.0)), [(T::Returned, Returned, 320)]);
}

/// The fault: `missing` on an asset never heard of said nothing.
#[test]
fn what_is_expected_is_missing_from_the_start() {
    let rules = "rules:
  - { name: every, assets: '**', missing: { signal: x, longer_than: 1m, expected: true }, severity: warning }
  - { name: named, assets: plant/p9, missing: { signal: x, longer_than: 2m, expected: true }, severity: warning }";
    let mut rig = Rig::new(rules, &[("plant/p1", "y")]);
    assert_eq!(rig.tick(1_000), []);
    rig.read("plant/p1", "y", 1_001, 1.0);
    assert_eq!(rig.tick(1_060), []);
    rig.engine = Engine::restore(&rig.engine.snapshot().unwrap()).unwrap();
    let told = rig.tick(1_061);
    let assets: Vec<(&str, &str)> = told.iter().map(|one| (&*one.rule, &*one.asset)).collect();
    assert_eq!(assets, [("every", "plant/p9"), ("every", "plant/p1")]);
    assert_eq!(told[0].message, "x has been silent for longer than 1m");
    assert_eq!(brief(&rig.tick(1_121)), [(T::Raised, Unacknowledged, 1_120)]);
    // An asset that appears later is expected from then on, and a reading ends the silence.
    rig.add_series(&[("plant/p2", "y"), ("plant/p9", "x")]);
    assert_eq!(rig.tick(1_181), []);
    assert_eq!(brief(&rig.tick(1_182)), [(T::Raised, Unacknowledged, 1_181)]);
    let back = rig.read("plant/p9", "x", 1_190, 1.0);
    assert_eq!(brief(&back), [(T::Returned, Returned, 1_190), (T::Returned, Returned, 1_190)]);
    // A rule that comes later counts from then on.
    rig.step(&definitions(&rules.replace("every", "others")));
    assert_eq!(rig.tick(1_242).iter().filter(|one| &*one.rule == "others").count(), 0);
    assert_eq!(rig.tick(1_260).iter().filter(|one| &*one.rule == "others").count(), 3);
}
