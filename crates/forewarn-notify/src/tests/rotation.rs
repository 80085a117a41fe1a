//! Whose turn it is.

use forewarn_spec::Rotation;
use forewarn_types::Timestamp;

use crate::on_duty;

fn at(rotation: &Rotation, time: &str) -> String {
    on_duty(rotation, Timestamp::parse(time).unwrap()).unwrap().to_owned()
}

fn weekly(minute: u16) -> Rotation {
    Rotation {
        contacts: vec!["anna".to_owned(), "ole".to_owned(), "kim".to_owned()],
        turn_days: 7,
        weekday: 0,
        minute,
        timezone: chrono_tz::Europe::Oslo,
    }
}

#[test]
fn turns_change_at_the_hand_over_also_over_both_changes_of_the_clock() {
    let rotation = weekly(8 * 60);
    // Mondays at 08:00 in Oslo, in UTC: the clocks change on 2026-03-29 and on 2026-10-25.
    for (before, after) in [
        ("2026-03-23T06:59:59Z", "2026-03-23T07:00:00Z"),
        ("2026-03-30T05:59:59Z", "2026-03-30T06:00:00Z"),
        ("2026-10-19T05:59:59Z", "2026-10-19T06:00:00Z"),
        ("2026-10-26T06:59:59Z", "2026-10-26T07:00:00Z"),
    ] {
        let place = |name: String| rotation.contacts.iter().position(|one| *one == name).unwrap();
        let (one, next) = (place(at(&rotation, before)), place(at(&rotation, after)));
        assert_eq!((one + 1) % 3, next, "{before}");
    }
    // Three weeks later it is the same one's turn.
    assert_eq!(at(&rotation, "2026-03-24T12:00:00Z"), at(&rotation, "2026-04-14T12:00:00Z"));
}

#[test]
fn a_hand_over_at_a_time_that_the_clocks_leave_out_comes_when_they_are_set() {
    let rotation = Rotation { weekday: 6, ..weekly(2 * 60 + 30) };
    assert_ne!(at(&rotation, "2026-03-29T00:59:59Z"), at(&rotation, "2026-03-29T01:30:00Z"));
}

#[test]
fn turns_of_a_day_change_every_day() {
    let rotation = Rotation { turn_days: 1, ..weekly(7 * 60) };
    assert_ne!(at(&rotation, "2026-01-06T05:59:00Z"), at(&rotation, "2026-01-06T06:00:00Z"));
    assert_eq!(at(&rotation, "2026-01-06T06:00:00Z"), at(&rotation, "2026-01-07T05:59:00Z"));
    assert_eq!(on_duty(&Rotation { contacts: Vec::new(), ..rotation }, Timestamp(0)), None);
}
