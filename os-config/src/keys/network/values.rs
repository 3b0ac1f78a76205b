//! The values of network settings: addresses, names of links, domains. A wrong value is reported and counts as absent.

use std::net::IpAddr;

use serde_yaml::Value;

use crate::reader::Reader;
use crate::reader::findings::Findings;

/// The kernel's limit for the name of a link, in bytes.
const LONGEST_NAME: usize = 15;
/// The lengths of hardware addresses in hexadecimal digits: Ethernet, its long form, InfiniBand.
const MAC_DIGITS: [usize; 3] = [12, 16, 40];

/// What a text must be, and its name in messages.
#[derive(Clone, Copy)]
pub(super) struct ValueKind {
    is_valid: fn(&str) -> bool,
    pub(super) expected: &'static str,
}

pub(super) const PREFIX: ValueKind = ValueKind {
    is_valid: is_prefix,
    expected: "an address with its prefix, such as 192.168.1.5/24",
};
pub(super) const ADDRESS: ValueKind = ValueKind {
    is_valid: |text| text.parse::<IpAddr>().is_ok(),
    expected: "an address, such as 192.168.1.1",
};
pub(super) const NAME_SERVER: ValueKind = ValueKind {
    is_valid: is_name_server,
    expected: "the address of one name server, such as 1.1.1.1",
};
pub(super) const DOMAIN: ValueKind = ValueKind {
    is_valid: is_domain,
    expected: "a domain, such as example.com",
};
pub(super) const LINK: ValueKind = ValueKind {
    is_valid: is_link_name,
    expected: "the name of a link: up to 15 characters without blanks, `/` and `:`",
};
pub(super) const LINK_PATTERN: ValueKind = ValueKind {
    is_valid: is_link_pattern,
    expected: "the name of a link, a pattern such as eth*, or mac: and a hardware address of six pairs",
};

impl ValueKind {
    pub(super) fn accepts(self, text: &str) -> bool {
        (self.is_valid)(text)
    }

    /// The text if it is valid. An empty text counts as absent.
    pub(super) fn check(self, path: &str, text: String, findings: &mut Findings) -> Option<String> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return None;
        }
        if (self.is_valid)(trimmed) {
            return Some(trimmed.to_owned());
        }
        findings.mismatch(path, self.expected, &Value::String(text))
    }

    /// The text at a key.
    pub(super) fn text(
        self,
        reader: &mut Reader<'_>,
        key: &'static str,
        findings: &mut Findings,
    ) -> Option<String> {
        let text = reader.text(key, findings)?;
        self.check(&reader.path_of(key), text, findings)
    }

    /// The valid texts of the list at a key.
    pub(super) fn list(
        self,
        reader: &mut Reader<'_>,
        key: &'static str,
        findings: &mut Findings,
    ) -> Vec<String> {
        let texts = reader.list(key, findings);
        let path = reader.path_of(key);
        let is_single = texts.len() == 1;
        let checked = texts.into_iter().enumerate().filter_map(|(index, text)| {
            // The item of a single text has no position.
            let item = format!("{path}[{index}]");
            let path = if is_single { &path } else { &item };
            self.check(path, text, findings)
        });
        checked.collect()
    }
}

fn is_prefix(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let longest = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    !length.starts_with('+') && length.parse::<u8>().is_ok_and(|length| length <= longest)
}

/// A server with a link-local address names its link: `fe80::1%eth0`.
fn is_name_server(text: &str) -> bool {
    match text.split_once('%') {
        Some((address, link)) => {
            address.contains(':') && address.parse::<IpAddr>().is_ok() && is_link_name(link)
        }
        None => text.parse::<IpAddr>().is_ok(),
    }
}

fn is_domain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// As the kernel decides. Names become arguments of programs, so that none begins with a hyphen.
pub(super) fn is_link_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME
        && !matches!(text, "" | "." | "..")
        && !text.starts_with('-')
        && text
            .chars()
            .all(|c| !matches!(c, '/' | ':' | '"' | '\'') && !c.is_whitespace() && !c.is_control())
}

fn is_link_pattern(text: &str) -> bool {
    let Some(mac) = text
        .strip_prefix("mac:")
        .or_else(|| text.strip_prefix("mac="))
    else {
        let is_pattern = text.contains(['*', '?', '[']);
        let shown: String = text
            .chars()
            .filter(|c| !matches!(c, '*' | '?' | '[' | ']'))
            .collect();
        return is_link_name(if is_pattern { &shown } else { text })
            || is_pattern && shown.is_empty();
    };
    let is_pattern = mac.contains(['*', '?']);
    let digits = mac.bytes().filter(u8::is_ascii_hexdigit).count();
    let fits = mac
        .bytes()
        .all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'-' | b'.' | b'*' | b'?'));
    fits && (is_pattern || MAC_DIGITS.contains(&digits))
}

#[cfg(test)]
mod tests {
    use super::{ADDRESS, DOMAIN, LINK, LINK_PATTERN, NAME_SERVER, PREFIX, ValueKind};
    use crate::reader::findings::Findings;

    #[test]
    fn values_as_what_they_are() {
        let kinds: [(ValueKind, &[&str], &[&str]); 6] = [
            (
                PREFIX,
                &[
                    "192.168.1.5/24",
                    "10.0.0.1/32",
                    "fd00::1/64",
                    " 10.0.0.1/8 ",
                ],
                &[
                    "192.168.1.300/24",
                    "172.17.0.91",
                    "10.0.0.1/33",
                    "/16",
                    "10.0.0.1/",
                    "fd00::1/129",
                    "10.0.0.1/255.0.0.0",
                    "x",
                ],
            ),
            (
                ADDRESS,
                &["10.0.0.1", "fe80::1"],
                &["192.168.1", "10.0.0.1/24", "gateway"],
            ),
            (
                NAME_SERVER,
                &["1.1.1.1", "fe80::1%eth0"],
                &[
                    "1.1.1.1 9.9.9.9",
                    "8.8.8",
                    "1.1.1.1%eth0",
                    "dns.example.com",
                ],
            ),
            (
                DOMAIN,
                &["example.com", "_x.lan", "."],
                &["a b", "a,b", "a\nnameserver 1.1.1.1"],
            ),
            (
                LINK,
                &["eth0", "bond0.7", "br-lan"],
                &["a b", "-x", "..", "a:b", "abcdefghijklmnop", "a/b"],
            ),
            (
                LINK_PATTERN,
                &[
                    "eth0",
                    "eth*",
                    "*",
                    "e?h0",
                    "mac:52:54:00:12:34:56",
                    "mac=5254.0012.3456",
                    "mac=52:54:*",
                    "machine0",
                    "eth[01]",
                ],
                &[
                    "mac=nonsense",
                    "mac:ea:34:71:66:90:12:01",
                    "mac:",
                    "eth 0",
                    "eth0\nx",
                ],
            ),
        ];
        for (kind, right, wrong) in kinds {
            let mut findings = Findings::default();
            for text in right {
                let found = kind.check("k", (*text).to_owned(), &mut findings);
                assert_eq!(found.as_deref(), Some(text.trim()), "{}", kind.expected);
            }
            assert_eq!(findings.list, []);
            for text in wrong {
                let found = kind.check("k", (*text).to_owned(), &mut findings);
                assert_eq!(found, None, "{text}: {}", kind.expected);
            }
            assert_eq!(findings.list.len(), wrong.len());
        }
    }
}
