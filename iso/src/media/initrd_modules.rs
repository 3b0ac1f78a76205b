//! The choice of kernel modules for the initrd.

use std::collections::{BTreeMap, BTreeSet};

/// Modules that find and mount the OS image and the state disk, on any machine. Network drivers load later.
const IN_THE_INITRD: &[&str] = &[
    // Checksums of ext4, and of modules, whose signatures the kernel checks. Other algorithms for the processor wait for
    // udev: the check of each takes longer than the module saves before the login.
    "arch/x86/crypto/crc32c",
    "arch/x86/crypto/sha256",
    "crypto/crc32",
    "drivers/ata",
    "drivers/block/loop",
    "drivers/block/virtio_blk",
    "drivers/block/xen-blkfront",
    "drivers/cdrom",
    "drivers/hid/hid-generic",
    "drivers/hid/hid-hyperv",
    "drivers/hid/hid.ko",
    "drivers/hid/usbhid",
    "drivers/hv",
    "drivers/md/dm-verity",
    "drivers/input/serio/hyperv-keyboard",
    "drivers/message",
    "drivers/mmc",
    "drivers/nvme/host",
    "drivers/scsi",
    "drivers/usb/common",
    "drivers/usb/core",
    "drivers/usb/host",
    "drivers/usb/storage",
    "drivers/virtio",
    "fs/erofs",
    "fs/ext4",
    "fs/fat",
    "fs/isofs",
    "fs/nls",
    "fs/overlayfs",
    "fs/squashfs",
];

/// Fibre channel, iSCSI and their like: no OS image is on a disk behind a network, and these drivers
/// are larger than all others together.
const NOT_IN_THE_INITRD: &[&str] = &[
    "drivers/nvme/host/nvme-fc",
    "drivers/nvme/host/nvme-rdma",
    "drivers/nvme/host/nvme-tcp",
    "drivers/scsi/bnx2fc",
    "drivers/scsi/bnx2i",
    "drivers/scsi/device_handler",
    "drivers/scsi/elx",
    "drivers/scsi/fcoe",
    "drivers/scsi/iscsi",
    "drivers/scsi/libfc",
    "drivers/scsi/libiscsi",
    "drivers/scsi/lpfc",
    "drivers/scsi/qedf",
    "drivers/scsi/qedi",
    "drivers/scsi/qla2xxx",
    "drivers/scsi/scsi_transport_fc",
    "drivers/scsi/scsi_transport_iscsi",
];

/// The modules for the initrd and their dependencies, from the text of `modules.dep`: paths relative
/// to the folder of modules.
pub(crate) fn initrd_modules(modules_dep: &str) -> BTreeSet<String> {
    let dependencies: BTreeMap<&str, Vec<&str>> = modules_dep
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(module, needs)| (module, needs.split_ascii_whitespace().collect()))
        .collect();
    let mut chosen = BTreeSet::new();
    let mut waiting: Vec<&str> = dependencies
        .keys()
        .copied()
        .filter(|m| is_for_initrd(m))
        .collect();
    while let Some(module) = waiting.pop() {
        if chosen.insert(module.to_owned()) {
            waiting.extend(dependencies.get(module).into_iter().flatten());
        }
    }
    chosen
}

fn is_for_initrd(module: &str) -> bool {
    let Some(path) = module.strip_prefix("kernel/") else {
        return false;
    };
    let under = |list: &[&str]| list.iter().any(|prefix| path.starts_with(prefix));
    under(IN_THE_INITRD) && !under(NOT_IN_THE_INITRD)
}

#[cfg(test)]
mod tests {
    use super::initrd_modules;

    #[test]
    fn the_initrd_has_storage_and_what_it_needs_and_no_network() {
        let modules_dep = "\
kernel/drivers/scsi/sd_mod.ko: kernel/lib/t10.ko
kernel/lib/t10.ko: kernel/lib/crc.ko
kernel/lib/crc.ko:
kernel/lib/other.ko:
kernel/drivers/net/virtio_net.ko: kernel/lib/crc.ko
kernel/drivers/scsi/lpfc/lpfc.ko:
kernel/arch/x86/crypto/aesni-intel.ko: kernel/crypto/cryptd.ko
kernel/crypto/cryptd.ko:
kernel/arch/x86/crypto/crc32-pclmul.ko:
kernel/arch/x86/crypto/crc32c-intel.ko:
kernel/arch/x86/crypto/sha256-ssse3.ko:
kernel/drivers/input/serio/serio_raw.ko:
";
        let chosen: Vec<String> = initrd_modules(modules_dep).into_iter().collect();
        let expected = [
            "kernel/arch/x86/crypto/crc32c-intel.ko",
            "kernel/arch/x86/crypto/sha256-ssse3.ko",
            "kernel/drivers/scsi/sd_mod.ko",
            "kernel/lib/crc.ko",
            "kernel/lib/t10.ko",
        ];
        assert_eq!(chosen, expected);
    }
}
