//! Problems that `ros user-docker` finds. Its container has not the machine's list of problems, so it leaves them in a
//! file for `ros sysinit`.

use std::fs::{self, OpenOptions};
use std::io::Write;

use host::paths::USER_DOCKER_NOTICES;
use host::problems::{self, ProblemRecord};

/// Leaves a problem for `ros sysinit`.
pub(super) fn leave(text: &str) {
    eprintln!("ros user-docker: {text}");
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(USER_DOCKER_NOTICES);
    // The log has the line too.
    let _ = file.and_then(|mut file| writeln!(file, "{text}"));
}

/// Reports the problems that were left.
pub(crate) fn report() {
    let text = fs::read_to_string(USER_DOCKER_NOTICES).unwrap_or_default();
    for line in text.lines() {
        problems::report(&ProblemRecord::error("user-docker", "User Docker", line));
    }
}
