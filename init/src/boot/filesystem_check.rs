//! Checks the filesystem of the state disk before its mount, with programs as `plan::state` lists them.

use std::path::Path;
use std::time::Duration;

use crate::boot::program;
use crate::plan::state::{self, CheckResult, StateMount};
use host::block;

/// What e2fsck says. It is in memory: the disk is not mounted yet.
const FILESYSTEM_LOG: &str = "/run/ros/e2fsck.log";
/// A check of a large disk takes minutes, and a disk that no longer answers takes for ever.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1800);

/// Checks the filesystem and returns what was wrong.
pub(crate) fn check(planned: &StateMount) -> Option<String> {
    let mut result = CheckResult::Clean;
    let checks = state::checks(planned);
    let had_error = !checks.is_empty() && block::has_recorded_error(Path::new(&planned.detail));
    for argv in checks {
        result = match program::run_to_end(&argv, Path::new(FILESYSTEM_LOG), CHECK_TIMEOUT) {
            Ok(code) => CheckResult::of_exit_code(code, had_error),
            Err(error) => {
                log::warn!("{error:#}");
                CheckResult::Unfinished
            }
        };
        // A disk that keeps a check waiting would keep the next one waiting too.
        if result != CheckResult::Broken {
            break;
        }
    }
    result.problem(&planned.detail, FILESYSTEM_LOG)
}
