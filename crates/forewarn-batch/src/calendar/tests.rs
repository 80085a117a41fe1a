//! The calendar across clock changes: which instants fire, and that intervals abut.

use chrono::{NaiveDateTime, TimeZone};
use proptest::prelude::*;

use super::*;

fn cron(expr: &str, zone: &str) -> Schedule {
    Schedule::new(&Trigger::Cron { expr: expr.into(), tz: zone.parse().unwrap() }).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// All fire times in `[from, to)`, as texts.
fn fires(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut time = at(from).plus_us(-1);
    while let Some(fire) = schedule.next_after(time).filter(|fire| *fire < at(to)) {
        assert!(fire > time, "{fire} is not after {time}");
        assert_eq!(schedule.last_before(fire.plus_us(1)), Some(fire));
        found.push(fire.to_string());
        time = fire;
    }
    found
}

#[test]
fn a_daily_time_that_is_skipped_fires_right_after_the_gap() {
    // Oslo springs from 02:00 (01:00Z) to 03:00 on 2026-03-29.
    let got = fires(&cron("30 2 * * *", "Europe/Oslo"), "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z");
    assert_eq!(got, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
}

#[test]
fn a_daily_time_that_comes_twice_fires_once_at_the_first() {
    // Oslo falls from 03:00 (01:00Z) to 02:00 on 2026-10-25.
    let got = fires(&cron("30 2 * * *", "Europe/Oslo"), "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z");
    assert_eq!(got, ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
}

#[test]
fn an_hourly_schedule_fires_every_real_hour_across_both_changes() {
    for day in ["2026-03-29", "2026-10-25"] {
        let schedule = cron("0 * * * *", "Europe/Oslo");
        let mut time = at(&format!("{day}T00:00:00Z"));
        for _ in 0..6 {
            let next = schedule.next_after(time).unwrap();
            assert_eq!(next.since_us(time), 3_600_000_000, "after {time}");
            time = next;
        }
    }
}

#[test]
fn a_repeated_schedule_skips_what_does_not_exist_and_doubles_what_comes_twice() {
    let schedule = cron("*/30 2 * * *", "Europe/Oslo");
    assert_eq!(fires(&schedule, "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"), Vec::<String>::new());
    assert_eq!(
        fires(&schedule, "2026-10-25T00:00:00Z", "2026-10-25T12:00:00Z"),
        ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"]
    );
}

#[test]
fn midnight_schedules_survive_days_without_midnight() {
    // São Paulo skipped 00:00–01:00 on 2018-11-04; Cairo skips it on 2026-04-24.
    let sao_paulo = cron("0 0 * * *", "America/Sao_Paulo");
    assert_eq!(
        fires(&sao_paulo, "2018-11-03T00:00:00Z", "2018-11-06T00:00:00Z"),
        ["2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"]
    );
    let cairo = cron("0 0 * * *", "Africa/Cairo");
    assert_eq!(
        fires(&cairo, "2026-04-22T12:00:00Z", "2026-04-25T12:00:00Z"),
        ["2026-04-22T22:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"]
    );
}

#[test]
fn cron_fields_are_checked() {
    for (expr, problem) in [
        ("* * * *", "four fields"),
        ("0 0 0 * * *", "six fields"),
        ("61 * * * *", "minute 61"),
        ("", "nothing"),
        ("often", "a word"),
        ("0 0 30 2 *", "a day that no year has"),
    ] {
        let trigger = Trigger::Cron { expr: expr.into(), tz: Tz::UTC };
        assert!(Schedule::new(&trigger).is_err(), "{problem} must be refused");
    }
    assert!(Schedule::new(&Trigger::Every(0)).is_err());
}

#[test]
fn a_day_of_the_month_and_one_of_the_week_are_either_and_this_is_said() {
    let friday_13 = cron("0 0 13 * 5", "UTC");
    assert_eq!(
        fires(&friday_13, "2026-02-10T00:00:00Z", "2026-02-21T00:00:00Z"),
        ["2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"]
    );
    assert!(friday_13.warning().unwrap().contains("on every day that is either"));
    for clear in ["0 0 13 * *", "0 0 * * 5", "0 0 13 * +5", "*/5 * * * *"] {
        assert_eq!(cron(clear, "UTC").warning(), None, "{clear}");
    }
}

#[test]
fn rare_days_are_found_in_both_directions() {
    let leap = cron("0 0 29 2 *", "UTC");
    assert_eq!(leap.last_before(at("2103-12-31T00:00:00Z")), Some(at("2096-02-29T00:00:00Z")));
    assert_eq!(leap.next_after(at("2096-02-29T00:00:00Z")), Some(at("2104-02-29T00:00:00Z")));
}

#[test]
fn every_counts_from_1970_and_before() {
    let hourly = Schedule::new(&Trigger::Every(3_600_000_000)).unwrap();
    assert_eq!(hourly.next_after(at("2026-01-01T10:00:00Z")), Some(at("2026-01-01T11:00:00Z")));
    assert_eq!(hourly.last_before(at("2026-01-01T10:00:00Z")), Some(at("2026-01-01T09:00:00Z")));
    assert_eq!(hourly.last_at(at("2026-01-01T10:00:00Z")), Some(at("2026-01-01T10:00:00Z")));
    assert_eq!(hourly.next_after(at("1969-12-31T22:30:00Z")), Some(at("1969-12-31T23:00:00Z")));
    assert_eq!(hourly.next_after(Timestamp::MAX), None);
    assert_eq!(hourly.last_before(Timestamp::MIN), None);
}

#[test]
fn a_stretch_splits_into_whole_intervals_only() {
    let daily = cron("0 2 * * *", "Europe/Oslo");
    let got = daily.intervals(at("2026-03-27T12:00:00Z"), at("2026-03-30T00:00:00Z"), 10).unwrap();
    assert_eq!(
        got,
        [
            (at("2026-03-28T01:00:00Z"), at("2026-03-29T01:00:00Z")),
            (at("2026-03-29T01:00:00Z"), at("2026-03-30T00:00:00Z")),
        ]
    );
    assert_eq!(daily.intervals(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), 10), None);
    assert_eq!(daily.intervals(at("2026-01-01T05:00:00Z"), at("2026-01-01T06:00:00Z"), 10), Some(vec![]));
}

/// Days around which clocks change somewhere.
const CHANGES: [&str; 7] =
    ["2018-11-04", "2026-03-08", "2026-03-29", "2026-04-05", "2026-04-24", "2026-10-25", "2026-11-01"];

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Oslo",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "America/New_York",
    "Asia/Kolkata",
    "America/St_Johns",
];

fn field(max: u32, wild: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        wild => Just("*".to_owned()),
        3 => (0..max).prop_map(|value| value.to_string()),
        1 => (2..max).prop_map(|step| format!("*/{step}")),
        1 => (0..max, 0..max).prop_map(|(a, b)| format!("{a},{b}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// From any instant near a clock change, forwards and backwards agree: the fires form one ascending
    /// sequence.
    #[test]
    fn intervals_abut(
        minute in field(60, 1), hour in field(24, 3),
        weekday in prop_oneof![4 => Just("*"), 1 => Just("1-5"), 1 => Just("0")],
        zone in prop::sample::select(&ZONES[..]),
        change in prop::sample::select(&CHANGES[..]),
        shift_s in -172_800_i64..172_800, micros in 0_i64..1_000_000,
    ) {
        let schedule = cron(&format!("{minute} {hour} * * {weekday}"), zone);
        let time = at(&format!("{change}T00:00:00Z")).plus_us(shift_s * 1_000_000 + micros);
        let next = schedule.next_after(time).unwrap();
        let previous = schedule.last_at(time).unwrap();
        prop_assert!(previous <= time && time < next);
        let none_between = schedule.next_after(previous) == Some(next);
        prop_assert!(none_between, "something fires between {} and {}", previous, next);
        prop_assert_eq!(schedule.last_before(next), Some(previous));
        // From anywhere within the interval the same fire follows.
        let inside = Timestamp(i64::midpoint(previous.0, next.0));
        prop_assert_eq!(schedule.next_after(inside), Some(next));
        prop_assert_eq!(schedule.next_after(next.plus_us(-1)), Some(next));
    }

    /// A fixed daily time fires exactly once on every calendar day of its zone.
    #[test]
    fn a_daily_time_fires_once_a_day(
        minute in 0_u32..60, hour in 0_u32..24, zone in prop::sample::select(&ZONES[..]), day in 0_i64..3_000,
    ) {
        let tz: Tz = zone.parse().unwrap();
        let schedule = cron(&format!("{minute} {hour} * * *"), zone);
        let first = NaiveDateTime::parse_from_str("2018-01-01T12:00:00", "%Y-%m-%dT%H:%M:%S").unwrap();
        let start = first + chrono::Duration::days(day);
        let noon = tz.from_local_datetime(&start).earliest().unwrap();
        let first = schedule.next_after(Timestamp(noon.timestamp_micros())).unwrap();
        let second = schedule.next_after(first).unwrap();
        let date = |time: Timestamp| time.to_utc().with_timezone(&tz).date_naive();
        prop_assert_eq!(date(second), date(first).succ_opt().unwrap());
    }
}
