//! `ros runcmd`: the user's own commands of a boot, in the console: `runcmd`, the user-data script,
//! `/opt/rancher/bin/start.sh`, `/etc/rc.local`.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command as Process, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use host::paths::{COMMANDS_DONE, CONSOLE_DONE, DEVICES_SEEN, USER_DOCKER_RUN};
use host::problems::{self, ProblemRecord};
use os_config::Command;

use crate::cloud_init;
use crate::console::mounts;

/// The output of the commands, also of those that stay in the background. `respawn` keeps it below its limit.
pub(crate) const LOG: &str = "/var/log/runcmd.log";
/// RancherOS's script that runs before Docker.
pub(crate) const START: &str = "/opt/rancher/bin/start.sh";
const RC_LOCAL: &str = "/etc/rc.local";
const DEVICES_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let config = os_config::load::load(Path::new("/")).config;
    // A server that does not answer must not hold up the login, so these mounts are made here.
    let network_mounts = mounts::NetworkMounts::begin(&config);
    let scripts = cloud_init::scripts();
    let others = [START, RC_LOCAL]
        .iter()
        .any(|path| Path::new(path).exists());
    if !config.runcmd.is_empty() || !scripts.is_empty() || others {
        wait_for_devices();
    }
    network_mounts.wait_a_while();
    // A command that fails does not keep the other lists and scripts from running, as in RancherOS.
    let mut outcomes = vec![run_list("runcmd", &config.runcmd)];
    outcomes.extend(scripts.iter().map(|path| run_script(path)));
    outcomes.push(run_script(Path::new(START)));
    // Services wait for this file, and a failed command must not hold them up for ever. It is in memory.
    std::fs::write(CONSOLE_DONE, "").with_context(|| format!("writing {CONSOLE_DONE}"))?;
    mark_for_engines();
    outcomes.push(run_script(Path::new(RC_LOCAL)));
    let errors: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    for error in &errors {
        let text = format!("{error:#} (see {LOG})");
        problems::report(&ProblemRecord::error("runcmd", "ros runcmd", text));
    }
    network_mounts.wait();
    Ok(if errors.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Marks in the folders of the engines' sockets, the only folders in memory that they see, that they may start.
fn mark_for_engines() {
    let socket_folder = Path::new(USER_DOCKER_RUN);
    let parent = socket_folder.parent().unwrap_or(socket_folder);
    let prefix = socket_folder.file_name().unwrap_or_default();
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_engine = name
            .as_encoded_bytes()
            .starts_with(prefix.as_encoded_bytes());
        // An engine starts without the mark too, later.
        if is_engine && let Err(error) = std::fs::write(entry.path().join(COMMANDS_DONE), "") {
            eprintln!("ros runcmd: marking {}: {error}", entry.path().display());
        }
    }
}

/// Commands may mount by label: the links under /dev/disk are there once udev has seen every device.
fn wait_for_devices() {
    let began = Instant::now();
    while !Path::new(DEVICES_SEEN).exists() && began.elapsed() < DEVICES_TIMEOUT {
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Runs the commands in order. The first failure ends the list, as in RancherOS.
pub(crate) fn run_list(name: &str, commands: &[Command]) -> Result<()> {
    for (number, command) in commands.iter().enumerate() {
        let argv = argv_of(command);
        // A command may hold a password, and consoles and reports show the problem.
        execute(&argv).with_context(|| format!("{name}: command {}", number + 1))?;
    }
    Ok(())
}

fn argv_of(command: &Command) -> Vec<String> {
    match command {
        Command::Shell(text) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone()],
        Command::Exec(argv) => argv.clone(),
    }
}

fn run_script(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let Ok(meta) = std::fs::metadata(path) else {
        return Ok(());
    };
    if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 {
        return Ok(());
    }
    let name = path.display().to_string();
    let mut result = execute(std::slice::from_ref(&name));
    if result.as_ref().is_err_and(is_no_program) {
        // A script that does not name its shell.
        result = execute(&["/bin/sh".to_owned(), name.clone()]);
    }
    result.with_context(|| format!("running {name}"))
}

fn is_no_program(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.and_then(std::io::Error::raw_os_error) == Some(nix::libc::ENOEXEC)
}

fn execute(argv: &[String]) -> Result<()> {
    let (program, arguments) = argv.split_first().context("the command is empty")?;
    let log = open_log()?;
    let status = Process::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("opening the log")?)
        .stderr(log)
        .status()
        .with_context(|| format!("starting {program}"))?;
    anyhow::ensure!(status.success(), "ended with {status}");
    Ok(())
}

fn open_log() -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(LOG)
        // The commands matter more than their log, which a full disk cannot take.
        .or_else(|_| OpenOptions::new().write(true).open("/dev/null"))
        .with_context(|| format!("opening {LOG}"))
}
