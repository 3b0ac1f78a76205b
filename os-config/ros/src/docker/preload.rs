//! `ros preload-images`: images that wait as archives on the state disk are loaded into the engines, once.
//!
//! The archives lie in RancherOS's folders `/var/lib/rancher/preload/docker` and `…/system-docker`, on the medium that the
//! machine was started from, or are named by `rancher.preload_images`, perhaps on a read-only disk. A mark in the folder says which archive has been loaded, by its
//! size and time; another archive of the same name is loaded again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use host::paths::{MEDIUM_IMAGES, PRELOAD};
use host::problems::{self, ProblemRecord};
use os_config::atomic_file;
use tokio::process::Command;

use crate::docker::{client, hollow_images, progress};

/// The formats that `docker load` unpacks by itself.
const ENDINGS: [&str; 6] = [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2"];
const DONE: &str = ".done";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// The engine that images are loaded into.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TargetEngine {
    System,
    User,
}

impl TargetEngine {
    /// The folder with the archives for it.
    pub(crate) fn folder(self) -> PathBuf {
        Path::new(PRELOAD).join(match self {
            Self::System => "system-docker",
            Self::User => "docker",
        })
    }

    pub(crate) fn socket(self) -> &'static str {
        match self {
            Self::System => client::SYSTEM,
            Self::User => client::USER,
        }
    }

    /// The archives for it on the medium of the machine.
    fn of_medium(self) -> Vec<String> {
        let archives = match self {
            Self::System => Vec::new(),
            Self::User => archives_in(Path::new(MEDIUM_IMAGES)),
        };
        let paths = archives.iter().map(|path| path.display().to_string());
        paths.collect()
    }
}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    crate::privilege::require_root("ros preload-images")?;
    let runtime = client::runtime()?;
    let named = os_config::load::load(Path::new("/"))
        .config
        .rancher
        .preload_images;
    let mut failed = false;
    for (into, named) in [
        (TargetEngine::System, [].as_slice()),
        (TargetEngine::User, &named),
    ] {
        for problem in runtime.block_on(progress::with_progress("loading", load_all(into, named))) {
            eprintln!("ros: {}", problem.text);
            failed = true;
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Loads images that wait as archives, and reports the archives that cannot be loaded.
pub(crate) async fn load_and_report(into: TargetEngine, named: &[String]) {
    for problem in load_all(into, named).await {
        problems::report(&problem);
    }
}

/// Loads the archives of the folder, in the order of names, those of the medium and the `named` archives, unless they have
/// been loaded before. Every archive is tried. Returns a problem for each archive that could not be loaded.
async fn load_all(into: TargetEngine, named: &[String]) -> Vec<ProblemRecord> {
    let mut problems = Vec::new();
    for archive in named.iter().filter(|archive| !Path::new(archive).is_file()) {
        const KEY: &str = "rancher.preload_images";
        let text = format!("{KEY}: there is no file {archive}");
        problems.push(ProblemRecord::error("preload", KEY, text));
    }
    let others = [into.of_medium().as_slice(), named].concat();
    for archive in archives_to_load(&into.folder(), &others) {
        println!("loading {}", archive.display());
        let mark = done_file(&into.folder(), &archive);
        if let Err(error) = load(into, &archive, &mark).await {
            let archive = archive.display().to_string();
            let text = format!("preload: {archive}: {error:#}");
            problems.push(ProblemRecord::error("preload", archive, text));
        }
    }
    problems
}

/// The archives in a folder, in the order of names.
pub(crate) fn archives_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut archives: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            ENDINGS.iter().any(|ending| name.ends_with(ending)) && path.is_file()
        })
        .collect();
    archives.sort();
    archives
}

/// The archives, of the folder and by path, whose mark is of another archive or missing.
fn archives_to_load(folder: &Path, named: &[String]) -> Vec<PathBuf> {
    let mut archives = archives_in(folder);
    archives.extend(
        named
            .iter()
            .map(PathBuf::from)
            .filter(|path| path.is_file()),
    );
    archives.retain(|path| !is_loaded(path, &done_file(folder, path)));
    archives
}

fn is_loaded(archive: &Path, mark: &Path) -> bool {
    match fs::read(mark) {
        // An earlier version wrote empty marks. Their time tells nothing if the clock was wrong.
        Ok(text) if text.is_empty() => {
            let changed = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
            changed(mark) >= changed(archive)
        }
        Ok(text) => identity(archive).is_some_and(|identity| text == identity.as_bytes()),
        Err(_) => false,
    }
}

