//! User Docker's databases. Its daemons end on a damaged database at each start, so a damaged one is set aside before a
//! start. None of them holds an image, a layer or the content of a volume.

use std::fs;
use std::path::{Path, PathBuf};

use disk::bolt;

/// A database below the data root of its daemon, and what a new one lacks.
struct DatabaseKind {
    daemon: &'static str,
    /// A file, or a folder of files that belong together.
    path: &'static str,
    lost: &'static str,
}

pub(super) const CONTAINERD: &str = "containerd";
pub(super) const DOCKERD: &str = "dockerd";

const DATABASES: [DatabaseKind; 4] = [
    DatabaseKind {
        daemon: DOCKERD,
        path: "network/files/local-kv.db",
        lost: "networks that were made with `docker network create` are to be made again",
    },
    DatabaseKind {
        daemon: DOCKERD,
        path: "buildkit",
        lost: "the build cache is empty",
    },
    DatabaseKind {
        daemon: CONTAINERD,
        path: "io.containerd.metadata.v1.bolt/meta.db",
        lost: "nothing is lost",
    },
    DatabaseKind {
        daemon: DOCKERD,
        path: "volumes/metadata.db",
        lost: "labels of volumes are lost, their content is not",
    },
];
const SUFFIX: &str = ".damaged";
/// A bigger file is not looked at: a start would take too long.
const MAX_LENGTH: u64 = 64 << 20;

/// Sets the damaged databases of a daemon, below its data root, aside. The daemon must not run: it has them open.
/// Returns a message for each.
pub(super) fn set_damaged_aside(daemon: &str, data_root: &Path) -> Vec<String> {
    DATABASES
        .iter()
        .filter(|kind| kind.daemon == daemon)
        .filter_map(|kind| {
            let path = data_root.join(kind.path);
            let damaged = files(&path).into_iter().find(|file| is_damaged(file))?;
            let mut kept = path.as_os_str().to_owned();
            kept.push(SUFFIX);
            let kept = PathBuf::from(kept);
            // The last one that was set aside is kept.
            let _ = fs::remove_dir_all(&kept);
            Some(match fs::rename(&path, &kept) {
                Ok(()) => format!(
                    "User Docker: {} was damaged and is kept as {}; {}",
                    damaged.display(),
                    kept.display(),
                    kind.lost
                ),
                Err(error) => format!(
                    "User Docker: {} is damaged and cannot be set aside: {error}",
                    damaged.display()
                ),
            })
        })
        .collect()
}

fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "db"))
        .collect()
}

/// A file that cannot be read is left to the daemon, which says so.
fn is_damaged(file: &Path) -> bool {
    let is_small = fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_LENGTH);
    is_small && fs::read(file).is_ok_and(|bytes| !bolt::is_whole(&bytes))
}

#[cfg(test)]
mod tests {
    use super::{DOCKERD, set_damaged_aside};
    use std::fs;

    #[test]
    fn only_damaged_databases_are_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for file in [
            "network/files/local-kv.db",
            "buildkit/cache.db",
            "buildkit/snapshots.db",
        ] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "").unwrap();
        }
        assert_eq!(set_damaged_aside(DOCKERD, root), [""; 0]);
        for damage in ["first", "second"] {
            fs::create_dir_all(root.join("buildkit")).unwrap();
            fs::write(root.join("buildkit/cache.db"), damage).unwrap();
            let told = set_damaged_aside(DOCKERD, root);
            assert!(
                told[0].contains("buildkit/cache.db was damaged"),
                "{told:?}"
            );
            assert_eq!(told.len(), 1);
            assert!(!root.join("buildkit").exists());
            let kept = fs::read_to_string(root.join("buildkit.damaged/cache.db"));
            assert_eq!(kept.unwrap(), damage);
        }
        assert!(root.join("network/files/local-kv.db").exists());
    }
}
