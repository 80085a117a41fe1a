//! Who gets a place, who gives way, and for how long one may wait.

use std::net::Ipv6Addr;

use super::*;

fn places(max: usize, max_per_address: usize) -> Arc<Places> {
    Arc::new(Places::new(&ConnectionLimits { max, max_per_address, ..ConnectionLimits::default() }))
}

fn address(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn is_closed(ticket: &Ticket) -> bool {
    ticket.place.close.is_cancelled()
}

#[test]
fn who_waits_longest_gives_way_to_a_new_connection() {
    let places = places(100, 3);
    let begun = Instant::now();
    let admit = |last: u8, second: u64| places.admit(address(last), begun + Duration::from_secs(second));
    let served = admit(1, 0).unwrap();
    drop(served.place.begin().unwrap());
    let silent = admit(1, 1).unwrap();
    let busy = admit(1, 2).unwrap();
    let working = busy.place.begin().unwrap();

    // First who never asked for anything, then who waits for another request.
    let one = admit(1, 3).unwrap();
    assert_eq!([&served, &silent, &busy].map(is_closed), [false, true, false]);
    let of_one = one.place.begin().unwrap();
    let two = admit(1, 4).unwrap();
    assert_eq!([&served, &busy].map(is_closed), [true, false]);
    let of_two = two.place.begin().unwrap();
    assert!(served.place.begin().is_none(), "a request that comes too late is not begun");

    // Whoever works stays; other addresses have places of their own.
    assert!(admit(1, 5).is_none());
    assert!(admit(2, 5).is_some());
    drop((working, of_one, of_two));
    assert!(admit(1, 6).is_some());
}

#[test]
fn the_last_places_are_for_operators() {
    let places = places(32, 32);
    let admit = |last: u8| places.admit(address(last), Instant::now());
    let mut working = Vec::new();
    for n in 0..32 {
        let ticket = admit(n).unwrap();
        assert_eq!(ticket.place.kept, n >= 30, "{n}");
        let answering = ticket.place.begin().unwrap();
        working.push((ticket, answering));
    }
    assert!(admit(99).is_none());
    working.truncate(29);
    assert!(!admit(99).unwrap().place.kept);
    working.clear();
    assert!(places.taken.lock().by_client.is_empty(), "nothing is left of connections that have ended");
}

#[test]
fn a_head_must_come_within_its_time_and_a_request_within_the_other() {
    let places = places(10, 10);
    let limits = ConnectionLimits::default();
    let time = |us: i64| Duration::from_micros(u64::try_from(us).unwrap());
    let (header, idle) = (time(limits.header_timeout_us), time(limits.idle_timeout_us));
    let begun = Instant::now();
    let ticket = places.admit(address(1), begun).unwrap();
    let place = &ticket.place;
    let due = || places.look_again(place, begun);
    assert_eq!(due(), begun + header);
    let answering = place.begin().unwrap();
    let later = begun + Duration::from_hours(1);
    assert!(!places.close_if_overdue(place, later), "an answer may take long");
    drop(answering);
    assert!(due() >= begun + idle && due() <= Instant::now() + idle);
    place.bytes_came(later);
    assert_eq!(due(), later + header, "a head that has begun must go on");
    place.bytes_came(later + Duration::from_secs(3));
    assert_eq!(due(), later + header, "a byte now and then is not enough");
    assert!(!places.close_if_overdue(place, later + Duration::from_secs(1)));
    assert!(places.close_if_overdue(place, later + header));
}

#[test]
fn an_ipv6_network_is_one_client() {
    let of = |text: &str| Peer::client(text.parse::<Ipv6Addr>().unwrap().into());
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
    assert_ne!(of("2001:db8:0:1::1"), of("2001:db8::1"));
    assert_eq!(of("::ffff:10.0.0.1"), address(1));
}
