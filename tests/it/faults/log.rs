//! `forewarn log` says what a log holds, also beside a server that runs, and what is damaged in it.

use forewarn_tests::readings::reading;
use forewarn_tests::site::Site;
use serde_json::Value;

/// Small segments, so that there are several.
const SETTINGS: &str = "log: { segment_bytes: 4KB }\n";

async fn log(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    let config = site.config().display().to_string();
    let all: Vec<&str> =
        ["log"].into_iter().chain(arguments.iter().copied()).chain(["--config", config.as_str()]).collect();
    site.run(&all).await
}

#[tokio::test]
async fn a_log_is_looked_into_and_its_damage_is_found() {
    let mut site = Site::new();
    site.settings.push_str(SETTINGS);
    let server = site.start().await;
    for index in 0..200_i64 {
        let reading = reading("plant1/pump0", "flow", 1_767_225_600_000_i64 + index * 1_000, 1.5);
        server.post("/v1/readings", &reading).await;
    }
    let (code, out, err) = log(&site, &["verify"]).await;
    assert!(code == 0 && out.ends_with("whole\n"), "beside a server that runs: {out}{err}");
    server.kill().await;

    let (code, out, err) = log(&site, &["inspect"]).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("00000000000000000000.log") && out.contains("readings"), "{out}");
    let (_, out, _) = log(&site, &["inspect", "--json"]).await;
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}"));
    let segments = told["segments"].as_array().expect("segments");
    let readings: u64 = segments.iter().filter_map(|segment| segment["kinds"]["readings"].as_u64()).sum();
    assert!(segments.len() >= 3 && readings == 200 && told["damaged"] == false, "{told}");

    let folder = site.path().join("data/log");
    let second = folder.join(segments[1]["file"].as_str().expect("a file"));
    let mut bytes = std::fs::read(&second).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&second, bytes).expect("the file can be written");
    let last = folder.join(segments.last().expect("segments")["file"].as_str().expect("a file"));
    let mut bytes = std::fs::read(&last).expect("a segment");
    // Behind the last record a server that is killed leaves free space.
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("a record");
    bytes.truncate(end - 3);
    std::fs::write(&last, bytes).expect("the file can be written");

    let (code, out, err) = log(&site, &["verify"]).await;
    assert!(code == 1 && out.ends_with("damaged\n"), "{out}{err}");
    assert!(err.contains(&format!("{} is damaged at byte", second.display())), "{err}");
    assert!(
        err.contains(&format!("{} ends in the middle of a write", last.display())),
        "a torn end is no damage: {err}"
    );
    let (code, _, err) = site.run(&["log", "verify", "--dir", "/nowhere/at/all"]).await;
    assert!(code == 2 && err.contains("there is no folder /nowhere/at/all"), "{err}");
}
