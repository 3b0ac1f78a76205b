//! The processes that a supervisor keeps running, their start and end, and its signals.

mod child;
mod lifecycle;
mod log_limit;
pub mod probe;
mod program;
mod signals;

pub use child::Child;
pub use lifecycle::{End, pid_of, reap, spawn};
pub use log_limit::keep_limited;
pub use program::Program;
pub use signals::Signals;
