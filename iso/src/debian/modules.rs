//! The choice of kernel modules for the OS.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

/// Modules that no server and no virtual machine uses, and modules so rare that the ISO's size counts
/// more: cluster filesystems, iSCSI and converged adapters of makers that have left the market,
/// sensors and card readers of laptops, memory in slots for memory that is a disk.
const NOT_IN_THE_OS: &[&str] = &[
    "drivers/accel",
    "drivers/accessibility",
    "drivers/android",
    "drivers/atm",
    "drivers/block/drbd",
    "drivers/block/rbd",
    "drivers/bluetooth",
    "drivers/comedi",
    "drivers/crypto/intel",
    "drivers/dma/dw",
    "drivers/dma/idxd",
    "drivers/dma/ioat",
    "drivers/edac",
    "drivers/extcon",
    "drivers/firewire",
    "drivers/gpio",
    "drivers/gpu",
    "drivers/hid/amd-sfh-hid",
    "drivers/hid/hid-asus",
    "drivers/hid/hid-corsair",
    "drivers/hid/hid-cougar",
    "drivers/hid/hid-cp2112",
    "drivers/hid/hid-led",
    "drivers/hid/hid-lenovo",
    "drivers/hid/hid-lg-g15",
    "drivers/hid/hid-logitech-hidpp",
    "drivers/hid/hid-magicmouse",
    "drivers/hid/hid-nintendo",
    "drivers/hid/hid-picolcd",
    "drivers/hid/hid-playstation",
    "drivers/hid/hid-rmi",
    "drivers/hid/hid-roccat",
    "drivers/hid/hid-sensor-hub",
    "drivers/hid/hid-sony",
    "drivers/hid/hid-steam",
    "drivers/hid/hid-uclogic",
    "drivers/hid/hid-vivaldi",
    "drivers/hid/hid-wiimote",
    "drivers/hid/i2c-hid",
    "drivers/hid/intel-ish-hid",
    "drivers/hid/surface-hid",
    "drivers/hid/wacom",
    "drivers/hwmon",
    "drivers/hwtracing",
    "drivers/iio",
    "drivers/infiniband",
    "drivers/input/joystick",
    "drivers/input/misc",
    "drivers/input/mouse",
    "drivers/input/rmi4",
    "drivers/input/tablet",
    "drivers/input/touchscreen",
    "drivers/isdn",
    "drivers/leds",
    "drivers/md/bcache",
    "drivers/md/dm-era",
    "drivers/md/dm-flakey",
    "drivers/md/dm-log-writes",
    "drivers/md/dm-vdo",
    "drivers/md/dm-zoned",
    "drivers/media",
    "drivers/memstick",
    "drivers/misc/ad525x_dpot",
    "drivers/misc/ad525x_dpot-i2c",
    "drivers/misc/ad525x_dpot-spi",
    "drivers/misc/altera-stapl",
    "drivers/misc/apds9802als",
    "drivers/misc/apds990x",
    "drivers/misc/bh1770glc",
    "drivers/misc/c2port",
    "drivers/misc/cardreader",
    "drivers/misc/cb710",
    "drivers/misc/ds1682",
    "drivers/misc/hmc6352",
    "drivers/misc/ibmasm",
    "drivers/misc/ics932s401",
    "drivers/misc/isl29003",
    "drivers/misc/isl29020",
    "drivers/misc/lis3lv02d",
    "drivers/misc/mei",
    "drivers/misc/phantom",
    "drivers/misc/tifm_7xx1",
    "drivers/misc/tifm_core",
    "drivers/misc/tsl2550",
    "drivers/mtd",
    "drivers/net/arcnet",
    "drivers/net/can",
    "drivers/net/ethernet/3com",
    "drivers/net/ethernet/8390",
    "drivers/net/ethernet/brocade",
    "drivers/net/ethernet/cavium",
    "drivers/net/ethernet/chelsio",
    "drivers/net/ethernet/huawei",
    "drivers/net/ethernet/myricom",
    "drivers/net/ethernet/neterion",
    "drivers/net/ethernet/netronome",
    "drivers/net/ethernet/pensando",
    "drivers/net/ethernet/qlogic/netxen",
    "drivers/net/ethernet/qlogic/qed",
    "drivers/net/ethernet/qlogic/qede",
    "drivers/net/ethernet/qlogic/qlcnic",
    "drivers/net/ethernet/sfc",
    "drivers/net/ethernet/stmicro",
    "drivers/net/ethernet/sun",
    "drivers/net/ethernet/tehuti",
    "drivers/net/fddi",
    "drivers/net/fjes",
    "drivers/net/hamradio",
    "drivers/net/ieee802154",
    "drivers/net/plip",
    "drivers/net/wan",
    "drivers/net/wireless",
    "drivers/net/wwan",
    "drivers/nfc",
    "drivers/nvdimm",
    "drivers/parport",
    "drivers/pcmcia",
    "drivers/pinctrl",
    "drivers/platform",
    "drivers/power",
    "drivers/ptp/ptp_ocp",
    "drivers/scsi/aic7xxx",
    "drivers/scsi/aic94xx",
    "drivers/scsi/be2iscsi",
    "drivers/scsi/bfa",
    "drivers/scsi/bnx2fc",
    "drivers/scsi/bnx2i",
    "drivers/scsi/csiostor",
    "drivers/scsi/cxgbi",
    "drivers/scsi/esas2r",
    "drivers/scsi/fcoe",
    "drivers/scsi/fnic",
    "drivers/scsi/ipr",
    "drivers/scsi/ips",
    "drivers/scsi/isci",
    "drivers/scsi/libfc",
    "drivers/scsi/myrb",
    "drivers/scsi/myrs",
    "drivers/scsi/pcmcia",
    "drivers/scsi/pm8001",
    "drivers/scsi/pmcraid",
    "drivers/scsi/qedf",
    "drivers/scsi/qedi",
    "drivers/scsi/qla4xxx",
    "drivers/scsi/scsi_debug",
    "drivers/scsi/snic",
    "drivers/soundwire",
    "drivers/spi",
    "drivers/staging",
    "drivers/target",
    "drivers/thermal/intel/int340x_thermal",
    "drivers/thunderbolt",
    "drivers/tty/ipwireless",
    "drivers/tty/moxa",
    "drivers/tty/mxser",
    "drivers/tty/nozomi",
    "drivers/ufs",
    "drivers/usb/atm",
    "drivers/usb/dwc3",
    "drivers/usb/gadget",
    "drivers/usb/image",
    "drivers/usb/misc",
    "drivers/usb/serial",
    "drivers/usb/typec",
    "drivers/usb/usbip",
    "drivers/video",
    "drivers/w1",
    "fs/adfs",
    "fs/affs",
    "fs/afs",
    "fs/bcachefs",
    "fs/befs",
    "fs/bfs",
    "fs/cachefiles",
    "fs/ceph",
    "fs/coda",
    "fs/dlm",
    "fs/ecryptfs",
    "fs/efs",
    "fs/f2fs",
    "fs/freevxfs",
    "fs/gfs2",
    "fs/hfs",
    "fs/hfsplus",
    "fs/hpfs",
    "fs/jffs2",
    "fs/jfs",
    "fs/minix",
    "fs/nilfs2",
    "fs/nls/nls_cp932",
    "fs/nls/nls_cp936",
    "fs/nls/nls_cp949",
    "fs/nls/nls_cp950",
    "fs/nls/nls_euc-jp",
    "fs/ntfs3",
    "fs/ocfs2",
    "fs/omfs",
    "fs/orangefs",
    "fs/qnx4",
    "fs/qnx6",
    "fs/reiserfs",
    "fs/romfs",
    "fs/smb/server",
    "fs/sysv",
    "fs/ubifs",
    "fs/ufs",
    "fs/zonefs",
    "lib/test_bpf",
    "lib/test_firmware",
    "lib/test_static_key_base",
    "lib/test_static_keys",
    "net/6lowpan",
    "net/appletalk",
    "net/atm",
    "net/ax25",
    "net/batman-adv",
    "net/bluetooth",
    "net/can",
    "net/ceph",
    "net/dccp",
    "net/hsr",
    "net/ieee802154",
    "net/kcm",
    "net/lapb",
    "net/mac80211",
    "net/mac802154",
    "net/netrom",
    "net/nfc",
    "net/phonet",
    "net/qrtr",
    "net/rds",
    "net/rfkill",
    "net/rose",
    "net/rxrpc",
    "net/smc",
    "net/sunrpc/xprtrdma",
    "net/tipc",
    "net/wireless",
    "sound",
];

