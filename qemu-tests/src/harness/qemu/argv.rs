//! From a declared machine to QEMU's arguments: pure, so that the arguments can be compared without booting.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::harness::media::uefi::UefiFirmware;
use crate::harness::qemu::accel::Accel;
use crate::harness::spec::{
    BootMedium, Chipset, DiskBus, Firmware, Network, Nic, SeedKind, VmSpec,
};

/// The id of the device with the boot medium; its drive is called `boot`.
pub const BOOT_DEVICE: &str = "boot-device";

/// The script that a network card loads.
pub const PXE_SCRIPT: &str = "paddock.ipxe";

/// The host's part of the arguments.
#[derive(Debug, Clone)]
pub struct HostResources {
    /// The accelerator.
    pub accel: Accel,
    /// Name of the abstract unix socket for the serial console.
    pub console_socket: String,
    /// Name of the abstract unix socket for QMP.
    pub qmp_socket: String,
    /// Name of the abstract unix socket at which QEMU accepts a client of the guest agent.
    pub agent_socket: String,
    /// Kernel, initrd and whole kernel line, if QEMU loads the kernel instead of the firmware.
    pub kernel: Option<Kernel>,
    /// The ISO, unless the system boots without it.
    pub iso: Option<PathBuf>,
    /// The seed medium.
    pub seed: Option<PathBuf>,
    /// Disks beside the boot medium.
    pub disks: Vec<PathBuf>,
    /// The firmware, if it is UEFI.
    pub uefi: Option<UefiFirmware>,
    /// The folder that the user network's TFTP server shows.
    pub tftp: PathBuf,
    /// Ports of the host's loopback that lead into the machine.
    pub forwards: Vec<PortForward>,
}

/// A port of the host's loopback that leads to a port of the machine.
#[derive(Debug, Clone, Copy)]
pub struct PortForward {
    /// The host's port.
    pub host: u16,
    /// The machine's port.
    pub guest: u16,
}

/// A kernel that QEMU loads itself.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The kernel image.
    pub image: PathBuf,
    /// Its initrd.
    pub initrd: PathBuf,
    /// The kernel line.
    pub line: String,
}

/// QEMU's arguments, without its own name.
pub fn argv(spec: &VmSpec, host: &HostResources) -> Vec<OsString> {
    let mut argv = Args::default();
    argv.base(spec, host);
    argv.firmware(spec, host);
    argv.controllers(spec);
    argv.boot_medium(spec, host);
    argv.seed(spec, host);
    for (index, disk) in host.disks.iter().enumerate() {
        argv.disk(spec, index, disk);
    }
    argv.network(spec, host);
    argv.0
}

#[derive(Default)]
struct Args(Vec<OsString>);

impl Args {
    fn pair(&mut self, flag: &str, value: impl Into<OsString>) {
        self.0.push(flag.into());
        self.0.push(value.into());
    }

    fn base(&mut self, spec: &VmSpec, host: &HostResources) {
        let chipset = match (spec.chipset, spec.firmware) {
            (Chipset::Pc, _) => "pc",
            // The firmware keeps its keys from the system by the mode that smm switches on.
            (Chipset::Q35, Firmware::OvmfSecureBoot) => "q35,smm=on",
            (Chipset::Q35, _) => "q35",
        };
        let accel = if spec.counts_instructions {
            Accel::Tcg
        } else {
            host.accel
        };
        let mut cpu = accel.cpu().to_owned();
        if spec.counts_instructions {
            // Random numbers of the host's would send each boot another way.
            cpu.push_str(",rdrand=off,rdseed=off");
        }
        for flag in ["-nodefaults", "-no-user-config"] {
            self.0.push(flag.into());
        }
        self.pair("-machine", chipset);
        self.pair("-accel", accel.value(spec.cpus_at_once));
        self.pair("-cpu", cpu);
        if spec.counts_instructions {
            self.pair("-icount", "shift=0,sleep=off");
            self.pair("-rtc", "base=2026-01-01T00:00:00,clock=vm");
            self.pair("-seed", "1");
        } else if let Some(time) = &spec.rtc {
            self.pair("-rtc", format!("base={time}"));
        }
        self.pair("-smp", spec.cpus.to_string());
        self.pair("-m", format!("{}M", spec.memory_mb));
        self.pair("-display", "none");
        self.pair("-vga", "std");
        self.pair(
            "-chardev",
            format!("socket,id=console,abstract=on,path={}", host.console_socket),
        );
        self.pair("-serial", "chardev:console");
        self.pair(
            "-chardev",
            format!("socket,id=qmp,abstract=on,path={}", host.qmp_socket),
        );
        self.pair("-mon", "chardev=qmp,mode=control");
        if spec.guest_agent {
            self.pair(
                "-chardev",
                format!(
                    "socket,id=agent,abstract=on,server=on,wait=off,path={}",
                    host.agent_socket
                ),
            );
            self.pair("-device", "virtio-serial-pci");
            let port = "virtserialport,chardev=agent,name=org.qemu.guest_agent.0";
            self.pair("-device", port);
        }
        for table in &spec.smbios {
            self.pair("-smbios", table);
        }
        if !spec.reboots {
            self.0.push("-no-reboot".into());
        }
    }

