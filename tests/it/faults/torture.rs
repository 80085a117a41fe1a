//! The kill matrix: one life of a server after the other on the same folder, each of which ends by `kill -9`
//! at a named place in the program's own steps, or at any moment. Acknowledged must mean stored exactly once,
//! and the alerts must be those of a run without any kill; an independent reader must find valid tables
//! after every death.
//!
//! A test of one round, in which every place kills at its first passage, is part of `make test`. `make
//! torture` runs many rounds, where also the passage is drawn from a seed (`FOREWARN_SEED` for others). What
//! a kill cannot show is a missing fsync: what a process has written outlives it in the system's memory. That
//! is for the simulated disk.

mod old;
mod peer;
mod points;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use forewarn_tests::plant::{History, RULE_COUNT};
use forewarn_tests::random::Random;
use forewarn_tests::site::{Server, Site};
use serde_json::{Value, json};

use self::old::OldReadings;
use self::peer::Peer;
use self::points::{BEGINNING, LIFE, Point, REPAIR, START, TORN};
use super::kill::{self, BY_ASSET, Senders, Stream, check_acknowledged, check_totals};

const STEPS: usize = 500;
/// Readings of one request.
const REQUEST_READINGS: usize = 20;
/// So many requests of readings that are to be forgotten do not pass a place that is there.
const MAX_REQUESTS: usize = 4_000;
/// Requests between two orders of upkeep.
const REQUESTS_PER_UPKEEP: usize = 12;
/// In a full matrix so many lives of each round end at any moment.
const MOMENTS: usize = 6;
/// No round takes as long; a server that waits for ever must not hang the test.
const PATIENCE: Duration = Duration::from_mins(20);
const SIGKILL: i32 = 9;

