//! The disk is full, read-only, damaged or broken: the server says so, loses nothing that it has
//! acknowledged, and does not fall over.
//!
//! Mounting a file system takes root. Where that is refused, the tests that need it say so and check nothing;
//! under `CI=true` they fail.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use forewarn_tests::readings::reading;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const FIRST_MS: u64 = 1_767_225_600_000;
const BATCH: u64 = 2_000;
const MIB: usize = 1 << 20;
const COUNT: &str = "SELECT count(*) FROM readings";

/// A file system in memory; it goes when this is dropped.
struct Mount(PathBuf);

impl Mount {
    /// Mounts one of so many MiB at `path`, which is created. `None`, and a word about it, if the system does
    /// not let us.
    fn new(path: PathBuf, mib: usize) -> Option<Self> {
        std::fs::create_dir_all(&path).expect("a folder to mount on");
        let output = run("mount", &["-t", "tmpfs", "-o", &format!("size={mib}m"), "forewarn-test"], &path);
        if output.status.success() {
            return Some(Self(path));
        }
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "CI must let tests mount a file system: {reason}"
        );
        println!("NOT TESTED: a file system cannot be mounted here: {reason}");
        None
    }

    fn make_read_only(&self) {
        let output = run("mount", &["-o", "remount,ro"], &self.0);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Takes all but `left` bytes of its room. Removing the file that comes back gives it back.
    fn fill(&self, left: usize) -> PathBuf {
        let ballast = self.0.join("ballast");
        let block = vec![1_u8; MIB / 8];
        let mut file = std::fs::File::create(&ballast).expect("a file");
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        let length = file.metadata().expect("a length").len();
        file.set_len(length.saturating_sub(left as u64)).expect("it can be cut");
        ballast
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.0);
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> Output {
    Command::new(program)
        .args(arguments)
        .arg(path)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Readings that no other round has.
fn body(round: u64) -> String {
    let line = |n: u64| reading("plant1/pump0", "flow", FIRST_MS + round * BATCH + n, 1.5).to_string();
    (0..BATCH).map(line).collect::<Vec<_>>().join("\n")
}

async fn send(server: &Server, round: u64) {
    let (status, answer) = server.send("/v1/readings", body(round)).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(BATCH)), "{answer}");
}

async fn refusal(server: &Server, round: u64) -> Value {
    let request = server
        .http()
        .post(format!("{}/v1/readings", server.url))
        .header("content-type", "application/json")
        .body(body(round));
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 503);
    let problem: Value = response.json().await.expect("a problem");
    assert_eq!(problem["status"], 503);
    problem
}

/// Sends one round after the other until one finds no room on the disk: it waits for some, and the next ones
/// are refused. `round` is then its number.
async fn send_until_one_waits(server: &Server, round: &mut u64) -> JoinHandle<u16> {
    loop {
        let (http, url, text) = (server.http().clone(), server.url.clone(), body(*round));
        let mut request = tokio::spawn(async move {
            let request =
                http.post(format!("{url}/v1/readings")).header("content-type", "application/json").body(text);
            request.send().await.expect("an answer").status().as_u16()
        });
        let full = eventually("a full disk", async || server.metric("forewarn_log_disk_full").await == 1);
        tokio::select! {
            status = &mut request => assert_eq!(status.expect("a request"), 200),
            () = full => return request,
        }
        *round += 1;
        assert!(*round < 1_000, "the disk does not fill up");
    }
}