    fn firmware(&mut self, spec: &VmSpec, host: &HostResources) {
        let Some(uefi) = &host.uefi else {
            return;
        };
        if spec.firmware == Firmware::OvmfSecureBoot {
            let protected = "driver=cfi.pflash01,property=secure,value=on";
            self.pair("-global", protected);
        }
        for (readonly, path) in [("on", &uefi.code), ("off", &uefi.variables)] {
            let mut value =
                OsString::from(format!("if=pflash,format=raw,readonly={readonly},file="));
            value.push(path);
            self.pair("-drive", value);
        }
    }

    /// Adds the controllers of CDs and sticks. The CDs of a `pc` are on its PIIX IDE unless the test asks for AHCI;
    /// a `q35` has AHCI on board.
    fn controllers(&mut self, spec: &VmSpec) {
        if cd_bus(spec) == "ahci" {
            self.pair("-device", "ahci,id=ahci");
        }
        if spec.boot_medium == BootMedium::UsbStick || spec.disk_bus == DiskBus::Usb {
            self.pair("-device", "qemu-xhci,id=xhci");
        }
    }

    fn boot_medium(&mut self, spec: &VmSpec, host: &HostResources) {
        if let Some(kernel) = &host.kernel {
            self.pair("-kernel", &kernel.image);
            self.pair("-initrd", &kernel.initrd);
            self.pair("-append", &kernel.line);
        }
        let Some(iso) = &host.iso else { return };
        let media = match spec.boot_medium {
            BootMedium::IdeCd | BootMedium::AhciCd => "cdrom",
            _ => "disk",
        };
        self.drive(
            "boot",
            &format!("media={media},readonly=on,format=raw"),
            iso,
        );
        let device = match spec.boot_medium {
            BootMedium::IdeCd | BootMedium::AhciCd => {
                format!("ide-cd,drive=boot,bus={}.0,bootindex=0", cd_bus(spec))
            }
            BootMedium::UsbStick => {
                "usb-storage,bus=xhci.0,drive=boot,removable=on,bootindex=0".into()
            }
            // QEMU puts a kernel given by `-kernel` first in the boot order itself.
            BootMedium::Direct => "virtio-blk-pci,drive=boot".to_owned(),
            _ => "virtio-blk-pci,drive=boot,bootindex=0".to_owned(),
        };
        self.pair("-device", format!("{device},id={BOOT_DEVICE}"));
    }

    fn seed(&mut self, spec: &VmSpec, host: &HostResources) {
        let Some(seed) = &host.seed else { return };
        if spec.seed.is_iso() {
            self.drive("seed", "media=cdrom,readonly=on,format=raw", seed);
            self.pair(
                "-device",
                format!("ide-cd,drive=seed,bus={}.1", cd_bus(spec)),
            );
        } else if spec.seed == SeedKind::ConfigDriveShare {
            let mut share = OsString::from("local,id=seed,security_model=none,readonly=on,path=");
            share.push(seed);
            self.pair("-fsdev", share);
            self.pair("-device", "virtio-9p-pci,fsdev=seed,mount_tag=config-2");
        } else {
            self.drive("seed", "media=disk,readonly=on,format=raw", seed);
            self.pair("-device", "virtio-blk-pci,drive=seed");
        }
    }

