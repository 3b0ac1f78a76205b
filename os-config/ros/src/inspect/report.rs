//! `ros report`: what somebody who helps needs to see of a machine, in one archive, without what lets him log in.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use os_config::{Config, atomic_file, kernel_line};

use crate::root;

/// Seconds that each program gets: an engine that hangs is a reason to ask for a report.
const PROGRAM_TIMEOUT: &str = "60";
/// Lines of each container's output.
const LINES: &str = "300";
const FOLDER: &str = "/run/ros/report-";
const HIDDEN: &str = "[removed]";
/// Shorter secrets would take half of every text along.
const SHORTEST_SECRET: usize = 3;

/// What is asked, and the file that the answer goes to. Each runs by itself: one that fails says so in its file.
const COMMANDS: [(&str, &[&str]); 14] = [
    ("status.txt", &["ros", "status"]),
    ("status.json", &["ros", "status", "--format", "json"]),
    ("boot-time.txt", &["ros", "boot-time"]),
    ("config.yml", &["ros", "config", "export", "--full"]),
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
/// Files as they are.
const FILES: [&str; 6] = [
    "/etc/os-release",
    "/run/ros/problems",
    "/var/log/system-docker.log",
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
    root::require_root("ros report")?;
    remove_leftovers();
    let folder = PathBuf::from(format!("{FOLDER}{}", std::process::id()));
    let output = args.output.clone().unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seconds = now.map(|now| now.as_secs()).unwrap_or_default();
        PathBuf::from(format!("/tmp/paddock-report-{seconds}.tar.gz"))
    });
    let made = make_archive(&folder, &output);
    // Whatever became of it: the folder is memory.
    let _ = fs::remove_dir_all(&folder);
    made?;
    println!("{}", output.display());
    Ok(ExitCode::SUCCESS)
}

/// What reports that were interrupted have left in memory.
fn remove_leftovers() {
    let entries = fs::read_dir(Path::new(FOLDER).parent().unwrap_or(Path::new("/")));
    for path in entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
    {
        let name = path.display().to_string();
        if let Some(pid) = name.strip_prefix(FOLDER)
            && !Path::new("/proc").join(pid).exists()
        {
            let _ = fs::remove_dir_all(path);
        }
    }
}

fn make_archive(folder: &Path, output: &Path) -> Result<()> {
    let config = os_config::load::load(Path::new("/")).config;
    let secrets = secrets(&config);
    let add = |name: &str, text: &str| {
        let file = folder.join(name);
        atomic_file::replace(&file, redact(text, &secrets).as_bytes(), 0o600)
            .with_context(|| format!("writing {}", file.display()))
    };
    for (name, argv) in COMMANDS {
        eprintln!("{}", argv.join(" "));
        add(name, &output_of(argv))?;
    }
    for name in config.rancher.services.keys() {
        let argv = ["ros", "service", "logs", "--tail", LINES, name];
        add(&format!("logs/{name}.txt"), &output_of(&argv))?;
    }
    for file in FILES {
        let name = file.trim_start_matches('/').replace('/', "-");
        let bytes = fs::read(file).unwrap_or_default();
        add(&name, &String::from_utf8_lossy(&bytes))?;
    }
    let line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    add("kernel-line.txt", &kernel_line::masked(&line))?;
    // Nobody else is to read it, not even while it is written.
    let created = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(output)
        .and_then(|file| file.set_permissions(fs::Permissions::from_mode(0o600)));
    created.with_context(|| format!("writing {}", output.display()))?;
    let packed = Command::new("tar")
        .args(["--create", "--gzip", "--file"])
        .arg(output)
        .arg("--directory")
        .arg(folder)
        .arg(".")
        .output()
        .context("starting tar")?;
    let said = String::from_utf8_lossy(&packed.stderr);
    anyhow::ensure!(packed.status.success(), "tar: {}", said.trim());
    Ok(())
}

/// What a program prints, on either stream.
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

