//! Records of earlier versions, and what a change says.

use super::*;

fn file(path: &str, text: &str) -> DefinitionFile {
    DefinitionFile { path: path.into(), text: text.into() }
}

#[test]
fn a_record_of_an_earlier_version_has_no_models_and_does_not_say_who_wrote_it() {
    let read: Definitions = serde_json::from_str(r#"{"files":[{"path":"a.yaml","text":"x"}]}"#).unwrap();
    assert_eq!(read, Definitions::of(vec![file("a.yaml", "x")]));
}

#[test]
fn a_change_names_each_file_with_its_lines() {
    let old = Definitions::of(vec![file("a", "one\ntwo\ntwo\n"), file("b", "same"), file("c", "gone")]);
    let models = vec![file("m", "model")];
    let files = vec![file("a", "one\ntwo\nthree\n"), file("b", "same")];
    let new = Definitions { files, models, change: None };
    let told: Vec<_> =
        old.changes_to(&new).into_iter().map(|change| (change.path, change.added, change.removed)).collect();
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            ("a".to_owned(), lines(&["three"]), lines(&["two"])),
            ("m".to_owned(), lines(&["model"]), lines(&[])),
            ("c".to_owned(), lines(&[]), lines(&["gone"])),
        ]
    );
    assert_eq!(new.changes_to(&new), []);
    assert!(!old.has_texts_of(&new));
}
