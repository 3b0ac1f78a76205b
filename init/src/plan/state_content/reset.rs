//! The reset of the state filesystem, which `ros reset` asks the next boot for. Pure: the request in, steps out.

use std::path::{Path, PathBuf};

use host::paths::{RESET, STATE, below_root};
use host::step::{Planned, Step, may};

/// The user's data in the state filesystem; of System Docker and of the configuration nothing is in it.
const USER_DATA: [&str; 3] = ["home", "opt", "var/lib/user-docker"];
/// A folder of ext4 itself.
const LOST_AND_FOUND: &str = "lost+found";

/// The request in the state filesystem.
pub(crate) fn request() -> PathBuf {
    Path::new(STATE).join(below_root(RESET))
}

/// Empties the mounted state filesystem. A cut leaves the request, so that the next boot goes on. A file that cannot be
/// removed stays, and the request goes all the same: the machine is in use after this boot. Without a request there are no
/// steps.
pub(crate) fn plan(request_text: &str) -> Vec<Planned> {
    let state = Path::new(STATE);
    let mut kept = vec![state.join(LOST_AND_FOUND)];
    match request_text.trim() {
        "" => return Vec::new(),
        "settings" => kept.extend(USER_DATA.map(|name| state.join(name))),
        _ => {}
    }
    let empty = |kept: Vec<PathBuf>| {
        may(Step::Empty {
            folder: state.to_owned(),
            kept,
        })
    };
    let with_request = kept.iter().cloned().chain([request()]).collect();
    vec![empty(with_request), empty(kept)]
}

#[cfg(test)]
mod tests {
    use super::plan;

    #[test]
    fn a_reset_is_asked_for_and_ends_with_its_request() {
        let lines = |text| {
            let plan = plan(text).into_iter().map(|step| step.to_string());
            plan.collect::<Vec<_>>()
        };
        assert!(lines("").is_empty() && lines("\n").is_empty());
        assert_eq!(
            lines("everything\n"),
            [
                "may  empty /state but /state/lost+found, /state/var/lib/rancher/reset",
                "may  empty /state but /state/lost+found",
            ]
        );
        assert_eq!(
            lines("settings"),
            [
                "may  empty /state but /state/lost+found, /state/home, /state/opt, /state/var/lib/user-docker, \
                 /state/var/lib/rancher/reset",
                "may  empty /state but /state/lost+found, /state/home, /state/opt, /state/var/lib/user-docker",
            ]
        );
    }
}
