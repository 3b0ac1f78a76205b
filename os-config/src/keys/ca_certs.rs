//! `ca_certs`: certificate authorities that the machine trusts. Keys as in cloud-init's documentation of
//! "CA Certificates".

use serde_yaml::Value;

use crate::keys::ssh_keys::is_private_key;
use crate::reader::Reader;
use crate::reader::findings::Findings;

/// Authorities that the machine trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaCerts {
    /// Whether the machine distrusts the authorities that Debian ships.
    pub remove_defaults: bool,
    /// Certificates in PEM.
    pub trusted: Vec<String>,
}

pub(crate) fn ca_certs(reader: &mut Reader<'_>, findings: &mut Findings) -> CaCerts {
    let key = if reader.value("ca-certs").is_some() {
        "ca-certs"
    } else {
        "ca_certs"
    };
    let mut section = reader.section(key, findings);
    // The older spelling has hyphens in this key too.
    let old = section.boolean("remove-defaults", findings);
    let certs = CaCerts {
        remove_defaults: section
            .boolean("remove_defaults", findings)
            .or(old)
            .unwrap_or(false),
        trusted: section.list("trusted", findings),
    };
    let path = section.path_of("trusted");
    section.finish(findings);
    for (i, text) in certs.trusted.iter().enumerate() {
        if is_private_key(text) {
            let message =
                "this is a private key, which stays on its server; expected a certificate in PEM";
            findings.error(format!("{path}[{i}]"), message);
        } else if !text.contains("-----BEGIN CERTIFICATE-----") {
            let cut = Value::String(text.chars().take(30).collect());
            findings.mismatch::<()>(&format!("{path}[{i}]"), "a certificate in PEM", &cut);
        }
    }
    certs
}

#[cfg(test)]
mod tests {
    use crate::config::read;

    #[test]
    fn certificates() {
        for key in ["ca_certs", "ca-certs"] {
            let (config, problems) = read(&format!(
                "{key}: {{remove_defaults: true, trusted: ['-----BEGIN CERTIFICATE-----']}}"
            ));
            assert_eq!(problems, [""; 0]);
            assert!(config.ca_certs.remove_defaults);
            assert_eq!(config.ca_certs.trusted.len(), 1);
        }
        let (_, problems) = read("ca_certs: {trusted: ['-----BEGIN PRIVATE KEY----- a']}");
        assert!(
            problems[0].contains("this is a private key"),
            "{problems:?}"
        );
        let (_, problems) = read("ca_certs: {trusted: [/etc/my.pem]}");
        assert_eq!(
            problems,
            ["ca_certs.trusted[0]: expected a certificate in PEM, found a text"]
        );
    }
}
