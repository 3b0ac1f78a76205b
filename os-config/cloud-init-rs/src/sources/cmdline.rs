//! User-data from the address that the kernel line names: `cloud-config-url=http://…`.

use super::url::user_data_at;
use crate::{Asking, Data, Machine, Service, SourceError};

/// The data source.
#[derive(Debug)]
pub struct KernelLine;

impl Service for KernelLine {
    fn name(&self) -> &'static str {
        "cmdline"
    }

    fn detect(&self, machine: &Machine) -> bool {
        url(machine).is_some()
    }

    fn fetch(&self, asking: &Asking<'_>) -> Result<Option<Data>, SourceError> {
        let url = url(asking.machine).ok_or_else(|| {
            SourceError::Other("the kernel line has no cloud-config-url=http://…".to_owned())
        })?;
        user_data_at(asking, &url)
    }
}

/// The last of either spelling; an address without a scheme is one over HTTP.
fn url(machine: &Machine) -> Option<String> {
    let words = machine.kernel_line.split_ascii_whitespace();
    let found = words
        .filter_map(|word| {
            let (key, value) = word.split_once('=')?;
            let known = matches!(key, "cloud-config-url" | "cloud_config_url");
            (known && !value.is_empty()).then(|| value.trim_matches('"'))
        })
        .next_back()?;
    Some(if found.contains("://") {
        found.to_owned()
    } else {
        format!("http://{found}")
    })
}

#[cfg(test)]
mod tests {
    use super::url;
    use crate::Machine;

    #[test]
    fn the_reference_by_its_ids() {
        for (id, line, expected) in [
            (
                "DS-25",
                "cloud-config-url=example.com",
                Some("http://example.com"),
            ),
            (
                "DS-25",
                "cloud_config_url=example.com",
                Some("http://example.com"),
            ),
            (
                "DS-25",
                "cloud-config-url cloud-config-url=example.com",
                Some("http://example.com"),
            ),
            (
                "DS-25",
                "cloud-config-url= cloud-config-url=example.com",
                Some("http://example.com"),
            ),
            (
                "DS-25",
                "cloud-config-url=one.example.com cloud-config-url=two.example.com",
                Some("http://two.example.com"),
            ),
            (
                "DS-25",
                "foo=bar cloud-config-url=example.com ping=pong",
                Some("http://example.com"),
            ),
            (
                "",
                "cloud-config-url=https://h/a?b=c",
                Some("https://h/a?b=c"),
            ),
            ("", "quiet", None),
        ] {
            let machine = Machine {
                kernel_line: line.into(),
                ..Machine::default()
            };
            assert_eq!(url(&machine).as_deref(), expected, "{id} {line}");
        }
    }
}
