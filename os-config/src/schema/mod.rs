//! The schema of the configuration: the keys that the types read and their texts in `defaults/os-config.yml`, as a
//! JSON schema and as a page of the manual.

mod documentation;
mod json;
mod reference;
pub(crate) mod sections;

pub use json::json_schema;
pub use reference::reference;

#[cfg(test)]
mod tests;
