//! Places of event streams: so many in all, and so many for one client.

use std::collections::HashMap;
use std::sync::Arc;

use forewarn_spec::ConnectionLimits;
use parking_lot::Mutex;

use crate::problem::Problem;

/// The places.
#[derive(Debug, Clone)]
pub(crate) struct StreamPlaces {
    most: usize,
    most_of_client: usize,
    open: Arc<Mutex<HashMap<String, usize>>>,
}

/// A place that is taken, until this is dropped.
#[derive(Debug)]
pub(crate) struct StreamPlace {
    client: String,
    open: Arc<Mutex<HashMap<String, usize>>>,
}

impl StreamPlaces {
    pub(crate) fn new(limits: &ConnectionLimits) -> Self {
        Self { most: limits.streams, most_of_client: limits.streams_per_client, open: Arc::default() }
    }

    /// A place for `client`: a user, or an address where there are no users.
    pub(crate) fn take(&self, client: String) -> Result<StreamPlace, Problem> {
        let mut open = self.open.lock();
        let all: usize = open.values().sum();
        let of_client = open.get(&client).copied().unwrap_or(0);
        if all >= self.most || of_client >= self.most_of_client {
            let whose = if all >= self.most { "" } else { " for this client" };
            return Err(Problem::unavailable(format!("too many event streams are open{whose}"))
                .hint("close some, or raise connections.streams or connections.streams_per_client"));
        }
        *open.entry(client.clone()).or_default() += 1;
        drop(open);
        Ok(StreamPlace { client, open: Arc::clone(&self.open) })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.open.lock().values().sum()
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_in_all_and_so_many_for_one_client() {
        let limits = ConnectionLimits { streams: 3, streams_per_client: 2, ..ConnectionLimits::default() };
        let places = StreamPlaces::new(&limits);
        let take = |client: &str| places.take(client.to_owned());
        let (one, _two) = (take("anna").unwrap(), take("anna").unwrap());
        let refused = take("anna").unwrap_err();
        assert!(refused.message().contains("for this client"), "{}", refused.message());
        let _of_bert = take("bert").unwrap();
        assert_eq!(take("carl").unwrap_err().status().as_u16(), 503);
        drop(one);
        assert_eq!(places.taken(), 2);
        assert!(take("carl").is_ok());
    }
}