fn check_no_panic(site: &Site) {
    let log = site.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn on_a_full_disk_readings_are_refused_and_none_that_was_taken_is_lost() {
    let mut site = Site::new();
    // Nothing else gives room back meanwhile.
    site.settings.push_str("branch: { commit_every: 1h }\n");
    let Some(mount) = Mount::new(site.path().join("data"), 12) else { return };
    let server = site.start().await;
    send(&server, 0).await;
    let ballast = mount.fill(MIB);

    let mut taken = 1;
    let waiting = send_until_one_waits(&server, &mut taken).await;
    let response = server
        .http()
        .post(format!("{}/v1/readings", server.url))
        .header("content-type", "application/json")
        .body(body(999));
    let response = response.send().await.expect("an answer");
    assert!(response.headers().contains_key("retry-after"), "{:?}", response.headers());
    let problem = refusal(&server, 999).await;
    assert!(
        problem["detail"].as_str().is_some_and(|text| text.contains("has no room; free some")),
        "{problem}"
    );
    let (status, ready) = server.try_get("/readyz").await;
    assert!(
        status == 503 && ready["detail"].as_str().is_some_and(|text| text.contains("has no room")),
        "{ready}"
    );
    assert_eq!(server.metric("forewarn_log_failed").await, 0);
    assert_eq!(server.count(COUNT).await, taken * BATCH, "what was acknowledged, and nothing else");

    std::fs::remove_file(&ballast).expect("the ballast");
    assert_eq!(waiting.await.expect("a request"), 200);
    taken += 1;
    eventually("room again", async || server.try_get("/readyz").await.0 == 200).await;
    send(&server, taken).await;
    taken += 1;
    assert_eq!(server.count(COUNT).await, taken * BATCH);
    server.kill().await;
    let server = site.start().await;
    assert_eq!(server.count(COUNT).await, taken * BATCH, "after a restart");
    assert!(server.stop().await.success(), "{}", site.log());
    check_no_panic(&site);
}

#[tokio::test]
async fn a_server_on_a_full_disk_ends_when_it_is_asked_to() {
    let mut site = Site::new();
    site.settings.push_str("branch: { commit_every: 1h }\n");
    let Some(mount) = Mount::new(site.path().join("data"), 12) else { return };
    let server = site.start().await;
    send(&server, 0).await;
    let ballast = mount.fill(MIB);
    let mut taken = 1;
    let waiting = send_until_one_waits(&server, &mut taken).await;
    assert!(!server.stop().await.success(), "the exit code says that not all was well");
    assert_eq!(waiting.await.expect("a request"), 503, "a waiting sender is refused");
    assert!(site.log().contains("No space left on device"), "{}", site.log());
    std::fs::remove_file(&ballast).expect("the ballast");
    let server = site.start().await;
    assert_eq!(server.count(COUNT).await, taken * BATCH, "what was acknowledged, and nothing else");
    send(&server, taken).await;
    drop(server);
    check_no_panic(&site);
}

#[tokio::test]
async fn while_the_lakes_disk_is_full_readings_are_taken_and_committed_later() {
    let mut site = Site::new();
    site.settings.push_str("branch: { commit_every: 100ms }\n");
    let Some(mount) = Mount::new(site.lake(), 4) else { return };
    let server = site.start().await;
    send(&server, 0).await;
    eventually("a first commit", async || server.metric("forewarn_lake_tail_rows").await == 0).await;
    let ballast = mount.fill(0);
    for round in 1..20 {
        send(&server, round).await;
    }
    eventually("a commit that fails", async || {
        site.log().contains("a commit to the lake failed; it is tried again")
    })
    .await;
    assert_eq!(server.count(COUNT).await, 20 * BATCH);
    std::fs::remove_file(&ballast).expect("the ballast");
    eventually("an empty tail", async || server.metric("forewarn_lake_tail_rows").await == 0).await;
    assert_eq!(server.count(COUNT).await, 20 * BATCH);
    server.kill().await;
    let server = site.start().await;
    assert_eq!(server.count(COUNT).await, 20 * BATCH, "after a restart");
    drop(server);
    check_no_panic(&site);
}

#[tokio::test]
async fn a_read_only_folder_ends_the_start_with_a_clear_word() {
    let site = Site::new();
    let Some(mount) = Mount::new(site.path().join("data"), 4) else { return };
    let server = site.start().await;
    send(&server, 0).await;
    server.kill().await;
    mount.make_read_only();
    let config = site.config().display().to_string();
    let (code, _, err) = site.run(&["serve", "--config", &config]).await;
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("Read-only file system")
            && err.contains("the folder's permissions")
            && err.contains("data/log"),
        "{err}"
    );
    assert!(!err.contains("panicked"), "{err}");
    let (code, out, err) = site.run(&["log", "verify", "--config", &config]).await;
    assert!(
        code == 0 && out.ends_with("whole\n"),
        "looking into the log needs no right to write: {out}{err}"
    );
}

