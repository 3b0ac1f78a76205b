//! The probe of System Docker's daemons. Its exit code holds the answers.

use host::paths::{SYSTEM_CONTAINERD_SOCKET, SYSTEM_DOCKER_SOCKET};
use host::process::End;
use host::process::probe::{self, Server};

use crate::plan::engine_health::Answers;

/// The exit code is the sum of these for the daemons that are silent.
const CONTAINERD: u8 = 1;
const DOCKERD: u8 = 2;

/// Probes the daemons and returns the exit code.
pub(super) fn run() -> u8 {
    let [containerd, dockerd] = probe::answers([
        (Server::Containerd, SYSTEM_CONTAINERD_SOCKET),
        (Server::Dockerd, SYSTEM_DOCKER_SOCKET),
    ]);
    write(Answers {
        containerd,
        dockerd,
    })
}

fn write(answers: Answers) -> u8 {
    u8::from(!answers.containerd) * CONTAINERD + u8::from(!answers.dockerd) * DOCKERD
}

/// The answers of a probe; `None` if it did not come to its end.
pub(crate) fn read(end: End) -> Option<Answers> {
    let End::Code(code) = end else {
        return None;
    };
    let code = u8::try_from(code).ok();
    let code = code.filter(|code| *code <= CONTAINERD + DOCKERD)?;
    Some(Answers {
        containerd: code & CONTAINERD == 0,
        dockerd: code & DOCKERD == 0,
    })
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use crate::plan::engine_health::Answers;
    use host::process::End;

    #[test]
    fn answers_pass_through_the_exit_code() {
        for (containerd, dockerd) in [(true, true), (true, false), (false, true), (false, false)] {
            let answers = Answers {
                containerd,
                dockerd,
            };
            assert_eq!(read(End::Code(write(answers).into())), Some(answers));
        }
        // A Rust program that panics ends with 101.
        for end in [
            End::Code(101),
            End::Signal(nix::sys::signal::Signal::SIGKILL),
        ] {
            assert_eq!(read(end), None, "{end}");
        }
    }
}
