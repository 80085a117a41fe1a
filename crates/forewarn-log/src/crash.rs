//! A disk that passes crash points: between all steps that change a file or a folder.
//!
//! Whatever the log does, it does by these steps, so the places at which a crash tells most are between them,
//! and in the middle of a write. Which file it is stands in its name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use forewarn_types::{crash_point, crash_points_matter};

use crate::disk::{Access, Disk, DiskFile};

/// `disk` itself, or where somebody listens to crash points one that passes them.
pub(crate) fn with_crash_points(disk: Arc<dyn Disk>) -> Arc<dyn Disk> {
    if crash_points_matter() { Arc::new(CrashDisk(disk)) } else { disk }
}

/// What is passed in the steps that concern a file.
struct Points {
    created: &'static str,
    torn: &'static str,
    written: &'static str,
    resized: &'static str,
    synced: &'static str,
    rename: [&'static str; 2],
    remove: [&'static str; 2],
}

macro_rules! file_points {
    ($file:literal) => {
        Points {
            created: concat!("log.", $file, ".created"),
            torn: concat!("log.", $file, ".torn"),
            written: concat!("log.", $file, ".written"),
            resized: concat!("log.", $file, ".resized"),
            synced: concat!("log.", $file, ".synced"),
            rename: [concat!("log.", $file, ".rename.before"), concat!("log.", $file, ".rename.after")],
            remove: [concat!("log.", $file, ".remove.before"), concat!("log.", $file, ".remove.after")],
        }
    };
}

static SEGMENT: Points = file_points!("segment");
static CHECKPOINTS: Points = file_points!("checkpoints");
static ID: Points = file_points!("id");

fn points_of(path: &Path) -> &'static Points {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with("checkpoints.") {
        &CHECKPOINTS
    } else if name.starts_with("id") {
        &ID
    } else {
        &SEGMENT
    }
}

struct CrashDisk(Arc<dyn Disk>);

impl Disk for CrashDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir(dir)
    }

    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.0.lock(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        self.0.list(dir)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let file = self.0.open(path, access)?;
        let points = points_of(path);
        if access == Access::Create {
            crash_point(points.created);
        }
        Ok(Box::new(CrashFile { file, points }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let [before, after] = points_of(to).rename;
        crash_point(before);
        self.0.rename(from, to)?;
        crash_point(after);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let [before, after] = points_of(path).remove;
        crash_point(before);
        self.0.remove(path)?;
        crash_point(after);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }
}

struct CrashFile {
    file: Box<dyn DiskFile>,
    points: &'static Points,
}

impl DiskFile for CrashFile {
    fn length(&mut self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn write_at(&mut self, bytes: &[u8], position: u64) -> io::Result<()> {
        // Behind the middle, so that two frames of a size are not parted where they meet.
        let (first, rest) = bytes.split_at((bytes.len() / 2 + 1).min(bytes.len()));
        self.file.write_at(first, position)?;
        crash_point(self.points.torn);
        self.file.write_at(rest, position + first.len() as u64)?;
        crash_point(self.points.written);
        Ok(())
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.file.set_length(length)?;
        crash_point(self.points.resized);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        crash_point(self.points.synced);
        Ok(())
    }
}
