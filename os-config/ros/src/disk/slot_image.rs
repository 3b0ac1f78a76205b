//! A slot image and its copy into a slot of a disk. The first block of a slot is written last, after the rest has been
//! read back: a half written slot has no filesystem, and GRUB passes over it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, ensure};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use sha2::{Digest, Sha256};

/// The length of a slot's first block, with the filesystem's superblock in it.
pub(crate) const HEAD_BYTES: usize = 4096;
const PIECE_BYTES: usize = 1 << 20;
/// The bytes between two waits for the disk. Without a wait, the memory of a small machine fills with what the disk has
/// not taken yet.
const SYNC_BYTES: u64 = 32 << 20;
const READING: &str = "reading the slot image";

/// The length in bytes of the ext2 filesystem that begins with `head`; `None` if `head` begins another thing.
pub(crate) fn length(head: &[u8]) -> Option<u64> {
    const SUPERBLOCK: usize = 1024;
    const MAGIC: usize = SUPERBLOCK + 56;
    const BLOCKS: usize = SUPERBLOCK + 4;
    const BLOCK_SHIFT: usize = SUPERBLOCK + 24;
    /// Blocks of 64 KiB.
    const LARGEST_SHIFT: u32 = 6;
    let word = |offset: usize| {
        let bytes = head.get(offset..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    };
    let shift = word(BLOCK_SHIFT)?;
    let is_ext2 = head.get(MAGIC..)?.starts_with(&[0x53, 0xEF]) && shift <= LARGEST_SHIFT;
    is_ext2.then(|| Some(u64::from(word(BLOCKS)?) << (10 + shift)))?
}

/// A slot of an open disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotPlace<'a> {
    pub(crate) device: &'a File,
    pub(crate) first_byte: u64,
    pub(crate) bytes: u64,
}

/// An image that lies in a slot without its first block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotCopy {
    head: Vec<u8>,
    bytes: u64,
    /// The SHA-256 of the whole image.
    digest: [u8; 32],
}

impl<'a> SlotPlace<'a> {
    /// Copies all but the first block of an image of `bytes` bytes, and waits until the disk has it.
    pub(crate) fn copy_body(self, image: &mut impl Read, bytes: u64) -> Result<SlotCopy> {
        let mut hash = Sha256::new();
        let mut head = vec![0; HEAD_BYTES];
        image.read_exact(&mut head).context(READING)?;
        hash.update(&head);
        self.write_body(image, bytes, |part| hash.update(part))?;
        Ok(SlotCopy {
            head,
            bytes,
            digest: hash.finalize().into(),
        })
    }

    /// Copies what lies in another slot of the disk; otherwise as [`Self::copy_body`].
    pub(crate) fn copy_slot(self, other: Self, copy: &SlotCopy) -> Result<()> {
        self.write_body(&mut other.body(), copy.bytes, |_| ())
    }

    fn write_body(
        self,
        body: &mut impl Read,
        bytes: u64,
        mut look: impl FnMut(&[u8]),
    ) -> Result<()> {
        ensure!(
            bytes <= self.bytes && bytes > HEAD_BYTES as u64,
            "an image of {bytes} bytes fits into no slot of {} bytes",
            self.bytes
        );
        self.write(&[0; HEAD_BYTES], 0)?;
        self.sync()?;
        let mut piece = vec![0; PIECE_BYTES];
        let (mut done, mut synced) = (HEAD_BYTES as u64, 0);
        while done < bytes {
            let part = first_part(&mut piece, bytes - done);
            body.read_exact(part).context(READING)?;
            look(part);
            self.write(part, done)?;
            done += part.len() as u64;
            if done - synced >= SYNC_BYTES {
                self.sync()?;
                synced = done;
            }
        }
        self.sync()
    }