/// Everything comes so often that a life of a second sees all of it. What may be deleted is kept so long that
/// no upload takes as long.
const SETTINGS: &str = "\
log: { segment_bytes: 8KB }
influx: { asset: \"{tags}\", signal: \"{measurement}_{field}\" }
";
/// The log is trimmed up to where its slower consumer stands: either may be it.
const PACES: [&str; 2] = [
    "branch: { commit_rows: 300, commit_every: 100ms }\nsnapshot: { every: 200ms }\n",
    "branch: { commit_rows: 5000, commit_every: 1s }\nsnapshot: { every: 50ms }\n",
];

/// A life of a server.
#[derive(Debug, Clone, Copy)]
struct Life {
    end: End,
    /// Which of [`PACES`] it has.
    pace: usize,
}

/// How a life is to end.
#[derive(Debug, Clone, Copy)]
enum End {
    /// At the passage of that number of a crash point.
    At(&'static str, u64),
    /// After so many microseconds of work.
    Moment(u64),
}

/// What came of the lives.
#[derive(Debug, Default)]
struct Tally {
    /// Kills by crash point; those at any moment are under `moment`.
    kills: BTreeMap<&'static str, usize>,
    /// Lives in which the crash point was not reached.
    missed: BTreeMap<&'static str, usize>,
    /// Comparisons of what was acknowledged with what a server shows.
    checks: usize,
    /// Requests that were stored and not answered.
    unanswered: usize,
}

impl Tally {
    fn all(&self) -> usize {
        self.kills.values().sum()
    }
}

/// A folder on which servers live and die.
struct Round<'a> {
    site: Site,
    /// The settings that all lives have.
    settings: String,
    stream: Stream,
    senders: Senders,
    old: OldReadings,
    /// Requests of the stream that each life may begin.
    share: usize,
    /// How often the definitions have been changed.
    definitions: usize,
    peer: Option<&'a mut Peer>,
    tally: &'a mut Tally,
}

impl Round<'_> {
    /// One life.
    async fn live(&mut self, life: Life) {
        println!("{life:?}");
        let end = life.end;
        self.site.settings = format!("{}{}", self.settings, PACES[life.pace]);
        self.site.environment = match end {
            End::At(point, passage) => vec![("FOREWARN_KILL_AT".to_owned(), format!("{point}:{passage}"))],
            End::Moment(_) => Vec::new(),
        };
        if matches!(end, End::At(point, _) if point.starts_with("start.definitions")) {
            self.change_definitions();
        }
        let (status, reached) = match self.site.try_launch().await {
            Err(status) => (status, true),
            Ok(mut server) => {
                self.check_served(&server).await;
                self.senders.announce(&server);
                self.senders.allowed.add_permits(self.share);
                self.work(&mut server, end).await
            }
        };
        assert_eq!(
            status.signal(),
            Some(SIGKILL),
            "{end:?}: the server ended by itself, {status}:\n{}",
            self.site.log()
        );
        let counts = if reached { &mut self.tally.kills } else { &mut self.tally.missed };
        *counts.entry(name(end)).or_default() += 1;
        self.check_left().await;
    }

    /// A rule more or less for an asset that no other rule looks at.
    fn change_definitions(&mut self) {
        self.definitions += 1;
        let rule = format!(
            "{{ name: other{}, assets: \"old/**\", when: \"level > 1000.0\", severity: minor }}",
            self.definitions
        );
        self.site.write("pipelines/other.yaml", &format!("pipeline: other\nrules:\n  - {rule}\n"));
    }

    /// Keeps the server busy until it dies. How it did comes back, and whether it was where it should.
    async fn work(&mut self, server: &mut Server, end: End) -> (ExitStatus, bool) {
        let (url, http) = (server.url.clone(), server.http().clone());
        let wait = match end {
            End::Moment(us) => Duration::from_micros(us),
            End::At(..) => PATIENCE,
        };
        // The moment of the kill, not a wait for anything.
        let mut moment = std::pin::pin!(tokio::time::sleep(wait));
        for request in 0..MAX_REQUESTS {
            tokio::select! {
                status = server.ended() => return (status, true),
                () = &mut moment => return (kill(server).await, true),
                () = async {
                    self.old.send(&http, &url).await;
                    if request % REQUESTS_PER_UPKEEP == 0 {
                        // It may be running already, and whether it ends well is seen in what it leaves
                        // behind.
                        let upkeep = format!("{url}/v1/jobs/maintain/run");
                        let _asked = http.post(upkeep).json(&json!({})).send().await;
                    }
                } => {}
            }
        }
        (kill(server).await, false)
    }

    /// The server shows what was acknowledged, unless it dies meanwhile.
    async fn check_served(&mut self, server: &Server) {
        let acknowledged = self.senders.acknowledged();
        let Some(rows) = query(server, BY_ASSET).await else { return };
        self.tally.unanswered += check_acknowledged(&rows, &self.stream, &acknowledged);
        let Some(rows) =
            query(server, "SELECT count(*), count(DISTINCT time) FROM readings WHERE asset = 'old/tank'")
                .await
        else {
            return;
        };
        let (count, different) =
            (rows[0][0].as_u64().expect("a count"), rows[0][1].as_u64().expect("a count"));
        assert!(
            count == different && count <= self.old.sent,
            "{count} old readings, {different} different ones, {} sent",
            self.old.sent
        );
        self.tally.checks += 1;
    }

    /// What a dead server has left behind is whole.
    async fn check_left(&mut self) {
        let config = self.site.config().display().to_string();
        let (code, out, err) = self.site.run(&["log", "verify", "--config", &config]).await;
        assert_eq!(code, 0, "{out}{err}");
        let Some(peer) = self.peer.as_mut() else { return };
        let seen = peer.check(&self.site.lake()).await;
        assert_eq!(seen["problems"], json!([]), "{seen}");
        let acknowledged = self.senders.acknowledged();
        kill::check_not_more(&seen["readings"], &self.stream, &acknowledged);
    }

    /// The last server: the rest of the stream, and then everything is compared.
    async fn end(mut self) -> History {
        self.site.environment.clear();
        self.site.settings = format!("{}{}", self.settings, PACES[0]);
        let server = self.site.start().await;
        self.check_served(&server).await;
        self.senders.announce(&server);
        self.senders.allowed.add_permits(self.stream.iter().map(Vec::len).sum());
        self.senders.finish().await;
        check_totals(&server, &self.stream).await;
        assert!(
            server.metric("forewarn_log_start_offset").await > 0,
            "a log that is never trimmed leaves the snapshots untested"
        );
        assert!(server.stop().await.success(), "{}", self.site.log());
        let server = self.site.start().await;
        check_totals(&server, &self.stream).await;
        History::of(&server).await
    }
}

const fn name(end: End) -> &'static str {
    match end {
        End::At(point, _) => point,
        End::Moment(_) => "moment",
    }
}

async fn kill(server: &mut Server) -> ExitStatus {
    server.signal_kill();
    server.ended().await
}

