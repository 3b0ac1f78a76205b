//! The hypervisor that a machine runs on, by the tables of its firmware. Pure.

use cloud_init_rs::Firmware;

/// A hypervisor, as far as guest tools differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hypervisor {
    Bhyve,
    HyperV,
    Kvm,
    Parallels,
    Unknown,
    VirtualBox,
    VMware,
    Xen,
}

/// A product with a hypervisor: a program of the user's, or a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Platform {
    pub(super) name: &'static str,
    pub(super) hypervisor: Hypervisor,
}

/// The table of the firmware that names a platform.
#[derive(Clone, Copy, Debug)]
enum Field {
    BiosVendor,
    BiosVersion,
    ChassisTag,
    Product,
    Vendor,
}

use Field::{BiosVendor, BiosVersion, ChassisTag, Product, Vendor};
use Hypervisor::{Bhyve, HyperV, Kvm, Parallels, VMware, VirtualBox, Xen};

/// A text in the firmware's tables, in lower case, and the platform that has it. The first that fits counts: a cloud
/// comes before its hypervisor.
const PLATFORMS: [(Field, &str, &str, Hypervisor); 29] = [
    // Azure's own tag; Hyper-V's machines have a tag for each machine.
    (
        ChassisTag,
        "7783-7084-3265-9085-8269-3286-77",
        "Microsoft Azure",
        HyperV,
    ),
    (ChassisTag, "oraclecloud.com", "Oracle Cloud", Kvm),
    // The older machines of Amazon run on Xen, and the version of their firmware ends so.
    (BiosVersion, "amazon", "Amazon EC2", Xen),
    (Vendor, "amazon ec2", "Amazon EC2", Kvm),
    (Product, "google compute engine", "Google Cloud", Kvm),
    (Vendor, "alibaba cloud", "Alibaba Cloud", Kvm),
    (Vendor, "digitalocean", "DigitalOcean", Kvm),
    (Vendor, "hetzner", "Hetzner", Kvm),
    (Vendor, "scaleway", "Scaleway", Kvm),
    (Vendor, "vultr", "Vultr", Kvm),
    (Vendor, "exoscale", "Exoscale", Kvm),
    (Product, "exoscale", "Exoscale", Kvm),
    (Vendor, "openstack", "OpenStack", Kvm),
    (Product, "openstack", "OpenStack", Kvm),
    (Product, "cloudstack", "CloudStack", Kvm),
    (Vendor, "nutanix", "Nutanix AHV", Kvm),
    (BiosVendor, "proxmox", "Proxmox VE", Kvm),
    (Vendor, "vmware", "VMware", VMware),
    (Product, "vmware", "VMware", VMware),
    (Product, "virtualbox", "VirtualBox", VirtualBox),
    (Vendor, "parallels", "Parallels", Parallels),
    (Product, "parallels", "Parallels", Parallels),
    // Behind Parallels, whose machines may be called so too. Microsoft's computers have names of their own.
    (Product, "virtual machine", "Hyper-V", HyperV),
    (Product, "bhyve", "bhyve", Bhyve),
    (BiosVendor, "bhyve", "bhyve", Bhyve),
    (Vendor, "xen", "Xen", Xen),
    (Vendor, "qemu", "KVM/QEMU", Kvm),
    (Product, "kvm", "KVM/QEMU", Kvm),
    (Product, "rhev hypervisor", "KVM/QEMU", Kvm),
];

const UNKNOWN: Platform = Platform {
    name: "an unknown hypervisor",
    hypervisor: Hypervisor::Unknown,
};

/// The platform of a machine whose processors have the flag of hypervisors. A machine without the flag has none: a cloud
/// names its real machines in the same tables.
pub(super) fn identify(firmware: &Firmware, has_flag: bool) -> Option<Platform> {
    let text = |field| {
        let text = match field {
            BiosVendor => &firmware.bios_vendor,
            BiosVersion => &firmware.bios_version,
            ChassisTag => &firmware.chassis_tag,
            Product => &firmware.product,
            Vendor => &firmware.vendor,
        };
        text.to_ascii_lowercase()
    };
    let found = PLATFORMS
        .iter()
        .find(|(field, part, ..)| text(*field).contains(part))
        .map(|&(_, _, name, hypervisor)| Platform { name, hypervisor });
    has_flag.then(|| found.unwrap_or(UNKNOWN))
}

/// The port that a host gives its machine for QEMU's guest agent.
pub(super) const AGENT_PORT: &str = "org.qemu.guest_agent.0";