/// Modules in the folders of [`NOT_IN_THE_OS`] that many machines use: adapters for consoles and modems on a serial line.
const COMMON_SERIAL_ADAPTERS: &[&str] = &[
    "drivers/usb/serial/ch341",
    "drivers/usb/serial/cp210x",
    "drivers/usb/serial/ftdi_sio",
    "drivers/usb/serial/option",
    "drivers/usb/serial/pl2303",
    "drivers/usb/serial/usb_wwan",
    "drivers/usb/serial/usbserial",
];

/// Modules that the OS must have. [`NOT_IN_THE_OS`] may remove neither them nor their dependencies.
const INDISPENSABLE: &[&str] = &[
    "ahci",
    "ata_piix",
    "bnx2x",
    "bnxt_en",
    "bridge",
    "cifs",
    "dm-crypt",
    "dm-verity",
    "e1000",
    "e1000e",
    "ena",
    "erofs",
    "hv_netvsc",
    "hv_storvsc",
    "i40e",
    "ice",
    "igb",
    "igc",
    "ip_vs",
    "isofs",
    "ixgbe",
    "lpfc",
    "megaraid_sas",
    "mlx5_core",
    "mpt3sas",
    "nf_tables",
    "nfsv4",
    "nvme",
    "overlay",
    "qla2xxx",
    "r8169",
    "squashfs",
    "tg3",
    "uas",
    "veth",
    "virtio_blk",
    "virtio_net",
    "virtio_scsi",
    "vmw_pvscsi",
    "vmxnet3",
    "vxlan",
    "wireguard",
    "xen-blkfront",
    "xen-netfront",
    "zram",
];

