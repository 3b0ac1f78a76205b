//! `ntp`: servers that give the time. Keys as in cloud-init's documentation of "NTP".

use serde_yaml::Value;

use crate::keys::write_files::WriteFile;
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
        if section.ignored(key).is_some() {
            findings.not_done(
                section.path_of(key),
                "chronyd keeps the time, from `servers` and `pools`",
            );
        }
    }
    section.finish(findings);
    ntp
}

/// Takes the servers of a file for RancherOS's ntpd, which was the way to configure it. chronyd does not read the file.
pub(crate) fn take_ntp_conf(ntp: &mut Ntp, files: &[WriteFile], findings: &mut Findings) {
    let is_ntp_conf = |file: &&WriteFile| {
        file.container.as_deref() == Some("ntp")
            && matches!(file.path.as_str(), "/etc/ntp.conf" | "/etc/ntpd.conf")
    };
    let Some(number) = files.iter().position(|file| is_ntp_conf(&file)) else {
        return;
    };
    let bytes = files
        .get(number)
        .and_then(|file| file.decode().ok())
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let (mut servers, mut pools) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let list = match words.next() {
            Some("server" | "peer") => &mut servers,
            Some("pool") => &mut pools,
            _ => continue,
        };
        list.extend(words.next().filter(|name| is_host(name)).map(str::to_owned));
    }
    let path = format!("write_files[{number}]");
    let names = [servers.as_slice(), pools.as_slice()].concat().join(", ");
    if !(ntp.servers.is_empty() && ntp.pools.is_empty()) || names.is_empty() {
        findings.warning(
            path,
            "chronyd keeps the time and does not read this file; `ntp.servers` names its servers",
        );
        return;
    }
    (ntp.servers, ntp.pools) = (servers, pools);
    let message = format!(
        "chronyd keeps the time and does not read this file; its servers are used ({names}), and `ntp.servers` names them \
         without a file"
    );
    findings.warning(path, message);
}

fn is_host(name: &str) -> bool {
    let is_part =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'_');
    !name.is_empty() && name.bytes().all(is_part)
}

/// Names of hosts. Other texts are left out, because the names become lines of chronyd's configuration.
fn names(reader: &mut Reader<'_>, key: &'static str, findings: &mut Findings) -> Vec<String> {
    let mut names = reader.list(key, findings);
    let path = reader.path_of(key);
    names.retain(|name| {
        let fits = is_host(name);
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

    #[test]
    fn servers_of_rancheros_file() {
        let file = "write_files:\n- container: ntp\n  path: /etc/ntp.conf\n  content: |\n    # a comment\n    server ntp.lan iburst\n    \
            pool pool.example.com\n    restrict default nomodify\n";
        let (config, problems) = read(file);
        assert_eq!(config.ntp.servers, ["ntp.lan"]);
        assert_eq!(config.ntp.pools, ["pool.example.com"]);
        assert_eq!(
            problems,
            [
                "write_files[0]: chronyd keeps the time and does not read this file; its servers are used (ntp.lan, \
                 pool.example.com), and `ntp.servers` names them without a file"
            ]
        );
        let (config, problems) = read(&format!("{file}ntp: {{servers: [own]}}\n"));
        assert_eq!(config.ntp.servers, ["own"]);
        assert_eq!(
            problems,
            [
                "write_files[0]: chronyd keeps the time and does not read this file; `ntp.servers` names its servers"
            ]
        );
    }
}