/// The service with the guest tools: by the ports of the machine, then by its hypervisor. The names are RancherOS's.
pub(super) fn service(platform: Option<Platform>, ports: &[String]) -> Option<&'static str> {
    if ports.iter().any(|port| port == AGENT_PORT) {
        return Some("qemu-guest-agent");
    }
    match platform?.hypervisor {
        VMware => Some("open-vm-tools"),
        HyperV => Some("hyperv-vm-tools"),
        // VirtualBox's drivers are the kernel's, and the others need no program.
        Bhyve | Kvm | Parallels | VirtualBox | Xen | Hypervisor::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use cloud_init_rs::Firmware;

    use super::{AGENT_PORT, identify, service};

    /// Firmware with these texts: vendor, product, chassis tag, BIOS vendor, BIOS version.
    fn firmware(texts: [&str; 5]) -> Firmware {
        let [vendor, product, chassis_tag, bios_vendor, bios_version] = texts.map(str::to_owned);
        Firmware {
            vendor,
            product,
            chassis_tag,
            bios_vendor,
            bios_version,
            ..Firmware::default()
        }
    }

    #[test]
    fn firmware_names_the_hypervisor_and_the_hypervisor_its_tools() {
        const AZURE: &str = "7783-7084-3265-9085-8269-3286-77";
        let edk = "Proxmox distribution of EDK II";
        for (texts, expected) in [
            (
                ["QEMU", "Standard PC (Q35 + ICH9, 2009)", "", "SeaBIOS", ""],
                "KVM/QEMU",
            ),
            (["Red Hat", "KVM", "", "SeaBIOS", ""], "KVM/QEMU"),
            (["QEMU", "Standard PC", "", edk, ""], "Proxmox VE"),
            (
                ["VMware, Inc.", "VMware20,1", "No Asset Tag", "", ""],
                "VMware open-vm-tools",
            ),
            (["innotek GmbH", "VirtualBox", "", "", ""], "VirtualBox"),
            (
                ["Microsoft Corporation", "Virtual Machine", "4711", "", ""],
                "Hyper-V hyperv-vm-tools",
            ),
            (
                ["Microsoft Corporation", "Virtual Machine", AZURE, "", ""],
                "Microsoft Azure hyperv-vm-tools",
            ),
            (["Xen", "HVM domU", "", "Xen", "4.17"], "Xen"),
            (["Xen", "HVM domU", "", "Xen", "4.11.amazon"], "Amazon EC2"),
            (
                ["Amazon EC2", "t3.micro", "Amazon EC2", "Amazon EC2", "1.0"],
                "Amazon EC2",
            ),
            (
                ["Google", "Google Compute Engine", "", "Google", "Google"],
                "Google Cloud",
            ),
            (
                [
                    "OpenStack Foundation",
                    "OpenStack Nova",
                    "",
                    "SeaBIOS",
                    "1.16",
                ],
                "OpenStack",
            ),
            (
                ["Alibaba Cloud", "Alibaba Cloud ECS", "", "SeaBIOS", ""],
                "Alibaba Cloud",
            ),
            (
                ["QEMU", "Standard PC", "OracleCloud.com", "", ""],
                "Oracle Cloud",
            ),
            (
                [
                    "Parallels International GmbH.",
                    "Parallels ARM Virtual Machine",
                    "",
                    "",
                    "",
                ],
                "Parallels",
            ),
            (["FreeBSD", "BHYVE", "", "BHYVE", "14.0"], "bhyve"),
            (["", "", "", "", ""], "an unknown hypervisor"),
        ] {
            let platform = identify(&firmware(texts), true).unwrap();
            let tools = service(Some(platform), &[]).map(|name| format!(" {name}"));
            let found = format!("{}{}", platform.name, tools.unwrap_or_default());
            assert_eq!(found, expected, "{texts:?}");
        }
    }

    #[test]
    fn a_real_machine_has_no_hypervisor() {
        for texts in [
            ["Amazon EC2", "m5.metal", "", "Amazon EC2", "1.0"],
            ["Microsoft Corporation", "Surface Laptop", "", "", ""],
            ["", "", "", "", ""],
        ] {
            assert_eq!(identify(&firmware(texts), false), None, "{texts:?}");
        }
        assert_eq!(service(None, &[]), None);
    }

    #[test]
    fn a_port_asks_for_qemus_agent_on_every_hypervisor() {
        let ports = ["com.redhat.spice.0", AGENT_PORT].map(str::to_owned);
        let nutanix = identify(&firmware(["Nutanix", "AHV", "", "", ""]), true);
        for platform in [None, nutanix] {
            assert_eq!(service(platform, &ports), Some("qemu-guest-agent"));
            assert_eq!(service(platform, &ports[..1]), None);
        }
    }

    #[test]
    fn the_catalogue_has_the_tools() {
        let catalogue =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images/catalogue/services");
        for name in ["qemu-guest-agent", "open-vm-tools"] {
            let definition = std::fs::read_to_string(catalogue.join(format!("{name}.yml")));
            assert!(
                definition.unwrap().contains(&format!("\n{name}:\n")),
                "{name}"
            );
        }
    }
}
