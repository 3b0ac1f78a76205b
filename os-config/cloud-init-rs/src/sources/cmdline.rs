//! User-data from the address that the kernel line names: `cloud-config-url=http://…`.

use super::url::user_data_at;
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::query::Query;
use crate::source::DataSource;

#[derive(Debug)]
pub(super) struct KernelLine;

impl DataSource for KernelLine {
    fn name(&self) -> &'static str {
        "cmdline"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        url(firmware).is_some()
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let url = url(query.firmware).ok_or_else(|| {
            SourceError::Other("the kernel line has no cloud-config-url=http://…".to_owned())
        })?;
        user_data_at(query, &url)
    }
}

/// The last address under either spelling of the key; an address without a scheme gets `http://`.
fn url(firmware: &Firmware) -> Option<String> {
    let words = firmware.kernel_line.split_ascii_whitespace();
    let found = words
        .filter_map(|word| {
            let (key, value) = word.trim_matches('"').split_once('=')?;
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
    use crate::firmware::Firmware;

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
            ("", "\"cloud-config-url=https://h/a\"", Some("https://h/a")),
            ("", "quiet", None),
        ] {
            let firmware = Firmware {
                kernel_line: line.into(),
                ..Firmware::default()
            };
            assert_eq!(url(&firmware).as_deref(), expected, "{id} {line}");
        }
    }
}
