//! `ros console-init`: makes the console container a place to log in to, then keeps gettys and sshd running.
//!
//! Order: homes and keys, `write_files`, sshd's settings; then gettys and sshd start, and only then
//! the user's own commands run beside them: a `runcmd` that hangs must not lock anybody out.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use os_config::{Config, Loaded};

use crate::console::accounts;
use crate::console::ca_certs;
use crate::console::mounts;
use crate::console::respawn;
use crate::console::ssh_server;
use crate::console::users;
use crate::console::write_files;
use crate::extra_engines::client_command;
use crate::subprocess;

/// Written when `runcmd` and its like have run; the user's services wait for it.
pub(crate) const DONE: &str = "/run/console-done";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only see whether the image's programs can be started.
    #[arg(long)]
    trial: bool,
}

/// Lists of further programs that are kept running, as RancherOS has them.
const MORE_PROGRAMS: &str = "/etc/respawn.conf.d";
/// What a console cannot do without, with what makes each end at once.
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
    let (terminals, absent) =
        partition_terminals(&line, |name| Path::new("/dev").join(name).exists());
    for name in absent {
        host::problems::report(&format!(
            "kernel line: this machine has no terminal {name}; no login there"
        ));
    }
    // A step that fails is said and the next one is taken: half a console is better than none.
    for (what, result) in [
        ("preparing the homes", accounts::prepare(config)),
        ("making users", users::make_all(config)),
        ("setting passwords", accounts::set_passwords(config)),
        ("mounting", mounts::mount_all(config)),
        ("writing files", write_files::write_all(config)),
        ("trusting certificates", ca_certs::install(&config.ca_certs)),
        ("setting up sshd", ssh_server::prepare(&loaded)),
        (
            "writing the commands of further engines",
            client_command::write_all(config),
        ),
        ("writing the login message", write_message(&loaded)),
    ] {
        if let Err(error) = result {
            host::problems::report(&format!("console: {what}: {error:#}"));
        }
    }
    start_user_commands();
    respawn::keep_running(programs(config, &line, terminals))
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
        host::console::line(&format!("ros: console: starting runcmd: {error}"));
    }
}

/// What the console keeps running: a getty on each of `terminals`, and sshd.
fn programs(config: &Config, line: &str, terminals: Vec<String>) -> Vec<Vec<String>> {
    let disabled = config
        .rancher
        .disable
        .iter()
        .any(|word| word == "autologin");
    let logged_in: Vec<&str> = if disabled {
        Vec::new()
    } else {
        host::kernel_line::values(line, "rancher.autologin")
    };
    let mut programs: Vec<Vec<String>> = terminals
        .into_iter()
        .map(|terminal| getty(&terminal, logged_in.contains(&terminal.as_str())))
        .collect();
    if config.rancher.ssh.daemon {
        programs.push(["/usr/sbin/sshd", "-D", "-e"].map(str::to_owned).into());
    }
    programs.extend(respawn::read_folder(Path::new(MORE_PROGRAMS)));
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

/// Where logins are offered, and the terminals that the kernel line names but the machine lacks:
/// tty1 where there is a screen, further ones of it that log in by themselves, and serial lines that do or are a
/// console.
fn partition_terminals(line: &str, exists: impl Fn(&str) -> bool) -> (Vec<String>, Vec<String>) {
    let consoles = host::kernel_line::values(line, "console");
    let logged_in = host::kernel_line::values(line, "rancher.autologin");
    let mut named: Vec<String> = Vec::new();
    let further = logged_in.iter().filter(|name| screen(name) > Some(1));
    named.extend(further.map(|name| (*name).to_owned()));
    for value in consoles.into_iter().chain(logged_in) {
        let name = value.split(',').next().unwrap_or(value);
        // `console=` also takes words that are no terminal: netcon0, uart8250, null.
        let is_line = (name.starts_with("tty") || name.starts_with("hvc")) && !name.contains('/');
        if is_line && screen(name).is_none() && !named.iter().any(|known| known == name) {
            named.push(name.to_owned());
        }
    }
    let (mut present, absent): (Vec<String>, Vec<String>) =
        named.into_iter().partition(|name| exists(name));
    if exists("tty1") {
        present.insert(0, "tty1".to_owned());
    }
    (present, absent)
}

/// Which terminal of the screen `tty`, `tty0`, `tty1`… is; its login is on tty1.
fn screen(name: &str) -> Option<u8> {
    match name.strip_prefix("tty")? {
        "" => Some(0),
        number => number.parse().ok(),
    }
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
    use super::{partition_terminals, programs};
    use os_config::Config;

    #[test]
    fn serial_lines_are_those_of_the_kernel_line() {
        for (line, present, absent) in [
            ("", vec!["tty1"], vec![]),
            (
                "console=ttyS0,115200 console=tty0",
                vec!["tty1", "ttyS0"],
                vec![],
            ),
            (
                "console=tty1 console=ttyS1 console=ttyS1 console=hvc0",
                vec!["tty1", "ttyS1", "hvc0"],
                vec![],
            ),
            (
                "console=ttyS9 console=ttyS0 console= console=uart8250,io,0x3f8 rancher.autologin=ttyS8",
                vec!["tty1", "ttyS0"],
                vec!["ttyS9", "ttyS8"],
            ),
            ("console=tty/../mem", vec!["tty1"], vec![]),
            (
                "console=tty3 rancher.autologin=tty1 rancher.autologin=tty2 rancher.autologin=ttyS0",
                vec!["tty1", "tty2", "ttyS0"],
                vec![],
            ),
        ] {
            let found = partition_terminals(line, |name| !matches!(name, "ttyS8" | "ttyS9"));
            assert_eq!(found.0, present, "{line:?}");
            assert_eq!(found.1, absent, "{line:?}");
        }
        assert_eq!(
            partition_terminals("console=ttyS0", |name| name == "ttyS0").0,
            ["ttyS0"]
        );
    }

    #[test]
    fn only_named_terminals_log_in_by_themselves() {
        let line = "console=ttyS0 rancher.autologin=ttyS0";
        let mut config = Config::default();
        config.rancher.ssh.daemon = true;
        let terminals = || vec!["tty1".to_owned(), "ttyS0".to_owned()];
        let list: Vec<String> = programs(&config, line, terminals())
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
            !programs(&config, line, terminals())
                .iter()
                .flatten()
                .any(|word| word.contains("autologin") || word.contains("sshd"))
        );
    }
}