    fn disk(&mut self, spec: &VmSpec, index: usize, disk: &std::path::Path) {
        let id = format!("disk{index}");
        let format = match disk.extension() {
            Some(extension) if extension == "qcow2" => "qcow2",
            _ => "raw",
        };
        self.drive(&id, &format!("media=disk,format={format}"), disk);
        let mut device = match spec.disk_bus {
            DiskBus::Virtio => format!("virtio-blk-pci,drive={id}"),
            // The first two ports are the boot medium's and the seed's.
            DiskBus::Sata => format!("ide-hd,drive={id},bus=ide.{}", index + 2),
            DiskBus::Nvme => format!("nvme,drive={id},serial={id}"),
            DiskBus::Usb => format!("usb-storage,bus=xhci.0,drive={id}"),
        };
        if spec.sector_bytes != 512 {
            let bytes = spec.sector_bytes;
            device.push_str(&format!(
                ",logical_block_size={bytes},physical_block_size={bytes}"
            ));
        }
        let is_booted = match spec.boot_medium {
            BootMedium::FirstDisk => index == 0,
            BootMedium::LastDisk => index + 1 == spec.disks.len(),
            _ => false,
        };
        if is_booted {
            device.push_str(",bootindex=0");
        }
        self.pair("-device", device);
    }

    fn drive(&mut self, id: &str, options: &str, file: &std::path::Path) {
        let mut value = OsString::from(format!("if=none,id={id},{options},file="));
        value.push(file);
        self.pair("-drive", value);
    }

    fn network(&mut self, spec: &VmSpec, host: &HostResources) {
        let device = match spec.nic {
            Nic::None => return,
            Nic::VirtioNet => "virtio-net-pci",
            Nic::E1000 => "e1000",
        };
        let mut netdev = match spec.network {
            Network::Silent => "hubport,id=net0,hubid=0".to_owned(),
            Network::User => "user,id=net0".to_owned(),
            Network::Restricted => "user,id=net0,restrict=on".to_owned(),
            Network::Metadata => {
                "user,id=net0,net=169.254.169.0/24,host=169.254.169.254".to_owned()
            }
        };
        if spec.network != Network::Silent {
            for PortForward { host, guest } in &host.forwards {
                netdev.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
            }
        }
        let mut device = format!("{device},netdev=net0");
        if spec.boot_medium == BootMedium::Pxe {
            let tftp = host.tftp.display();
            netdev.push_str(&format!(",tftp={tftp},bootfile={PXE_SCRIPT}"));
            device.push_str(",bootindex=0");
        }
        self.pair("-netdev", netdev);
        self.pair("-device", device);
    }
}

/// The controller of the CD drives.
fn cd_bus(spec: &VmSpec) -> &'static str {
    match (spec.chipset, spec.boot_medium) {
        (Chipset::Pc, BootMedium::AhciCd) => "ahci",
        _ => "ide",
    }
}

#[cfg(test)]
mod tests {
    use super::{HostResources, Kernel, PortForward, argv};
    use crate::harness::media::uefi::UefiFirmware;
    use crate::harness::qemu::accel::Accel;
    use crate::harness::spec::{BootMedium, Chipset, DiskBus, Network, Nic, SeedKind, VmSpec};

    fn forward(host: u16, guest: u16) -> PortForward {
        PortForward { host, guest }
    }

    fn host() -> HostResources {
        HostResources {
            accel: Accel::Tcg,
            tftp: "/d".into(),
            console_socket: "c".into(),
            qmp_socket: "q".into(),
            agent_socket: "agent".into(),
            kernel: None,
            iso: Some("/d/paddock.iso".into()),
            seed: Some("/b/seed.img".into()),
            disks: vec![],
            uefi: None,
            forwards: vec![forward(2201, 22), forward(2202, 8080)],
        }
    }

