//! The ids of the problems of the state disk. PID 1 reports them at boot, and `ros sysinit` while the machine runs.

/// The disk that was asked for is missing or cannot be mounted: the state is in memory.
pub const MISSING: &str = "state.missing";
/// The only disk with the label was another machine's first.
pub const FOREIGN: &str = "state.foreign";
/// Several disks can be the state disk.
pub const AMBIGUOUS: &str = "state.ambiguous";
/// A check before the mount found errors.
pub const DAMAGED: &str = "state.damaged";
/// The disk has no room; `ros sysinit` clears it.
pub const FULL: &str = "state.full";
/// The filesystem takes no writes any more; `ros sysinit` clears it.
pub const READ_ONLY: &str = "state.read-only";
/// The state disk does not answer any more; `ros sysinit` clears it.
pub const SILENT: &str = "state.silent";
/// A disk did not answer when the state disk was looked for.
pub const SILENT_AT_BOOT: &str = "disk.silent";
