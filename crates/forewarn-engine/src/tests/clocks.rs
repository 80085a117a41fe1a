//! Times ahead of now, clocks that are set, and a server that was away.

use forewarn_types::AlertState::{Acknowledged, Normal, Pending, Returned, Unacknowledged};
use forewarn_types::{
    AlertTransition, CommandAction, Quality, ReadingBatch, ReadingFlags, Record, Resumed, SeriesId,
    Timestamp, Transition as T,
};

use super::{Rig, brief};
use crate::Engine;

const HOUR: i64 = 3_600;

const HOT: &str = "
rules:
  - { name: hot, assets: '**', when: 'x > 90.0', severity: critical }
  - { name: both, assets: '**', when: 'x > 90.0 && y > 1.0', severity: critical }
  - { name: held, assets: '**', when: 'x > 90.0', for: 10s, severity: critical }
";

fn of(rule: &str, transitions: &[AlertTransition]) -> Vec<AlertTransition> {
    transitions.iter().filter(|one| &*one.rule == rule).cloned().collect()
}

impl Rig {
    /// A reading that arrives at `arrived`; one of more than a minute later is ahead, as the intake marks it.
    fn arrive(&mut self, series: u32, time: i64, value: f64, arrived: i64) -> Vec<AlertTransition> {
        let mut batch = ReadingBatch::with_capacity(Timestamp::from_secs(arrived), 1);
        let flags =
            if time > arrived + 60 { ReadingFlags::ahead(Quality::Good) } else { ReadingFlags::default() };
        batch.push(SeriesId(series), Timestamp::from_secs(time), value, flags);
        self.step(&Record::Readings(batch))
    }

    /// A server's ticks, one a second.
    fn ticks(&mut self, from: i64, to: i64) -> Vec<AlertTransition> {
        (from..=to).flat_map(|second| self.tick(second)).collect()
    }

    /// The server runs again, or its clock was set, and shows `now`.
    fn resume(&mut self, now: i64) -> Vec<AlertTransition> {
        self.step(&Record::Resumed(Resumed { now: Timestamp::from_secs(now) }))
    }
}

/// The fault: no alert for 23 hours.
#[test]
fn a_reading_of_tomorrow_keeps_no_alert_from_being_raised_at_once() {
    let mut rig = Rig::new(HOT, &[("p", "x"), ("p", "y")]);
    rig.arrive(0, 0, 70.0, 0);
    rig.arrive(0, 23 * HOUR, 71.0, 1);
    assert_eq!(brief(&of("hot", &rig.arrive(0, 2, 99.0, 2))), [(T::Raised, Unacknowledged, 2)]);
    // It is judged itself, as of its arrival.
    let mut rig = Rig::new(HOT, &[("p", "x"), ("p", "y")]);
    let raised = rig.arrive(0, 23 * HOUR, 99.0, 1);
    assert_eq!(brief(&of("hot", &raised)), [(T::Raised, Unacknowledged, 1)]);
    assert_eq!(brief(&of("hot", &rig.arrive(0, 2, 70.0, 2))), [(T::Returned, Returned, 2)]);
}

#[test]
fn a_zone_two_hours_ahead_holds_as_long_as_it_lasts_and_is_forgotten_once_corrected() {
    let mut rig = Rig::new(HOT, &[("p", "x"), ("p", "y")]);
    let told: Vec<_> = (0..12).flat_map(|second| rig.arrive(0, second + 2 * HOUR, 99.0, second)).collect();
    assert_eq!(brief(&of("hot", &told)), [(T::Raised, Unacknowledged, 0)]);
    assert_eq!(brief(&of("held", &told)), [(T::Pending, Pending, 0), (T::Raised, Unacknowledged, 10)]);
    let corrected = rig.arrive(0, 12, 70.0, 12);
    assert_eq!(brief(&of("hot", &corrected)), [(T::Returned, Returned, 12)]);
    assert_eq!(brief(&of("hot", &rig.arrive(0, 13, 99.0, 13))), [(T::Reraised, Unacknowledged, 13)]);
}

