//! The kernel's log, which holds the lines of PID 1 and `ros` too.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;

const DEVICE: &str = "/dev/kmsg";
/// The kernel hands out a record a read, and no record is longer.
const LONGEST_RECORD: usize = 8192;

/// The records that the kernel still has, each `priority,sequence,microseconds,flags;text` and lines ` KEY=value` (the
/// kernel's documentation of /dev/kmsg). Empty if the log cannot be read.
pub fn records() -> Vec<Vec<u8>> {
    let mut options = OpenOptions::new();
    let options = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let Ok(mut log) = options.open(DEVICE) else {
        return Vec::new();
    };
    let mut record = vec![0; LONGEST_RECORD];
    let mut records = Vec::new();
    // An error is the end of the log.
    while let Ok(length @ 1..) = log.read(&mut record) {
        records.push(record.get(..length).unwrap_or_default().to_vec());
    }
    records
}

/// The texts of the records, each behind its time, as dmesg(1) prints them.
pub fn text(records: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for record in records {
        let record = String::from_utf8_lossy(record);
        let Some((prefix, message)) = record.split_once(';') else {
            continue;
        };
        let micros = prefix.split(',').nth(2).and_then(|time| time.parse().ok());
        let micros: u64 = micros.unwrap_or_default();
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let message = message.lines().next().unwrap_or_default();
        text.push_str(&format!("[{seconds:5}.{micros:06}] {message}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn records_are_shown_as_dmesg_shows_them() {
        let records = [
            "6,1,1000042,-;sd 0:0:0:0: [sda] Attached SCSI disk\n SUBSYSTEM=scsi\n DEVICE=+scsi:0:0:0:0\n",
            "12,4,12345678901,-;ros: up in 9.5 s\n",
            "garbage",
        ]
        .map(|record| record.as_bytes().to_vec());
        assert_eq!(
            text(&records),
            "[    1.000042] sd 0:0:0:0: [sda] Attached SCSI disk\n[12345.678901] ros: up in 9.5 s\n"
        );
        assert_eq!(text(&[]), "");
    }
}
