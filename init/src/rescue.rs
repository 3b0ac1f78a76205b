//! The rescue console: a root shell on every console, when boot cannot go on or the kernel line asks for it.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use host::console;
use host::kernel_line;
use host::paths::RESCUE_SHADOW;
use host::perform::{self, unmount};
use host::process::{self, deadline};
use host::slot::start;
use host::step::Step;
use os_config::{atomic_file, bounded_file};

use crate::plan::rescue;
use crate::rescue_reboots;

const SHADOW: &str = "/etc/shadow";
const SULOGIN: &str = "/usr/sbin/sulogin";
/// The limit for counting a reboot on the state disk.
const COUNT_TIMEOUT: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Keys count after this. A shell asks its terminal for the cursor's place as it starts, and a screen of the kernel answers by
/// itself, as if a person had typed.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// How the rescue console came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The user has left the first of the shells.
    Left,
    /// Nobody has pressed a key, or nobody can.
    Idle,
}

/// Whether a person is known to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The kernel line asks for the console.
    Asked,
    /// The boot cannot go on. Nobody may be at the machine.
    Failure,
}

/// Prints `why`, opens the shells, and waits until a person leaves them; after a failure not for ever.
pub(crate) fn open_console(why: &str, afterwards: &str, occasion: Occasion) -> Outcome {
    console::print_line(why);
    console::print_line(&format!(
        "ros: rescue console; leave it with `exit`: {afterwards}"
    ));
    if occasion == Occasion::Failure {
        console::print_line(&format!(
            "ros: the machine reboots if no key is pressed in {} minutes",
            rescue::IDLE_LIMIT.as_secs() / 60
        ));
    }
    let has_password = protect();
    let outcome = wait_for_person(has_password, occasion);
    if has_password {
        unmount::try_unmount(Path::new(SHADOW));
    }
    outcome
}

fn wait_for_person(has_password: bool, occasion: Occasion) -> Outcome {
    let terminals = terminals(console::active_consoles());
    let last_keys =
        || -> Vec<Option<SystemTime>> { terminals.iter().map(|name| last_key(name)).collect() };
    let mut settled: Option<Vec<Option<SystemTime>>> = None;
    let mut shells: Vec<Pid> = terminals
        .iter()
        .filter_map(|terminal| open_shell(terminal, has_password))
        .collect();
    if shells.is_empty() {
        console::print_line("ros: no shell could be opened on any console; rebooting in 60 s");
        sleep(Duration::from_secs(60));
        return Outcome::Idle;
    }
    let began = Instant::now();
    let mut is_watched = occasion == Occasion::Failure;
    loop {
        let ended = process::reap();
        let is_left = ended.iter().any(|(pid, _)| shells.contains(pid));
        if settled.is_none() && began.elapsed() >= SETTLE_TIME {
            settled = Some(last_keys());
        }
        let has_key = settled
            .as_ref()
            .is_some_and(|before| *before != last_keys());
        let is_idle = is_watched && !is_left && rescue::is_idle(began.elapsed(), has_key);
        if is_left || (is_idle && may_reboot()) {
            shells.retain(|shell| !ended.iter().any(|(pid, _)| pid == shell));
            for shell in shells {
                let _ = kill(shell, Signal::SIGHUP);
            }
            return if is_left {
                Outcome::Left
            } else {
                Outcome::Idle
            };
        }
        is_watched &= !is_idle;
        sleep(POLL_INTERVAL);
    }
}

/// The time of the last key. The kernel sets it when a program reads from the terminal, every eight seconds at most.
fn last_key(terminal: &str) -> Option<SystemTime> {
    let device = fs::metadata(Path::new("/dev").join(terminal)).ok()?;
    device.accessed().ok()
}

/// Counts the reboot, and returns whether the machine may do it.
fn may_reboot() -> bool {
    let counted = deadline::within(COUNT_TIMEOUT, rescue_reboots::add, drop);
    let start = start::read(&kernel_line::read(Path::new("/")));
    let is_counted_start = start.is_some_and(|start| start.sequence.is_some());
    let limit = rescue::reboot_limit(is_counted_start);
    let may_reboot = rescue::reboots(counted.and_then(Result::ok), limit);
    console::print_line(&match may_reboot {
        true => "ros: nobody is at the rescue console".to_owned(),
        false => format!("ros: the machine has rebooted {limit} times by itself; it waits now"),
    });
    may_reboot
}

