//! `rsyslog`: hosts that the machine's logs are sent to, and further settings of rsyslogd. Keys as in cloud-init's
//! documentation of "Rsyslog".

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::compose::service::Service;
use crate::keys::write_files::WriteFile;
use crate::reader::Reader;
use crate::reader::findings::Findings;

/// The system service whose files these are.
const SERVICE: &str = "syslog";
/// The folder whose files rsyslogd reads, by `rsyslog.conf` of the syslog image.
const FOLDER: &str = "/etc/rsyslog.d";
/// cloud-init's name for settings without a file of their own.
const DEFAULT_FILE: &str = "20-cloud-config.conf";
/// The port of syslog.
const PORT: u16 = 514;

/// Settings of rsyslogd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rsyslog {
    /// The text of each file, by its name.
    pub files: BTreeMap<String, String>,
}

pub(crate) fn rsyslog(reader: &mut Reader<'_>, findings: &mut Findings) -> Rsyslog {
    let mut section = reader.section("rsyslog", findings);
    let default_file = section
        .text("config_filename", findings)
        .filter(|name| check_name(name, &section.path_of("config_filename"), findings))
        .unwrap_or_else(|| DEFAULT_FILE.to_owned());
    let mut rsyslog = Rsyslog::default();
    let path = section.path_of("configs");
    for (number, item) in section.items("configs", findings).into_iter().enumerate() {
        let path = format!("{path}[{number}]");
        if let Some((name, text)) = config_item(item, &path, &default_file, findings) {
            rsyslog.add_line(&name, &text);
        }
    }
    let path = section.path_of("remotes");
    for (name, value) in section.map("remotes", findings) {
        let path = format!("{path}.{name}");
        if let Some(line) = remote_line(&value, &path, findings) {
            rsyslog.add_line(&default_file, &line);
        }
    }
    for key in [
        "check_exe",
        "config_dir",
        "install_rsyslog",
        "packages",
        "service_reload_command",
    ] {
        if section.ignored(key).is_some() {
            let instead = "rsyslogd is always there, and starts with these settings";
            findings.not_done(section.path_of(key), instead);
        }
    }
    section.finish(findings);
    rsyslog
}

