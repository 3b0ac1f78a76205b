//! The start of a slot as GRUB passes it on the kernel line.

use disk::slots::Slot;

use crate::kernel_line;

/// The slot that GRUB has started, and the disk that it has counted the start on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotStart {
    pub slot: Slot,
    /// The sequence number that GRUB has written; `None` if it could not write, or did not count.
    pub sequence: Option<u8>,
    /// The GUID of the EFI system partition, in lower case. A copy of the disk has it too.
    pub esp: String,
}

/// Reads `paddock.slot`, `paddock.seq` and `paddock.esp`; `None` if the machine did not start from a slot of a disk.
pub fn read(line: &str) -> Option<SlotStart> {
    let slot = kernel_line::value(line, "paddock.slot")?.parse().ok()?;
    let sequence = kernel_line::value(line, "paddock.seq").and_then(|text| text.parse().ok());
    let esp = kernel_line::value(line, "paddock.esp")?.to_ascii_lowercase();
    (!esp.is_empty()).then_some(SlotStart {
        slot,
        sequence,
        esp,
    })
}

#[cfg(test)]
mod tests {
    use super::{SlotStart, read};
    use disk::slots::Slot;

    #[test]
    fn a_start_is_read_from_the_kernel_line() {
        let start = |slot, sequence| {
            let esp = "c12a7328-0000-4000-8000-00a0c93ec93b".to_owned();
            Some(SlotStart {
                slot,
                sequence,
                esp,
            })
        };
        let esp = "paddock.esp=C12A7328-0000-4000-8000-00A0C93EC93B";
        for (line, expected) in [
            (
                format!("quiet paddock.slot=a paddock.seq=7 {esp}"),
                start(Slot::A, Some(7)),
            ),
            (
                format!("paddock.slot=b paddock.seq= {esp}"),
                start(Slot::B, None),
            ),
            (format!("paddock.slot=b {esp}"), start(Slot::B, None)),
            // An ISO has neither.
            (
                "paddock.slot=iso paddock.seq= paddock.esp=".to_owned(),
                None,
            ),
            ("paddock.slot=a paddock.esp=".to_owned(), None),
            ("quiet".to_owned(), None),
        ] {
            assert_eq!(read(&line), expected, "{line}");
        }
    }
}
