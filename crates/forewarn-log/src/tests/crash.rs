//! Kill -9 in the midst of appends: what was acknowledged is there, and nothing that was not sent.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

const DIR: &str = "FOREWARN_TEST_CRASH_DIR";

/// Not a test by itself: the process that is killed. It appends for ever and says which record is durable.
#[test]
fn writer_to_be_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let log = LocalLog::open(options(Path::new(&dir))).unwrap();
    for number in i64::try_from(log.end().0).unwrap().. {
        println!("\ndurable {}", append(&log, record(number, 3)));
    }
}

#[test]
fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let dir = TempDir::new().unwrap();
    let mut acknowledged = 0;
    for round in 0..4 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::crash::writer_to_be_killed", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let durable =
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("durable ")?.parse::<u64>().ok());
        acknowledged = durable.take(20 + 7 * round).last().unwrap() + 1;
        writer.kill().unwrap();
        writer.wait().unwrap();

        let log = LocalLog::open(options(dir.path())).unwrap();
        assert!(log.end().0 >= acknowledged, "round {round}: {} of {acknowledged}", log.end());
        assert_eq!(read_all(&log, 10), (0..i64::try_from(log.end().0).unwrap()).collect::<Vec<_>>());
    }
    assert!(acknowledged >= 100, "each round goes on where the last one was killed: {acknowledged}");
}