impl Rsyslog {
    fn add_line(&mut self, file: &str, line: &str) {
        let text = self.files.entry(file.to_owned()).or_default();
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Hands the settings to the syslog service. It gets the machine's network as soon as it has settings of the user's,
/// which may name other hosts; without them it has none.
pub(crate) fn add_to_service(
    rsyslog: &Rsyslog,
    write_files: &mut Vec<WriteFile>,
    services: &mut BTreeMap<String, Service>,
) {
    let files = rsyslog.files.iter().map(|(name, text)| WriteFile {
        path: format!("{FOLDER}/{name}"),
        content: text.clone(),
        container: Some(SERVICE.to_owned()),
        ..WriteFile::default()
    });
    write_files.extend(files);
    let is_of_service = |file: &WriteFile| file.container.as_deref() == Some(SERVICE);
    if !write_files.iter().any(is_of_service) {
        return;
    }
    if let Some(service) = services.get_mut(SERVICE) {
        service.net = Some("host".to_owned());
        // Each line names the machine.
        service.uts = Some("host".to_owned());
        for file in ["/etc/resolv.conf", "/etc/hosts"] {
            service.volumes.push(format!("{file}:{file}:ro"));
        }
    }
}

/// An item of `configs`: a text, or a text with the name of its file.
fn config_item(
    item: &Value,
    path: &str,
    default_file: &str,
    findings: &mut Findings,
) -> Option<(String, String)> {
    if let Value::String(text) = item {
        return Some((default_file.to_owned(), text.clone()));
    }
    let mut reader = Reader::new(item, path, findings);
    let text = reader.text("content", findings);
    let name = reader.text("filename", findings);
    let name_path = reader.path_of("filename");
    reader.finish(findings);
    if text.is_none() {
        findings.mismatch::<()>(path, "a text, or `content` and `filename`", item);
    }
    let name = match name {
        Some(name) if !check_name(&name, &name_path, findings) => return None,
        name => name.unwrap_or_else(|| default_file.to_owned()),
    };
    Some((name, text?))
}

/// Whether a name is the name of a file that rsyslogd reads; if not, that is said.
fn check_name(name: &str, path: &str, findings: &mut Findings) -> bool {
    let fits = name.ends_with(".conf") && !name.starts_with('.') && !name.contains('/');
    if !fits {
        let value = Value::String(name.to_owned());
        findings.mismatch::<()>(
            path,
            "a name that ends with .conf, without a folder",
            &value,
        );
    }
    fits
}

/// `[filter] [@|@@]host[:port] [# comment]` → a line of rsyslog.conf. `@` is UDP, as nothing is, and `@@` TCP.
fn remote_line(value: &str, path: &str, findings: &mut Findings) -> Option<String> {
    let text = value.split('#').next().unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = match words.as_slice() {
        [target] => target_text(target).map(|target| format!("*.* {target}")),
        [filter, target] => target_text(target)
            .filter(|_| is_filter(filter))
            .map(|target| format!("{filter} {target}")),
        _ => None,
    };
    line.or_else(|| {
        let expected = "a host such as 10.0.0.1, @@logs.lan:514 or *.err @10.0.0.1";
        findings.mismatch(path, expected, &Value::String(value.to_owned()))
    })
}

/// Whether a word picks lines: by facility and priority, or by a property.
fn is_filter(word: &str) -> bool {
    word.contains('.') || word.starts_with(':')
}

fn target_text(target: &str) -> Option<String> {
    let host = target.trim_start_matches('@');
    let protocol = match target.len() - host.len() {
        0 | 1 => "@",
        2 => "@@",
        _ => return None,
    };
    let (host, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        // An address of IPv6.
        Some((address, port)) => {
            address.parse::<std::net::Ipv6Addr>().ok()?;
            let port = match port {
                "" => "",
                port => port.strip_prefix(':')?,
            };
            (format!("[{address}]"), port)
        }
        None => {
            let (host, port) = host.split_once(':').unwrap_or((host, ""));
            let is_part =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            (!host.is_empty() && host.bytes().all(is_part)).then_some(())?;
            (host.to_owned(), port)
        }
    };
    let port = match port {
        "" => PORT,
        port => port.parse().ok().filter(|port| *port > 0)?,
    };
    Some(format!("{protocol}{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::add_to_service;
    use crate::config::read;

    /// The files of a document, each as `name: text`, and its problems.
    fn files(text: &str) -> (Vec<String>, Vec<String>) {
        let (config, problems) = read(text);
        let files = config.rsyslog.files.iter();
        let files = files
            .map(|(name, text)| format!("{name}: {text}"))
            .collect();
        (files, problems)
    }

    #[test]
    fn hosts_and_settings_become_files_of_rsyslogd() {
        for (text, expected) in [
            ("{}", &[][..]),
            (
                "{remotes: {a: 192.0.2.1, b: '@@logs.lan:6514', c: '*.err @[fd00::1]'}}",
                &[
                    "20-cloud-config.conf: *.* @192.0.2.1:514\n*.* @@logs.lan:6514\n*.err @[fd00::1]:514\n",
                ],
            ),
            (
                "{config_filename: 50-mine.conf, remotes: {a: 'h # the host'}}",
                &["50-mine.conf: *.* @h:514\n"],
            ),
            (
                "{configs: ['*.* @@192.0.2.1', {content: \"a\\nb\\n\", filename: 01-x.conf}]}",
                &[
                    "01-x.conf: a\nb\n",
                    "20-cloud-config.conf: *.* @@192.0.2.1\n",
                ],
            ),
        ] {
            let (found, problems) = files(&format!("rsyslog: {text}"));
            assert_eq!(found, expected, "{text}");
            assert_eq!(problems, [""; 0], "{text}");
        }
    }

    #[test]
    fn wrong_values_cost_themselves() {
        let host = "expected a host such as 10.0.0.1, @@logs.lan:514 or *.err @10.0.0.1, found";
        let name = "expected a name that ends with .conf, without a folder, found";
        for (text, expected) in [
            (
                "{remotes: {a: '@@@h', b: h}}",
                format!("rsyslog.remotes.a: {host} \"@@@h\""),
            ),
            (
                "{remotes: {a: 'h:0', b: h}}",
                format!("rsyslog.remotes.a: {host} \"h:0\""),
            ),
            (
                "{remotes: {a: \"h\\n*.* /etc/passwd x\", b: h}}",
                format!("rsyslog.remotes.a: {host} \"h\\n*.* /etc/passwd x\""),
            ),
            (
                "{remotes: {a: '@[h]', b: h}}",
                format!("rsyslog.remotes.a: {host} \"@[h]\""),
            ),
            (
                "{remotes: {b: h}, config_filename: ../x}",
                format!("rsyslog.config_filename: {name} \"../x\""),
            ),
            (
                "{remotes: {b: h}, configs: [{content: x, filename: /etc/x}]}",
                format!("rsyslog.configs[0].filename: {name} \"/etc/x\""),
            ),
        ] {
            let (found, problems) = files(&format!("rsyslog: {text}"));
            assert_eq!(found, ["20-cloud-config.conf: *.* @h:514\n"], "{text}");
            assert_eq!(problems, [expected], "{text}");
        }
    }

    #[test]
    fn the_syslog_service_has_a_network_with_settings_of_the_user_alone() {
        for (text, expected) in [
            ("hostname: a", "none None 0"),
            ("write_files: [{path: /a, content: x}]", "none None 0"),
            ("rsyslog: {remotes: {a: h}}", "host Some(\"host\") 2"),
            (
                "write_files: [{path: /etc/rsyslog.d/a.conf, container: syslog, content: x}]",
                "host Some(\"host\") 2",
            ),
        ] {
            let service = "rancher: {services: {syslog: {image: x, net: none}}}";
            let (config, _) = read(&format!("{text}\n{service}\n"));
            let (mut files, mut services) = (config.write_files, config.rancher.services);
            add_to_service(&config.rsyslog, &mut files, &mut services);
            let service = &services["syslog"];
            let net = service.net.as_deref().unwrap_or_default();
            let found = format!("{net} {:?} {}", service.uts, service.volumes.len());
            assert_eq!(found, expected, "{text}");
        }
        // A machine without the service has no place for its files.
        let (config, _) = read("rsyslog: {remotes: {a: h}}");
        let (mut files, mut services) = (Vec::new(), BTreeMap::new());
        add_to_service(&config.rsyslog, &mut files, &mut services);
        assert_eq!(files[0].path, "/etc/rsyslog.d/20-cloud-config.conf");
        assert!(services.is_empty());
    }
}
