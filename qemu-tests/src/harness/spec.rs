//! The declaration of a test's machine. Scenario files have the same type below their key `machine`: its keys are the
//! fields' names.

use std::path::PathBuf;

use serde::Deserialize;

/// A declared machine. Every field has a default: `VmSpec::default()` is the ISO on a PC with 2 CPUs, 1 GiB and a
/// network.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VmSpec {
    /// The firmware.
    pub firmware: Firmware,
    /// The authorities that Secure Boot accepts; without any those of the host's firmware package. Only with the firmware
    /// `ovmf-secure-boot`.
    pub authorities: Vec<Authority>,
    /// The medium with the system.
    pub boot_medium: BootMedium,
    /// The mainboard.
    pub chipset: Chipset,
    /// Main memory in MiB.
    pub memory_mb: u32,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Whether emulated CPUs run at the same time, instead of in turns. It lets a single machine boot in two thirds
    /// of the time; two machines on a host with two CPUs gain nothing. The danger: while one CPU writes code that
    /// another runs, QEMU (10.0) may still run the old code. The kernel patches itself while it runs, and then meets
    /// a breakpoint that it has removed already ("Oops: int3").
    pub cpus_at_once: bool,
    /// Whether the machine's clock counts instructions, a nanosecond each, and skips waits. The time of a boot is then
    /// the work that it does, whatever else the host does; two such boots differ by 2 % at most. It needs
    /// emulation, and a single CPU: CPUs in turns each wait for the other's turn.
    pub counts_instructions: bool,
    /// The time of the hardware's clock at power-on, such as `1970-01-02T00:00:00`; without it the host's.
    pub rtc: Option<String>,
    /// The network card.
    pub nic: Nic,
    /// The network that the card is plugged into.
    pub network: Network,
    /// Tables of the firmware, as `-smbios` takes them (`type=1,product=VirtualBox`).
    pub smbios: Vec<String>,
    /// Whether there is a port for a guest agent.
    pub guest_agent: bool,
    /// Added to the kernel line; only with the boot media `direct` and `netboot`.
    pub append: String,
    /// A kernel instead of `dist/vmlinuz`; only with the boot medium `netboot`.
    pub kernel: Option<PathBuf>,
    /// An initrd instead of `dist/initrd`; only with the boot medium `netboot`.
    pub initrd: Option<PathBuf>,
    /// How the cloud-config reaches the machine.
    pub seed: SeedKind,
    /// NoCloud's network-config, beside the user-data.
    pub network_config: Option<String>,
    /// Size in MiB of a disk with an ext4 partition labelled RANCHER_STATE.
    pub state_disk_mb: Option<u32>,
    /// Disks that the test made itself, raw unless they are called `*.qcow2`.
    pub disks: Vec<PathBuf>,
    /// The bus of [`VmSpec::disks`].
    pub disk_bus: DiskBus,
    /// The size of a sector of [`VmSpec::disks`] in bytes, 512 or 4096.
    pub sector_bytes: u32,
    /// Whether a reset of the guest restarts it; otherwise it ends QEMU.
    pub reboots: bool,
}

impl Default for VmSpec {
    fn default() -> Self {
        Self {
            firmware: Firmware::Seabios,
            authorities: Vec::new(),
            boot_medium: BootMedium::Direct,
            chipset: Chipset::Q35,
            memory_mb: 1024,
            cpus: 2,
            cpus_at_once: false,
            counts_instructions: false,
            rtc: None,
            nic: Nic::VirtioNet,
            network: Network::User,
            smbios: Vec::new(),
            guest_agent: false,
            append: String::new(),
            kernel: None,
            initrd: None,
            seed: SeedKind::NocloudVfat,
            network_config: None,
            state_disk_mb: None,
            disks: Vec::new(),
            disk_bus: DiskBus::Virtio,
            sector_bytes: 512,
            reboots: true,
        }
    }
}

/// The firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// BIOS.
    Seabios,
    /// UEFI.
    Ovmf,
    /// UEFI with Secure Boot, which trusts Microsoft's keys.
    OvmfSecureBoot,
}

