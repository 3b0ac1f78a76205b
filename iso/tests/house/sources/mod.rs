//! The sources of the workspace: read, followed through modules and imports.

pub(crate) mod facts;
pub(crate) mod graph;
pub(crate) mod hidden_forms;
pub(crate) mod imports;
pub(crate) mod methods;
pub(crate) mod modules;
pub(crate) mod reader;
pub(crate) mod resolve;
pub(crate) mod test_only;
pub(crate) mod tokens;
pub(crate) mod use_tree;
pub(crate) mod workspace;
