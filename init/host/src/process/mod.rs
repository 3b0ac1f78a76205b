//! The processes that a supervisor keeps running, their start and end, and its signals.

mod child;
mod lifecycle;
mod signals;

pub use child::Child;
pub use lifecycle::{pid_of, reap, spawn};
pub use signals::Signals;
