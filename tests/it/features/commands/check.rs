//! `forewarn check`: definitions with and without mistakes.

use forewarn_tests::cli::assert_says;
use forewarn_tests::heat::HOT;
use forewarn_tests::site::Site;

#[tokio::test]
async fn definitions_are_checked_with_an_exit_code_for_scripts() {
    let site = Site::new();
    site.pipeline(HOT);
    let config = site.config().display().to_string();
    let check = ["check", "--config", &config];
    let (code, out, err) = site.run(&check).await;
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "1 pipeline with 1 rule, 0 models: no mistakes\n", "")
    );
    site.pipeline(&HOT.replace("critical", "fatal").replace("> 90.0", "> "));
    let (code, out, err) = site.run(&check).await;
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert_says(
        &err,
        &["test.yaml:5:", "test.yaml:6:", "'fatal' is not one of critical", "the expression ends too early"],
    );
    let (code, _, err) = site.run(&["check", "--config", "missing.yaml"]).await;
    assert_eq!(code, 2, "{err}");
    assert_says(&err, &["cannot read the settings missing.yaml"]);
}