/// The size of an archive, and its time in nanoseconds.
fn identity(archive: &Path) -> Option<String> {
    let found = fs::metadata(archive).ok()?;
    let time = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}\n", found.len(), time.as_nanos()))
}

/// The mark of a loaded archive; it lies in the folder.
fn done_file(folder: &Path, archive: &Path) -> PathBuf {
    let name = archive.strip_prefix(folder).unwrap_or(archive);
    let name = name.display().to_string();
    folder.join(name.trim_start_matches('/').replace('/', "_") + DONE)
}

async fn load(into: TargetEngine, archive: &Path, mark: &Path) -> Result<()> {
    // An archive that is replaced meanwhile is loaded again.
    let identity = identity(archive).context("reading its size and time")?;
    let output = Command::new("docker")
        .args([
            "-H",
            &format!("unix://{}", into.socket()),
            "load",
            "--quiet",
        ])
        .arg("--input")
        .arg(archive)
        .stdin(Stdio::null())
        .output()
        .await
        .context("starting docker")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "{}",
        said.lines().last().unwrap_or("it gives no reason")
    );
    hollow_images::sync_state()?;
    atomic_file::replace(mark, identity.as_bytes(), 0o644)
        .with_context(|| format!("writing {}", mark.display()))
}

#[cfg(test)]
mod tests {
    use super::{TargetEngine, archives_to_load, done_file, identity};
    use std::fs;
    use std::time::{Duration, SystemTime};

    #[test]
    fn each_engine_has_its_folder() {
        for (engine, folder, socket) in [
            (TargetEngine::User, "docker", "/run/user-docker/docker.sock"),
            (
                TargetEngine::System,
                "system-docker",
                "/run/system-docker.sock",
            ),
        ] {
            let expected = std::path::Path::new("/var/lib/rancher/preload").join(folder);
            assert_eq!(engine.folder(), expected);
            assert_eq!(engine.socket(), socket);
        }
    }

    #[test]
    fn an_archive_waits_until_it_has_been_loaded() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let names = || -> Vec<String> {
            let found = archives_to_load(folder, &[]).into_iter();
            found
                .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
                .collect()
        };
        assert!(names().is_empty());
        for name in ["b.tar.gz", "a.tar", "notes.txt", "c.tar.xz.part"] {
            fs::write(folder.join(name), "").unwrap();
        }
        assert_eq!(names(), ["a.tar", "b.tar.gz"]);
        let noted = done_file(folder, &folder.join("a.tar"));
        assert_eq!(noted, folder.join("a.tar.done"));
        let mark = || fs::write(&noted, identity(&folder.join("a.tar")).unwrap()).unwrap();
        mark();
        assert_eq!(names(), ["b.tar.gz"]);
        // A clock that was wrong when the mark was written changes nothing.
        let set_time = |path: &std::path::Path, time| {
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(time).unwrap();
        };
        set_time(&noted, SystemTime::UNIX_EPOCH);
        assert_eq!(names(), ["b.tar.gz"]);
        // Another archive of the same name, although it is older.
        set_time(&folder.join("a.tar"), SystemTime::UNIX_EPOCH);
        assert_eq!(names(), ["a.tar", "b.tar.gz"]);
        mark();
        fs::write(&noted, "").unwrap();
        assert_eq!(names(), ["b.tar.gz"], "a mark of an earlier version");
        // A newer archive of the same name.
        let later = SystemTime::now() + Duration::from_secs(60);
        let file = fs::File::options().write(true).open(folder.join("a.tar"));
        file.unwrap().set_modified(later).unwrap();
        assert_eq!(names(), ["a.tar", "b.tar.gz"]);
        // An archive on another disk.
        let other = folder.join("c.tar.xz.part");
        let named = [other.display().to_string(), "/nonexistent.tar".to_owned()];
        let inner = folder.join("inner");
        fs::create_dir_all(&inner).unwrap();
        assert_eq!(
            archives_to_load(&inner, &named),
            std::slice::from_ref(&other)
        );
        fs::write(done_file(&inner, &other), "").unwrap();
        assert!(archives_to_load(&inner, &named).is_empty());
    }
}
