//! `build` of a service: how its image is made where there is none, in compose's short and long form.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::reader::{Findings, Reader, scalar, wrong};

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
    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Findings) -> Option<Self> {
        let value = r.raw("build")?;
        let path = r.path_of("build");
        let build = match scalar(value) {
            Some(context) => Self {
                context,
                // Version 1 has it beside.
                dockerfile: r.text("dockerfile", f),
                ..Self::default()
            },
            None => {
                let mut below = Reader::new(value, &path, f);
                let build = Self {
                    context: below.text("context", f).unwrap_or_default(),
                    dockerfile: below.text("dockerfile", f),
                    args: below.map("args", f),
                    target: below.text("target", f),
                };
                below.finish(f);
                build
            }
        };
        let is_address = build.context.contains("://");
        if !build.context.starts_with('/') && !is_address {
            let found = Value::String(build.context);
            // There is no folder that a cloud-config would be in.
            return wrong(f, &path, "a folder's whole path, or an address", &found);
        }
        Some(build)
    }
}