/// A disk that can fail as disks do: the system finds that it cannot write to it any more and makes it
/// read-only, even while files are open on it. (`mount -o remount,ro` does not: it is refused while there
/// are such files.)
struct FailingMount {
    image: PathBuf,
    mount: Mount,
}

impl FailingMount {
    /// One at `path`, as [`Mount::new`].
    fn new(path: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&path).expect("a folder to mount on");
        let image = path.with_extension("img");
        std::fs::File::create(&image).and_then(|file| file.set_len(32 << 20)).expect("an image");
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).output();
        let made = made.map_err(|error| error.to_string()).and_then(|made| refused(&made));
        match made.and_then(|()| refused(&Self::mount(&image, &path))) {
            Ok(()) => Some(Self { image, mount: Mount(path) }),
            Err(reason) => {
                assert!(
                    std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                    "CI must let tests mount a file system: {reason}"
                );
                println!("NOT TESTED: a file system cannot be made or mounted here: {reason}");
                None
            }
        }
    }

    fn mount(image: &Path, path: &Path) -> Output {
        let image = image.display().to_string();
        run("mount", &["-o", "loop,errors=remount-ro", &image], path)
    }

    fn fail(&self) {
        refused(&run("mount", &["-o", "remount,abort"], &self.mount.0)).expect("the file system gives up");
    }

    /// No file on it may be open.
    fn repair(&self) {
        refused(&run("umount", &[], &self.mount.0)).expect("it is unmounted");
        refused(&Self::mount(&self.image, &self.mount.0)).expect("it is mounted again");
    }
}

fn refused(output: &Output) -> Result<(), String> {
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[tokio::test]
async fn a_disk_that_becomes_read_only_under_the_server_costs_nothing_that_was_acknowledged() {
    let mut site = Site::new();
    site.settings.push_str("branch: { commit_every: 1h }\n");
    let Some(disk) = FailingMount::new(site.path().join("data")) else { return };
    let server = site.start().await;
    send(&server, 0).await;
    send(&server, 1).await;
    disk.fail();
    let problem = refusal(&server, 2).await;
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("the log has stopped")), "{problem}");
    let (status, ready) = server.try_get("/readyz").await;
    let told = ready["detail"].as_str().unwrap_or_default();
    assert!(
        status == 503
            && told.contains("Read-only file system")
            && told.contains("repair the disk and restart the server"),
        "{ready}"
    );
    assert_eq!(server.metric("forewarn_log_failed").await, 1);
    assert_eq!(server.count(COUNT).await, 2 * BATCH, "readers are served");
    let (code, out, err) =
        site.run(&["log", "verify", "--config", &site.config().display().to_string()]).await;
    assert!(code == 0 && out.ends_with("whole\n"), "{out}{err}");
    assert!(!server.stop().await.success(), "the exit code says that not all was well");
    disk.repair();
    let server = site.start().await;
    assert_eq!(server.count(COUNT).await, 2 * BATCH, "after a restart");
    send(&server, 2).await;
    assert!(server.stop().await.success(), "{}", site.log());
    check_no_panic(&site);
}

/// Makes `fdatasync` fail while there is a file of the name in `FAILS_WHILE`: of all that the server does,
/// only the log calls it.
const BROKEN_DISK: &str = r#"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/syscall.h>
int fdatasync(int file) {
    const char *flag = getenv("FAILS_WHILE");
    if (flag && access(flag, F_OK) == 0) { errno = EIO; return -1; }
    return syscall(SYS_fdatasync, file);
}
"#;