    /// Reads a slot behind its first block.
    fn body(self) -> PositionedReader<'a> {
        PositionedReader {
            file: self.device,
            position: self.first_byte + HEAD_BYTES as u64,
        }
    }

    /// Reads a copy from the disk, not from memory, and compares it with its image.
    pub(crate) fn verify(self, copy: &SlotCopy) -> Result<()> {
        drop_caches(self.device)?;
        let mut body = self.body();
        let mut hash = Sha256::new_with_prefix(&copy.head);
        let mut piece = vec![0; PIECE_BYTES];
        let mut left = copy.bytes.saturating_sub(HEAD_BYTES as u64);
        while left > 0 {
            let part = first_part(&mut piece, left);
            body.read_exact(part).context("reading the slot back")?;
            hash.update(&part);
            left -= part.len() as u64;
        }
        let found: [u8; 32] = hash.finalize().into();
        ensure!(
            found == copy.digest,
            "the disk gives back other bytes than were written (hint: take another disk)"
        );
        Ok(())
    }

    /// Writes the first block, which makes the copy a filesystem.
    pub(crate) fn finish(self, copy: &SlotCopy) -> Result<()> {
        self.write(&copy.head, 0)?;
        self.sync()
    }

    fn write(self, bytes: &[u8], offset: u64) -> Result<()> {
        self.device
            .write_all_at(bytes, self.first_byte + offset)
            .context("writing to the disk")
    }

    fn sync(self) -> Result<()> {
        self.device
            .sync_data()
            .context("waiting until the disk has what was written")
    }
}

/// Makes the kernel forget what it keeps of a disk in memory. What the disk does not have yet stays.
pub(crate) fn drop_caches(device: &File) -> Result<()> {
    posix_fadvise(device, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
        .context("dropping what memory keeps of the disk")
}

/// As much of a piece as `left` bytes need.
fn first_part(piece: &mut [u8], left: u64) -> &mut [u8] {
    let length = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
    piece.split_at_mut(length).0
}

/// Reads a file from a position on, and leaves the file's own position alone.
#[derive(Debug)]
struct PositionedReader<'a> {
    file: &'a File,
    position: u64,
}

impl Read for PositionedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// The file of a slot image with its version and the digests of its files, a line `key=value` for each.
pub(crate) const VERSION: &str = "version";

/// The version in the text of [`VERSION`].
pub(crate) fn version(text: &str) -> Option<&str> {
    value(text, "version")
}

/// The value of a key in the text of [`VERSION`]; an empty value counts as none.
pub(crate) fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    let value = value.trim();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt;
    use std::process::Command;

    use super::{HEAD_BYTES, SlotPlace, length};

    const FIRST: u64 = 1 << 20;

    #[test]
    fn an_image_says_its_own_length() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("slot.img");
        for (block, mib) in [("1024", 2), ("4096", 5)] {
            let file = File::create(&image).unwrap();
            file.set_len(mib << 20).unwrap();
            let made = Command::new("mke2fs")
                .args(["-q", "-F", "-t", "ext2", "-b", block])
                .arg(&image)
                .status();
            assert!(made.unwrap().success());
            // A partition is longer than its image.
            file.set_len(9 << 20).unwrap();
            let bytes = fs::read(&image).unwrap();
            assert_eq!(length(&bytes[..HEAD_BYTES]), Some(mib << 20), "{block}");
        }
        assert_eq!(length(&[0; HEAD_BYTES]), None);
        assert_eq!(length(b"short"), None);
    }

    #[test]
    fn a_copy_is_no_filesystem_before_its_end_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::write(&disk, vec![0xEE; 8 << 20]).unwrap();
        let disk = File::options().read(true).write(true).open(disk).unwrap();
        let slot = |first_byte| SlotPlace {
            device: &disk,
            first_byte,
            bytes: 3 << 20,
        };
        let image: Vec<u8> = (0..(2 << 20) + 512).map(|n| (n % 251) as u8 + 1).collect();
        let bytes = image.len() as u64;
        let (a, b) = (slot(FIRST), slot(FIRST + (3 << 20)));
        let copy = a.copy_body(&mut image.as_slice(), bytes).unwrap();
        let mut head = [1; HEAD_BYTES];
        disk.read_exact_at(&mut head, FIRST).unwrap();
        assert_eq!(head, [0; HEAD_BYTES]);
        b.copy_slot(a, &copy).unwrap();
        for slot in [a, b] {
            slot.verify(&copy).unwrap();
            slot.finish(&copy).unwrap();
            let mut found = vec![0; image.len()];
            disk.read_exact_at(&mut found, slot.first_byte).unwrap();
            assert!(found == image);
        }
        let mut edge = [0; 1];
        disk.read_exact_at(&mut edge, FIRST - 1).unwrap();
        assert_eq!(edge, [0xEE]);
        disk.write_all_at(b"rot", FIRST + (1 << 20)).unwrap();
        let error = a.verify(&copy).unwrap_err().to_string();
        assert!(error.contains("other bytes"), "{error}");
        assert!(a.copy_body(&mut image.as_slice(), 4 << 20).is_err());
        assert!(a.copy_body(&mut &image[..5000], 6000).is_err());
    }
}
