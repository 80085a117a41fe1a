//! Quiet hours, silences, maintenance windows and shelves.

use forewarn_types::{AlertState, Quiet, QuietKind, Record, Severity, Timestamp, Transition, Weekly};

use super::Desk;

const NIGHT: &str =
    "  - { to: [ops], quiet: { daily: \"22:00-06:00\", timezone: Europe/Oslo, except: critical } }\n";
const HOUR: i64 = 3600;

fn silence(desk: &Desk, id: &str, assets: &[&str], until: Option<Timestamp>, removed: bool) -> Record {
    Record::Quiet(Quiet {
        id: id.to_owned(),
        kind: QuietKind::Silence,
        removed,
        assets: assets.iter().map(|asset| (*asset).to_owned()).collect(),
        rules: Vec::new(),
        severities: Vec::new(),
        from: Timestamp(0),
        until,
        weekly: None,
        actor: Some("ann".to_owned()),
        comment: None,
        time: desk.now(),
    })
}

#[test]
fn the_night_is_told_in_the_morning_and_what_is_critical_at_once() {
    // Noon in UTC is 13:00 in Oslo in January: the night begins 9 hours later.
    let mut desk = Desk::new(NIGHT);
    let minor = |desk: &mut Desk, asset: &str, transition, state| {
        desk.step(asset, Severity::Minor, transition, state);
    };
    minor(&mut desk, "early", Transition::Raised, AlertState::Unacknowledged);
    assert_eq!(desk.deliver(), ["ops alert: firing early"]);
    desk.pass(9 * HOUR);
    minor(&mut desk, "a", Transition::Raised, AlertState::Unacknowledged);
    minor(&mut desk, "b", Transition::Raised, AlertState::Unacknowledged);
    minor(&mut desk, "early", Transition::Normal, AlertState::Normal);
    assert!(desk.told().is_empty(), "{:?}", desk.told());
    desk.raise("c");
    assert_eq!(desk.deliver(), ["ops alert: firing c"]);
    desk.pass(2 * HOUR);
    minor(&mut desk, "b", Transition::Normal, AlertState::Normal);
    desk.pass(6 * HOUR - 60);
    assert!(desk.told().is_empty(), "{:?}", desk.told());
    desk.pass(60);
    let told = desk.deliver();
    let [digest] = &told[..] else { panic!("{told:?}") };
    assert!(digest.starts_with("ops digest: "), "{digest}");
    for part in ["firing a", "resolved b", "resolved early"] {
        assert!(digest.contains(part), "{digest}");
    }
    minor(&mut desk, "a", Transition::Normal, AlertState::Normal);
    assert_eq!(desk.deliver(), ["ops alert: resolved a"]);
}

#[test]
fn the_night_ends_by_the_clock_of_its_zone_also_when_that_is_set() {
    // On 2026-03-29 Oslo's clocks go from 02:00 to 03:00: 06:00 there is 04:00 UTC, not 05:00.
    let mut desk = Desk::new(NIGHT);
    let until = Timestamp::parse("2026-03-28T23:00:00Z").unwrap();
    desk.pass(until.since_us(desk.now()) / 1_000_000);
    desk.step("a", Severity::Minor, Transition::Raised, AlertState::Unacknowledged);
    desk.pass(5 * HOUR - 60);
    assert!(desk.told().is_empty());
    desk.pass(60);
    assert_eq!(desk.told(), ["ops digest: firing a"]);
}

#[test]
fn a_silenced_alert_is_told_when_the_silence_ends_and_it_is_still_open() {
    let mut desk = Desk::new("  - { to: [ops], escalate: [ { after: 15m, to: [lead] } ] }\n");
    desk.raise("p/told");
    desk.deliver();
    let until = Some(desk.now().plus_us(2 * HOUR * 1_000_000));
    let record = silence(&desk, "s1", &["p/**"], until, false);
    desk.put(record);
    desk.raise("p/a");
    desk.raise("p/b");
    desk.raise("q/c");
    assert_eq!(desk.deliver(), ["ops alert: firing q/c"]);
    let why =
        desk.state.why(forewarn_types::AlertId::derive("hot", "p/a", Timestamp::from_secs(super::NOON)));
    assert!(why.unwrap().muted.unwrap().contains("silence s1 by ann"));
    desk.end("p/b");
    desk.end("p/told");
    assert_eq!(desk.deliver(), ["ops alert: resolved p/told"], "an end that was waited for is told");
    desk.pass(HOUR);
    assert_eq!(desk.deliver(), ["lead escalation: firing q/c"], "a silenced alert does not escalate");
    desk.pass(HOUR);
    assert_eq!(desk.deliver(), ["ops alert: firing p/a"]);
}

#[test]
fn a_silence_holds_at_once_and_not_from_the_next_tick_on() {
    let mut desk = Desk::new(super::PLAIN);
    let now = desk.now().plus_us(500_000);
    let Record::Quiet(quiet) = silence(&desk, "s", &["p/**"], None, false) else { panic!("it is one") };
    desk.put(Record::Quiet(Quiet { from: now, time: now, ..quiet }));
    desk.raise("p/a");
    assert!(desk.told().is_empty(), "{:?}", desk.told());
}

#[test]
fn a_gap_within_a_silence_is_told_behind_it() {
    let mut desk = Desk::new(super::PLAIN);
    desk.raise("a");
    desk.deliver();
    let record = silence(&desk, "s", &[], None, false);
    desk.put(record);
    desk.step("a", Severity::Critical, Transition::Unknown, AlertState::Unacknowledged);
    assert!(desk.told().is_empty());
    let record = silence(&desk, "s", &[], None, true);
    desk.put(record);
    assert_eq!(desk.deliver(), ["ops alert: unknown a"]);
}

#[test]
fn a_weekly_window_holds_back_what_it_is_about() {
    let mut desk = Desk::new(super::PLAIN);
    let weekly = Weekly {
        days: vec![0],
        from_minute: 12 * 60 + 30,
        to_minute: 14 * 60,
        timezone: "Europe/Oslo".to_owned(),
    };
    let Record::Quiet(quiet) = silence(&desk, "w", &["p/**"], None, false) else { panic!("it is one") };
    desk.put(Record::Quiet(Quiet { kind: QuietKind::Maintenance, weekly: Some(weekly), ..quiet }));
    desk.raise("p/a");
    assert!(desk.told().is_empty(), "it is 13:00 on a Monday in Oslo");
    desk.pass(HOUR);
    assert_eq!(desk.deliver(), ["ops alert: firing p/a"]);
    desk.pass(23 * HOUR + 1800);
    desk.raise("p/b");
    assert_eq!(desk.deliver(), ["ops alert: firing p/b"], "it is Tuesday");
}

#[test]
fn a_shelved_alert_is_told_when_it_is_off_the_shelf() {
    let mut desk = Desk::new(super::PLAIN);
    desk.step("a", Severity::Critical, Transition::Raised, AlertState::Shelved);
    assert!(desk.told().is_empty());
    desk.step("a", Severity::Critical, Transition::Unshelved, AlertState::Unacknowledged);
    assert_eq!(desk.deliver(), ["ops alert: firing a"]);
    desk.step("a", Severity::Critical, Transition::Shelved, AlertState::Shelved);
    desk.step("a", Severity::Critical, Transition::Unshelved, AlertState::Unacknowledged);
    assert!(desk.told().is_empty(), "it was told before");
}