    fn text(spec: &VmSpec, host: &HostResources) -> String {
        let words: Vec<_> = argv(spec, host)
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        words.join(" ")
    }

    #[test]
    fn boot_media() {
        use BootMedium::{AhciCd, IdeCd, UsbStick, VirtioDisk};
        use Chipset::{Pc, Q35};
        let cd = "-drive if=none,id=boot,media=cdrom,readonly=on,format=raw,file=/d/paddock.iso";
        let disk = "-drive if=none,id=boot,media=disk,readonly=on,format=raw,file=/d/paddock.iso";
        let table = [
            (
                IdeCd,
                Pc,
                format!("{cd} -device ide-cd,drive=boot,bus=ide.0,bootindex=0,id=boot-device"),
            ),
            (
                AhciCd,
                Pc,
                format!(
                    "-device ahci,id=ahci {cd} -device ide-cd,drive=boot,bus=ahci.0,bootindex=0,id=boot-device"
                ),
            ),
            (
                AhciCd,
                Q35,
                format!("{cd} -device ide-cd,drive=boot,bus=ide.0,bootindex=0,id=boot-device"),
            ),
            (
                UsbStick,
                Q35,
                format!(
                    "-device qemu-xhci,id=xhci {disk} -device usb-storage,bus=xhci.0,drive=boot,removable=on,bootindex=0,id=boot-device"
                ),
            ),
            (
                VirtioDisk,
                Q35,
                format!("{disk} -device virtio-blk-pci,drive=boot,bootindex=0,id=boot-device"),
            ),
        ];
        for (boot_medium, chipset, expected) in table {
            let spec = VmSpec {
                boot_medium,
                chipset,
                ..VmSpec::default()
            };
            let found = text(&spec, &host());
            assert!(
                found.contains(&expected),
                "{boot_medium:?} on {chipset:?}: {found}"
            );
        }
    }

    #[test]
    fn a_kernel_is_given_with_its_line() {
        let kernel = Kernel {
            image: "/k".into(),
            initrd: "/i".into(),
            line: "console=ttyS0 quiet".into(),
        };
        let host = HostResources {
            kernel: Some(kernel),
            iso: None,
            seed: None,
            ..host()
        };
        let found = argv(
            &VmSpec {
                boot_medium: BootMedium::Netboot,
                ..VmSpec::default()
            },
            &host,
        );
        let at = found.iter().position(|word| word == "-append").unwrap();
        assert_eq!(found[at + 1], "console=ttyS0 quiet");
        assert!(
            !found
                .iter()
                .any(|word| word.to_string_lossy().contains("id=boot"))
        );
    }

    #[test]
    fn networks() {
        let table = [
            (
                Nic::VirtioNet,
                Network::User,
                "-netdev user,id=net0,hostfwd=tcp:127.0.0.1:2201-:22,hostfwd=tcp:127.0.0.1:2202-:8080 -device virtio-net-pci,netdev=net0",
            ),
            (
                Nic::E1000,
                Network::Restricted,
                "-netdev user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:2201-:22,hostfwd=tcp:127.0.0.1:2202-:8080 -device e1000,netdev=net0",
            ),
            (
                Nic::VirtioNet,
                Network::Metadata,
                "-netdev user,id=net0,net=169.254.169.0/24,host=169.254.169.254,hostfwd=tcp:127.0.0.1:2201-:22,hostfwd=tcp:127.0.0.1:2202-:8080 -device virtio-net-pci,netdev=net0",
            ),
            (
                Nic::VirtioNet,
                Network::Silent,
                "-netdev hubport,id=net0,hubid=0 -device virtio-net-pci,netdev=net0",
            ),
        ];
        for (nic, network, expected) in table {
            let found = text(
                &VmSpec {
                    nic,
                    network,
                    ..VmSpec::default()
                },
                &host(),
            );
            assert!(found.ends_with(expected), "{nic:?} on {network:?}: {found}");
        }
        let found = text(
            &VmSpec {
                nic: Nic::None,
                ..VmSpec::default()
            },
            &host(),
        );
        assert!(!found.contains("netdev"), "{found}");
    }