#[test]
fn two_signals_of_a_rule_may_differ_by_ten_minutes_though_one_of_them_is_ahead() {
    let mut rig = Rig::new(HOT, &[("p", "x"), ("p", "y")]);
    for second in 0..10 {
        rig.arrive(1, second + 600, 2.0, second);
        assert_eq!(rig.arrive(0, second, 70.0, second), []);
    }
    assert_eq!(brief(&of("both", &rig.arrive(0, 10, 99.0, 10))), [(T::Raised, Unacknowledged, 10)]);
}

#[test]
fn the_servers_clock_stepping_forward_and_back_keeps_no_alert_from_being_raised() {
    for (marked, own_time) in [(true, true), (true, false), (false, true), (false, false)] {
        let what = format!("marked: {marked}, sender's time: {own_time}");
        let mut rig = Rig::new(HOT, &[("p", "x"), ("p", "y")]);
        let time = |second: i64, step: i64| if own_time { second } else { second + step };
        for second in 0..20 {
            assert_eq!(rig.arrive(0, time(second, 0), 70.0, second), [], "{what}");
            assert_eq!(rig.tick(second), [], "{what}");
        }
        if marked {
            rig.resume(20 + 2 * HOUR);
        }
        for second in 20..40 {
            let arrived = second + 2 * HOUR;
            assert_eq!(rig.arrive(0, time(second, 2 * HOUR), 70.0, arrived), [], "{what}");
            assert_eq!(rig.tick(arrived), [], "{what}");
        }
        if marked {
            rig.resume(40);
        }
        let raised = rig.arrive(0, 40, 99.0, 40);
        assert_eq!(of("hot", &raised).len(), 1, "{what}: {raised:?}");
        let mut told = of("held", &raised);
        for second in 41..52 {
            told.extend(of("held", &rig.arrive(0, second, 99.0, second)));
            told.extend(of("held", &rig.tick(second)));
        }
        assert_eq!(brief(&told), [(T::Pending, Pending, 40), (T::Raised, Unacknowledged, 50)], "{what}");
        // What holds through a step goes on holding.
        if marked {
            rig.resume(52 - HOUR);
        }
        for second in 52..60 {
            let arrived = second - HOUR;
            assert_eq!(rig.arrive(0, time(second, -HOUR), 99.0, arrived), [], "{what}");
            assert_eq!(rig.tick(arrived), [], "{what}");
        }
    }
}

const SILENT: &str = "rules:
  - { name: silent, assets: '**', missing: { signal: x, longer_than: 5s }, severity: warning }
  - { name: held, assets: '**', when: 'x > 1.0', for: 4s, until: 'x < 0.5', clear_for: 4s, severity: warning }";

/// The fault: eight pumps, the server down for 8 s, eight alarms.
#[test]
fn the_servers_absence_is_no_silence_of_its_senders() {
    let pumps: Vec<String> = (0..8).map(|pump| format!("pump{pump}")).collect();
    let series: Vec<(&str, &str)> = pumps.iter().map(|pump| (pump.as_str(), "x")).collect();
    for snapshot in [false, true] {
        let mut rig = Rig::new(SILENT, &series);
        for second in 0..20 {
            for pump in &pumps {
                assert_eq!(rig.read(pump, "x", second, 0.7), []);
            }
            assert_eq!(rig.tick(second), []);
        }
        if snapshot {
            rig.engine = Engine::restore(&rig.engine.snapshot().unwrap()).unwrap();
        }
        rig.resume(28);
        assert_eq!(rig.ticks(28, 32), [], "they have 5 s from here");
        for pump in &pumps[1..] {
            assert_eq!(rig.read(pump, "x", 32, 0.7), []);
        }
        // One that stays silent is told of, at the time by the clock.
        assert_eq!(brief(&rig.ticks(33, 35)), [(T::Raised, Unacknowledged, 33)]);
        assert_eq!(brief(&rig.read("pump0", "x", 36, 0.7)), [(T::Returned, Returned, 36)]);
    }
}