/// The modules in the text of `modules.dep` that are unwanted or need an unwanted module.
pub(crate) fn unwanted_modules(modules_dep: &str) -> BTreeSet<&str> {
    let is_unwanted =
        |module: &str| is_in(module, NOT_IN_THE_OS) && !is_in(module, COMMON_SERIAL_ADAPTERS);
    modules_dep
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(module, needs)| {
            is_unwanted(module) || needs.split_ascii_whitespace().any(is_unwanted)
        })
        .map(|(module, _)| module)
        .collect()
}

/// Whether `paths` has the module or a folder around it.
fn is_in(module: &str, paths: &[&str]) -> bool {
    let path = module.strip_prefix("kernel/").unwrap_or(module);
    paths.iter().any(|listed| {
        let rest = path.strip_prefix(listed);
        rest.is_some_and(|rest| rest.starts_with(['/', '.']))
    })
}

/// Fails if an indispensable module is unwanted or is not in the kernel package.
pub(crate) fn check_indispensable(modules_dep: &str, unwanted: &BTreeSet<&str>) -> Result<()> {
    let there: BTreeSet<&str> = modules_dep
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(module, _)| !unwanted.contains(module))
        .filter_map(|(module, _)| module.rsplit('/').next()?.split('.').next())
        .collect();
    let missing: Vec<&str> = INDISPENSABLE
        .iter()
        .copied()
        .filter(|name| !there.contains(name))
        .collect();
    ensure!(
        missing.is_empty(),
        "checking the kernel's modules: {} missing",
        missing.join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{check_indispensable, unwanted_modules};

    #[test]
    fn common_serial_adapters_stay_with_the_modules_that_they_need() {
        let modules_dep = "\
kernel/drivers/usb/class/cdc-acm.ko.xz:
kernel/drivers/usb/serial/usbserial.ko.xz:
kernel/drivers/usb/serial/usb_wwan.ko.xz: kernel/drivers/usb/serial/usbserial.ko.xz
kernel/drivers/usb/serial/option.ko.xz: kernel/drivers/usb/serial/usb_wwan.ko.xz kernel/drivers/usb/serial/usbserial.ko.xz
kernel/drivers/usb/serial/io_ti.ko.xz: kernel/drivers/usb/serial/usbserial.ko.xz
";
        let left: Vec<&str> = unwanted_modules(modules_dep).into_iter().collect();
        assert_eq!(left, ["kernel/drivers/usb/serial/io_ti.ko.xz"]);
    }

    #[test]
    fn dependants_of_unwanted_modules_go_too() {
        let modules_dep = "\
kernel/sound/core/snd.ko.xz:
kernel/drivers/hid/hid-prodikeys.ko.xz: kernel/sound/core/snd.ko.xz kernel/drivers/hid/hid.ko.xz
kernel/drivers/hid/hid.ko.xz:
kernel/drivers/usb/miscellany/x.ko.xz:
";
        let left: Vec<&str> = unwanted_modules(modules_dep).into_iter().collect();
        assert_eq!(
            left,
            [
                "kernel/drivers/hid/hid-prodikeys.ko.xz",
                "kernel/sound/core/snd.ko.xz"
            ]
        );
        let error = check_indispensable(modules_dep, &BTreeSet::new()).unwrap_err();
        assert!(format!("{error}").contains("virtio_net"));
    }
}
