//! The strings of firmware and kernel line that tell one cloud from another, and the DHCP servers.

use std::path::Path;

use crate::lease::Lease;

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
        let leases = Lease::read_all(root).into_iter();
        let servers = leases.filter_map(|lease| lease.server);
        self.dhcp_servers = servers.map(|server| server.to_string()).collect();
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
