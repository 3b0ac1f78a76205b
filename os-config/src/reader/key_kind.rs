//! The kinds of values that keys have: the schema and the manual are made from them.

/// What a key is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// Read in a way of its own.
    Any,
    /// Known, and of no effect here.
    Ignored,
    Text,
    Boolean,
    Number,
    /// Of texts.
    List,
    /// A command.
    Words,
    /// Of texts by name.
    Map,
    /// Of mappings by name.
    Entries,
    /// Of anything.
    Items,
    Section,
}
