//! Whether buses may still bring disks. A disk of a USB or SAS controller can appear seconds after its driver.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::proc::kernel_log;
use crate::timeline::uptime_secs;

/// The class of USB interfaces for mass storage.
const MASS_STORAGE: &str = "08";

/// The types of SCSI devices that `sd_mod` and `sr_mod` drive: disks, CD drives, optical memory, simplified disks
/// (scsi_proto.h).
const SCSI_DISKS: [&str; 4] = ["0", "5", "7", "14"];

/// What the buses did lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusActivity {
    /// The time since the kernel's last message of a device.
    pub quiet_for: Duration,
    /// A USB disk was seen whose medium has not been looked at yet, or a SCSI disk or CD drive that has no driver
    /// yet.
    pub has_pending_storage: bool,
}

impl BusActivity {
    /// Reads the activity of this machine.
    pub fn read() -> Self {
        let last = last_device_message(&kernel_log::records()).unwrap_or_default();
        Self {
            quiet_for: Duration::from_secs_f64(uptime_secs()).saturating_sub(last),
            has_pending_storage: has_pending_interface(Path::new("/sys/bus/usb/devices"))
                || has_pending_disk(Path::new("/sys/bus/scsi/devices")),
        }
    }
}

/// The time of the last record that a device's driver wrote, since the kernel started.
///
/// A record is `priority,sequence,microseconds,flags;text` and lines ` KEY=value`. Drivers of SATA links name their device
/// in the text alone.
fn last_device_message(records: &[Vec<u8>]) -> Option<Duration> {
    let time = |record: &[u8]| -> Option<Duration> {
        let text = String::from_utf8_lossy(record);
        let (prefix, message) = text.split_once(';')?;
        let is_of_device = message
            .lines()
            .skip(1)
            .any(|line| line.starts_with(" SUBSYSTEM="));
        let is_of_link = message
            .strip_prefix("ata")
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
        let micros = prefix.split(',').nth(2)?.parse().ok()?;
        (is_of_device || is_of_link).then(|| Duration::from_micros(micros))
    };
    records.iter().filter_map(|record| time(record)).max()
}

/// Whether an interface for mass storage has no target yet: its driver waits a second for the disk.
fn has_pending_interface(devices: &Path) -> bool {
    let entries = fs::read_dir(devices).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|interface| {
        let class = fs::read_to_string(interface.join("bInterfaceClass")).unwrap_or_default();
        class.trim() == MASS_STORAGE && !has_target(&interface)
    })
}

/// Whether a SCSI disk or CD drive has no block device yet: its driver is loaded, or still looks at it.
fn has_pending_disk(devices: &Path) -> bool {
    let entries = fs::read_dir(devices).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|device| {
        let kind = fs::read_to_string(device.join("type")).unwrap_or_default();
        SCSI_DISKS.contains(&kind.trim()) && !device.join("block").exists()
    })
}

/// `host1/target1:0:0` below the interface.
fn has_target(interface: &Path) -> bool {
    let below = |folder: &Path, prefix: &str| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        let prefix = prefix.to_owned();
        paths.filter(move |path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
        })
    };
    below(interface, "host").any(|host| below(&host, "target").next().is_some())
}

#[cfg(test)]
mod tests {
    use super::{has_pending_disk, has_pending_interface, last_device_message};
    use std::fs;
    use std::time::Duration;

    #[test]
    fn the_last_message_of_a_device() {
        let records = [
            "6,1,1000000,-;sd 0:0:0:0: [sda] Attached SCSI disk\n SUBSYSTEM=scsi\n DEVICE=+scsi:0:0:0:0\n",
            "6,2,2500000,-;ata1: SATA link up 6.0 Gbps (SStatus 133 SControl 300)\n",
            "6,3,9000000,-;EXT4-fs (sda): mounted filesystem\n",
            "12,4,9500000,-;ros[3/8] find OS image\n",
            "garbage",
        ]
        .map(|text| text.as_bytes().to_vec());
        let last = |count: usize| last_device_message(&records[..count]);
        assert_eq!(last(0), None);
        assert_eq!(last(1), Some(Duration::from_secs(1)));
        assert_eq!(last(5), Some(Duration::from_millis(2500)));
    }

    #[test]
    fn a_usb_disk_is_pending_until_its_target_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let devices = folder.path();
        assert!(!has_pending_interface(devices));
        for (name, class) in [("1-1:1.0", "03\n"), ("1-2:1.0", "08\n")] {
            fs::create_dir_all(devices.join(name)).unwrap();
            fs::write(devices.join(name).join("bInterfaceClass"), class).unwrap();
        }
        assert!(has_pending_interface(devices));
        fs::create_dir_all(devices.join("1-2:1.0/host2/scsi_host")).unwrap();
        assert!(has_pending_interface(devices));
        fs::create_dir_all(devices.join("1-2:1.0/host2/target2:0:0")).unwrap();
        assert!(!has_pending_interface(devices));
    }

    #[test]
    fn a_scsi_disk_or_cd_is_pending_until_its_driver_has_made_a_block_device() {
        let folder = tempfile::tempdir().unwrap();
        let devices = folder.path();
        for (name, kind) in [("host6", None), ("1:0:0:0", Some("13\n"))] {
            fs::create_dir(devices.join(name)).unwrap();
            if let Some(kind) = kind {
                fs::write(devices.join(name).join("type"), kind).unwrap();
            }
        }
        assert!(!has_pending_disk(devices));
        for (name, kind) in [("6:0:0:0", "0\n"), ("0:0:0:0", "5\n")] {
            let disk = devices.join(name);
            fs::create_dir(&disk).unwrap();
            fs::write(disk.join("type"), kind).unwrap();
            assert!(has_pending_disk(devices), "{name}");
            fs::create_dir(disk.join("block")).unwrap();
            assert!(!has_pending_disk(devices), "{name}");
        }
    }
}
