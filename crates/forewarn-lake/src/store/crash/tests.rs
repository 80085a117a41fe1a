//! A crash point is found by the path and the text of what is written.

use super::*;

#[test]
fn a_step_is_told_by_path_and_text() {
    let put =
        |path: &str, text: &'static str| points_of_put(path, &PutPayload::from_static(text.as_bytes()))[0];
    let commit = "d/lake/readings/_delta_log/00000000000000000003.json";
    assert_eq!(
        put(commit, "{\"commitInfo\":{\"operation\":\"STREAMING UPDATE\"}}\n{\"add\":{}}"),
        "lake.append.before"
    );
    assert_eq!(put(commit, "{\"commitInfo\":{\"operation\":\"OPTIMIZE\"}}"), "lake.optimize.before");
    assert_eq!(
        put("d/lake/readings/_delta_log/00000000000000000050.checkpoint.parquet", ""),
        "lake.checkpoint.before"
    );
    assert_eq!(put("d/lake/readings/_delta_log/_last_checkpoint", ""), "lake.last_checkpoint.before");
    assert_eq!(put("d/lake/readings/date=2026-01-01/part-1.zstd.parquet", ""), "lake.data.before");
    assert_eq!(put("d/lake/_forewarn/branch.json", ""), "lake.marker.before");
    let deletion = |path: &str| points_of_deletion(&Path::from(path))[1];
    assert_eq!(deletion("d/lake/readings/_delta_log/00000000000000000003.json"), "lake.clean.after");
    assert_eq!(deletion("d/lake/readings/part-1.zstd.parquet"), "lake.vacuum.after");
}
