//! The answers of DHCP servers (RFC 2131) that dhcpcd keeps, a message a file.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

const LEASES: &str = "var/lib/dhcpcd";
/// The place of the machine's address in a message.
const ADDRESS: std::ops::Range<usize> = 16..20;
const OPTIONS: usize = 236;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
const HOST_NAME: u8 = 12;
const TIME_SERVERS: u8 = 42;
const SERVER: u8 = 54;
/// The kernel's limit for the name of a machine, in bytes.
const LONGEST_NAME: usize = 64;

/// What a server has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The address that it gave the machine.
    pub address: Ipv4Addr,
    /// The server's own address.
    pub server: Option<Ipv4Addr>,
    /// The name that it gave the machine, with or without a domain; only a text that can be a name.
    pub host_name: Option<String>,
    /// Servers for the time.
    pub time_servers: Vec<Ipv4Addr>,
}

impl Lease {
    /// The leases below `root`, by the names of their links.
    pub fn read_all(root: &Path) -> Vec<Self> {
        let folder = std::fs::read_dir(root.join(LEASES)).into_iter().flatten();
        let mut files: Vec<PathBuf> = folder
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "lease"))
            .collect();
        files.sort();
        files
            .iter()
            .filter_map(|path| Self::parse(&std::fs::read(path).ok()?))
            .collect()
    }

    /// A message; `None` if it is none.
    pub fn parse(message: &[u8]) -> Option<Self> {
        let address = addresses(message.get(ADDRESS)?).next()?;
        let options = message.get(OPTIONS..)?.strip_prefix(&MAGIC)?;
        let value = |code| option(options, code).unwrap_or_default();
        Some(Self {
            address,
            server: addresses(value(SERVER)).next(),
            host_name: host_name(value(HOST_NAME)),
            time_servers: addresses(value(TIME_SERVERS)).collect(),
        })
    }
}

/// The value of the first option with a code.
fn option(options: &[u8], code: u8) -> Option<&[u8]> {
    let mut rest = options;
    loop {
        match *rest {
            // Code 0 is padding, code 255 ends the options.
            [0, ref after @ ..] => rest = after,
            [255, ..] | [] | [_] => return None,
            [found, length, ref after @ ..] => {
                let value = after.get(..usize::from(length))?;
                if found == code {
                    return Some(value);
                }
                rest = after.get(usize::from(length)..)?;
            }
        }
    }
}

fn addresses(bytes: &[u8]) -> impl Iterator<Item = Ipv4Addr> {
    bytes.chunks_exact(4).filter_map(|chunk| {
        let address: [u8; 4] = chunk.try_into().ok()?;
        Some(Ipv4Addr::from(address))
    })
}

/// A name of letters, digits and hyphens, in parts between dots. Some servers end it with a zero byte.
fn host_name(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes)
        .ok()?
        .trim_end_matches(['\0', '.']);
    let is_part = |part: &str| {
        let mut letters = part.bytes();
        !part.is_empty()
            && !part.starts_with('-')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'-')
    };
    let fits = name.len() <= LONGEST_NAME && name.split('.').all(is_part);
    fits.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Lease;

    fn message(options: &[u8]) -> Vec<u8> {
        let mut message = vec![0; super::OPTIONS];
        message[super::ADDRESS].copy_from_slice(&[10, 0, 2, 15]);
        [&message[..], &super::MAGIC, options].concat()
    }

    #[test]
    fn the_server_of_a_lease() {
        for (message, expected) in [
            (
                message(&[53, 1, 5, 0, 54, 4, 10, 0, 2, 2, 255]),
                Some("10.0.2.2"),
            ),
            (message(&[53, 1, 5, 255, 54, 4, 10, 0, 2, 2]), None),
            (message(&[54, 3, 1, 2, 3, 255]), None),
            (message(&[54, 200, 1]), None),
            (message(&[54]), None),
            (vec![0; 240], None),
            (Vec::new(), None),
        ] {
            let server = Lease::parse(&message).and_then(|lease| lease.server);
            let server = server.map(|server| server.to_string());
            assert_eq!(server.as_deref(), expected);
        }
    }

    #[test]
    fn names_and_time_servers() {
        let named = |name: &[u8]| [&[12, name.len() as u8], name, &[255]].concat();
        for (options, name, servers) in [
            (named(b"barn"), Some("barn"), &[][..]),
            (named(b"barn.example.com\0"), Some("barn.example.com"), &[]),
            (named(b"-barn"), None, &[]),
            (named(b"ba rn"), None, &[]),
            (named(b"ba\nrn"), None, &[]),
            (named(b"barn..lan"), None, &[]),
            (named(&[b'x'; 65]), None, &[]),
            (named(b""), None, &[]),
            (
                vec![42, 9, 10, 0, 0, 1, 10, 0, 0, 2, 7, 255],
                None,
                &["10.0.0.1", "10.0.0.2"],
            ),
        ] {
            let lease = Lease::parse(&message(&options)).unwrap();
            assert_eq!(lease.address.to_string(), "10.0.2.15");
            assert_eq!(lease.host_name.as_deref(), name, "{options:?}");
            let found = lease.time_servers.iter().map(ToString::to_string);
            assert_eq!(found.collect::<Vec<_>>(), servers, "{options:?}");
        }
    }

    #[test]
    fn leases_are_read_by_their_links() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Lease::read_all(root.path()), []);
        let folder = root.path().join(super::LEASES);
        fs::create_dir_all(&folder).unwrap();
        for (file, server) in [("eth1.lease", 9), ("eth0.lease", 8), ("eth2.lease6", 7)] {
            fs::write(folder.join(file), message(&[54, 4, 10, 0, 0, server])).unwrap();
        }
        fs::write(folder.join("eth3.lease"), "damaged").unwrap();
        let found = Lease::read_all(root.path()).into_iter();
        let servers = found.map(|lease| lease.server.unwrap().to_string());
        assert_eq!(servers.collect::<Vec<_>>(), ["10.0.0.8", "10.0.0.9"]);
    }
}
