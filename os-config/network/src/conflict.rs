//! A setting that cannot be carried out, as a value.

use std::fmt;

/// A setting that the plan leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The interface's key below `rancher.network.interfaces`.
    pub interface: String,
    /// The setting of the interface; `None` for all of them.
    pub setting: Option<&'static str>,
    /// The reason, and what to do.
    pub why: String,
}

impl Conflict {
    pub(crate) fn new(interface: &str, setting: &'static str, why: String) -> Self {
        Self {
            interface: interface.to_owned(),
            setting: Some(setting),
            why,
        }
    }

    /// The dotted path of the setting's key.
    pub fn path(&self) -> String {
        let setting = self.setting.map(|setting| format!(".{setting}"));
        let setting = setting.unwrap_or_default();
        format!("rancher.network.interfaces.{}{setting}", self.interface)
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path(), self.why)
    }
}
