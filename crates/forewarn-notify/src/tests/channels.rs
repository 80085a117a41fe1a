//! What messages say, and what channels make of them.

use forewarn_spec::Webhook;
use forewarn_types::{AlertState, Secret, Severity, Transition};
use serde_json::json;

use super::Desk;
use crate::channel::webhook;
use crate::channel::{alertmanager, ntfy, opsgenie, pagerduty, slack, teams};
use crate::message::Message;

fn messages(desk: &Desk) -> Vec<Message> {
    desk.state.pending.values().map(|one| Message::of(one, "http://forewarn")).collect()
}

fn fired() -> Message {
    let mut desk = Desk::new(super::PLAIN);
    desk.raise("plant1/pump7");
    messages(&desk).remove(0)
}

#[test]
fn a_message_says_what_where_since_when_how_much_and_what_to_do() {
    let message = fired();
    assert_eq!(message.title, "CRITICAL: hot on plant1/pump7");
    for part in [
        "What: temperature > 90.0 raised",
        "Value: temperature 95.25 °C",
        "Limit: temperature > 90",
        "Since: 2026-01-05T12:00:00Z",
        "Otherwise: Seal damage",
        "Do: Reduce speed",
        "http://forewarn/v1/alerts/",
    ] {
        assert!(message.text.contains(part), "{part} is missing in\n{}", message.text);
        let in_page = part.replace('>', "&gt;");
        let (_, in_page) = in_page.split_once(": ").unwrap_or(("", &in_page));
        assert!(message.html.contains(in_page), "{in_page} is missing in\n{}", message.html);
    }
    let alert = &message.json["alerts"][0];
    assert_eq!(alert["value"], json!(95.25));
    assert_eq!((&alert["unit"], &alert["action"]), (&json!("°C"), &json!("Reduce speed")));
    assert_eq!((&message.json["status"], &message.json["count"]), (&json!("firing"), &json!(1)));
    assert_eq!(message.json["key"], json!(message.key));
}

#[test]
fn an_unknown_alert_is_said_not_to_be_over() {
    let mut desk = Desk::new(super::PLAIN);
    desk.raise("a");
    desk.step("a", Severity::Critical, Transition::Unknown, AlertState::Unacknowledged);
    let message = messages(&desk).remove(1);
    assert_eq!(message.title, "UNKNOWN: hot on a");
    assert!(message.text.contains("It is not over."), "{}", message.text);
    assert!(alertmanager::alert(&message.items[0], "", message.time).get("endsAt").is_none());
    assert_eq!(pagerduty::body("k", &message.items[0], &message)["event_action"], "trigger");
    assert_eq!(opsgenie::request(&message.items[0], &message).0, "/v2/alerts");
}

#[test]
fn the_end_of_an_alert_ends_it_with_each_service() {
    let mut desk = Desk::new(super::PLAIN);
    desk.raise("a");
    desk.pass(60);
    desk.end("a");
    let message = messages(&desk).remove(1);
    let item = &message.items[0];
    assert_eq!(message.title, "Resolved: hot on a");
    assert_eq!(alertmanager::alert(item, "", message.time)["endsAt"], json!("2026-01-05T12:01:00Z"));
    assert_eq!(pagerduty::body("k", item, &message)["event_action"], "resolve");
    assert!(opsgenie::request(item, &message).0.contains("/close?identifierType=alias"));
    assert_eq!(ntfy::body("pumps", &message)["priority"], 2);
}

#[test]
fn services_get_the_forms_they_ask_for() {
    let message = fired();
    let item = &message.items[0];
    let id = item.alert.to_string();
    let event = pagerduty::body("key", item, &message);
    assert_eq!((&event["routing_key"], &event["dedup_key"]), (&json!("key"), &json!(id)));
    assert_eq!(event["payload"]["severity"], "critical");
    let (_, alert) = opsgenie::request(item, &message);
    assert_eq!((&alert["alias"], &alert["priority"]), (&json!(id), &json!("P1")));
    assert_eq!(slack::body(&message)["text"], "CRITICAL: hot on plant1/pump7");
    assert_eq!(teams::body(&message)["attachments"][0]["content"]["type"], "AdaptiveCard");
    assert_eq!(ntfy::body("pumps", &message)["topic"], "pumps");
    assert_eq!(alertmanager::alert(item, "http://f", message.time)["labels"]["alertname"], "hot");
}

#[test]
fn a_template_makes_the_body_and_its_faults_are_said() {
    let hook = |template: &str| Webhook {
        url: Secret::from(String::new()),
        method: "POST".to_owned(),
        headers: Vec::new(),
        secret: None,
        template: Some(template.to_owned()),
    };
    let text = "{{ title }}|{% for a in alerts %}{{ a.asset }}={{ a.value }}{% endfor %}|{{ title|tojson }}";
    let body = webhook::body(&hook(text), &fired()).unwrap();
    assert_eq!(body, "CRITICAL: hot on plant1/pump7|plant1/pump7=95.25|\"CRITICAL: hot on plant1/pump7\"");
    let refusal = webhook::body(&hook("{{ title"), &fired()).unwrap_err();
    assert!(refusal.text.contains("template"), "{}", refusal.text);
}

#[test]
fn the_signature_is_that_of_the_standard() {
    // RFC 4231, test case 2.
    assert_eq!(
        webhook::signature("Jefe", b"what do ya want for nothing?"),
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}
