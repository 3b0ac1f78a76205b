//! `ros report`: an archive with the state of the machine, without secrets, to hand to a helper.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use host::paths::{LAST_KERNEL_LOG, REPORT_PREFIX, SYSTEM_DOCKER_LOG};
use host::problems;
use os_config::{Config, atomic_file, kernel_line, load};
use serde_yaml::Value;

use crate::inspect::secrets::{mask_kernel_line, redact, secrets};
use crate::privilege;

/// Seconds that each program gets: an engine that hangs is a reason to ask for a report.
const PROGRAM_TIMEOUT: &str = "60";
/// Lines of each container's output.
const LOG_LINES: &str = "300";

/// Files of the archive, each with the command that fills it. Each command runs by itself: a command that fails says so
/// in its file. No command prints command lines, variables or lines of the user's files.
const COMMANDS: [(&str, &[&str]); 13] = [
    ("status.txt", &["ros", "status"]),
    ("status.json", &["ros", "status", "--format", "json"]),
    ("boot-time.txt", &["ros", "boot-time"]),
    (
        "validate.json",
        &["ros", "config", "validate", "--format", "json"],
    ),
    ("services.txt", &["ros", "service", "list", "--all"]),
    (
        "system-containers.txt",
        &[
            "system-docker",
            "ps",
            "--all",
            "--format",
            CONTAINER_COLUMNS,
        ],
    ),
    (
        "user-containers.txt",
        &["docker", "ps", "--all", "--format", CONTAINER_COLUMNS],
    ),
    ("docker-info.txt", &["docker", "info"]),
    ("addresses.txt", &["ip", "address"]),
    ("routes.txt", &["ip", "route"]),
    ("disks.txt", &["lsblk", "--fs"]),
    ("mounts.txt", &["findmnt"]),
    ("dmesg.txt", &["dmesg"]),
];
const CONTAINER_COLUMNS: &str =
    "table {{.ID}}\t{{.Image}}\t{{.CreatedAt}}\t{{.Status}}\t{{.Names}}\t{{.Ports}}";
/// Files that are copied. The output of `runcmd` is the user's own.
const FILES: [&str; 5] = [
    "/etc/os-release",
    LAST_KERNEL_LOG,
    SYSTEM_DOCKER_LOG,
    "/var/log/docker.log",
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
    let root = Path::new("/");
    let secrets = secrets(&load::hidden_texts(root));
    let own_services = names_of_services(&load::export(root, false, true).value);
    let line = host::kernel_line::read(root);
    let add = |name: &str, text: &str| {
        let file = folder.join(name);
        let text = mask_kernel_line(&redact(text, &secrets), &line);
        atomic_file::replace(&file, text.as_bytes(), 0o600)
            .with_context(|| format!("writing {}", file.display()))
    };
    for (name, argv) in COMMANDS {
        eprintln!("{}", argv.join(" "));
        add(name, &output_of(argv))?;
    }
    let shown = load::export(root, true, false);
    let value = serde_yaml::to_string(&shown.value).context("writing the configuration")?;
    add("config.yml", &value)?;
    let mut left_out = shown.left_out;
    left_out.push("/var/log/runcmd.log".to_owned());
    for name in config.rancher.services.keys() {
        // Nobody knows what a service of the user's prints.
        if own_services.contains(name) {
            left_out.push(format!("logs/{name}.txt"));
            continue;
        }
        let argv = ["ros", "service", "logs", "--tail", LOG_LINES, name];
        add(&format!("logs/{name}.txt"), &output_of(&argv))?;
    }
    for file in FILES {
        let name = file.trim_start_matches('/').replace('/', "-");
        let bytes = fs::read(file).unwrap_or_default();
        add(&name, &String::from_utf8_lossy(&bytes))?;
    }
    let said = "Left out, because they may hold secrets:\n";
    add("left-out.txt", &format!("{said}{}\n", left_out.join("\n")))?;
    let problems: Vec<String> = problems::list().into_iter().map(|it| it.text).collect();
    add("problems.txt", &problems.join("\n"))?;
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

fn names_of_services(value: &Value) -> Vec<String> {
    let services = value
        .get("rancher")
        .and_then(|rancher| rancher.get("services"))
        .and_then(Value::as_mapping);
    let names = services.into_iter().flatten();
    names
        .filter_map(|(name, _)| name.as_str().map(str::to_owned))
        .collect()
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
