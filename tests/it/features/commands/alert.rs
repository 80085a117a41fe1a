//! `forewarn alert`: what is listed, shown and acted on.

use forewarn_tests::cli::{asked, assert_says, done};
use forewarn_tests::heat::{HOT, heat, only_alert};
use forewarn_tests::site::Site;

#[tokio::test]
async fn alerts_are_listed_shown_and_acted_on() {
    let site = Site::new();
    site.pipeline(HOT);
    let server = site.start().await;
    assert_eq!(done(&server, &["alert", "list"]).await, "none\n");
    heat(&server, "pump7", 93.0).await;
    let id = only_alert(&server).await;
    let listed = done(&server, &["alert", "list", "--severity", "critical", "--asset", "plant1/*"]).await;
    assert_says(
        &listed,
        &["started", "critical", "unacknowledged", "plant1/pump7", "hot", "temperature 93", &id],
    );
    assert_eq!(done(&server, &["alert", "list", "--severity", "minor"]).await, "none\n");

    let by = |verb, who| ["alert", verb, id.as_str(), "--actor", who];
    let said =
        done(&server, &[&by("ack", "anna")[..], &["-m", "on my way", "--reason", "true"]].concat()).await;
    assert_eq!(said, format!("{id} is acknowledged\n"));
    let complaint = asked(&server, &by("ack", "bob")).await.complaint(1);
    assert_says(&complaint, &["the alert has been acknowledged already", "`forewarn alert comment`"]);
    let said = done(&server, &[&by("comment", "anna")[..], &["-m", "seal replaced"]].concat()).await;
    assert_eq!(said, format!("the comment on {id} is recorded\n"));
    assert_eq!(
        done(&server, &[&by("shelve", "bob")[..], &["--for", "2h"]].concat()).await,
        format!("{id} is shelved\n")
    );
    assert_says(&done(&server, &["alert", "list", "--state", "shelved"]).await, &[&id]);
    assert_eq!(done(&server, &by("unshelve", "bob")).await, format!("{id} is acknowledged\n"));

    let shown = done(&server, &["alert", "show", &id]).await;
    assert_says(
        &shown,
        &["hot on plant1/pump7: critical, acknowledged", "action: Reduce speed", "acknowledged by: anna"],
    );
    assert_says(&shown, &["evidence: readings from ", "  temperature 93 at ", "rule version"]);
    let steps: Vec<&str> =
        shown.lines().rev().take(5).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(steps, ["unshelved", "shelved", "commented", "acknowledged", "raised"], "{shown}");
    assert_says(&shown, &["on my way", "seal replaced", "bob"]);

    let complaint = asked(&server, &by("unshelve", "bob")).await.complaint(1);
    assert_says(&complaint, &["the alert is not shelved", "`forewarn alert comment`"]);
    assert_says(&asked(&server, &by("comment", "anna")).await.complaint(2), &["--comment"]);
    let complaint =
        asked(&server, &[&by("shelve", "bob")[..], &["--for", "soon"]].concat()).await.complaint(1);
    assert_says(&complaint, &["\"soon\" is not a duration"]);
    assert_says(
        &asked(&server, &["alert", "show", "nix"]).await.complaint(1),
        &["there is no alert nix", "`forewarn alert list`"],
    );
    assert_says(
        &asked(&server, &["alert", "list", "--state", "bad"]).await.complaint(1),
        &["\"bad\"", "acknowledged"],
    );
}
