//! `ros config`: reads, changes and checks the configuration.
//!
//! `set` and `merge` change `/var/lib/rancher/conf/cloud-config.yml` only, whole or not at all.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use os_config::{Problem, Severity};
use serde_yaml::Value;

use crate::cloud_init;

const CONF: &str = "/var/lib/rancher/conf";
const FILE: &str = "/var/lib/rancher/conf/cloud-config.yml";
const CONFIGURATION: &str = "/var/lib/rancher/conf/cloud-config";

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
        /// How to print what was found.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// List the images that services of a cloud-config, or without `-i` of the configuration in force, name.
    #[command(after_help = "Example: ros config images -i my-cloud-config.yml")]
    Images {
        /// A file; `-` is standard input.
        #[arg(short, long)]
        input: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// With the line and a caret, on standard error.
    Text,
    /// A list of objects, on standard output.
    Json,
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
        Action::Validate { input, format } => validate(input.as_deref(), *format),
        Action::Images { input } => images(input.as_deref()),
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
    let _lock = lock()?;
    let mut stored = read_stored()?;
    os_config::dotted::set(&mut stored, key, os_config::cmdline::typed_value(value))
        .with_context(|| format!("setting {key}"))?;
    store(&stored, force)
}

fn merge(input: Option<&Path>) -> Result<ExitCode> {
    let (name, text) = read_input(input)?;
    if report(&problems_of(&text, &name)) {
        return Ok(ExitCode::FAILURE);
    }
    let new: Value = serde_yaml::from_slice(&text).with_context(|| format!("reading {name}"))?;
    let _lock = lock()?;
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

/// A problem with the text of the file that it is in, if it is in one.
type Found = (Problem, String);

fn validate(input: Option<&Path>, format: Format) -> Result<ExitCode> {
    let found = match input {
        Some(input) => problems_of_input(input)?,
        None => problems_in_force()?,
    };
    let failed = match format {
        Format::Text => report(&found),
        Format::Json => {
            let list: Vec<_> = found.iter().map(|(problem, _)| as_json(problem)).collect();
            println!(
                "{}",
                serde_json::to_string_pretty(&list).context("printing the problems")?
            );
            found.iter().any(|(problem, _)| is_error(problem))
        }
    };
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn as_json(problem: &Problem) -> serde_json::Value {
    serde_json::json!({
        "file": problem.file,
        "line": problem.position.map(|(line, _)| line),
        "column": problem.position.map(|(_, column)| column),
        "key": problem.key_path,
        "severity": if is_error(problem) { "error" } else { "warning" },
        "message": problem.message,
    })
}

fn is_error(problem: &Problem) -> bool {
    problem.severity == Severity::Error
}

fn problems_of_input(input: &Path) -> Result<Vec<Found>> {
    let (name, bytes) = read_input(Some(input))?;
    Ok(problems_of(&bytes, &name))
}

fn problems_of(bytes: &[u8], name: &str) -> Vec<Found> {
    let text = String::from_utf8_lossy(bytes);
    let problems = os_config::validate::validate(bytes, name).into_iter();
    problems
        .map(|problem| (problem, text.to_string()))
        .collect()
}

fn problems_in_force() -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for file in os_config::load::files(Path::new("/")) {
        let bytes = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        found.extend(problems_of(&bytes, &file.display().to_string()));
    }
    // Those of files are there already, with their lines.
    let others = os_config::load::load(Path::new("/")).problems.into_iter();
    found.extend(
        others
            .filter(|problem| !problem.file.starts_with(CONFIGURATION))
            .chain(cloud_init::refused())
            .map(|problem| (problem, String::new())),
    );
    Ok(found)
}

/// RancherOS printed one line with blanks between; the scripts that pull images read words.
fn images(input: Option<&Path>) -> Result<ExitCode> {
    let config = match input {
        Some(_) => {
            let (name, bytes) = read_input(input)?;
            let Ok(config) = os_config::load::document(&bytes) else {
                report(&problems_of(&bytes, &name));
                return Ok(ExitCode::FAILURE);
            };
            config
        }
        None => os_config::load::load(Path::new("/")).config,
    };
    let services = config.rancher.services.values();
    let images: BTreeSet<&str> = services.map(|service| service.image.as_str()).collect();
    println!("{}", images.into_iter().collect::<Vec<_>>().join(" "));
    Ok(ExitCode::SUCCESS)
}

/// Prints problems with the lines they are in; whether any is an error.
fn report(found: &[Found]) -> bool {
    for (problem, text) in found {
        eprintln!("{}", problem.render(text));
    }
    found.iter().any(|(problem, _)| is_error(problem))
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

/// Held from reading to writing, so that of two commands at the same time neither is lost.
fn lock() -> Result<Flock<fs::File>> {
    let open = || {
        fs::create_dir_all(CONF)?;
        fs::File::open(CONF)
    };
    let folder = open().with_context(|| format!("opening {CONF} (are you root?)"))?;
    Flock::lock(folder, FlockArg::LockExclusive)
        .map_err(|(_, error)| error)
        .with_context(|| format!("locking {CONF}"))
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
    if report(&problems_of(text.as_bytes(), FILE)) && !force {
        anyhow::bail!("nothing was changed\nhint: --force keeps it all the same");
    }
    write(Path::new(FILE), &text, 0o600)?;
    Ok(ExitCode::SUCCESS)
}

fn write(file: &Path, text: &str, mode: u32) -> Result<()> {
    os_config::whole_file::replace(file, text.as_bytes(), mode)
        .with_context(|| format!("writing {} (are you root?)", file.display()))
}
