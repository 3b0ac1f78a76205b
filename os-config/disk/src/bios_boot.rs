//! GRUB's code for a BIOS: `boot.img` in the first sector of the disk, `core.img` in the partition `BIOS boot`. GRUB's own
//! installer does the same, but wants a mounted root filesystem; the offsets are those of its `boot.S` and `diskboot.S`.

/// The size of a sector of a BIOS, in bytes.
const SECTOR: usize = 512;
/// In `boot.img`: the first sector of `core.img`, 64 bits.
const KERNEL_SECTOR: usize = 0x5C;
/// In `boot.img`: the drive; 0xFF is the drive that the BIOS has booted from.
const BOOT_DRIVE: usize = 0x64;
/// In `boot.img`: a jump over the check of a broken BIOS, which two `nop` replace on a hard disk.
const DRIVE_CHECK: std::ops::Range<usize> = 0x66..0x68;
/// What the disk keeps of its first sector: a filesystem's parameters, and the protective partition table.
const DISK_FIELDS: [std::ops::Range<usize>; 2] = [0x03..0x5A, 0x1B8..0x1FE];
/// In the first sector of `core.img`: where its other sectors lie, a 64-bit number, a 16-bit count and the segment of the
/// memory that they are loaded to.
const BLOCK_LIST: usize = 0x1F4;
const LOAD_SEGMENT: u16 = 0x0820;

/// The first sector of a disk whose `core.img` begins at sector `core_lba`. `None` if `boot_img` is no boot sector.
pub fn boot_sector(boot_img: &[u8], old: &[u8; SECTOR], core_lba: u64) -> Option<[u8; SECTOR]> {
    let mut sector: [u8; SECTOR] = boot_img.try_into().ok()?;
    for range in DISK_FIELDS {
        sector
            .get_mut(range.clone())?
            .copy_from_slice(old.get(range)?);
    }
    put(&mut sector, KERNEL_SECTOR, &core_lba.to_le_bytes())?;
    put(&mut sector, BOOT_DRIVE, &[0xFF])?;
    sector.get_mut(DRIVE_CHECK)?.fill(0x90);
    put(&mut sector, SECTOR - 2, &[0x55, 0xAA])?;
    Some(sector)
}

/// `core.img` for its place at sector `core_lba`, in whole sectors. `None` if it is too short or too long.
pub fn core_image(core_img: &[u8], core_lba: u64) -> Option<Vec<u8>> {
    let mut image = core_img.to_vec();
    image.resize(image.len().next_multiple_of(SECTOR), 0);
    let others = u16::try_from((image.len() / SECTOR).checked_sub(1)?).ok()?;
    put(&mut image, BLOCK_LIST, &(core_lba + 1).to_le_bytes())?;
    put(&mut image, BLOCK_LIST + 8, &others.to_le_bytes())?;
    put(&mut image, BLOCK_LIST + 10, &LOAD_SEGMENT.to_le_bytes())?;
    Some(image)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes
        .get_mut(at..at.checked_add(value.len())?)?
        .copy_from_slice(value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{boot_sector, core_image};

    #[test]
    fn a_boot_sector_keeps_the_partition_table() {
        let mut old = [0; 512];
        old[0x1BE..0x1FE].fill(7);
        let sector = boot_sector(&[1; 512], &old, 2048).unwrap();
        assert_eq!(sector[0x5C..0x64], 2048_u64.to_le_bytes());
        assert_eq!(sector[0x64..0x68], [0xFF, 1, 0x90, 0x90]);
        assert_eq!(sector[0x1BE..0x1FE], [7; 64]);
        assert_eq!(
            (sector[0], sector[3], &sector[510..]),
            (1, 0, &[0x55, 0xAA][..])
        );
        assert_eq!(boot_sector(&[1; 500], &old, 2048), None);
    }

    #[test]
    fn a_core_image_knows_where_it_lies() {
        let image = core_image(&[1; 1300], 2048).unwrap();
        assert_eq!(image.len(), 1536);
        assert_eq!(image[0x1F4..0x1FC], 2049_u64.to_le_bytes());
        assert_eq!(image[0x1FC..0x200], [2, 0, 0x20, 0x08]);
        assert_eq!(core_image(&[], 2048), None);
    }
}
