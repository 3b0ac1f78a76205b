//! containerd as System Docker and User Docker run it: its configuration and its command line.

use std::path::Path;

use anyhow::{Context, Result};
use os_config::atomic_file;

/// Plugins that dockerd does not use; each would cost start time and memory.
const DISABLED_PLUGINS: [&str; 8] = [
    "io.containerd.grpc.v1.cri",
    "io.containerd.internal.v1.tracing",
    "io.containerd.nri.v1.nri",
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.tracing.processor.v1.otlp",
];

/// The paths of one containerd.
#[derive(Clone, Copy, Debug)]
pub struct Containerd {
    /// The configuration file that [`Containerd::write_config`] writes.
    pub config_file: &'static str,
    /// The folder of images and other data that outlive a boot.
    pub root: &'static str,
    /// The folder of running tasks.
    pub state: &'static str,
    /// The socket for dockerd.
    pub socket: &'static str,
}

impl Containerd {
    /// Writes the configuration file.
    pub fn write_config(&self) -> Result<()> {
        // containerd runs programs that the file names, as root: nobody else may write it.
        atomic_file::replace(Path::new(self.config_file), self.config().as_bytes(), 0o600)
            .with_context(|| format!("writing {}", self.config_file))
    }

    /// The program and its arguments.
    pub fn command_line(&self) -> Vec<String> {
        let argv = [
            "/usr/bin/containerd",
            "--config",
            self.config_file,
            "--log-level",
            "warn",
        ];
        argv.map(str::to_owned).into()
    }

    fn config(&self) -> String {
        let Self {
            root,
            state,
            socket,
            ..
        } = self;
        let disabled = DISABLED_PLUGINS.map(|name| format!("{name:?}")).join(", ");
        format!(
            "version = 2\nroot = \"{root}\"\nstate = \"{state}\"\noom_score = -900\n\
             disabled_plugins = [{disabled}]\n\n[grpc]\n  address = \"{socket}\"\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Containerd;

    #[test]
    fn the_configuration_names_every_place() {
        let containerd = Containerd {
            config_file: "/run/c.toml",
            root: "/r",
            state: "/s",
            socket: "/s/c.sock",
        };
        let text = containerd.config();
        assert!(
            text.starts_with(
                "version = 2\nroot = \"/r\"\nstate = \"/s\"\noom_score = -900\n\
                 disabled_plugins = [\"io.containerd.grpc.v1.cri\", "
            ),
            "{text}"
        );
        assert!(
            text.ends_with("\"]\n\n[grpc]\n  address = \"/s/c.sock\"\n"),
            "{text}"
        );
        assert_eq!(
            containerd.command_line().join(" "),
            "/usr/bin/containerd --config /run/c.toml --log-level warn"
        );
    }
}
