//! Attributes of assets in conditions and derived signals.

use forewarn_types::AlertState::{Normal, Unacknowledged};
use forewarn_types::{AttributeValue, Attributes, CommandAction, Record, Timestamp, Transition as T};

use super::{Rig, brief};

const RULES: &str = "signals:
  - { name: share, assets: '**', expr: 't / asset.rated' }
rules:
  - { name: high, assets: '**', when: 't > asset.high', until: 't < asset.high - 5.0', severity: major }
  - { name: loaded, assets: '**', when: 'share > 0.9', severity: minor }";

fn attributes(asset: &str, values: &[(&str, f64)]) -> Record {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), AttributeValue::Number(*value)));
    Record::Attributes(Attributes {
        asset: asset.into(),
        attributes: values.collect(),
        actor: None,
        time: Timestamp(0),
    })
}

fn rig() -> Rig {
    Rig::new(RULES, &[("p", "t"), ("q", "t")])
}

#[test]
fn a_limit_is_that_of_the_asset_and_unknown_where_there_is_none() {
    let mut rig = rig();
    rig.step(&attributes("p", &[("high", 90.0)]));
    assert_eq!(rig.read("q", "t", 0, 95.0), [], "nothing is known of q");
    assert_eq!(rig.read("p", "t", 0, 85.0), []);
    // Hours later it is as good as it was.
    let raised = rig.read("p", "t", 40_000, 95.0);
    assert_eq!(brief(&raised), [(T::Raised, Unacknowledged, 40_000)]);
    assert_eq!(raised[0].evidence.from, Timestamp::from_secs(40_000), "it does not go back to the attribute");
    assert_eq!(rig.read("p", "t", 40_001, 86.0), []);
    assert_eq!(brief(&rig.read("p", "t", 40_002, 80.0)).len(), 1);
}

#[test]
fn another_value_takes_effect_at_once_by_the_newest_readings() {
    let mut rig = rig();
    rig.step(&attributes("p", &[("high", 90.0)]));
    let raised = rig.read("p", "t", 0, 95.0);
    rig.command(&raised[0], CommandAction::Acknowledge, 1);
    rig.tick(10);
    assert_eq!(rig.step(&attributes("p", &[("high", 92.0)])), [], "it still holds, and stays acknowledged");
    assert_eq!(rig.step(&attributes("p", &[("high", 92.0), ("other", 1.0)])), []);
    assert_eq!(brief(&rig.step(&attributes("p", &[("high", 101.0)]))), [(T::Normal, Normal, 10)]);
    assert_eq!(brief(&rig.step(&attributes("p", &[("high", 80.0)]))), [(T::Raised, Unacknowledged, 10)]);
    // Without the attribute nothing can be said.
    let doubt = rig.step(&attributes("p", &[]));
    assert_eq!(doubt.iter().map(|step| step.transition).collect::<Vec<_>>(), [T::Unknown]);
}

#[test]
fn derived_signals_follow() {
    let mut rig = rig();
    rig.read("p", "t", 0, 80.0);
    rig.tick(1);
    assert_eq!(rig.step(&attributes("p", &[("rated", 100.0)])), []);
    let raised = rig.step(&attributes("p", &[("rated", 85.0)]));
    assert_eq!(brief(&raised), [(T::Raised, Unacknowledged, 1)]);
    assert_eq!(brief(&rig.read("p", "t", 2, 70.0)).len(), 1);
}
