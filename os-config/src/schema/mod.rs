//! The schema of the configuration: the keys that the types read, and what `defaults/os-config.yml` says of them,
//! as a JSON schema and as the manual's page.

mod documentation;
mod json;
mod reference;
mod sections;

pub use json::json_schema;
pub use reference::reference;

#[cfg(test)]
mod tests;