#[tokio::test]
async fn once_the_logs_disk_has_failed_nothing_is_taken_in_and_readers_are_served() {
    let mut site = Site::new();
    site.write("broken.c", BROKEN_DISK);
    let shim = site.path().join("broken.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&shim)
        .arg(site.path().join("broken.c"))
        .output();
    assert!(compiled.expect("a C compiler, which the build needs too").status.success());
    let flag = site.path().join("fails");
    site.environment = [("LD_PRELOAD", &shim), ("FAILS_WHILE", &flag)]
        .map(|(name, path)| (name.to_owned(), path.display().to_string()))
        .into();
    let server = site.start().await;
    send(&server, 0).await;
    std::fs::write(&flag, "").expect("a flag");
    let problem = refusal(&server, 1).await;
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("the log has stopped")), "{problem}");
    std::fs::remove_file(&flag).expect("the flag");
    refusal(&server, 2).await;
    let (status, ready) = server.try_get("/readyz").await;
    let told = ready["detail"].as_str().unwrap_or_default();
    assert!(
        status == 503
            && told.contains("cannot fsync")
            && told.contains("repair the disk and restart the server"),
        "{ready}"
    );
    assert_eq!(server.metric("forewarn_log_failed").await, 1);
    eventually("parts that end", async || {
        site.log().contains("the log's disk has failed; repair the disk and restart the server")
    })
    .await;
    assert_eq!(server.count(COUNT).await, BATCH, "readers are served");
    assert_eq!(server.get("/v1/alerts").await["alerts"], json!([]));
    assert!(!server.stop().await.success(), "the exit code says that not all was well");

    site.environment.clear();
    let server = site.start().await;
    let found = server.count(COUNT).await;
    // What was refused may be there or not: its sender got no acknowledgement.
    assert!([1, 2].contains(&(found / BATCH)) && found.is_multiple_of(BATCH), "{found}");
    send(&server, 3).await;
    assert_eq!(server.count(COUNT).await, found + BATCH);
    drop(server);
    check_no_panic(&site);
}

#[tokio::test]
async fn a_wrong_byte_is_told_with_its_place_and_costs_nothing_that_was_acknowledged() {
    let mut site = Site::new();
    site.settings.push_str("log: { segment_bytes: 256KB }\nbranch: { commit_every: 1h }\n");
    let server = site.start().await;
    for round in 0..20 {
        send(&server, round).await;
    }
    server.kill().await;
    let config = site.config().display().to_string();
    let mut segments: Vec<PathBuf> = std::fs::read_dir(site.path().join("data/log"))
        .expect("a log")
        .flatten()
        .map(|file| file.path())
        .collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    segments.sort();
    let (sealed, last) = (segments[1].clone(), segments.last().expect("segments").clone());
    let killed = std::fs::read(&last).expect("a segment");
    for path in [&sealed, &last] {
        let whole = std::fs::read(path).expect("a segment");
        let mut bytes = whole.clone();
        bytes[100] ^= 0x20;
        std::fs::write(path, &bytes).expect("a segment");
        let (code, out, err) = site.run(&["log", "verify", "--config", &config]).await;
        assert!(code == 1 && out.ends_with("damaged\n"), "{out}{err}");
        assert!(
            err.contains(&format!("{} is damaged at byte 24", path.display()))
                && err.contains("restore the file"),
            "{err}"
        );
        let (code, _, err) = site.run(&["serve", "--config", &config]).await;
        assert_eq!(code, 2, "{err}");
        assert!(
            err.contains(&format!("{} at byte 24", path.display())) && err.contains("restore this file"),
            "{err}"
        );
        assert!(!err.contains("panicked"), "{err}");
        assert_eq!(std::fs::read(path).expect("a segment"), bytes, "a damaged file is left as it is");
        std::fs::write(path, &whole).expect("a segment");
    }

    // The starts that failed have given the free space back.
    let mut bytes = killed;
    let place = bytes.len() - 10;
    assert!(
        bytes.len() as u64 == 256_000 && bytes[place - 50_000..].iter().all(|byte| *byte == 0),
        "a killed server leaves free space"
    );
    bytes[place] = 1;
    std::fs::write(&last, &bytes).expect("a segment");
    let (code, _, err) = site.run(&["log", "verify", "--config", &config]).await;
    assert!(code == 0 && err.contains(&format!("{} ends in the middle of a write", last.display())), "{err}");
    let server = site.start().await;
    assert_eq!(server.count(COUNT).await, 20 * BATCH);
}
