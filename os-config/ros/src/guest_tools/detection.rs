//! Reads on which platform the machine runs, and says which guest tools there are for it.

use std::path::Path;

use cloud_init_rs::Firmware;
use host::facts;
use os_config::Config;
use serde_json::{Value, json};

use crate::guest_tools::hypervisor::{self, Platform};

/// The names of the ports that the host gives the machine.
const PORTS: &str = "sys/class/virtio-ports";

/// The machine's platform and its guest tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuestTools {
    platform: Option<Platform>,
    /// The service with the tools, if there are tools.
    pub(crate) service: Option<&'static str>,
}

impl GuestTools {
    /// Reads the firmware's tables and the ports below `root`. The ports are there once udev has loaded their driver.
    pub(crate) fn read(root: &Path) -> Self {
        let platform = hypervisor::identify(&Firmware::read(root), facts::is_virtual_machine(root));
        Self {
            platform,
            service: hypervisor::service(platform, &ports(root)),
        }
    }

    /// The service that the configuration leaves to the detection: it neither includes nor excludes nor defines it.
    pub(crate) fn service_to_enable(&self, config: &Config) -> Option<&'static str> {
        let rancher = &config.rancher;
        self.service.filter(|name| {
            rancher.hypervisor_service
                && !rancher.services_include.contains_key(*name)
                && !rancher.services.contains_key(*name)
        })
    }

    /// The platform and what becomes of its guest tools, for people and for programs.
    pub(crate) fn describe(&self, config: &Config) -> (String, Value) {
        let name = self.platform.map(|platform| platform.name);
        let shown = name.unwrap_or("none");
        let rancher = &config.rancher;
        // An own service of the name counts too.
        let is_enabled = |service: &&str| rancher.services.contains_key(*service);
        let enabled = self.service.filter(is_enabled);
        let fact = json!({"name": name, "guest_tools": self.service, "enabled": enabled.is_some()});
        let text = match (self.service, enabled) {
            (None, _) => shown.to_owned(),
            (Some(service), Some(_)) => format!("{shown}, guest tools: {service}"),
            (Some(service), None) if self.service_to_enable(config).is_none() => {
                format!("{shown}, guest tools: {service}, which the configuration leaves out")
            }
            // The kernel's drivers do the most there.
            (Some("hyperv-vm-tools"), None) => format!("{shown}, guest tools: the kernel's"),
            (Some(service), None) => format!(
                "{shown}, guest tools: {service}, as soon as its image is here \
                 (`ros service enable {service}` says what is missing)"
            ),
        };
        (text, fact)
    }
}

fn ports(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root.join(PORTS));
    let names = entries.into_iter().flatten().flatten().filter_map(|entry| {
        let name = std::fs::read_to_string(entry.path().join("name")).ok()?;
        Some(name.trim().to_owned())
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use os_config::load::document;

    use super::GuestTools;

    fn write(root: &Path, file: &str, text: &str) {
        let file = root.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn the_configuration_counts_before_the_detection() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            "proc/cpuinfo",
            "flags\t\t: fpu hypervisor lahf_lm\n",
        );
        write(root.path(), "sys/class/dmi/id/sys_vendor", "VMware, Inc.\n");
        let found = GuestTools::read(root.path());
        for (text, to_enable, said) in [
            (
                "",
                Some("open-vm-tools"),
                "VMware, guest tools: open-vm-tools, as soon as its image is here \
                 (`ros service enable open-vm-tools` says what is missing)",
            ),
            (
                "hypervisor_service: false",
                None,
                "VMware, guest tools: open-vm-tools, which the configuration leaves out",
            ),
            (
                "services_include: {open-vm-tools: false}",
                None,
                "VMware, guest tools: open-vm-tools, which the configuration leaves out",
            ),
            (
                "services: {open-vm-tools: {image: mine}}",
                None,
                "VMware, guest tools: open-vm-tools",
            ),
        ] {
            let config = document(format!("rancher: {{{text}}}\n").as_bytes()).unwrap();
            assert_eq!(found.service_to_enable(&config), to_enable, "{text}");
            assert_eq!(found.describe(&config).0, said, "{text}");
        }
        let config = document(b"{}").unwrap();
        let port = "sys/class/virtio-ports/vport1p1/name";
        write(root.path(), port, "org.qemu.guest_agent.0\n");
        let with_port = GuestTools::read(root.path());
        assert_eq!(
            with_port.service_to_enable(&config),
            Some("qemu-guest-agent")
        );
        let hardware = GuestTools::read(Path::new("/nowhere"));
        assert_eq!(hardware.describe(&config).0, "none");
        assert_eq!(
            hardware.describe(&config).1.to_string(),
            r#"{"enabled":false,"guest_tools":null,"name":null}"#
        );
    }
}