/// Texts that let their reader in somewhere.
fn secrets(config: &Config) -> Vec<String> {
    let rancher = &config.rancher;
    let logins = rancher.registry_auths.values().map(|login| &login.password);
    let passwords = config.passwords.iter().map(|given| &given.password);
    let users = config
        .users
        .iter()
        .flat_map(|user| user.plain_password.iter().chain(&user.hashed_password));
    let agent = rancher.agent.iter();
    let agent = agent.flat_map(|agent| agent.token.iter().chain([&agent.url]));
    let keys = rancher
        .docker
        .ca_key
        .iter()
        .chain(&rancher.docker.server_key);
    let all = rancher
        .password
        .iter()
        .chain(logins)
        .chain(passwords)
        .chain(users)
        .chain(agent)
        .chain(keys)
        .chain(rancher.ssh.keys.values())
        .cloned()
        .chain(secrets_of_services(config));
    let mut secrets: Vec<String> = all
        .filter(|secret| secret.len() >= SHORTEST_SECRET)
        .collect();
    // The longer first: one may be part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

/// Values of variables that are called as if they were secret, and tokens on the command lines of services.
fn secrets_of_services(config: &Config) -> Vec<String> {
    let rancher = &config.rancher;
    let variables = rancher
        .environment
        .iter()
        .chain(&rancher.docker.environment)
        .chain(&rancher.system_docker.environment)
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let services = rancher.services.values();
    let of_services = services
        .clone()
        .flat_map(|service| &service.environment)
        .filter_map(|variable| variable.split_once('='));
    let secret = variables
        .chain(of_services)
        .filter(|(name, _)| is_secret(name));
    let mut found: Vec<String> = secret.map(|(_, value)| value.to_owned()).collect();
    for service in services {
        let words = &service.command;
        // As an agent of Rancher 2 has it; that of Rancher 1 has an address with a token in it.
        let pairs = words.iter().zip(words.iter().skip(1));
        let tokens = pairs.filter(|(option, _)| matches!(option.as_str(), "--token" | "-t"));
        found.extend(tokens.map(|(_, token)| token.clone()));
        found.extend(
            words
                .iter()
                .filter(|word| word.contains("/scripts/"))
                .cloned(),
        );
    }
    found
}

/// Whether a variable of this name holds what lets its reader in somewhere.
fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 6] = ["PASS", "TOKEN", "SECRET", "KEY", "CREDENTIAL", "AUTH"];
    let name = name.to_uppercase();
    WORDS.iter().any(|word| name.contains(word))
}

fn redact(text: &str, secrets: &[String]) -> String {
    let text = secrets.iter().fold(text.to_owned(), |text, secret| {
        text.replace(secret.as_str(), HIDDEN)
    });
    redact_logins(&text)
}

/// Without the names and passwords in addresses: `http://name:password@host`.
fn redact_logins(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("://");
        let host = part.find(|c: char| c == '/' || c == '"' || c == '\'' || c.is_whitespace());
        let (host, rest) = part.split_at(host.unwrap_or(part.len()));
        match host.rsplit_once('@') {
            Some((_, host)) => out.extend([HIDDEN, "@", host]),
            None => out.push_str(host),
        }
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{redact, redact_logins, secrets};
    use os_config::load::document;

    #[test]
    fn logins_are_removed_from_addresses() {
        for (text, expected) in [
            (
                "http_proxy: 'http://u:p@h:3128'",
                "http_proxy: 'http://[removed]@h:3128'",
            ),
            (
                "a https://u:p@x@h/y b@c http://h/u@v",
                "a https://[removed]@h/y b@c http://h/u@v",
            ),
            ("none://", "none://"),
        ] {
            assert_eq!(redact_logins(text), expected);
        }
    }

    #[test]
    fn secrets_are_removed_wherever_they_stand() {
        let text = "chpasswd: {users: [{name: a, password: hunter2, type: text}]}\nusers: [{name: b, plain_text_passwd: hunter22}]\n\
            rancher:\n  registry_auths: {r.lan: {username: c, password: swordfish}}\n  agent: {url: 'http://s/v1/scripts/T0KEN'}\n  password: x\n  environment: {DB_PASSWORD: cowcow, COLOUR: brown}\n\
            \x20 services: {a: {image: i, command: [--server, s, --token, t0ken], environment: {API_KEY: k3yk3y}}}\n";
        let config = document(text.as_bytes()).unwrap();
        let secrets = secrets(&config);
        let found = redact(
            "hunter22 hunter2 swordfish at http://s/v1/scripts/T0KEN, x brown cowcow k3yk3y t0ken",
            &secrets,
        );
        assert_eq!(
            found,
            "[removed] [removed] [removed] at [removed], x brown [removed] [removed] [removed]"
        );
    }
}