/// A certificate authority by which Microsoft signs the boot loaders of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// The one in nearly all firmware. It expired in June 2026; firmware does not look at that.
    Uefi2011,
    /// Its successor, which new machines may have alone.
    Uefi2023,
}

impl Authority {
    /// The common name in its certificate.
    pub fn common_name(self) -> &'static str {
        match self {
            Self::Uefi2011 => "Microsoft Corporation UEFI CA 2011",
            Self::Uefi2023 => "Microsoft UEFI CA 2023",
        }
    }
}

/// The bus of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskBus {
    /// A virtio disk, `/dev/vda`.
    Virtio,
    /// A disk on the AHCI controller of a q35, `/dev/sda`.
    Sata,
    /// An NVMe disk, `/dev/nvme0n1`.
    Nvme,
    /// A disk on USB, `/dev/sda`.
    Usb,
}

/// The medium with the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootMedium {
    /// The ISO in a CD drive on an IDE (PIIX) controller.
    IdeCd,
    /// The ISO in a CD drive on an AHCI controller.
    AhciCd,
    /// The ISO written to a USB stick.
    UsbStick,
    /// The ISO written to a virtio disk.
    VirtioDisk,
    /// The first disk of [`VmSpec::disks`], with an installed system.
    FirstDisk,
    /// The last disk of [`VmSpec::disks`], with an installed system. The kernel names the others before it.
    LastDisk,
    /// `dist/vmlinuz` and `dist/initrd`, no disk at all.
    Netboot,
    /// The network card's own iPXE, which gets `dist/paddock.ipxe` and what it names by TFTP.
    Pxe,
    /// The ISO's own kernel, small initrd and kernel line, given to QEMU directly, and the ISO as a virtio disk. The
    /// system is the same as from the boot menu, without the seconds that emulated firmware takes. Tests that are
    /// not about booting use it.
    Direct,
}

/// The mainboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chipset {
    /// i440FX and PIIX, VirtualBox's default.
    Pc,
    /// ICH9.
    Q35,
}

/// The network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nic {
    /// Paravirtual.
    VirtioNet,
    /// Intel 82540EM, VirtualBox's default.
    E1000,
    /// No card.
    None,
}

/// The network that the card is plugged into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// QEMU's user network: DHCP, DNS, the host at 10.0.2.2.
    User,
    /// The user network with nothing but the port forwards into the machine.
    Restricted,
    /// The user network at the addresses of a cloud: its metadata service, 169.254.169.254, is the host's loopback.
    Metadata,
    /// A hub with no other port: the link is up, and no server answers.
    Silent,
}

/// How the cloud-config reaches the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeedKind {
    /// No seed.
    None,
    /// NoCloud, a CD labelled `cidata`.
    NocloudIso,
    /// NoCloud, a FAT disk labelled `CIDATA`.
    NocloudVfat,
    /// OpenStack's config drive, a CD labelled `config-2`.
    ConfigDriveIso,
    /// OpenStack's config drive, a FAT disk labelled `config-2`.
    ConfigDriveVfat,
    /// OpenStack's config drive, a folder that the host shares with the tag `config-2`.
    ConfigDriveShare,
    /// VMware's OVF environment, a CD labelled `OVF ENV`.
    OvfIso,
}

impl SeedKind {
    /// Whether the seed is a CD.
    pub fn is_iso(self) -> bool {
        matches!(self, Self::NocloudIso | Self::ConfigDriveIso | Self::OvfIso)
    }
}

#[cfg(test)]
mod tests {
    use super::{BootMedium, Chipset, VmSpec};

    #[test]
    fn a_scenario_names_only_what_differs() {
        let spec: VmSpec =
            serde_yaml::from_str("boot_medium: ide-cd\nchipset: pc\nmemory_mb: 512\n").unwrap();
        assert_eq!(spec.boot_medium, BootMedium::IdeCd);
        assert_eq!(spec.chipset, Chipset::Pc);
        assert_eq!(spec.memory_mb, 512);
        assert_eq!(spec.cpus, 2);
    }

    #[test]
    fn an_unknown_knob_is_an_error() {
        let error = serde_yaml::from_str::<VmSpec>("memory: 512\n").unwrap_err();
        assert!(error.to_string().contains("memory"), "{error}");
    }
}
