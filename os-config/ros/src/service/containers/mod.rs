//! The actions of `ros service` that change or show containers.

pub(super) mod commands;
mod create;
mod logs;
mod ps;
pub(super) mod pull;
mod target;
