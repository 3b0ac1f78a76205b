//! Recognises the filesystem of a device, its label and its UUID from the first blocks.
//!
//! A disk may hold anything: every access is bounded, and garbage counts as "no filesystem".
//! Layouts: the kernel's ext4, squashfs, erofs, xfs, btrfs headers; ECMA-119 for ISO 9660;
//! Microsoft's FAT specification.
//!
//! Written by hand: the crates that recognise these filesystems are bindings of libblkid, a C library that reads devices.

/// Bytes from the start of a device that hold every superblock looked for (btrfs is the furthest).
pub const PROBE_BYTES: usize = 65536 + 4096;

/// A filesystem found on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The kernel's name of the filesystem, as for `mount -t`.
    pub fstype: &'static str,
    /// The volume label, without padding; empty if none.
    pub label: String,
    /// The UUID as `blkid` writes it; empty if none.
    pub uuid: String,
}

/// Recognises a filesystem by the first [`PROBE_BYTES`] of its device (fewer are fine).
pub fn recognise(bytes: &[u8]) -> Option<Superblock> {
    // ISO first: a hybrid image also carries a partition table, never another filesystem at 0.
    iso9660(bytes)
        .or_else(|| squashfs(bytes))
        .or_else(|| erofs(bytes))
        .or_else(|| ext(bytes))
        .or_else(|| xfs(bytes))
        .or_else(|| btrfs(bytes))
        .or_else(|| vfat(bytes))
}

/// The length of ext4's superblock, and of each copy.
pub const EXT_BYTES: usize = 1024;
/// The places of the first copy of ext4's superblock, in the second group of blocks, for blocks of 1, 2 and 4 KiB.
pub const EXT_COPIES: [u64; 3] = [8193 << 10, 16384 << 11, 32768 << 12];

/// Recognises a copy of ext4's superblock, which stood at `place` on its device.
pub fn recognise_ext_copy(bytes: &[u8], place: u64) -> Option<Superblock> {
    const GROUP: usize = 90;
    const BLOCK_SIZE: usize = 24;
    let index = EXT_COPIES.iter().position(|copy| *copy == place)?;
    let is_of_place = usize::try_from(le32(bytes, BLOCK_SIZE)?) == Ok(index);
    let is_first_copy = has(bytes, GROUP, &1_u16.to_le_bytes()).is_some();
    // The superblock is read at its place behind the first KiB of a device.
    let mut device = vec![0; EXT_BYTES];
    device.extend_from_slice(bytes);
    (is_of_place && is_first_copy)
        .then(|| ext(&device))
        .flatten()
}

/// Whether the kernel has recorded an error in an ext4 filesystem, which may be gone from the filesystem itself.
pub fn has_recorded_error(bytes: &[u8]) -> bool {
    const STATE: usize = 1024 + 58;
    const ERROR: u8 = 0x2;
    let is_ext = ext(bytes).is_some();
    is_ext && bytes.get(STATE).is_some_and(|state| state & ERROR != 0)
}

/// Whether a device begins with a partition table: what lies behind it belongs to the partitions.
pub fn has_partition_table(bytes: &[u8]) -> bool {
    has(bytes, 510, &[0x55, 0xAA]).is_some()
}

fn iso9660(bytes: &[u8]) -> Option<Superblock> {
    has(bytes, 32769, b"CD001")?;
    let stamp = bytes.get(33581..33597)?;
    // blkid writes the volume's creation time as its UUID: YYYY-MM-DD-hh-mm-ss-cc.
    let uuid = match std::str::from_utf8(stamp) {
        Ok(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let pairs: Vec<&str> = [0..4, 4..6, 6..8, 8..10, 10..12, 12..14, 14..16]
                .into_iter()
                .filter_map(|range| digits.get(range))
                .collect();
            pairs.join("-")
        }
        _ => String::new(),
    };
    Some(Superblock {
        fstype: "iso9660",
        label: text(bytes.get(32808..32840)?),
        uuid,
    })
}

fn squashfs(bytes: &[u8]) -> Option<Superblock> {
    has(bytes, 0, b"hsqs")?;
    Some(Superblock {
        fstype: "squashfs",
        label: String::new(),
        uuid: String::new(),
    })
}

fn erofs(bytes: &[u8]) -> Option<Superblock> {
    has(bytes, 1024, &0xE0F5_E1E2_u32.to_le_bytes())?;
    Some(Superblock {
        fstype: "erofs",
        label: text(bytes.get(1088..1104)?),
        uuid: uuid(bytes.get(1072..1088)?),
    })
}

fn ext(bytes: &[u8]) -> Option<Superblock> {
    has(bytes, 1024 + 56, &[0x53, 0xEF])?;
    let has_journal = le32(bytes, 1024 + 92)? & 0x4 != 0;
    let incompatible = le32(bytes, 1024 + 96)?;
    // Extents, 64bit, flex_bg and later features belong to ext4.
    let fstype = if incompatible & !0x16 != 0 {
        "ext4"
    } else if has_journal {
        "ext3"
    } else {
        "ext2"
    };
    Some(Superblock {
        fstype,
        label: text(bytes.get(1144..1160)?),
        uuid: uuid(bytes.get(1128..1144)?),
    })
}

