//! What is told together, again, and to others; and floods.

use forewarn_types::{AlertState, Severity, Transition};

use super::Desk;

#[test]
fn what_comes_within_the_wait_is_told_in_one() {
    let mut desk = Desk::new("  - { to: [ops], group: { by: [rule], wait: 30s } }\n");
    desk.raise("a");
    desk.pass(20);
    desk.raise("b");
    assert!(desk.told().is_empty());
    desk.pass(10);
    assert_eq!(desk.deliver(), ["ops alert: firing a, firing b"]);
    desk.end("a");
    desk.raise("c");
    desk.pass(30);
    assert_eq!(desk.deliver(), ["ops alert: resolved a, firing c"]);
}

#[test]
fn groups_by_asset_and_by_nothing() {
    let mut desk = Desk::new(
        "  - { to: [ops], group: { by: [asset], wait: 10s } }\n  \
         - { name: all, to: [lead], group: { by: [], wait: 10s } }\n",
    );
    desk.raise("a");
    desk.raise("b");
    desk.pass(10);
    let mut told = desk.deliver();
    told.sort();
    assert_eq!(told, ["lead alert: firing a, firing b", "ops alert: firing a", "ops alert: firing b"]);
}

#[test]
fn alerts_are_repeated_until_they_are_acknowledged() {
    let mut desk = Desk::new("  - { to: [ops], group: { by: [rule], repeat: 4h } }\n");
    desk.raise("a");
    desk.raise("b");
    desk.deliver();
    desk.pass(4 * 3600 - 60);
    assert!(desk.told().is_empty());
    desk.pass(60);
    assert_eq!(desk.deliver(), ["ops repeat: firing a, firing b"]);
    desk.acknowledge("a");
    desk.pass(4 * 3600);
    assert_eq!(desk.deliver(), ["ops repeat: firing b"]);
    desk.end("b");
    desk.deliver();
    desk.pass(24 * 3600);
    assert!(desk.told().is_empty());
}

#[test]
fn others_are_told_when_nobody_acknowledges_and_hear_how_it_ends() {
    let steps = "escalate: [ { after: 15m, to: [lead] }, { after: 1h, to: [boss] } ]";
    let mut desk = Desk::new(&format!("  - {{ to: [ops], {steps} }}\n"));
    desk.raise("a");
    desk.raise("b");
    desk.deliver();
    desk.pass(14 * 60);
    desk.acknowledge("b");
    desk.pass(60);
    assert_eq!(desk.deliver(), ["lead escalation: firing a"]);
    desk.acknowledge("a");
    desk.pass(3600);
    assert!(desk.told().is_empty());
    desk.end("a");
    desk.end("b");
    let mut told = desk.deliver();
    told.sort();
    assert_eq!(told, ["lead alert: resolved a", "ops alert: resolved a", "ops alert: resolved b"]);
}

#[test]
fn a_new_onset_escalates_anew() {
    let mut desk = Desk::new("  - { to: [ops], escalate: [ { after: 15m, to: [lead] } ] }\n");
    desk.raise("a");
    desk.pass(15 * 60);
    desk.acknowledge("a");
    desk.deliver();
    desk.step("a", Severity::Critical, Transition::Reraised, AlertState::Unacknowledged);
    desk.deliver();
    desk.pass(15 * 60);
    assert_eq!(desk.deliver(), ["lead escalation: firing a"]);
}

#[test]
fn a_clock_that_is_set_back_delays_nothing() {
    let mut desk = Desk::new("  - { to: [ops], escalate: [ { after: 15m, to: [lead] } ] }\n");
    desk.raise("a");
    desk.pass(10 * 60);
    desk.pass(-3600);
    desk.pass(5 * 60);
    assert!(desk.told().contains(&"lead escalation: firing a".to_owned()), "{:?}", desk.told());
}

#[test]
fn a_flood_becomes_one_message_and_every_alert_is_told() {
    let mut desk = Desk::new("  - { to: [ops] }\n");
    for number in 0..900 {
        desk.raise(&format!("a{number:04}"));
    }
    assert_eq!(desk.state.pending.len(), 50);
    let mut told = desk.deliver();
    assert_eq!(desk.state.pending.len(), 1);
    desk.end("a0500");
    told.extend(desk.deliver());
    told.extend(desk.deliver());
    assert!(told.iter().any(|one| one.starts_with("ops flood: ") && one.matches("firing").count() == 850));
    for number in 0..900 {
        let name = format!("firing a{number:04}");
        assert_eq!(told.iter().filter(|one| one.contains(&name)).count(), 1, "{name}");
    }
    let place = |text: &str| told.iter().position(|one| one.contains(text)).unwrap();
    assert!(place("firing a0500") < place("resolved a0500"));
    desk.raise("z");
    assert_eq!(desk.deliver(), ["ops alert: firing z"]);
}

#[test]
fn an_alert_that_ends_while_a_flood_is_held_back_is_told_with_its_onset() {
    let mut desk = Desk::new("  - { to: [ops] }\n");
    for number in 0..60 {
        desk.raise(&format!("a{number:04}"));
    }
    desk.step("a0055", Severity::Critical, Transition::Unknown, AlertState::Unacknowledged);
    desk.step("a0055", Severity::Critical, Transition::Known, AlertState::Unacknowledged);
    desk.end("a0055");
    desk.deliver();
    let told = desk.deliver();
    let items: Vec<&str> = told[0].split(": ").nth(1).unwrap().split(", ").collect();
    let of_it: Vec<_> = items.iter().filter(|item| item.ends_with("a0055")).collect();
    assert_eq!(of_it, [&"firing a0055", &"known a0055", &"resolved a0055"], "{told:?}");
}

#[test]
fn thousands_in_a_group_that_waits_are_one_message_which_says_how_many() {
    let mut desk = Desk::new("  - { to: [ops], group: { by: [rule], wait: 10s } }\n");
    for number in 0..3_000 {
        desk.raise(&format!("a{number:04}"));
    }
    desk.pass(10);
    let pending: Vec<_> = desk.state.pending.values().collect();
    assert_eq!(pending.len(), 1);
    assert_eq!((pending[0].count(), pending[0].items.len()), (3_000, 1_000));
}

#[test]
fn a_dead_contact_holds_a_bounded_number_of_messages() {
    let mut desk = Desk::new("  - { to: [ops] }\n");
    for number in 0..5_000 {
        desk.raise(&format!("a{number:04}"));
    }
    desk.pass(3600);
    assert!(desk.state.pending.len() <= 51, "{}", desk.state.pending.len());
}
