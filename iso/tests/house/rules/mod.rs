//! A file per rule.

mod attacks;
mod cases;
mod circles;
mod dependencies;
mod hidden_forms;
mod layout;
mod loaders;
mod naming;
mod paths;
mod purity;
mod siblings;
mod starters;
mod writers;
