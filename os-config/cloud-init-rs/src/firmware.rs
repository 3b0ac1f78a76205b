//! The strings of firmware and kernel line that tell one cloud from another, and the DHCP servers.

use std::path::Path;

/// The strings by which data sources detect themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firmware {
    /// SMBIOS type 1, manufacturer.
    pub vendor: String,
    /// SMBIOS type 1, product name.
    pub product: String,
    /// SMBIOS type 1, serial number.
    pub serial: String,
    /// SMBIOS type 1, UUID.
    pub uuid: String,
    /// SMBIOS type 3, asset tag.
    pub chassis_tag: String,
    /// SMBIOS type 0, version.
    pub bios_version: String,
    /// SMBIOS type 0, vendor.
    pub bios_vendor: String,
    pub kernel_line: String,
    /// Addresses of the DHCP servers that gave this machine its addresses.
    pub dhcp_servers: Vec<String>,
}

const DMI: &str = "sys/class/dmi/id";
const LEASES: &str = "var/lib/dhcpcd";

impl Firmware {
    /// Reads `/sys/class/dmi/id` and `/proc/cmdline` below `root`; a missing file gives an
    /// empty string.
    pub fn read(root: &Path) -> Self {
        let text = |path: &str| {
            let bytes = std::fs::read(root.join(path)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).trim().to_owned()
        };
        let dmi = |name: &str| text(&format!("{DMI}/{name}"));
        Self {
            vendor: dmi("sys_vendor"),
            product: dmi("product_name"),
            serial: dmi("product_serial"),
            uuid: dmi("product_uuid"),
            chassis_tag: dmi("chassis_asset_tag"),
            bios_version: dmi("bios_version"),
            bios_vendor: dmi("bios_vendor"),
            kernel_line: text("proc/cmdline"),
            dhcp_servers: Vec::new(),
        }
    }

    /// Reads the DHCP servers from the leases that dhcpcd keeps below `root`.
    pub fn read_dhcp_servers(&mut self, root: &Path) {
        let folder = std::fs::read_dir(root.join(LEASES)).into_iter().flatten();
        let leases = folder
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "lease"));
        self.dhcp_servers = leases
            .filter_map(|path| dhcp_server(&std::fs::read(path).ok()?))
            .collect();
    }

    /// The last non-empty value of `name=value` on the kernel line.
    pub fn argument(&self, name: &str) -> Option<&str> {
        let words = self.kernel_line.split_ascii_whitespace();
        words
            .filter_map(|word| {
                word.trim_matches('"')
                    .strip_prefix(name)?
                    .strip_prefix('=')
                    .map(|value| value.trim_matches('"'))
            })
            .rfind(|value| !value.is_empty())
    }
}

/// The server identifier (option 54) of the DHCP message (RFC 2131) in a lease file.
fn dhcp_server(message: &[u8]) -> Option<String> {
    const OPTIONS: usize = 236;
    let mut rest = message.get(OPTIONS..)?.strip_prefix(&[99, 130, 83, 99])?;
    loop {
        match *rest {
            // Code 0 is padding, code 255 ends the options.
            [0, ref after @ ..] => rest = after,
            [255, ..] | [] | [_] => return None,
            [code, length, ref after @ ..] => {
                let value = after.get(..usize::from(length))?;
                if code == 54 {
                    let address: [u8; 4] = value.try_into().ok()?;
                    return Some(std::net::Ipv4Addr::from(address).to_string());
                }
                rest = after.get(usize::from(length)..)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Firmware;

    #[test]
    fn the_last_argument_that_says_something_counts() {
        for (id, line, expected) in [
            ("", "", None),
            ("", "xa=1", None),
            ("", "a=1 a= a", Some("1")),
            ("", "a=1 b a=2", Some("2")),
            ("", "a=\"x\"", Some("x")),
            ("", "\"a=x\"", Some("x")),
        ] {
            let firmware = Firmware {
                kernel_line: line.into(),
                ..Firmware::default()
            };
            assert_eq!(firmware.argument("a"), expected, "{id} {line}");
        }
    }

    #[test]
    fn the_server_of_a_lease() {
        let lease = |options: &[u8]| [&[0; 236][..], &[99, 130, 83, 99], options].concat();
        for (message, expected) in [
            (
                lease(&[53, 1, 5, 0, 54, 4, 10, 0, 2, 2, 255]),
                Some("10.0.2.2"),
            ),
            (lease(&[53, 1, 5, 255, 54, 4, 10, 0, 2, 2]), None),
            (lease(&[54, 3, 1, 2, 3, 255]), None),
            (lease(&[54, 200, 1]), None),
            (lease(&[54]), None),
            (vec![0; 240], None),
            (Vec::new(), None),
        ] {
            assert_eq!(super::dhcp_server(&message).as_deref(), expected);
        }
    }

    #[test]
    fn a_machine_without_firmware_tables_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(Firmware::read(root), Firmware::default());
        let dmi = root.join(super::DMI);
        std::fs::create_dir_all(&dmi).unwrap();
        std::fs::write(dmi.join("sys_vendor"), "Amazon EC2\n").unwrap();
        std::fs::write(dmi.join("product_name"), b"\xff\n").unwrap();
        assert_eq!(Firmware::read(root).vendor, "Amazon EC2");
    }
}
