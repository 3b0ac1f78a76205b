//! `ntp`: servers that give the time. Keys as in cloud-init's documentation of "NTP".

use serde_yaml::Value;

use crate::reader::Reader;
use crate::reader::findings::Findings;

/// Settings of chronyd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ntp {
    pub enabled: bool,
    pub servers: Vec<String>,
    pub pools: Vec<String>,
}

pub(crate) fn ntp(reader: &mut Reader<'_>, findings: &mut Findings) -> Ntp {
    let mut section = reader.section("ntp", findings);
    let ntp = Ntp {
        enabled: section.boolean("enabled", findings).unwrap_or(true),
        servers: names(&mut section, "servers", findings),
        pools: names(&mut section, "pools", findings),
    };
    for key in ["config", "ntp_client", "peers", "allow"] {
        if section.accept_without_effect(key) {
            findings.not_done(
                section.path_of(key),
                "chronyd keeps the time, from `servers` and `pools`",
            );
        }
    }
    section.finish(findings);
    ntp
}

/// Names of hosts. Other texts are left out, because the names become lines of chronyd's configuration.
fn names(reader: &mut Reader<'_>, key: &'static str, findings: &mut Findings) -> Vec<String> {
    let mut names = reader.list(key, findings);
    let path = reader.path_of(key);
    names.retain(|name| {
        let fits = !name.is_empty()
            && name.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'_')
            });
        if !fits {
            findings.mismatch::<()>(
                &path,
                "names or addresses of hosts",
                &Value::String(name.clone()),
            );
        }
        fits
    });
    names
}

#[cfg(test)]
mod tests {
    use crate::config::read;

    #[test]
    fn time_servers() {
        let (config, problems) =
            read("ntp: {servers: [10.0.0.1, ntp.lan], pools: ['a b'], ntp_client: ntpd}");
        assert_eq!(config.ntp.servers, ["10.0.0.1", "ntp.lan"]);
        assert!(config.ntp.enabled && config.ntp.pools.is_empty());
        assert_eq!(
            problems,
            [
                "ntp.pools: expected names or addresses of hosts, found \"a b\"",
                "ntp.ntp_client: PaddockOS does not do this, it has no effect; chronyd keeps the time, from `servers` and `pools`"
            ]
        );
    }
}
