//! `ros config`: reads, changes and checks the configuration.
//!
//! `set` and `merge` change `/var/lib/rancher/conf/cloud-config.yml` only, whole or not at all.

mod check;
mod conflicts;
mod files;
mod kernel_line;
mod report;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use os_config::{Config, LoadedConfig, Switchable};
use serde_yaml::Value;

pub(crate) use crate::config::check::problems_of_part;
pub(crate) use crate::config::report::{LocatedDiagnostic, report};
pub(crate) use crate::config::store::Store;

use crate::config::check::problems_of_config;
use crate::config::files::{read_input, write};
use crate::output::Format;
use crate::privilege;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder with the files of another machine.
    #[arg(long, global = true, default_value = "/")]
    root: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print a value of the merged configuration.
    #[command(after_help = "Example: sudo ros config get rancher.docker.log_opts")]
    Get {
        /// Dotted key.
        key: String,
    },
    /// Change a value, to hold from the next start of what uses it.
    #[command(
        after_help = "Example: sudo ros config set rancher.network.dns.nameservers '[1.1.1.1, 9.9.9.9]'"
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
    #[command(after_help = "Example: sudo ros config merge -i more.yml")]
    Merge {
        /// A file instead of standard input.
        #[arg(short, long)]
        input: Option<PathBuf>,
    },
    /// Print the configuration as YAML.
    #[command(after_help = "Example: sudo ros config export --private -o kept.yml")]
    Export {
        /// With the defaults of the image.
        #[arg(short, long)]
        full: bool,
        /// With values that may hold secrets, such as commands, files, variables and keys; but with no passwords.
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
        /// How to print what was found: with the line and a caret, on standard error; or as a list, on standard output.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// List the images that services of a cloud-config, or without `-i` of the configuration in force, name.
    #[command(after_help = "Example: ros config images -i my-cloud-config.yml")]
    Images {
        /// A file; `-` is standard input.
        #[arg(short, long)]
        input: Option<PathBuf>,
        /// How to print them: in one line, or as a list.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the JSON schema of cloud-configs, for editors.
    #[command(after_help = "Example: ros config schema > cloud-config.schema.json")]
    Schema,
    /// Fill a template from standard input with the environment: {{.NAME}}, {{if eq "amd64" .ARCH}} … {{end}}.
    #[command(after_help = "Example: ARCH=amd64 ros config generate < os-config.tpl.yml")]
    Generate,
    /// Edit or print an installed machine's own words of the kernel line.
    #[command(
        visible_alias = "syslinux",
        after_help = "Example: sudo ros config boot --set 'console=ttyS0 rancher.debug'\n\
            On a terminal $EDITOR opens the words, without one they are printed. The next boot has them."
    )]
    Boot {
        /// Replace all of them by these.
        #[arg(long, value_name = "words", allow_hyphen_values = true)]
        set: Option<String>,
    },
}

impl Action {
    /// Whether the action reads the machine's configuration, which only root sees as a whole, and not a file.
    fn needs_root(&self) -> bool {
        match self {
            Self::Get { .. }
            | Self::Set { .. }
            | Self::Merge { .. }
            | Self::Export { .. }
            | Self::Boot { .. } => true,
            Self::Validate { input, .. } | Self::Images { input, .. } => input.is_none(),
            Self::Schema | Self::Generate => false,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = args.root.as_path();
    if root == Path::new("/") && args.action.needs_root() {
        privilege::require_root("ros config …")?;
    }
    match &args.action {
        Action::Get { key } => get(&os_config::load::load(root), key),
        Action::Set { key, value, force } => Store::new(root).set(key, value, *force),
        Action::Merge { input } => Store::new(root).merge(input.as_deref()),
        Action::Export {
            full,
            private,
            output,
        } => export(root, *full, *private, output.as_deref()),
        Action::Validate { input, format } => {
            let found = match check::input_to_check(input.as_deref()) {
                Some(input) => check::problems_of_input(root, input)?,
                None => check::problems_of_machine(root, &os_config::load::load(root))?,
            };
            check::print(&found, *format)
        }
        Action::Images {
            input: Some(input),
            format,
        } => images_of_input(input, *format),
        Action::Images {
            input: None,
            format,
        } => print_images(&os_config::load::load(root).config, *format),
        Action::Schema => schema(),
        Action::Generate => generate(),
        Action::Boot { set } => kernel_line::run(root, set.as_deref()),
    }
}

fn get(loaded: &LoadedConfig, key: &str) -> Result<ExitCode> {
    match os_config::yaml::dotted::get(&loaded.value, key) {
        // RancherOS printed an empty line and 0 for an unknown key; scripts rely on it.
        None | Some(Value::Null) => println!("{}", derived(&loaded.config, key)),
        Some(Value::String(text)) if text.is_empty() => {
            println!("{}", derived(&loaded.config, key));
        }
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

/// The value that a key has though no document names it; empty if there is none.
fn derived(config: &Config, key: &str) -> String {
    let variable = key.strip_prefix("rancher.environment.");
    let value = variable.and_then(|name| config.rancher.environment.get(name).cloned());
    match value {
        None if key == "rancher.docker.engine" => Switchable::Engine.chosen_name(config).to_owned(),
        value => value.unwrap_or_default(),
    }
}

fn export(root: &Path, full: bool, private: bool, output: Option<&Path>) -> Result<ExitCode> {
    let export = os_config::load::export(root, full, private);
    let mut text = serde_yaml::to_string(&export.value).context("printing the configuration")?;
    if !export.left_out.is_empty() {
        let why = if private {
            "passwords"
        } else {
            "they may hold secrets; --private adds all but passwords"
        };
        let paths: Vec<String> = export
            .left_out
            .iter()
            .map(|path| path.escape_debug().to_string())
            .collect();
        text.push_str(&format!("# Left out ({why}): {}\n", paths.join(", ")));
    }
    match output {
        None => print!("{text}"),
        Some(file) => write(file, &text, 0o400)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn images_of_input(input: &Path, format: Format) -> Result<ExitCode> {
    let (name, bytes) = read_input(Some(input))?;
    let Ok(config) = os_config::load::document(&bytes) else {
        report(&problems_of_config(&bytes, &name));
        return Ok(ExitCode::FAILURE);
    };
    print_images(&config, format)
}

/// RancherOS printed one line with blanks between; the scripts that pull images read words.
fn print_images(config: &Config, format: Format) -> Result<ExitCode> {
    let services = config.rancher.services.values();
    let images: BTreeSet<&str> = services.map(|service| service.image.as_str()).collect();
    match format {
        Format::Text => {
            println!("{}", images.into_iter().collect::<Vec<_>>().join(" "));
        }
        Format::Json => println!(
            "{}",
            serde_json::to_string_pretty(&images).context("printing the list")?
        ),
    }
    Ok(ExitCode::SUCCESS)
}

fn schema() -> Result<ExitCode> {
    let schema = os_config::schema::json_schema();
    let text = serde_json::to_string_pretty(&schema).context("printing the schema")?;
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn generate() -> Result<ExitCode> {
    let mut template = String::new();
    std::io::stdin()
        .read_to_string(&mut template)
        .context("reading standard input")?;
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    print!("{}", os_config::template::fill(&template, &environment)?);
    Ok(ExitCode::SUCCESS)
}
