//! `DuckDB` in a Python process, over the files of a Delta snapshot.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use forewarn_tests::peers;
use serde_json::Value;

use crate::bed;

/// Answers each line of standard input, a query as a JSON string, with the seconds it took, the rows and the
/// sum of their column n.
const PROGRAM: &str = r"
import json, sys, time
import duckdb, deltalake
files = deltalake.DeltaTable(sys.argv[1]).file_uris()
db = duckdb.connect()
db.execute('SET threads = 2')
db.execute('SET enable_progress_bar = false')
db.execute('SET TimeZone = \'UTC\'')
db.execute('CREATE VIEW readings AS SELECT * FROM read_parquet(' + repr(files) + ')')
for line in sys.stdin:
    started = time.perf_counter()
    db.execute('CREATE OR REPLACE TEMP TABLE answer AS ' + json.loads(line))
    seconds = time.perf_counter() - started
    n = 'sum(n)' if any(column[0] == 'n' for column in db.execute('DESCRIBE answer').fetchall()) else '0'
    rows, total = db.execute(f'SELECT count(*), {n} FROM answer').fetchone()
    print(json.dumps([seconds, rows, int(total)]), flush=True)
";

/// The process.
pub(crate) struct DuckDb {
    process: Child,
    queries: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl DuckDb {
    /// `DuckDB` with the table in the folder `table` as `readings`; `None`, after saying so, where it is not
    /// installed.
    pub(crate) fn over(table: &Path) -> Option<Self> {
        let python = peers::python()?;
        let mut command = Command::new(python);
        command.args(["-c", PROGRAM]).arg(table).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Python starts");
        let queries = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Some(Self { process, queries, answers })
    }

    /// Runs `query`: how long it took, s, then its rows and the sum of their column n.
    pub(crate) fn run(&mut self, query: &str) -> (f64, (usize, i64)) {
        writeln!(self.queries, "{}", Value::from(query)).expect("it reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it answers");
        let answer: Value = serde_json::from_str(&line).expect("an answer; the reason stands above");
        let number = |place: usize| answer[place].as_i64().expect("a number");
        (answer[0].as_f64().expect("a number"), (number(1) as usize, number(2)))
    }

    pub(crate) fn reset_peak_memory(&self) {
        bed::reset_peak_memory(&self.process.id().to_string());
    }

    pub(crate) fn peak_memory_mib(&self) -> u64 {
        bed::peak_memory_mib(&self.process.id().to_string())
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
