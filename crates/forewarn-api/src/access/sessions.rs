//! Logins, which browsers show by a cookie. They are kept in memory: after a restart users log in again.

use std::collections::HashMap;

use forewarn_types::{Offset, Timestamp};

/// The cookie's name.
pub(crate) const COOKIE: &str = "forewarn_session";
/// Most logins at one time; beyond them the one that has been idle longest ends.
const MAX_SESSIONS: usize = 10_000;

/// How long logins last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    pub(crate) idle_us: i64,
    pub(crate) most_us: i64,
}

/// One login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) user: String,
    /// The change that had set the password then.
    pub(crate) password_set: Offset,
    begun: Timestamp,
    used: Timestamp,
}

/// All logins, by the hash of the cookie's secret.
#[derive(Debug, Default)]
pub(crate) struct Sessions(HashMap<String, Session>);

impl Sessions {
    /// Begins a login.
    pub(crate) fn begin(&mut self, hash: String, user: String, password_set: Offset, now: Timestamp) {
        if self.0.len() >= MAX_SESSIONS {
            let idle = self.0.iter().min_by_key(|(_, session)| session.used).map(|(hash, _)| hash.clone());
            idle.and_then(|hash| self.0.remove(&hash));
        }
        self.0.insert(hash, Session { user, password_set, begun: now, used: now });
    }

    /// The login of a hash, if it still lasts. `touch` says that it is used now.
    pub(crate) fn get(
        &mut self,
        hash: &str,
        lasts: Lifetimes,
        now: Timestamp,
        touch: bool,
    ) -> Option<Session> {
        let session = self.0.get_mut(hash)?;
        let over = now.since_us(session.used) > lasts.idle_us || now.since_us(session.begun) > lasts.most_us;
        if over {
            self.0.remove(hash);
            return None;
        }
        if touch {
            session.used = session.used.max(now);
        }
        Some(session.clone())
    }

    /// Ends a login.
    pub(crate) fn end(&mut self, hash: &str) {
        self.0.remove(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_ends_when_it_is_idle_and_when_it_is_old() {
        let lasts = Lifetimes { idle_us: 10, most_us: 25 };
        let mut sessions = Sessions::default();
        sessions.begin("h".into(), "anna".into(), Offset(3), Timestamp(0));
        for (now, touch, there) in
            [(10, true, true), (20, false, true), (20, true, true), (25, true, true), (26, true, false)]
        {
            let found = sessions.get("h", lasts, Timestamp(now), touch);
            assert_eq!(found.is_some(), there, "at {now}");
        }
        sessions.begin("h".into(), "anna".into(), Offset(3), Timestamp(100));
        assert!(sessions.get("h", lasts, Timestamp(111), true).is_none(), "idle");
        sessions.begin("h".into(), "anna".into(), Offset(3), Timestamp(200));
        sessions.end("h");
        assert!(sessions.get("h", lasts, Timestamp(200), true).is_none(), "ended");
    }

    #[test]
    fn there_are_not_more_than_so_many() {
        let mut sessions = Sessions::default();
        for count in 0..=MAX_SESSIONS {
            let at = Timestamp(i64::try_from(count).unwrap());
            sessions.begin(count.to_string(), "anna".into(), Offset(0), at);
        }
        assert_eq!(sessions.0.len(), MAX_SESSIONS);
        assert!(!sessions.0.contains_key("0"), "the one that was idle longest");
    }
}
