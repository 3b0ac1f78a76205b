//! Further User Dockers beside the first.

pub(crate) mod commands;