fn xfs(bytes: &[u8]) -> Option<Superblock> {
    has(bytes, 0, b"XFSB")?;
    Some(Superblock {
        fstype: "xfs",
        label: text(bytes.get(108..120)?),
        uuid: uuid(bytes.get(32..48)?),
    })
}

fn btrfs(bytes: &[u8]) -> Option<Superblock> {
    has(bytes, 65536 + 64, b"_BHRfS_M")?;
    Some(Superblock {
        fstype: "btrfs",
        label: text(bytes.get(65835..66091)?),
        uuid: uuid(bytes.get(65568..65584)?),
    })
}

fn vfat(bytes: &[u8]) -> Option<Superblock> {
    has(bytes, 510, &[0x55, 0xAA])?;
    let (serial, label) = if has(bytes, 82, b"FAT32").is_some() {
        (bytes.get(67..71)?, bytes.get(71..82)?)
    } else if has(bytes, 54, b"FAT1").is_some() {
        (bytes.get(39..43)?, bytes.get(43..54)?)
    } else {
        return None;
    };
    let label = match text(label) {
        unnamed if unnamed == "NO NAME" => String::new(),
        named => named,
    };
    let uuid = match serial {
        [a, b, c, d] => format!("{d:02X}{c:02X}-{b:02X}{a:02X}"),
        _ => String::new(),
    };
    Some(Superblock {
        fstype: "vfat",
        label,
        uuid,
    })
}

fn has(bytes: &[u8], offset: usize, magic: &[u8]) -> Option<()> {
    (bytes.get(offset..offset.checked_add(magic.len())?)? == magic).then_some(())
}

fn le32(bytes: &[u8], offset: usize) -> Option<u32> {
    let field: [u8; 4] = bytes.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
    Some(u32::from_le_bytes(field))
}

/// A padded label; control characters are replaced so that a label can be printed.
fn text(field: &[u8]) -> String {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default())
        .trim_end()
        .chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}

fn uuid(field: &[u8]) -> String {
    let mut out = String::with_capacity(36);
    for (i, byte) in field.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{PROBE_BYTES, has_recorded_error, recognise};

    fn disk(pieces: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; PROBE_BYTES];
        for (offset, piece) in pieces {
            bytes[*offset..offset + piece.len()].copy_from_slice(piece);
        }
        bytes
    }

    #[test]
    fn known_filesystems() {
        for (name, pieces, fstype, label, uuid) in [
            (
                "iso",
                vec![
                    (32769, &b"CD001"[..]),
                    (32808, b"PADDOCK   "),
                    (33581, b"2026010203040506"),
                ],
                "iso9660",
                "PADDOCK",
                "2026-01-02-03-04-05-06",
            ),
            (
                "ext4",
                vec![
                    (1080, &[0x53, 0xEF][..]),
                    (1120, &[0x42, 0x02, 0, 0]),
                    (1144, b"RANCHER_STATE\0"),
                    (1128, &[0x11; 16]),
                ],
                "ext4",
                "RANCHER_STATE",
                "11111111-1111-1111-1111-111111111111",
            ),
            (
                "fat32",
                vec![
                    (510, &[0x55, 0xAA][..]),
                    (82, b"FAT32   "),
                    (71, b"CIDATA     "),
                    (67, &[1, 2, 3, 0xFE]),
                ],
                "vfat",
                "CIDATA",
                "FE03-0201",
            ),
            (
                "fat16 without a name",
                vec![
                    (510, &[0x55, 0xAA][..]),
                    (54, b"FAT16   "),
                    (43, b"NO NAME    "),
                ],
                "vfat",
                "",
                "0000-0000",
            ),
        ] {
            let found = recognise(&disk(&pieces)).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(
                (found.fstype, found.label.as_str(), found.uuid.as_str()),
                (fstype, label, uuid),
                "{name}"
            );
        }
    }

    #[test]
    fn an_error_is_recorded_in_the_superblock() {
        let magic: (usize, &[u8]) = (1080, &[0x53, 0xEF]);
        for (state, expected) in [(1, false), (2, true), (3, true), (5, false)] {
            let bytes = disk(&[magic, (1082, &[state, 0])]);
            assert_eq!(has_recorded_error(&bytes), expected, "{state}");
        }
        assert!(!has_recorded_error(&disk(&[(1082, &[2, 0])])));
        assert!(!has_recorded_error(&[]));
    }

    #[test]
    fn garbage_is_no_filesystem_and_labels_are_printable() {
        assert_eq!(recognise(&[]), None);
        assert_eq!(recognise(&[0xFF; 100]), None);
        assert_eq!(recognise(&vec![0xFF; PROBE_BYTES]), None);
        let bytes = disk(&[(1080, &[0x53, 0xEF]), (1144, b"\x1b[2J\xff\xfe")]);
        assert_eq!(
            recognise(&bytes).unwrap().label,
            "\u{FFFD}[2J\u{FFFD}\u{FFFD}"
        );
    }

    #[test]
    fn every_cut_of_a_superblock_is_survived() {
        let bytes = disk(&[
            (1080, &[0x53, 0xEF]),
            (32769, b"CD001"),
            (65600, b"_BHRfS_M"),
            (510, &[0x55, 0xAA]),
        ]);
        for end in (0..bytes.len()).step_by(97) {
            let _ = recognise(&bytes[..end]);
        }
    }
}
