//! The arguments of `ros service`.

use std::path::PathBuf;

use crate::output::Format;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(super) action: Action,
    /// Without effect, as all is said anyway; scripts for RancherOS may have it.
    #[arg(long, alias = "debug", global = true, hide = true)]
    verbose: bool,
}

/// The services that an action is about.
#[derive(Debug, clap::Args)]
pub(super) struct ServiceNames {
    /// Names of services.
    #[arg(required = true)]
    pub(super) names: Vec<String>,
}

/// Whether containers are made again, and images built for them.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct RecreateOptions {
    /// Leave containers as they are, whatever has changed.
    #[arg(long)]
    pub(super) no_recreate: bool,
    /// Make containers anew, even if nothing has changed.
    #[arg(long, conflicts_with = "no_recreate")]
    pub(super) force_recreate: bool,
    /// Do not build images that are missing.
    #[arg(long)]
    pub(super) no_build: bool,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// List the services of the catalogue and those that were added.
    #[command(after_help = "Example: sudo ros service list --all --format json")]
    List {
        /// With the system's own and those of the cloud-config.
        #[arg(short, long)]
        all: bool,
        /// Ask the repositories of the configuration for their catalogues again.
        #[arg(short, long)]
        update: bool,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Add services of the catalogue, files or addresses; `up` or the next boot starts them.
    #[command(
        after_help = "Example: sudo ros service enable node-exporter && sudo ros service up node-exporter"
    )]
    Enable {
        #[command(flatten)]
        names: ServiceNames,
        /// Do not pull their images now.
        #[arg(long)]
        no_pull: bool,
    },
    /// Leave services out from the next boot on. A container in User Docker goes on: `down` removes it first.
    #[command(after_help = "Example: sudo ros service disable node-exporter")]
    Disable(ServiceNames),
    /// Forget that services were added.
    #[command(after_help = "Example: sudo ros service delete node-exporter")]
    Delete(ServiceNames),
    #[command(flatten)]
    Containers(ContainerAction),
    /// Check a definition before it is added.
    #[command(after_help = "Example: ros service validate docker-compose.yml")]
    Validate {
        /// A compose file.
        file: PathBuf,
    },
}

/// The actions on containers, each in the engine of its service's scope.
#[derive(Debug, clap::Subcommand)]
pub(super) enum ContainerAction {
    /// Make and start the containers of services, again where their definition has changed.
    #[command(after_help = "Example: sudo ros service up web")]
    Up {
        #[command(flatten)]
        names: ServiceNames,
        #[command(flatten)]
        options: RecreateOptions,
        /// Show what they print until they end.
        #[arg(long)]
        foreground: bool,
    },
    /// Build the images of services that say how.
    #[command(after_help = "Example: sudo ros service build --no-cache web")]
    Build {
        #[command(flatten)]
        names: ServiceNames,
        /// Run every step again.
        #[arg(long)]
        no_cache: bool,
        /// Remove the containers of steps that failed, too.
        #[arg(long)]
        force_rm: bool,
        /// Pull newer images that it begins with.
        #[arg(long)]
        pull: bool,
    },
    /// Make the containers of services without starting them.
    #[command(after_help = "Example: sudo ros service create web")]
    Create {
        #[command(flatten)]
        names: ServiceNames,
        #[command(flatten)]
        options: RecreateOptions,
    },
    /// Start containers that were made.
    #[command(after_help = "Example: sudo ros service start web")]
    Start {
        #[command(flatten)]
        names: ServiceNames,
        /// Show what they print until they end.
        #[arg(long)]
        foreground: bool,
    },
    /// Stop services; the next boot starts them again.
    #[command(after_help = "Example: sudo ros service stop --timeout 30 web")]
    Stop {
        #[command(flatten)]
        names: ServiceNames,
        /// Seconds until they are killed.
        #[arg(short, long, default_value_t = 10)]
        timeout: i32,
    },
    /// Stop services and remove their containers.
    #[command(after_help = "Example: sudo ros service down web")]
    Down {
        #[command(flatten)]
        names: ServiceNames,
        /// Seconds until they are killed.
        #[arg(short, long, default_value_t = 10)]
        timeout: i32,
    },
    /// Stop and start services.
    #[command(after_help = "Example: sudo ros service restart syslog")]
    Restart {
        #[command(flatten)]
        names: ServiceNames,
        /// Seconds until they are killed.
        #[arg(short, long, default_value_t = 10)]
        timeout: i32,
    },
    /// Send services a signal.
    #[command(after_help = "Example: sudo ros service kill --signal SIGHUP syslog")]
    Kill {
        #[command(flatten)]
        names: ServiceNames,
        /// The signal.
        #[arg(short, long, default_value = "SIGKILL")]
        signal: String,
    },
    /// Remove containers that do not run.
    #[command(after_help = "Example: sudo ros service rm --force web")]
    Rm {
        #[command(flatten)]
        names: ServiceNames,
        /// Also if they run.
        #[arg(short, long)]
        force: bool,
        /// With their anonymous volumes.
        #[arg(short)]
        volumes: bool,
    },
    /// Pull the images of services.
    #[command(after_help = "Example: sudo ros service pull web")]
    Pull {
        #[command(flatten)]
        names: ServiceNames,
        /// Go on with the next if one cannot be pulled.
        #[arg(long)]
        ignore_pull_failures: bool,
    },
    /// List the containers of services.
    #[command(after_help = "Example: sudo ros service ps --format json")]
    Ps {
        /// Names of services; all without.
        names: Vec<String>,
        /// Only their ids.
        #[arg(short, long)]
        quiet: bool,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show what services print.
    #[command(after_help = "Example: sudo ros service logs --follow --tail 20 docker")]
    Logs {
        #[command(flatten)]
        names: ServiceNames,
        /// Go on until interrupted.
        #[arg(short, long)]
        follow: bool,
        /// Lines from the end, or all.
        #[arg(long, alias = "lines", default_value = "100")]
        tail: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Action, Args, ContainerAction};

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Action {
        let words = line.split(' ');
        let parsed = Line::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        parsed.args.action
    }

    #[test]
    fn options_of_rancheros_and_their_defaults_hold() {
        for (line, lines) in [
            ("service logs web", "100"),
            ("service logs --lines 5 web", "5"),
            ("service --verbose logs --tail all web", "all"),
            ("service logs --debug -f web", "100"),
        ] {
            let Action::Containers(ContainerAction::Logs { tail, .. }) = parse(line) else {
                panic!("{line}");
            };
            assert_eq!(tail, lines, "{line}");
        }
        for (line, seconds) in [
            ("service stop web", 10),
            ("service stop --timeout 30 web", 30),
            ("service restart -t 5 web", 5),
            ("service down web", 10),
        ] {
            let Action::Containers(
                ContainerAction::Stop { timeout, .. }
                | ContainerAction::Restart { timeout, .. }
                | ContainerAction::Down { timeout, .. },
            ) = parse(line)
            else {
                panic!("{line}");
            };
            assert_eq!(timeout, seconds, "{line}");
        }
        let line = "service pull --ignore-pull-failures web";
        assert!(matches!(
            parse(line),
            Action::Containers(ContainerAction::Pull {
                ignore_pull_failures: true,
                ..
            })
        ));
    }
}
