//! Artefacts that earlier releases have stored.

use crate::artefact::Artefact;

/// As stored before there was more than one form of regression.
const LINEAR: &str = concat!(
    r#"{"model":"pump-life","definition":"0123456789abcdef","summary":{"#,
    r#""trained":"2026-01-02T03:04:05Z","from":"2025-01-01T00:00:00Z","to":"2026-01-01T00:00:00Z","#,
    r#""lives":7,"rows":400,"incomplete_rows":3,"features":3,"constant_signals":["switch"],"#,
    r#""chosen":{"algorithm":"ridge","alpha":0.01},"#,
    r#""metrics":{"rmse":8.5,"mae":6.25,"nasa_score":0.75,"late_share":0.5},"coverage":0.9,"width":25.5,"#,
    r#""trials":[{"candidate":{"algorithm":"ridge","alpha":0.01},"#,
    r#""metrics":{"rmse":8.5,"mae":6.25,"nasa_score":0.75,"late_share":0.5}},"#,
    r#"{"candidate":{"algorithm":"elastic_net","penalty":0.1,"l1_ratio":0.5},"#,
    r#""metrics":{"rmse":9.5,"mae":7.25,"nasa_score":0.875,"late_share":0.5}}]},"#,
    r#""unit":"hours","cap":100.0,"signals":["vibration","temperature"],"#,
    r#""columns":[{"name":"vibration.last","signal":0},{"name":"temperature.last","signal":1},"#,
    r#"{"name":"age.linear","signal":null}],"#,
    r#""scaler":{"mean":[2.0,60.0,0.5],"deviation":[0.5,4.0,0.25]},"#,
    r#""linear":{"weights":[-10.0,-2.0,-4.0],"intercept":50.0},"#,
    r#""interval":{"cap":100.0,"bins":[{"centre":50.0,"below":5.0,"above":6.0}]},"#,
    r#""distance_limits":[6.0,6.0]}"#,
);

#[test]
fn an_artefact_of_an_earlier_release_predicts_as_ever() {
    let artefact: Artefact = serde_json::from_str(LINEAR).unwrap();
    // Standardised: 2, 1 and -1, and 30 is clipped to 10.
    let statement = artefact.state(&[3.0, 64.0, 0.25]);
    assert_eq!((statement.p05, statement.p50, statement.p95), (27.0, 32.0, 38.0));
    let parts: Vec<(&str, f64)> =
        statement.contributions.iter().map(|part| (&*part.signal, part.weight)).collect();
    assert_eq!(parts, [("vibration", -20.0), ("age", 4.0), ("temperature", -2.0)]);
    assert!(!statement.out_of_distribution);
    let far = artefact.state(&[-13.0, 60.0, 0.5]);
    assert_eq!((far.p50, far.out_of_distribution), (100.0, true), "50 + 10 × 10 is above the cap");
    assert_eq!(serde_json::to_string(&artefact).unwrap(), LINEAR, "it is stored as it was");
}
