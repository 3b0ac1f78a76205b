//! Replacing the console or the engine that runs, as a transaction: `plan` says the steps, `replace` has them performed
//! or undone, and `recovery` plans what a cut-off switch needs.

pub(crate) mod cut_point;
mod perform;
mod plan;
pub(crate) mod recovery;
pub(super) mod replace;
