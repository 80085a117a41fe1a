//! A reader of the lake that knows nothing of Forewarn, asked again and again.

use std::path::Path;
use std::process::Stdio;

use forewarn_tests::peers;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The reader's process.
pub(super) struct Peer {
    _process: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// `None`, after saying so, where there is no Python for it.
    pub(super) fn start() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/check_lake.py");
        let mut command = Command::new(peers::python()?);
        let mut process = command
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python starts");
        let questions = process.stdin.take().expect("its input is piped");
        let answers = BufReader::new(process.stdout.take().expect("its output is piped")).lines();
        Some(Self { _process: process, questions, answers })
    }

    /// What it says of the tables below `lake`.
    pub(super) async fn check(&mut self, lake: &Path) -> Value {
        self.questions.write_all(format!("{}\n", lake.display()).as_bytes()).await.expect("it listens");
        let answer = self.answers.next_line().await.expect("it answers").expect("it runs");
        serde_json::from_str(&answer).expect("it answers in JSON")
    }
}
