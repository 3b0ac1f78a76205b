//! Documents of the network: what a person's address and `#include` name, and the warning that somebody on the way can
//! change them.

use std::time::Duration;

use cloud_init_rs::{Client, host, is_open_to_change};
use os_config::{Config, Diagnostic};

/// The way to documents that user-data includes.
#[derive(Debug)]
pub(super) struct Includes {
    http: Client,
    /// `rancher.cloud_init.insecure`.
    is_insecure: bool,
}

impl Includes {
    pub(super) fn new(config: &Config, timeout: Duration, proxy: Option<&str>) -> Self {
        Self {
            http: Client::with_proxy(timeout, proxy),
            is_insecure: config.rancher.cloud_init.insecure,
        }
    }

    /// Fetches a document.
    pub(super) fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let answer = self.http.get(url, &[]).map_err(|error| error.to_string())?;
        answer.ok_or_else(|| "there is nothing (404)".to_owned())
    }

    /// The warning of an address without TLS, unless the configuration takes it without.
    pub(super) fn warning(&self, url: &str) -> Option<Diagnostic> {
        let text = warning(url).filter(|_| !self.is_insecure);
        text.map(|text| Diagnostic::warning("", text))
    }
}

/// The warning of an address at which a document can be changed on its way, if it is one. It shows no login.
pub(crate) fn warning(url: &str) -> Option<String> {
    is_open_to_change(url).then(|| {
        format!(
            "what {} answers is not protected: everybody on the way to it can change the document and become root of \
             the machine (hint: use https://, or take it without this warning: rancher.cloud_init.insecure: true)",
            host(url)
        )
    })
}

/// The warnings of the data sources that a configuration names.
pub(crate) fn warnings(config: &Config) -> Vec<String> {
    if config.rancher.cloud_init.insecure {
        return Vec::new();
    }
    let sources = config.rancher.datasources.iter();
    sources
        .filter_map(|entry| match entry.split_once(':')? {
            ("url" | "nocloud-net", address) if address.contains("://") => warning(address),
            ("tftp", place) => warning(&format!("tftp://{place}")),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{warning, warnings};

    #[test]
    fn addresses_without_tls_are_warned_of() {
        for (entry, server) in [
            ("url:http://h/config?token=secret", Some("h")),
            ("url:https://h/config", None),
            ("tftp:h:6969/config", Some("h")),
            ("nocloud-net:http://h/seed/", Some("h")),
            ("nocloud-net:/folder", None),
            ("ec2", None),
            ("ec2:http://h", None),
            ("*", None),
        ] {
            for insecure in [false, true] {
                let text = format!(
                    "rancher: {{cloud_init: {{datasources: ['{entry}'], insecure: {insecure}}}}}"
                );
                let config = os_config::load::document(text.as_bytes()).unwrap();
                let found = warnings(&config);
                let expected = server.filter(|_| !insecure);
                assert_eq!(found.len(), expected.into_iter().count(), "{text}");
                if let Some(server) = expected {
                    assert!(found[0].starts_with(&format!("what {server} answers")));
                    assert!(!found[0].contains("secret"));
                }
            }
        }
        assert_eq!(warning("https://h/a"), None);
    }
}