/// Lets the shells ask for the password of rancher, if one is set. Before the state is mounted none is known. Returns
/// whether they ask.
fn protect() -> bool {
    let shadow = bounded_file::text(Path::new(SHADOW)).unwrap_or_default();
    let Some(text) = with_password_of_root(&shadow) else {
        return false;
    };
    if !Path::new(SULOGIN).exists() {
        return false;
    }
    let written = atomic_file::replace(Path::new(RESCUE_SHADOW), text.as_bytes(), 0o600);
    let shown = written.map_err(anyhow::Error::from).and_then(|()| {
        perform::run_step(&Step::Bind {
            source: RESCUE_SHADOW.into(),
            target: SHADOW.into(),
        })
    });
    if let Err(error) = &shown {
        // A machine that nobody can mend is worse: whoever sits at it can replace its disk, too.
        log::warn!("asking for a password: {error:#}");
    }
    shown.is_ok()
}

/// The text of `/etc/shadow` in which root has the password of rancher; `None` if rancher has none.
fn with_password_of_root(shadow: &str) -> Option<String> {
    let field = |line: &str| line.split(':').nth(1).map(str::to_owned);
    let hash = shadow
        .lines()
        .find(|line| line.starts_with("rancher:"))
        .and_then(field)
        .filter(|hash| hash.starts_with('$'))?;
    let lines = shadow.lines().filter(|line| !line.starts_with("root:"));
    let mut text = format!("root:{hash}:::::::\n");
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    Some(text)
}

/// The console devices that a person can type at: the first virtual terminal stands for the terminal in the foreground.
fn terminals(mut consoles: Vec<String>) -> Vec<String> {
    for name in consoles.iter_mut().filter(|name| *name == "tty0") {
        "tty1".clone_into(name);
    }
    consoles.dedup();
    consoles
}

fn open_shell(terminal: &str, has_password: bool) -> Option<Pid> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open(Path::new("/dev").join(terminal))
        .ok()?;
    // The OS root has bash and util-linux, the initrd has busybox: both know `setsid -c`, which
    // makes the terminal the shell's own so that Ctrl-C works.
    let mut command = if has_password {
        let mut command = Command::new("/usr/bin/setsid");
        command.args(["-c", SULOGIN, "-p"]);
        command
    } else if Path::new("/usr/bin/bash").exists() {
        let mut command = Command::new("/usr/bin/setsid");
        command.args(["-c", "/usr/bin/bash", "-l"]);
        command
    } else {
        let mut command = Command::new("/bin/busybox");
        command.args(["setsid", "-c", "/bin/busybox", "sh"]);
        command
    };
    let child = command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("TERM", "linux")
        .env("PS1", "rescue# ")
        .current_dir("/")
        .stdin(Stdio::from(device.try_clone().ok()?))
        .stdout(Stdio::from(device.try_clone().ok()?))
        .stderr(Stdio::from(device))
        .spawn()
        .ok()?;
    Some(process::pid_of(&child))
}

#[cfg(test)]
mod tests {
    use super::{terminals, with_password_of_root};

    #[test]
    fn the_password_is_that_of_rancher() {
        for (shadow, expected) in [
            (
                "root:*:1::::::\nrancher:$6$s$h:1:0:99:7:::\nsshd:!:1::::::\n",
                Some("root:$6$s$h:::::::\nrancher:$6$s$h:1:0:99:7:::\nsshd:!:1::::::\n"),
            ),
            ("root:*:1::::::\nrancher:!:1::::::\n", None),
            ("root:*:1::::::\nrancher:!$6$locked:1::::::\n", None),
            ("", None),
        ] {
            assert_eq!(with_password_of_root(shadow).as_deref(), expected);
        }
    }

    #[test]
    fn a_terminal_has_one_shell() {
        for (consoles, expected) in [
            ("tty0 ttyS0", "tty1 ttyS0"),
            ("tty0 tty1 ttyS0", "tty1 ttyS0"),
            ("console", "console"),
        ] {
            let names = consoles.split(' ').map(str::to_owned).collect();
            assert_eq!(terminals(names).join(" "), expected);
        }
    }
}
