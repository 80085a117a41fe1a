//! The examples of the documentation load.

use crate::load_definitions;

const ALERTS: &str = include_str!("../../../../../docs/alerts.md");

#[test]
fn the_pipelines_of_the_page_on_alerts_load() {
    let blocks = ALERTS.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let pipelines: Vec<(String, String)> =
        (1..).zip(blocks).map(|(number, text)| (format!("{number}.yaml"), text.to_owned())).collect();
    assert!(!pipelines.is_empty());
    let loaded = load_definitions(&pipelines, &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(loaded.pipelines.len(), pipelines.len());
    assert!(loaded.warnings.0.is_empty(), "{}", loaded.warnings);
}

/// Attributes need no declaration, though signals are declared.
#[test]
fn an_attribute_is_known_where_signals_are_declared() {
    let text = "pipeline: p\nsignals:\n  - { name: t, assets: '**' }\nrules:\n  \
                - { name: r, assets: '**', when: 't > asset.high', severity: minor }\n";
    assert!(load_definitions(&[("p.yaml".to_owned(), text.to_owned())], &[]).is_ok());
    let wrong = text.replace("asset.high", "assets.high");
    assert!(load_definitions(&[("p.yaml".to_owned(), wrong)], &[]).is_err());
}
