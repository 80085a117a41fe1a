//! `forewarn alert watch`: alerts as they happen. A watcher must not stop watching without a word, so a
//! stream that is cut off is taken up again behind the last event seen.

use std::time::Duration;

use anyhow::Result;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::client::{Client, Refused};
use crate::output::{complain, print};

/// Between two attempts to get at a stream that was cut off.
const RECONNECT: Duration = Duration::from_secs(1);
/// The server sends something every 15 seconds, so a longer silence means that the connection is dead.
const SILENCE: Duration = Duration::from_mins(1);

/// Prints the stream's events, one a line, without end.
///
/// # Errors
/// No server at the beginning, or its refusal.
pub(super) async fn run(client: &Client, query: Vec<(&str, String)>, json: bool) -> Result<()> {
    let mut events = Events::default();
    let mut response = connect(client, &query, &mut events).await?;
    complain("watching; alerts will stand below as they happen, until Ctrl-C");
    loop {
        follow(response, &mut events, json).await?;
        complain("the stream of alerts was cut off; connecting again");
        response = reconnect(client, &query, &mut events).await?;
        complain("connected again");
    }
}

async fn reconnect(client: &Client, query: &[(&str, String)], events: &mut Events) -> Result<Response> {
    loop {
        sleep(RECONNECT).await;
        match connect(client, query, events).await {
            Ok(response) => return Ok(response),
            // A server that starts up may refuse for a while; one that finds fault with the request always
            // will, but has not before.
            Err(error) if error.is::<Refused>() => complain(&format!("{error:#}; trying again")),
            Err(_) => {}
        }
    }
}

/// Opens the stream behind the last event seen. The first thing it sends says where it stands, and only with
/// that in hand may the user be told that nothing will be missed.
async fn connect(client: &Client, query: &[(&str, String)], events: &mut Events) -> Result<Response> {
    let request = client.request(Method::GET, &["v1", "alerts", "stream"])?.query(query);
    let request = if let Some(seen) = &events.seen { request.header("last-event-id", seen) } else { request };
    let mut response = client.send(request).await?;
    events.cut_off();
    if let Ok(Ok(Some(chunk))) = timeout(SILENCE, response.chunk()).await {
        events.push(&chunk);
    }
    Ok(response)
}

/// Prints events until the stream ends.
async fn follow(mut response: Response, events: &mut Events, json: bool) -> Result<()> {
    loop {
        while let Some(event) = events.next() {
            match event.name.as_str() {
                "alert" if json => print(&format!("{}\n", event.data))?,
                "alert" => print(&one_line(&event.data))?,
                "gap" => {
                    complain("some alerts are no longer in the server's log; `forewarn alert list` has them");
                }
                _ => {}
            }
        }
        match timeout(SILENCE, response.chunk()).await {
            Ok(Ok(Some(chunk))) => events.push(&chunk),
            _ => return Ok(()),
        }
    }
}

fn one_line(data: &str) -> String {
    let event: Value = serde_json::from_str(data).unwrap_or_default();
    let text = |key: &str| event[key].as_str().unwrap_or("-");
    let [time, transition, severity] = ["time", "transition", "severity"].map(text);
    let [asset, rule, message, id] = ["asset", "rule", "message", "id"].map(text);
    let comment = event["comment"].as_str().map_or_else(String::new, |comment| format!(": {comment}"));
    format!("{time}  {transition:<13} {severity:<8} {asset}  {rule}  {message}{comment}  {id}\n")
}

/// Cuts a stream of bytes into server-sent events.
#[derive(Default)]
struct Events {
    bytes: Vec<u8>,
    event: Event,
    /// The id of the last event that was whole.
    seen: Option<String>,
}

#[derive(Debug, Default, PartialEq)]
struct Event {
    name: String,
    id: Option<String>,
    data: String,
}

impl Events {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Forgets the part of an event that a broken stream has left.
    fn cut_off(&mut self) {
        self.bytes.clear();
        self.event = Event::default();
    }

    /// The next event that is whole and holds data. An event without data only moves the place to resume at.
    fn next(&mut self) -> Option<Event> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if event.id.is_some() {
                    self.seen.clone_from(&event.id);
                }
                if !event.data.is_empty() {
                    return Some(event);
                }
                continue;
            }
            match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
                Some(("event", name)) => name.clone_into(&mut self.event.name),
                Some(("id", id)) => self.event.id = Some(id.to_owned()),
                Some(("data", data)) => self.event.data.push_str(data),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_the_stream_is_cut() {
        let mut events = Events::default();
        events.push(": hello\nretry: 2000\n\nevent: alert\nid: 7\ndata: pü".as_bytes());
        assert_eq!(events.next(), None);
        assert_eq!(events.seen, None);
        events.push(b"mp\r\n\nid: 9\n\nevent: al");
        assert_eq!(
            events.next(),
            Some(Event { name: "alert".into(), id: Some("7".into()), data: "pümp".into() })
        );
        assert_eq!(events.next(), None);
        assert_eq!(events.seen.as_deref(), Some("9"));
        events.cut_off();
        events.push(b"event: gap\ndata: {}\n\n");
        assert_eq!(events.next(), Some(Event { name: "gap".into(), id: None, data: "{}".into() }));
        assert_eq!(events.seen.as_deref(), Some("9"));
    }

    #[test]
    fn an_event_is_one_line_with_what_was_said_and_the_alert_to_act_on() {
        let event = r#"{"id":"a1","time":"T","transition":"acknowledged","severity":"major","asset":"p","rule":"hot","message":"by anna","comment":"soon"}"#;
        assert_eq!(one_line(event), "T  acknowledged  major    p  hot  by anna: soon  a1\n");
    }
}
