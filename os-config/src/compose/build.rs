//! `build` of a service: how its image is made where there is none, in compose's short and long form.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::scalar;

/// What an image is built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// A folder, by its whole path, or an address that Docker can fetch.
    pub context: String,
    /// Within the context, if it is not `Dockerfile`.
    pub dockerfile: Option<String>,
    pub args: BTreeMap<String, String>,
    /// The stage to build.
    pub target: Option<String>,
}

impl Build {
    pub(crate) fn read(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<Self> {
        let value = reader.value("build")?;
        let path = reader.path_of("build");
        let build = match scalar::text(value) {
            Some(context) => Self {
                context,
                // Version 1 has it beside.
                dockerfile: reader.text("dockerfile", findings),
                ..Self::default()
            },
            None => {
                let mut section = Reader::new(value, &path, findings);
                let build = Self {
                    context: section.text("context", findings).unwrap_or_default(),
                    dockerfile: section.text("dockerfile", findings),
                    args: section.map("args", findings),
                    target: section.text("target", findings),
                };
                section.finish(findings);
                build
            }
        };
        let is_address = build.context.contains("://");
        if !build.context.starts_with('/') && !is_address {
            let found = Value::String(build.context);
            // There is no folder that a cloud-config would be in.
            return findings.mismatch(&path, "a folder's whole path, or an address", &found);
        }
        Some(build)
    }
}
