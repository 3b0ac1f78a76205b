//! Where PID 1 and `ros` find what the other of them has put.

/// The mount of the state filesystem.
pub const STATE: &str = "/state";
/// Where the medium stays mounted; `/run` moves along when the root is switched.
pub const MEDIUM: &str = "/run/ros/medium";
/// Holds `rancher.shutdown_timeout` of the configuration in force, in seconds.
pub const SHUTDOWN_TIMEOUT: &str = "/run/ros/shutdown-timeout";
/// The mount of the vendor's partition, with `oem-config.yml`.
pub const OEM: &str = "/usr/share/ros/oem";