/// The rows of a query; none if the server is gone.
async fn query(server: &Server, query: &str) -> Option<Vec<Vec<Value>>> {
    let request = server.http().post(format!("{}/v1/sql", server.url)).json(&json!({ "query": query }));
    let answer = request.send().await.ok()?;
    let status = answer.status();
    let text = answer.text().await.ok()?;
    assert!(status.is_success(), "{query}: {status} {text}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    let rows = answer["rows"].as_array().expect("rows");
    Some(rows.iter().map(|row| row.as_array().expect("a row").clone()).collect())
}

/// The lives of one round.
fn lives(random: &mut Random, full: bool) -> Vec<Life> {
    let at = |(point, first, last): Point, random: &mut Random| {
        End::At(point, if full { first + random.below(last - first + 1) } else { first })
    };
    let mut lives: Vec<End> = BEGINNING.iter().map(|point| at(*point, random)).collect();
    let mut others: Vec<End> = LIFE.iter().map(|point| at(*point, random)).collect();
    if full {
        others.extend((0..MOMENTS).map(|_| End::Moment(random.below(1_500_000))));
    }
    while !others.is_empty() {
        let next = usize::try_from(random.below(others.len() as u64)).expect("an index");
        let end = others.swap_remove(next);
        lives.push(end);
        if name(end) == TORN {
            lives.push(at(REPAIR, random));
        }
        if full && random.once_in(4) {
            // And once more before it has recovered.
            let start = START[usize::try_from(random.below(START.len() as u64)).expect("an index")];
            lives.push(at(start, random));
        }
    }
    lives
        .into_iter()
        .map(|end| Life { end, pace: usize::from(may_be_slow(end) && random.once_in(2)) })
        .collect()
}

/// Whether a branch that seldom commits comes to the end soon enough: most steps of the lake are rare as it
/// is.
fn may_be_slow(end: End) -> bool {
    let each_round = ["lake.data.", "lake.append.", "lake.marker."];
    !name(end).starts_with("lake.") || each_round.iter().any(|step| name(end).starts_with(step))
}

/// One round on a folder of its own.
async fn round(seed: u64, full: bool, peer: Option<&mut Peer>, tally: &mut Tally) {
    println!("seed {seed}");
    let stream = kill::stream(seed, STEPS, REQUEST_READINGS);
    let calm = kill::undisturbed(&stream).await;
    assert_eq!(calm.transitions_by_rule().len(), RULE_COUNT, "a rule that never speaks proves nothing");
    let mut random = Random::new(!seed);
    let lives = lives(&mut random, full);
    let requests: usize = stream.iter().map(Vec::len).sum();
    let (site, settings) = (kill::site(""), format!("{SETTINGS}{}", old::settings()));
    let (senders, share) = (Senders::start_with(&stream, 0), requests / (lives.len() + 1));
    let mut round = Round {
        site,
        settings,
        stream,
        senders,
        old: OldReadings::default(),
        share,
        definitions: 0,
        peer,
        tally,
    };
    for life in lives {
        round.live(life).await;
    }
    round.end().await.assert_same(&calm);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_every_step_lose_nothing_repeat_nothing_and_change_no_alert() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let (first, rounds) = (number("FOREWARN_SEED").unwrap_or(20_260_301), number("FOREWARN_TORTURE_ROUNDS"));
    let (mut tally, mut peer) = (Tally::default(), Peer::start());
    for seed in first..first + rounds.unwrap_or(1) {
        let lives = round(seed, rounds.is_some(), peer.as_mut(), &mut tally);
        tokio::time::timeout(PATIENCE, lives)
            .await
            .unwrap_or_else(|_| panic!("seed {seed} does not come to its end"));
        println!(
            "{} kills, {} checks, {} requests stored but not answered",
            tally.all(),
            tally.checks,
            tally.unanswered
        );
    }
    println!("{tally:#?}");
    let never = points::all().filter(|point| !tally.kills.contains_key(point));
    assert_eq!(never.collect::<Vec<_>>(), [""; 0], "never reached, so not tested: {tally:#?}");
    assert!(tally.checks > 0 && (rounds.is_none() || tally.unanswered > 0), "{tally:#?}");
}

#[test]
fn the_matrix_names_every_crash_point() {
    let known: Vec<&str> = points::all().collect();
    let missing: Vec<String> =
        points::in_the_code().into_iter().filter(|point| !known.contains(&point.as_str())).collect();
    assert_eq!(missing, [""; 0], "crash points that no test kills at");
}
