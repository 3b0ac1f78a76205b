//! The processes that a supervisor keeps running, their start and end, and its signals.

mod child;
pub mod deadline;
mod lifecycle;
mod log_limit;
pub mod probe;
mod program;
mod signals;

pub use child::Child;
pub use lifecycle::{End, pid_of, reap, spawn, spawn_within};
pub use log_limit::{keep_limited, limit_once};
pub use program::Program;
pub use signals::Signals;
