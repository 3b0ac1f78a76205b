//! The facts of a source file: its declarations, its imports and the names in its code.

use std::collections::BTreeSet;

/// A source file.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The file itself, then its inline modules.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) declarations: Vec<Declaration>,
    /// Forms of code that hide modules or names from this test, in words.
    pub(crate) hidden_forms: Vec<String>,
}

/// The text of a module: a file's, or an inline module's.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// The inline modules around this text, outermost first.
    pub(crate) inline: Vec<String>,
    /// Modules that have a file of their own.
    pub(crate) files: Vec<String>,
    /// Modules that have a file of their own and that only tests compile.
    pub(crate) test_files: Vec<String>,
    pub(crate) items: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths of two and more segments in the code.
    pub(crate) paths: BTreeSet<Vec<String>>,
    /// Names of one segment in the code, local variables left out.
    pub(crate) plain: BTreeSet<String>,
    pub(crate) methods: Vec<Method>,
    /// Names of the methods that the code calls with a dot.
    pub(crate) calls: BTreeSet<String>,
}

/// A leaf of a `use` tree.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) alias: String,
    pub(crate) is_glob: bool,
    /// Any visibility but the private one.
    pub(crate) is_public: bool,
}

/// A function of an inherent impl.
#[derive(Debug)]
pub(crate) struct Method {
    /// The type's path, as the impl names it.
    pub(crate) of: Vec<String>,
    pub(crate) name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemKind {
    Module,
    Type,
    Function,
    Constant,
}

/// An inline module, a type, a constant, or a function that other modules can see.
#[derive(Debug)]
pub(crate) struct Declaration {
    pub(crate) kind: ItemKind,
    pub(crate) name: String,
}
