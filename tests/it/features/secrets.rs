//! A password that a pipeline takes from a file is in no file that the server writes, and in no answer of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use forewarn_tests::readings::reading;
use forewarn_tests::site::Site;

const SECRET: &str = "correct-horse-battery";

/// The files below `folder` that hold the secret.
fn holders(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            holders(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
}

#[tokio::test]
async fn a_password_from_a_file_is_written_and_told_nowhere() {
    let mut site = Site::new();
    let vault = tempfile::tempdir().expect("a folder for the secret");
    let file = vault.path().join("mqtt");
    std::fs::write(&file, format!("{SECRET}\n")).expect("the secret's file");
    site.environment.push(("MQTT_USER".into(), "gateway".into()));
    site.environment.push(("RUST_LOG".into(), "debug".into()));
    // Nothing listens there: the reason why there is no connection is told again and again.
    site.pipeline(&format!(
        "pipeline: p\nsources:\n  - mqtt: {{ url: \"mqtt://${{MQTT_USER}}:${{file:{}}}@127.0.0.1:1\", \
         topic: \"t/+\", asset: \"{{1}}\", signal: v, payload: number }}\n",
        file.display()
    ));
    let server = site.start().await;
    server.post("/v1/readings", &reading("plant1/pump7", "v", "2026-01-01T00:00:00Z", 1.0)).await;
    for path in ["/v1/sources", "/metrics", "/readyz", "/openapi.json", "/v1/rules"] {
        let answer = server.try_get(path).await.1.to_string();
        assert!(!answer.contains(SECRET), "{path}: {answer}");
    }
    assert!(server.stop().await.success(), "{}", site.log());
    let mut found = Vec::new();
    holders(site.path(), &mut found);
    assert_eq!(found, [""; 0], "the server's log is among the files looked at");
    let config = site.config().display().to_string();
    let (code, out, err) = site.run(&["check", "--config", &config]).await;
    assert!(code == 0 && !format!("{out}{err}").contains(SECRET), "{out}{err}");

    let data = std::fs::metadata(site.path().join("data")).expect("the data folder");
    assert_eq!(data.permissions().mode() & 0o777, 0o700);

    site.environment.clear();
    let (code, _, err) = site.run(&["check", "--config", &config]).await;
    assert_ne!(code, 0);
    assert!(err.contains("test.yaml:3:18: the environment variable MQTT_USER is not set"), "{err}");
}
