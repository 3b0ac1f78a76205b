//! `build` of a service, in compose's short and long form: Docker builds the image if it is missing.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::scalar;

/// The sources of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// The absolute path of a folder, or an address that Docker can fetch.
    pub context: String,
    /// A path within the context; `None` means `Dockerfile`.
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
                // Version 1 of compose has this key beside `build`.
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
            // A cloud-config is in no folder that a relative path could begin at.
            return findings.mismatch(&path, "a folder's whole path, or an address", &found);
        }
        Some(build)
    }
}