/// The fault: a raise and a return at one instant, for a hold that nobody has seen.
#[test]
fn a_hold_does_not_elapse_while_the_server_is_away() {
    for with_rhythm in [false, true] {
        let mut rig = Rig::new(SILENT, &[("p", "x")]);
        if with_rhythm {
            for second in 0..10 {
                assert_eq!(rig.read("p", "x", second, 0.7), []);
            }
        }
        assert_eq!(brief(&rig.read("p", "x", 10, 2.0)), [(T::Pending, Pending, 10)]);
        assert_eq!(rig.tick(10), []);
        rig.resume(18);
        assert_eq!(rig.tick(18), []);
        assert_eq!(brief(&rig.read("p", "x", 18, 0.7)), [(T::Normal, Normal, 18)], "rhythm: {with_rhythm}");
    }
    // It goes on where it stood, be it by ticks or by readings.
    for by_tick in [false, true] {
        let mut rig = Rig::new(SILENT, &[("p", "x")]);
        rig.read("p", "x", 10, 2.0);
        rig.ticks(10, 12);
        rig.resume(20);
        assert_eq!(rig.ticks(20, 21), []);
        let told = if by_tick { rig.ticks(22, 23) } else { rig.read("p", "x", 22, 2.0) };
        let rest = rig.ticks(24, 27);
        let raised: Vec<_> = of("held", &told).into_iter().chain(of("held", &rest)).collect();
        assert_eq!(
            raised.iter().map(|one| one.transition).collect::<Vec<_>>(),
            [T::Raised],
            "by tick: {by_tick}"
        );
    }
}

#[test]
fn an_end_does_not_come_of_the_servers_absence() {
    let mut rig = Rig::new(SILENT, &[("p", "x")]);
    let told: Vec<_> = (0..6).flat_map(|second| rig.read("p", "x", second, 2.0)).collect();
    assert_eq!(brief(&told).last(), Some(&(T::Raised, Unacknowledged, 4)));
    let acknowledged = rig.command(&told[0], CommandAction::Acknowledge, 6);
    assert_eq!(brief(&acknowledged), [(T::Acknowledged, Acknowledged, 6)]);
    assert_eq!(rig.read("p", "x", 6, 0.4), []);
    rig.tick(6);
    rig.resume(16);
    assert_eq!(rig.read("p", "x", 16, 2.0), [], "it was not seen to be over for 4 s");
}

/// What senders keep and send once the server is back tells the same as if it had never been away.
#[test]
fn readings_that_are_sent_after_a_restart_give_the_alerts_that_they_had_given_without_it() {
    let value = |second: i64| if (5..12).contains(&second) { 2.0 } else { 0.2 };
    let run = |away: std::ops::Range<i64>| {
        let mut rig = Rig::new(SILENT, &[("p", "x")]);
        let mut told = Vec::new();
        for second in 0..40 {
            if away.contains(&second) {
                continue;
            }
            if second == away.end {
                rig.engine = Engine::restore(&rig.engine.snapshot().unwrap()).unwrap();
                told.extend(rig.resume(second));
                // The readings of the time that it was away.
                for kept in away.clone() {
                    told.extend(rig.read_delayed("p", "x", kept, value(kept), second - kept));
                }
            }
            told.extend(rig.read("p", "x", second, value(second)));
            told.extend(rig.tick(second));
        }
        brief(&told)
    };
    let expected = run(0..0);
    assert_eq!(
        expected,
        [(T::Pending, Pending, 5), (T::Raised, Unacknowledged, 9), (T::Returned, Returned, 16)]
    );
    for from in 2..20 {
        for length in [1, 3, 8, 15] {
            assert_eq!(run(from..from + length), expected, "away from {from} for {length} s");
        }
    }
}
