//! `ros console-init`: prepares the console container for logins, then keeps gettys and sshd running.
//!
//! Order: homes and keys, `write_files`, sshd's settings; then gettys and sshd start, and the user's own commands run
//! beside them: a `runcmd` that hangs must not lock users out.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;
use host::paths::CONSOLE_DONE;
use host::problems::{self, ProblemRecord};
use host::step::Step;
use os_config::Config;

use crate::console::accounts::{authorized_keys, default_users, passwords, revocation, users};
use crate::console::ca_certs;
use crate::console::motd;
use crate::console::mounts;
use crate::console::profile;
use crate::console::respawn;
use crate::console::ssh_server;
use crate::console::terminals;
use crate::console::write_files;
use crate::extra_engines::client_command;
use crate::subprocess;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only see whether the image's programs can be started.
    #[arg(long)]
    trial: bool,
}

/// The word of the kernel line for a machine whose terminals anybody can reach. No configuration takes it back.
const LOCKED: &str = "paddock.locked";
/// Folders that containers or users fill: a program in them has only the rights of the user that starts it.
const RESTRICTED: [&str; 5] = ["/home", "/tmp", "/run", "/mnt", "/media"];
/// Lists of more programs to keep running, as in RancherOS.
const MORE_PROGRAMS: &str = "/etc/respawn.conf.d";
/// Programs that a console needs, each with an argument that ends it at once.
const PROGRAMS: [[&str; 2]; 4] = [
    ["/bin/bash", "--version"],
    ["/sbin/agetty", "--version"],
    ["/usr/bin/sudo", "--version"],
    ["/usr/sbin/sshd", "-V"],
];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.trial {
        return subprocess::try_all(&PROGRAMS).map(|()| ExitCode::SUCCESS);
    }
    let loaded = os_config::load::load(Path::new("/"));
    let config = &loaded.config;
    let line = host::kernel_line::read(Path::new("/"));
    let exists = |name: &str| Path::new("/dev").join(name).exists();
    let terminals = terminals::terminals(&line, &config.rancher.autologin, exists);
    for name in terminals.absent {
        let text = format!("this machine has no terminal {name}; no login there");
        problems::report(&ProblemRecord::error(
            "console.terminal",
            "console= and rancher.autologin",
            text,
        ));
    }
    // A step that fails is reported and the next step follows: half a console is better than no console.
    for (what, result) in [
        ("keeping programs of others from root", restrict_folders()),
        ("preparing the homes", default_users::prepare()),
        ("making users", users::make_all(config)),
        ("setting passwords", passwords::set_passwords(config)),
        ("closing old accounts", revocation::revoke(config)),
        ("authorizing keys", authorized_keys::write_all(config)),
        ("writing files", write_files::write_above_mounts(config)),
        ("mounting", mounts::mount_local(config)),
        ("writing files", write_files::write_below_mounts(config)),
        ("trusting certificates", ca_certs::install(&config.ca_certs)),
        (
            "writing the commands of further engines",
            client_command::write_all(config),
        ),
        ("writing the shells' variables", profile::write(config)),
        ("writing the login message", motd::write(&loaded)),
    ] {
        if let Err(error) = result {
            report(&format!("{what}: {error:#}"));
        }
    }
    // The banner shows the problems of the steps above.
    let mut failures = Vec::new();
    let sshd = ssh_server::prepare(&loaded, &mut failures);
    for failure in failures {
        report(&format!("setting up sshd: {failure}"));
    }
    start_user_commands();
    let is_locked = host::kernel_line::is_on(&line, LOCKED);
    respawn::keep_running(programs(
        log_in_by_themselves(config, is_locked),
        terminals.present,
        sshd,
    ))
}

/// Gives folders the flags that PID 1 mounted them with: crun leaves them out of a container's mounts.
fn restrict_folders() -> Result<()> {
    for target in RESTRICTED {
        host::perform::run_step(&Step::Restrict {
            target: PathBuf::from(target),
        })?;
    }
    Ok(())
}

fn report(text: &str) {
    let text = format!("console: {text}");
    problems::report(&ProblemRecord::error("console", "console", text));
}

/// Starts the user's own commands as a process of their own (`ros runcmd`).
fn start_user_commands() {
    let _ = std::fs::remove_file(CONSOLE_DONE);
    let started = Command::new("/proc/self/exe")
        .arg("runcmd")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // The loop of `respawn` reaps the process when it ends.
    if let Err(error) = started {
        host::console::print_line(&format!("ros: console: starting runcmd: {error}"));
    }
}

/// The terminals that log in without a password: none on a machine that the kernel line locks.
fn log_in_by_themselves(config: &Config, is_locked: bool) -> &[String] {
    let rancher = &config.rancher;
    if is_locked || rancher.disable.iter().any(|word| word == "autologin") {
        &[]
    } else {
        &rancher.autologin
    }
}

/// The programs that the console keeps running: a getty on each of `terminals`, sshd, and the lists of programs.
fn programs(
    logged_in: &[String],
    terminals: Vec<String>,
    sshd: Option<Vec<String>>,
) -> Vec<Vec<String>> {
    let mut programs: Vec<Vec<String>> = terminals
        .into_iter()
        .map(|terminal| terminals::getty(&terminal, logged_in.contains(&terminal)))
        .collect();
    programs.extend(sshd);
    programs.extend(respawn::read_folder(Path::new(MORE_PROGRAMS)));
    programs
}

#[cfg(test)]
mod tests {
    use super::{log_in_by_themselves, programs};
    use os_config::Config;

    fn lines(config: &Config, is_locked: bool, sshd: Option<Vec<String>>) -> Vec<String> {
        let terminals = vec!["tty1".to_owned(), "ttyS0".to_owned()];
        programs(log_in_by_themselves(config, is_locked), terminals, sshd)
            .iter()
            .map(|argv| argv.join(" "))
            .collect()
    }

    #[test]
    fn only_named_terminals_log_in_by_themselves() {
        let mut config = Config::default();
        config.rancher.autologin = vec!["ttyS0".into()];
        let sshd = || Some(vec!["/usr/sbin/sshd".to_owned()]);
        let closed = [
            "/sbin/agetty --noclear tty1 linux",
            "/sbin/agetty --noclear --keep-baud 115200,57600,38400,9600 ttyS0 vt220",
            "/usr/sbin/sshd",
        ];
        assert_eq!(
            lines(&config, false, sshd()),
            [
                closed[0],
                "/sbin/agetty --noclear --autologin rancher --keep-baud 115200,57600,38400,9600 ttyS0 vt220",
                closed[2],
            ]
        );
        assert_eq!(lines(&config, true, sshd()), closed);
        config.rancher.disable = vec!["autologin".into()];
        assert_eq!(lines(&config, false, sshd()), closed);
        assert_eq!(lines(&config, false, None), closed[..2]);
    }
}
