//! `ros console-init`: makes the console container a place to log in to, then keeps gettys and sshd running.
//!
//! Order: homes and keys, `write_files`, sshd's settings; then gettys and sshd start, and only then
//! the user's own commands run beside them: a `runcmd` that hangs must not lock anybody out.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use os_config::{Config, Loaded};

use crate::accounts;
use crate::respawn;
use crate::ssh_server;
use crate::write_files;

/// Written when `runcmd` and its like have run; the user's services wait for it.
pub(crate) const DONE: &str = "/run/console-done";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let loaded = os_config::load::load(Path::new("/"));
    let config = &loaded.config;
    // A step that fails is said and the next one is taken: half a console is better than none.
    for (what, result) in [
        ("preparing the homes", accounts::prepare(config)),
        ("setting passwords", accounts::set_password(config)),
        ("writing files", write_files::write_all(config, "console")),
        ("setting up sshd", ssh_server::prepare(&loaded)),
        ("writing the login message", write_message(&loaded)),
    ] {
        if let Err(error) = result {
            init::announce::line(&format!("ros: console: {what}: {error:#}"));
        }
    }
    start_user_commands();
    respawn::keep(programs(config, &init::kernel_line::read(Path::new("/"))))
}

/// The user's own commands, in a process of their own (`ros runcmd`).
fn start_user_commands() {
    let _ = std::fs::remove_file(DONE);
    let started = Command::new("/proc/self/exe")
        .arg("runcmd")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // respawn's loop collects it when it ends.
    if let Err(error) = started {
        init::announce::line(&format!("ros: console: starting runcmd: {error}"));
    }
}

/// What the console keeps running: a getty on tty1 and on every serial console, and sshd.
fn programs(config: &Config, line: &str) -> Vec<Vec<String>> {
    let disabled = config
        .rancher
        .disable
        .iter()
        .any(|word| word == "autologin");
    let logged_in: Vec<&str> = if disabled {
        Vec::new()
    } else {
        init::kernel_line::values(line, "rancher.autologin")
    };
    let mut programs: Vec<Vec<String>> = terminals(line)
        .into_iter()
        .map(|terminal| getty(&terminal, logged_in.contains(&terminal.as_str())))
        .collect();
    if config.rancher.ssh.daemon {
        programs.push(["/usr/sbin/sshd", "-D", "-e"].map(str::to_owned).into());
    }
    programs
}

fn getty(terminal: &str, log_in: bool) -> Vec<String> {
    let mut argv = vec!["/sbin/agetty".to_owned(), "--noclear".to_owned()];
    if log_in {
        argv.extend(["--autologin".to_owned(), "rancher".to_owned()]);
    }
    if terminal.starts_with("ttyS") {
        argv.extend(["--keep-baud", "115200,57600,38400,9600"].map(str::to_owned));
    }
    let kind = if terminal.starts_with("tty") && !terminal.starts_with("ttyS") {
        "linux"
    } else {
        "vt220"
    };
    argv.extend([terminal.to_owned(), kind.to_owned()]);
    argv
}

/// tty1 always; serial lines where the kernel line names them as a console.
fn terminals(line: &str) -> Vec<String> {
    let mut names = vec!["tty1".to_owned()];
    for value in init::kernel_line::values(line, "console") {
        let name = value.split(',').next().unwrap_or(value).to_owned();
        let is_screen = name == "tty"
            || name
                .strip_prefix("tty")
                .is_some_and(|n| n.parse::<u8>().is_ok());
        if !is_screen && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What one sees after logging in: how to go on, and what is wrong with the configuration.
fn write_message(loaded: &Loaded) -> Result<()> {
    let mut text = String::from(
        "\nPaddockOS: every service here is a container.\n\
         \x20 docker ps          your containers\n\
         \x20 system-docker ps   the system's (as root)\n\
         \x20 ros --help         settings, services, power\n\n",
    );
    if !loaded.problems.is_empty() {
        text.push_str("The configuration has problems (`sudo ros config validate` explains):\n");
        for problem in &loaded.problems {
            text.push_str(&format!("  {problem}\n"));
        }
        text.push('\n');
    }
    std::fs::write("/etc/motd", text).context("writing /etc/motd")
}

#[cfg(test)]
mod tests {
    use super::{programs, terminals};
    use os_config::Config;

    #[test]
    fn serial_lines_are_those_of_the_kernel_line() {
        for (line, expected) in [
            ("", vec!["tty1"]),
            ("console=ttyS0,115200 console=tty0", vec!["tty1", "ttyS0"]),
            (
                "console=tty1 console=ttyS1 console=ttyS1 console=hvc0",
                vec!["tty1", "ttyS1", "hvc0"],
            ),
        ] {
            assert_eq!(terminals(line), expected, "{line:?}");
        }
    }

    #[test]
    fn only_named_terminals_log_in_by_themselves() {
        let line = "console=ttyS0 rancher.autologin=ttyS0";
        let mut config = Config::default();
        config.rancher.ssh.daemon = true;
        let list: Vec<String> = programs(&config, line)
            .iter()
            .map(|argv| argv.join(" "))
            .collect();
        assert_eq!(
            list,
            [
                "/sbin/agetty --noclear tty1 linux",
                "/sbin/agetty --noclear --autologin rancher --keep-baud 115200,57600,38400,9600 ttyS0 vt220",
                "/usr/sbin/sshd -D -e",
            ]
        );
        config.rancher.disable = vec!["autologin".into()];
        config.rancher.ssh.daemon = false;
        assert!(
            !programs(&config, line)
                .iter()
                .flatten()
                .any(|word| word.contains("autologin") || word.contains("sshd"))
        );
    }
}
