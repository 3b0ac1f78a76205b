//! PID 1 leaves no zombie. A test program of its own, because [`reap`] takes the processes of other tests too.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use host::process::{End, reap, spawn};
use nix::unistd::Pid;

const TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

#[test]
fn orphans_are_reaped_as_children_are() {
    // Like PID 1, this process becomes the parent of every orphan below it.
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let argv = ["sh", "-c", "sleep 0.2 & echo $!; exit 3"].map(str::to_owned);
    let child = spawn(&argv, log.path()).unwrap();
    let start = Instant::now();
    let mut ended = Vec::new();
    while ended.len() < 2 {
        assert!(start.elapsed() < TIMEOUT, "{ended:?}");
        ended.extend(reap());
        thread::sleep(POLL_INTERVAL);
    }
    let orphan = std::fs::read_to_string(log.path()).unwrap();
    let orphan = Pid::from_raw(orphan.trim().parse().unwrap());
    assert!(ended.contains(&(child, End::Code(3))), "{ended:?}");
    assert!(ended.contains(&(orphan, End::Code(0))), "{ended:?}");
    for pid in [child, orphan] {
        assert!(!PathBuf::from(format!("/proc/{pid}")).exists(), "{pid}");
    }
}
