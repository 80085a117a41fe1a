//! What senders, readers and operators hear when the log's disk is full or fails.

use std::io;
use std::path::{Path, PathBuf};

use forewarn_log::{Access, DiskFile, Log as _, LogHealth};
use parking_lot::Mutex;

use super::*;

/// The real disk, until it is told what to answer to writes.
#[derive(Clone, Default)]
struct BrokenDisk(Arc<Mutex<Option<io::ErrorKind>>>);

impl BrokenDisk {
    fn answers(&self, kind: Option<io::ErrorKind>) {
        *self.0.lock() = kind;
    }
}

impl Disk for BrokenDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }

    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>> {
        RealDisk.lock(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        RealDisk.list(dir)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(BrokenFile { disk: self.clone(), file: RealDisk.open(path, access)? }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
}

struct BrokenFile {
    disk: BrokenDisk,
    file: Box<dyn DiskFile>,
}

impl DiskFile for BrokenFile {
    fn length(&mut self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn write_at(&mut self, bytes: &[u8], position: u64) -> io::Result<()> {
        match *self.disk.0.lock() {
            Some(kind) => Err(kind.into()),
            None => self.file.write_at(bytes, position),
        }
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

fn reading(value: u32) -> String {
    format!(r#"{{"asset":"a","signal":"s","time":"2026-01-01T00:00:{value:02}Z","value":{value}}}"#)
}

async fn count(server: &Server) -> u64 {
    let answer = server.post("/v1/sql", r#"{"query":"SELECT count(*) FROM readings"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["rows"][0][0].as_u64().unwrap()
}

/// The check of the log in an answer that the server is not ready.
async fn log_check(server: &Server) -> (Value, Value) {
    let problem = server.get("/readyz").await.problem(503);
    let check =
        problem["checks"].as_array().unwrap().iter().find(|check| check["name"] == "log").unwrap().clone();
    assert_eq!(check["ok"], false, "{problem}");
    (problem, check)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_disk_stops_the_intake_for_good_and_no_reader() {
    let disk = BrokenDisk::default();
    let server = Server::on_disk(|_| {}, Arc::new(disk.clone())).await;
    assert_eq!(server.post("/v1/readings", reading(1)).await.status, 200);
    assert_eq!(count(&server).await, 1);
    disk.answers(Some(io::ErrorKind::Other));
    let refused = server.post("/v1/readings", reading(2)).await.problem(503);
    assert!(refused["detail"].as_str().unwrap().contains("the log has stopped"), "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("/readyz"), "{refused}");
    disk.answers(None);
    server.post("/v1/readings", reading(3)).await.problem(503);
    let (problem, check) = log_check(&server).await;
    assert!(check["detail"].as_str().unwrap().contains("repair the disk and restart the server"), "{check}");
    assert!(problem["detail"].as_str().unwrap().contains("cannot write"), "{problem}");
    assert!(matches!(server.log.health(), LogHealth::Failed(reason) if reason.contains("cannot write")));
    // Who restarts what is not alive is to restart this.
    let dead = server.get("/healthz").await.problem(503);
    assert!(dead["hint"].as_str().unwrap().contains("restart the server"), "{dead}");
    assert_eq!(count(&server).await, 1, "readers are still served");
    assert_eq!(server.get("/v1/assets/a").await.status, 200);
    assert_eq!(server.get("/v1/alerts").await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_readings_until_there_is_room() {
    let disk = BrokenDisk::default();
    let server = Server::on_disk(|_| {}, Arc::new(disk.clone())).await;
    assert_eq!(server.post("/v1/readings", reading(1)).await.status, 200);
    let end = server.log.end();
    disk.answers(Some(io::ErrorKind::StorageFull));
    // The first one waits for room.
    let waiting = server.router.clone().oneshot(
        Request::post("/v1/readings")
            .header("host", HOST)
            .header("content-type", "application/json")
            .body(Body::from(reading(2)))
            .unwrap(),
    );
    let waiting = tokio::spawn(waiting);
    while !server.log.metrics().disk_full {
        tokio::task::yield_now().await;
    }
    let refused = server.post("/v1/readings", reading(3)).await;
    assert!(refused.headers.contains_key("retry-after"));
    let refused = refused.problem(503);
    assert!(refused["detail"].as_str().unwrap().contains("has no room"), "{refused}");
    let (_, check) = log_check(&server).await;
    assert!(check["detail"].as_str().unwrap().contains("has no room; free some"), "{check}");
    assert!(matches!(server.log.health(), LogHealth::Full(_)));
    assert_eq!(server.log.end(), end, "nothing was acknowledged");
    disk.answers(None);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    assert_eq!(server.post("/v1/readings", reading(3)).await.status, 200);
    assert_eq!(count(&server).await, 3);
    assert_eq!(server.get("/readyz").await.status, 200);
    server.stop().await;
}
