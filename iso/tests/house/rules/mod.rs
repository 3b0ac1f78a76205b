//! A file per rule.

mod cases;
mod circles;
mod dead_settings;
mod dependencies;
mod hidden_forms;
mod layout;
mod loaders;
mod named_tests;
mod naming;
mod paths;
mod purity;
mod siblings;
mod starters;
mod writers;
