//! The two ends of a disk as they will be: partition table, its copy, and boot code. They are made in memory, because a
//! cut-off installation needs another order of writing than a writer of tables has.

use std::io::{Error, Read, Result, Seek, SeekFrom, Write};

/// The length of each end. The first partition begins behind the first end, and the last one ends before the last end.
pub(super) const END_BYTES: u64 = 1 << 20;

/// The ends of an empty disk, and a position on it. Between the ends nothing can be written, and only zeros are read.
#[derive(Debug)]
pub(super) struct TableImage {
    first: Vec<u8>,
    last: Vec<u8>,
    disk_bytes: u64,
    position: u64,
}

impl TableImage {
    /// The ends of a disk that is at least as long as both.
    pub(super) fn new(disk_bytes: u64) -> Self {
        let end = vec![0; usize::try_from(END_BYTES).unwrap_or_default()];
        Self {
            first: end.clone(),
            last: end,
            disk_bytes,
            position: 0,
        }
    }

    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }

    pub(super) fn first_mut(&mut self) -> &mut [u8] {
        &mut self.first
    }

    pub(super) fn last(&self) -> &[u8] {
        &self.last
    }

    /// Where the last end begins.
    pub(super) fn last_start(&self) -> u64 {
        self.disk_bytes.saturating_sub(END_BYTES)
    }

    /// The bytes from the position to the end of its part; `None` between the ends.
    fn part(&mut self) -> Option<&mut [u8]> {
        let last_start = self.last_start();
        let (end, start) = match self.position {
            position if position < END_BYTES => (&mut self.first, 0),
            position if position >= last_start => (&mut self.last, last_start),
            _ => return None,
        };
        let offset = usize::try_from(self.position - start).ok()?;
        end.get_mut(offset..)
    }
}

impl Read for TableImage {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let gap = self.last_start().saturating_sub(self.position);
        let count = match self.part() {
            Some(part) => {
                let count = part.len().min(buffer.len());
                let (to, from) = (buffer.split_at_mut(count).0, part.split_at(count).0);
                to.copy_from_slice(from);
                count
            }
            None => {
                let count = usize::try_from(gap).unwrap_or(usize::MAX).min(buffer.len());
                buffer.split_at_mut(count).0.fill(0);
                count
            }
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl Write for TableImage {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let Some(part) = self.part() else {
            return Err(Error::other("a partition table lies at the ends of a disk"));
        };
        let count = part.len().min(bytes.len());
        let (to, from) = (part.split_at_mut(count).0, bytes.split_at(count).0);
        to.copy_from_slice(from);
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Seek for TableImage {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.disk_bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| Error::other("a position before the disk"))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom, Write};

    use super::{END_BYTES, TableImage};

    const DISK_BYTES: u64 = (8 << 20) + 512;

    #[test]
    fn the_ends_keep_what_is_written_and_the_rest_of_the_disk_stays() {
        let mut image = TableImage::new(DISK_BYTES);
        for position in [0, END_BYTES - 3, DISK_BYTES - END_BYTES, DISK_BYTES - 3] {
            image.seek(SeekFrom::Start(position)).unwrap();
            image.write_all(b"abc").unwrap();
            image.seek(SeekFrom::Start(position)).unwrap();
            let mut found = [0; 3];
            image.read_exact(&mut found).unwrap();
            assert_eq!(&found, b"abc", "{position}");
        }
        assert!(image.first().starts_with(b"abc\0") && image.first().ends_with(b"\0abc"));
        assert!(image.last().starts_with(b"abc\0") && image.last().ends_with(b"\0abc"));
        assert_eq!(image.last_start(), DISK_BYTES - END_BYTES);
        for position in [END_BYTES - 1, END_BYTES, 4 << 20, DISK_BYTES - 1] {
            image.seek(SeekFrom::Start(position)).unwrap();
            assert!(image.write_all(b"xy").is_err(), "{position}");
        }
        image.seek(SeekFrom::Start(0)).unwrap();
        let mut whole = Vec::new();
        image.read_to_end(&mut whole).unwrap();
        assert_eq!(whole.len() as u64, DISK_BYTES);
        assert_eq!(image.seek(SeekFrom::End(-512)).unwrap(), DISK_BYTES - 512);
        assert!(image.seek(SeekFrom::End(-i64::MAX)).is_err());
    }
}
