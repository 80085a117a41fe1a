//! Puts the files of the console into the library: what `make ui` has built in `ui/dist`. Without it the
//! library builds too, and says at `/ui/` how to get the console.

use std::error::Error;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("no CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    let dist = root.join("../../ui/dist");
    // The folder is in the repository, as cargo would run this for every build if it were missing.
    writeln_rerun(&dist)?;
    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        find(&dist.canonicalize()?, "", &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for (name, path) in &files {
        let mut hasher = DefaultHasher::new();
        fs::read(path)?.hash(&mut hasher);
        let etag = hasher.finish();
        let zipped = path.with_file_name(format!("{}.gz", path.file_name().unwrap_or_default().display()));
        let zipped = zipped.is_file().then(|| format!("include_bytes!({:?})", zipped.display().to_string()));
        let zipped = zipped.map_or_else(|| "None".to_owned(), |file| format!("Some({file})"));
        let plain = path.display().to_string();
        writeln!(
            list,
            "File {{ name: {name:?}, etag: \"{etag:016x}\", plain: include_bytes!({plain:?}), zipped: {zipped} }},"
        )?;
    }
    list.push(']');
    fs::write(out.join("console.rs"), list)?;
    Ok(())
}

fn writeln_rerun(dist: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "cargo::rerun-if-changed={}", dist.display())
}

/// All files below `folder`, by their name in a URL; those that begin with a dot and the compressed ones,
/// which go with the others, are left out.
fn find(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            find(&path, &format!("{prefix}{name}/"), files)?;
        } else if !name.starts_with('.') && path.extension().is_none_or(|ending| ending != "gz") {
            files.push((format!("{prefix}{name}"), path));
        }
    }
    Ok(())
}
