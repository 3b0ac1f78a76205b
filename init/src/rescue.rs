//! The rescue console: a root shell on every console, when boot cannot go on or the kernel line asks for it.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use host::console;
use host::process;

const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Prints `why`, opens the shells, and returns when the user leaves the first of them.
pub(crate) fn open_console(why: &str, afterwards: &str) {
    console::print_line(why);
    console::print_line(&format!(
        "ros: rescue console; leave it with `exit`: {afterwards}"
    ));
    let mut shells: Vec<Pid> = terminals(console::active_consoles())
        .iter()
        .filter_map(|terminal| open_shell(terminal))
        .collect();
    if shells.is_empty() {
        console::print_line("ros: no shell could be opened on any console; rebooting in 60 s");
        sleep(Duration::from_secs(60));
        return;
    }
    loop {
        let ended = process::reap();
        if ended.iter().any(|(pid, _)| shells.contains(pid)) {
            shells.retain(|shell| !ended.iter().any(|(pid, _)| pid == shell));
            for shell in shells {
                let _ = kill(shell, Signal::SIGHUP);
            }
            return;
        }
        sleep(POLL_INTERVAL);
    }
}

/// The console devices that a person can type at: the first virtual terminal stands for the terminal in the foreground.
fn terminals(mut consoles: Vec<String>) -> Vec<String> {
    for name in consoles.iter_mut().filter(|name| *name == "tty0") {
        "tty1".clone_into(name);
    }
    consoles.dedup();
    consoles
}

fn open_shell(terminal: &str) -> Option<Pid> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open(Path::new("/dev").join(terminal))
        .ok()?;
    // The OS root has bash and util-linux, the initrd has busybox: both know `setsid -c`, which
    // makes the terminal the shell's own so that Ctrl-C works.
    let mut command = if Path::new("/usr/bin/bash").exists() {
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
    use super::terminals;

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
