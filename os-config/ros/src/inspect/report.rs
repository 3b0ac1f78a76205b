//! `ros report`: an archive with the state of the machine, without secrets, to hand to a helper.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use host::paths::{REPORT_PREFIX, SYSTEM_DOCKER_LOG};
use host::problems;
use os_config::{Config, atomic_file, kernel_line};

use crate::inspect::secrets::{redact, secrets};
use crate::privilege;

/// Seconds that each program gets: an engine that hangs is a reason to ask for a report.
const PROGRAM_TIMEOUT: &str = "60";
/// Lines of each container's output.
const LOG_LINES: &str = "300";

/// Files of the archive, each with the command that fills it. Each command runs by itself: a command that fails says so
/// in its file.
const COMMANDS: [(&str, &[&str]); 13] = [
    ("status.txt", &["ros", "status"]),
    ("status.json", &["ros", "status", "--format", "json"]),
    ("boot-time.txt", &["ros", "boot-time"]),
    ("validate.txt", &["ros", "config", "validate"]),
    ("services.txt", &["ros", "service", "list", "--all"]),
    (
        "system-containers.txt",
        &["system-docker", "ps", "--all", "--no-trunc"],
    ),
    ("user-containers.txt", &["docker", "ps", "--all"]),
    ("docker-info.txt", &["docker", "info"]),
    ("addresses.txt", &["ip", "address"]),
    ("routes.txt", &["ip", "route"]),
    ("disks.txt", &["lsblk", "--fs"]),
    ("mounts.txt", &["findmnt"]),
    ("dmesg.txt", &["dmesg"]),
];
/// Files that are copied.
const FILES: [&str; 5] = [
    "/etc/os-release",
    SYSTEM_DOCKER_LOG,
    "/var/log/docker.log",
    "/var/log/runcmd.log",
    "/etc/resolv.conf",
];

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: sudo ros report --output /tmp/report.tar.gz")]
pub(crate) struct Args {
    /// The archive; a name with the time in /tmp without.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    privilege::require_root("ros report")?;
    remove_leftovers();
    let folder = PathBuf::from(format!("{REPORT_PREFIX}{}", std::process::id()));
    let output = args.output.clone().unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seconds = now.map(|now| now.as_secs()).unwrap_or_default();
        PathBuf::from(format!("/tmp/paddock-report-{seconds}.tar.gz"))
    });
    let config = os_config::load::load(Path::new("/")).config;
    let result = make_archive(&config, &folder, &output);
    // The folder is removed after an error too, because it takes memory.
    let _ = fs::remove_dir_all(&folder);
    result?;
    println!("{}", output.display());
    Ok(ExitCode::SUCCESS)
}

/// Removes the folders of interrupted reports: they take memory.
fn remove_leftovers() {
    let entries = fs::read_dir(Path::new(REPORT_PREFIX).parent().unwrap_or(Path::new("/")));
    for path in entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
    {
        let name = path.display().to_string();
        if let Some(pid) = name.strip_prefix(REPORT_PREFIX)
            && !Path::new("/proc").join(pid).exists()
        {
            let _ = fs::remove_dir_all(path);
        }
    }
}

fn make_archive(config: &Config, folder: &Path, output: &Path) -> Result<()> {
    let secrets = secrets(config);
    let add = |name: &str, text: &str| {
        let file = folder.join(name);
        atomic_file::replace(&file, redact(text, &secrets).as_bytes(), 0o600)
            .with_context(|| format!("writing {}", file.display()))
    };
    for (name, argv) in COMMANDS {
        eprintln!("{}", argv.join(" "));
        add(name, &output_of(argv))?;
    }
    add("config.yml", &configuration()?)?;
    for name in config.rancher.services.keys() {
        let argv = ["ros", "service", "logs", "--tail", LOG_LINES, name];
        add(&format!("logs/{name}.txt"), &output_of(&argv))?;
    }
    for file in FILES {
        let name = file.trim_start_matches('/').replace('/', "-");
        let bytes = fs::read(file).unwrap_or_default();
        add(&name, &String::from_utf8_lossy(&bytes))?;
    }
    let problems: Vec<String> = problems::list().into_iter().map(|it| it.text).collect();
    add("problems.txt", &problems.join("\n"))?;
    let line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    add("kernel-line.txt", &kernel_line::mask_secrets(&line))?;
    let packed = Command::new("tar")
        .args(["--create", "--gzip", "--file", "-", "--directory"])
        .arg(folder)
        .arg(".")
        .output()
        .context("starting tar")?;
    let said = String::from_utf8_lossy(&packed.stderr);
    anyhow::ensure!(packed.status.success(), "tar: {}", said.trim());
    // Only root may read the archive. The name in /tmp can be guessed, and a link of a user's there is not followed.
    atomic_file::replace(output, &packed.stdout, 0o600)
        .with_context(|| format!("writing {}", output.display()))
}

/// The configuration without secrets, as an export has it, and without the user's commands, which may hold any.
fn configuration() -> Result<String> {
    let mut value = os_config::load::export(Path::new("/"), true, false);
    for key in ["runcmd", "bootcmd"] {
        if let Some(map) = value.as_mapping_mut() {
            map.remove(key);
        }
    }
    serde_yaml::to_string(&value).context("writing the configuration")
}

/// The standard output and standard error of a program.
fn output_of(argv: &[&str]) -> String {
    let program = argv.first().unwrap_or(&"true");
    let output = Command::new("timeout")
        .arg(PROGRAM_TIMEOUT)
        .args(argv)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => {
            let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            stdout + &String::from_utf8_lossy(&output.stderr)
        }
        Err(error) => format!("{program}: {error}\n"),
    }
}