    #[test]
    fn counting_needs_emulation_and_the_same_start() {
        let spec = VmSpec {
            counts_instructions: true,
            cpus: 1,
            ..VmSpec::default()
        };
        let host = HostResources {
            accel: Accel::Kvm,
            ..host()
        };
        let found = text(&spec, &host);
        for expected in [
            "-accel tcg,thread=single -cpu max,erms=off,fsrm=off,rdrand=off,rdseed=off",
            "-icount shift=0,sleep=off",
            "clock=vm -seed 1 -smp 1",
        ] {
            assert!(found.contains(expected), "{expected}: {found}");
        }
        assert!(!text(&VmSpec::default(), &host).contains("icount"));
    }

    #[test]
    fn a_config_drive_can_be_a_folder_of_the_host() {
        let spec = VmSpec {
            seed: SeedKind::ConfigDriveShare,
            ..VmSpec::default()
        };
        let host = HostResources {
            seed: Some("/b/seed".into()),
            ..host()
        };
        let found = text(&spec, &host);
        let expected = "-fsdev local,id=seed,security_model=none,readonly=on,path=/b/seed \
             -device virtio-9p-pci,fsdev=seed,mount_tag=config-2";
        assert!(found.contains(expected), "{found}");
    }

    #[test]
    fn disks_of_every_bus() {
        for (disk_bus, sector_bytes, expected) in [
            (
                DiskBus::Virtio,
                512,
                "-device virtio-blk-pci,drive=disk0,bootindex=0",
            ),
            (
                DiskBus::Sata,
                512,
                "-device ide-hd,drive=disk0,bus=ide.2,bootindex=0",
            ),
            (
                DiskBus::Nvme,
                4096,
                "-device nvme,drive=disk0,serial=disk0,logical_block_size=4096,physical_block_size=4096,bootindex=0",
            ),
            (
                DiskBus::Usb,
                512,
                "-device usb-storage,bus=xhci.0,drive=disk0,bootindex=0",
            ),
        ] {
            let spec = VmSpec {
                boot_medium: BootMedium::FirstDisk,
                disk_bus,
                sector_bytes,
                ..VmSpec::default()
            };
            let host = HostResources {
                iso: None,
                disks: vec!["/b/disk.img".into()],
                ..host()
            };
            let found = text(&spec, &host);
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }

    #[test]
    fn the_last_disk_can_be_the_boot_medium() {
        let disks: Vec<_> = ["/b/other.img", "/b/system.img"].map(Into::into).into();
        let spec = VmSpec {
            boot_medium: BootMedium::LastDisk,
            disks: disks.clone(),
            ..VmSpec::default()
        };
        let host = HostResources {
            iso: None,
            disks,
            ..host()
        };
        let found = text(&spec, &host);
        assert!(
            found.contains("virtio-blk-pci,drive=disk0 ")
                && found.contains("virtio-blk-pci,drive=disk1,bootindex=0"),
            "{found}"
        );
    }

    #[test]
    fn the_rest() {
        let spec = VmSpec {
            smbios: vec!["type=1,product=VirtualBox".into()],
            reboots: false,
            seed: SeedKind::NocloudIso,
            chipset: Chipset::Pc,
            memory_mb: 512,
            cpus: 4,
            ..VmSpec::default()
        };
        let host = HostResources {
            disks: vec!["/b/state.img".into()],
            uefi: Some(UefiFirmware {
                code: "/code".into(),
                variables: "/vars".into(),
            }),
            ..host()
        };
        let found = text(&spec, &host);
        for expected in [
            "-machine pc",
            "-m 512M",
            "-smp 4",
            "-no-reboot",
            "-smbios type=1,product=VirtualBox",
            "if=pflash,format=raw,readonly=on,file=/code",
            "if=pflash,format=raw,readonly=off,file=/vars",
            "-device ide-cd,drive=seed,bus=ide.1",
            "id=disk0,media=disk,format=raw,file=/b/state.img -device virtio-blk-pci,drive=disk0",
        ] {
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }
}
