//! `ros config`: reads, changes and checks the configuration.
//!
//! `set` and `merge` change `/var/lib/rancher/conf/cloud-config.yml` only, whole or not at all.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use os_config::{Problem, Severity};
use serde_yaml::Value;

use crate::cloud_init;

const FILE: &str = "/var/lib/rancher/conf/cloud-config.yml";
const FOLDER: &str = "/var/lib/rancher/conf/cloud-config.d";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print a value of the merged configuration.
    #[command(after_help = "Example: ros config get rancher.docker.log_opts")]
    Get {
        /// Dotted key.
        key: String,
    },
    /// Change a value, to hold from the next start of what uses it.
    #[command(
        after_help = "Example: ros config set rancher.network.dns.nameservers '[1.1.1.1, 9.9.9.9]'"
    )]
    Set {
        /// Dotted key.
        key: String,
        /// The value, read as YAML.
        value: String,
        /// Keep the value even if it has problems.
        #[arg(long)]
        force: bool,
    },
    /// Merge a cloud-config into the stored one.
    Merge {
        /// A file instead of standard input.
        #[arg(short, long)]
        input: Option<PathBuf>,
    },
    /// Print the configuration as YAML.
    Export {
        /// With the defaults of the image.
        #[arg(short, long)]
        full: bool,
        /// With private keys.
        #[arg(short, long)]
        private: bool,
        /// To a file that only root can read.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Check a cloud-config, or without `-i` all that are in force. Exit code 1 if there are errors.
    #[command(after_help = "Example: ros config validate -i my-cloud-config.yml")]
    Validate {
        /// A file; `-` is standard input.
        #[arg(short, long)]
        input: Option<PathBuf>,
    },
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.action {
        Action::Get { key } => get(key),
        Action::Set { key, value, force } => set(key, value, *force),
        Action::Merge { input } => merge(input.as_deref()),
        Action::Export {
            full,
            private,
            output,
        } => export(*full, *private, output.as_deref()),
        Action::Validate { input } => validate(input.as_deref()),
    }
}

fn get(key: &str) -> Result<ExitCode> {
    let loaded = os_config::load::load(Path::new("/"));
    match os_config::dotted::get(&loaded.value, key) {
        // RancherOS printed an empty line and 0 for an unknown key; scripts rely on it.
        None | Some(Value::Null) => println!(),
        Some(Value::String(text)) => println!("{text}"),
        Some(value) => println!(
            "{}",
            serde_yaml::to_string(&value)
                .context("printing the value")?
                .trim_end()
        ),
    }
    Ok(ExitCode::SUCCESS)
}

fn set(key: &str, value: &str, force: bool) -> Result<ExitCode> {
    let mut stored = read_stored()?;
    os_config::dotted::set(&mut stored, key, os_config::cmdline::typed_value(value))
        .with_context(|| format!("setting {key}"))?;
    store(&stored, force)
}

fn merge(input: Option<&Path>) -> Result<ExitCode> {
    let (name, text) = read_input(input)?;
    let problems = os_config::validate::validate(&text, &name);
    if report(&problems, &text) {
        return Ok(ExitCode::FAILURE);
    }
    let new: Value = serde_yaml::from_slice(&text).with_context(|| format!("reading {name}"))?;
    let merged = os_config::merge::merge(read_stored()?, new);
    store(&merged, false)
}

fn export(full: bool, private: bool, output: Option<&Path>) -> Result<ExitCode> {
    let value = os_config::load::export(Path::new("/"), full, private);
    let text = serde_yaml::to_string(&value).context("printing the configuration")?;
    match output {
        None => print!("{text}"),
        Some(file) => write(file, &text, 0o400)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn validate(input: Option<&Path>) -> Result<ExitCode> {
    let mut failed = false;
    if let Some(input) = input {
        let (name, text) = read_input(Some(input))?;
        failed = report(&os_config::validate::validate(&text, &name), &text);
    } else {
        for file in files_in_force() {
            let bytes = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            failed |= report(
                &os_config::validate::validate(&bytes, &file.display().to_string()),
                &bytes,
            );
        }
        for problem in os_config::load::load(Path::new("/")).problems {
            // Those of files were just shown with their lines.
            if !problem
                .file
                .starts_with("/var/lib/rancher/conf/cloud-config")
            {
                failed |= problem.severity == Severity::Error;
                eprintln!("{problem}");
            }
        }
        for problem in cloud_init::refused() {
            failed = true;
            eprintln!("{problem}");
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn files_in_force() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(FOLDER)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.is_file()
                && !path
                    .file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with('.'))
        })
        .collect();
    files.sort();
    if Path::new(FILE).is_file() {
        files.push(FILE.into());
    }
    files
}

/// Prints problems with the lines they are in; whether any is an error.
fn report(problems: &[Problem], text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    for problem in problems {
        eprintln!("{}", problem.render(&text));
    }
    problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
}

fn read_input(input: Option<&Path>) -> Result<(String, Vec<u8>)> {
    let (name, bytes) = match input {
        Some(file) if file != Path::new("-") => (
            file.display().to_string(),
            fs::read(file).with_context(|| format!("reading {}", file.display()))?,
        ),
        _ => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .context("reading standard input")?;
            ("standard input".to_owned(), bytes)
        }
    };
    Ok((name, bytes))
}

fn read_stored() -> Result<Value> {
    match fs::read_to_string(FILE) {
        Ok(text) if text.trim().is_empty() => Ok(Value::Mapping(serde_yaml::Mapping::new())),
        Ok(text) => serde_yaml::from_str(&text)
            .with_context(|| format!("reading {FILE}; mend or remove it first, `ros config validate` shows where it is wrong")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Value::Mapping(serde_yaml::Mapping::new())),
        Err(error) => Err(error).with_context(|| format!("reading {FILE} (are you root?)")),
    }
}

fn store(value: &Value, force: bool) -> Result<ExitCode> {
    let text = serde_yaml::to_string(value).context("writing the configuration")?;
    if report(
        &os_config::validate::validate(text.as_bytes(), FILE),
        text.as_bytes(),
    ) && !force
    {
        anyhow::bail!("nothing was changed\nhint: --force keeps it all the same");
    }
    write(Path::new(FILE), &text, 0o600)?;
    Ok(ExitCode::SUCCESS)
}

fn write(file: &Path, text: &str, mode: u32) -> Result<()> {
    let temporary = file.with_extension("new");
    let write = || -> std::io::Result<()> {
        let _ = fs::remove_file(&temporary);
        if let Some(folder) = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder)?;
        }
        let mut out = fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(mode)
            .open(&temporary)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&temporary, file)
    };
    write().with_context(|| format!("writing {} (are you root?)", file.display()))
}
