//! A disk that fails, or is full: what was acknowledged is there all the same.

use std::fs::File;
use std::io::Seek as _;

use parking_lot::Mutex;

use super::*;
use crate::disk::Disk;

/// What of one file would be left after a power cut. As on Linux, a failed fsync takes what was written for clean: a later fsync
/// does not bring it to the disk.
#[derive(Default)]
struct Platter {
    durable: Vec<u8>,
    dirty: Vec<(u64, Vec<u8>)>,
    failing: bool,
}

#[derive(Clone, Default)]
struct LinuxDisk(Arc<Mutex<Platter>>);

impl Disk for LinuxDisk {
    fn write(&mut self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().dirty.push((file.stream_position()?, bytes.to_vec()));
        io::Write::write_all(&mut file, bytes)
    }

    fn sync(&mut self, _: &File) -> io::Result<()> {
        let mut platter = self.0.lock();
        let dirty = std::mem::take(&mut platter.dirty);
        if platter.failing {
            return Err(io::Error::other("no such disk"));
        }
        for (position, bytes) in dirty {
            let position = usize::try_from(position).unwrap();
            let end = (position + bytes.len()).max(platter.durable.len());
            platter.durable.resize(end, 0);
            platter.durable[position..position + bytes.len()].copy_from_slice(&bytes);
        }
        Ok(())
    }
}

#[test]
fn what_a_failed_fsync_left_in_memory_is_written_again_before_it_counts() {
    let dir = TempDir::new().unwrap();
    let disk = LinuxDisk::default();
    let open = || LocalLog::open_with(LogOptions { segment_bytes: 1 << 19, ..options(dir.path()) }, Box::new(disk.clone()));
    drop(open().unwrap());
    let log = open().unwrap();
    append_many(&log, 2, 3);
    disk.0.lock().failing = true;
    let error = block_on(log.append(record(2, 3))).unwrap_err();
    assert!(matches!(error, JournalError::Stopped(_)), "{error}");
    drop(log);
    assert!(matches!(open().map(drop), Err(LogError::Io { .. })), "the disk still fails");
    disk.0.lock().failing = false;
    let log = open().unwrap();
    assert_eq!(read_all(&log, 10), [0, 1, 2], "the refused record is in the system's memory, and may count");
    append(&log, record(3, 3));
    drop(log);

    std::fs::write(&segment_files(dir.path())[0], &disk.0.lock().durable).unwrap();
    assert_eq!(read_all(&LocalLog::open(options(dir.path())).unwrap(), 10), [0, 1, 2, 3], "after a power cut");
}
