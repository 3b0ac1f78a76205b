//! What `ros service` does to containers.

pub(super) mod commands;
mod create;
mod logs;
mod ps;
pub(super) mod pull;
mod target;
