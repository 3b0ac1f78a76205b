//! What one source file declares, imports and names.

use std::collections::BTreeSet;

/// One file.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The file itself, then its inline modules.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) declared: Vec<Declared>,
}

/// One module's text: a file's, or an inline module's.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// The inline modules around this text, outermost first.
    pub(crate) inline: Vec<String>,
    /// Modules that have a file of their own.
    pub(crate) files: Vec<String>,
    pub(crate) items: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths of two and more segments in the code.
    pub(crate) paths: BTreeSet<Vec<String>>,
    /// Names of one segment in the code, local variables left out.
    pub(crate) plain: BTreeSet<String>,
}

/// One leaf of a `use` tree.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) alias: String,
    pub(crate) is_glob: bool,
    /// Any visibility but the private one.
    pub(crate) is_public: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemKind {
    Module,
    Type,
    Function,
    Constant,
}

/// An inline module, or an item that other modules can see.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) kind: ItemKind,
    pub(crate) name: String,
}
