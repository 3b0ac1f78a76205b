//! Paths that PID 1 and `ros` share: each with its writer and its readers. `/run` lasts as long as a boot.

/// The state filesystem. PID 1 mounts it; `ros` grows it.
pub const STATE: &str = "/state";
/// The vendor's partition with `oem-config.yml`. PID 1 mounts it; the configuration is read from it.
pub const OEM: &str = "/usr/share/ros/oem";
/// The medium that holds the OS image. PID 1 mounts it in the initrd, and it moves along when the root is switched;
/// `ros status` looks for it.
pub const MEDIUM: &str = "/run/ros/medium";
/// The folder of the files that last one boot; the paths below are in it. PID 1 makes it.
pub const RUN: &str = "/run/ros";
/// A file for each service that has run to its end. PID 1 makes the folder; `ros sysinit` writes and reads the files;
/// commands that start or recreate a container remove its file.
pub const DONE_SERVICES: &str = "/run/ros/done";
/// A file for each service that an operator has stopped. PID 1 makes the folder; `ros sysinit` writes and reads the
/// files; commands that start or recreate a container remove its file.
pub const STOPPED_SERVICES: &str = "/run/ros/stopped";
/// `rancher.shutdown_timeout` of the configuration in force, in seconds. PID 1 writes it at boot and `ros sysinit` once
/// the configuration is complete; PID 1 reads it when the machine goes down.
pub const SHUTDOWN_TIMEOUT: &str = "/run/ros/shutdown-timeout";
/// The socket for requests to PID 1. PID 1 listens; `ros` connects.
pub const CONTROL_SOCKET: &str = "/run/ros/init.sock";
/// The boot's timeline, a JSON object a line. PID 1 and `ros sysinit` append; `ros boot-time` and `ros status` read.
pub const TIMELINE: &str = "/run/ros/boot-time.jsonl";
/// The deaths of User Docker's daemons in this boot, as JSON. `ros user-docker` writes it; a switch of engines and the
/// check of the engine at boot read it. An extra engine has a folder of its own in this place.
pub const DAEMON_DEATHS: &str = "/run/user-docker/daemon-deaths.json";
/// The problems of this boot, a JSON object a line. PID 1 and `ros` append; the ssh banner, `ros status`, `ros report`
/// and `ros config validate` read; `ros sysinit` shows the problems of processes without a console; a switch of console
/// or engine appends that its own problems are solved.
pub const PROBLEMS: &str = "/run/ros/problems.jsonl";
