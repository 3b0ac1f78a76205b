//! The kinds of values that keys have. The schema and the manual show them.

/// How a reader reads a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// In several forms, which the caller tells apart.
    Any,
    /// A list, a text, or keys with values.
    Forms,
    /// Known and without effect.
    Ignored,
    /// Known, and what it asks for holds in any case.
    Met,
    Text,
    Boolean,
    Number,
    /// A list of texts.
    List,
    /// A command.
    Command,
    /// Name → text.
    Map,
    /// Name → mapping.
    Entries,
    /// A list of any values.
    Items,
    Section,
}
