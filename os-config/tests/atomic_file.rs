//! Replacing files as processes see it that have mounts or a umask of their own.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use os_config::atomic_file::{self, AtomicFile};

/// Names the folder of a test to the test's own second process.
const FOLDER: &str = "ATOMIC_FILE_FOLDER";

/// Runs the test `name` of this program again, in a process that a shell prepares in mount and user namespaces.
fn run_again(name: &str, folder: &Path, preparation: &str) {
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-ec"])
        .arg(format!("{preparation}; exec \"$0\" --exact {name}"))
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder)
        .output()
        .expect("starting unshare");
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn a_mount_point_is_written_in_place() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        let folder = tempfile::tempdir().unwrap();
        for name in ["hosts", "source"] {
            fs::write(folder.path().join(name), "old, and longer\n").unwrap();
        }
        let preparation = "cd \"$ATOMIC_FILE_FOLDER\"; mount --bind source hosts";
        run_again(
            "a_mount_point_is_written_in_place",
            folder.path(),
            preparation,
        );
        let source = folder.path().join("source");
        assert_eq!(fs::read(&source).unwrap(), b"new\n");
        assert_eq!(fs::metadata(&source).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        return;
    };
    let hosts = Path::new(&folder).join("hosts");
    atomic_file::replace(&hosts, b"new\n", 0o640).unwrap();
    assert_eq!(fs::read(&hosts).unwrap(), b"new\n");
}

#[test]
fn a_secret_is_its_owners_from_the_first_byte_whatever_the_umask() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        let folder = tempfile::tempdir().unwrap();
        run_again(
            "a_secret_is_its_owners_from_the_first_byte_whatever_the_umask",
            folder.path(),
            "umask 0",
        );
        return;
    };
    let key = Path::new(&folder).join("key");
    let new = AtomicFile::write(&key, b"secret", 0o600).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(new.temporary()), 0o600);
    new.persist().unwrap();
    assert_eq!(mode(&key), 0o600);
}
