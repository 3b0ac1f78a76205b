//! A part of a device as a device of its own: what is written to it stays inside.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};

/// Bytes of a device, from a first byte on.
#[derive(Debug)]
pub struct Window<D> {
    device: D,
    first_byte: u64,
    bytes: u64,
    position: u64,
}

impl<D: Seek> Window<D> {
    /// `bytes` bytes of `device`, from `first_byte` on.
    pub fn new(device: D, first_byte: u64, bytes: u64) -> Self {
        Self {
            device,
            first_byte,
            bytes,
            position: 0,
        }
    }

    /// Moves the device to the position, and returns how much of `wanted` bytes is inside.
    fn enter(&mut self, wanted: usize) -> Result<usize> {
        let left = self.bytes.saturating_sub(self.position);
        if left == 0 {
            return Ok(0);
        }
        let place = self.first_byte.saturating_add(self.position);
        self.device.seek(SeekFrom::Start(place))?;
        Ok(usize::try_from(left).unwrap_or(usize::MAX).min(wanted))
    }
}

impl<D: Read + Seek> Read for Window<D> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let length = self.enter(buffer.len())?;
        let inside = buffer.get_mut(..length).unwrap_or_default();
        let read = self.device.read(inside)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl<D: Write + Seek> Write for Window<D> {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        let length = self.enter(buffer.len())?;
        let inside = buffer.get(..length).unwrap_or_default();
        let written = self.device.write(inside)?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.device.flush()
    }
}

impl<D: Seek> Seek for Window<D> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let outside = || Error::new(ErrorKind::InvalidInput, "a position before the start");
        self.position = position.ok_or_else(outside)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::Window;
    use std::io::{Cursor, Read, Seek, SeekFrom, Write};

    #[test]
    fn nothing_outside_is_read_or_written() {
        let mut device = Cursor::new(vec![b'.'; 10]);
        let mut window = Window::new(&mut device, 3, 4);
        window.write_all(b"ab").unwrap();
        assert_eq!(window.seek(SeekFrom::End(-1)).unwrap(), 3);
        assert_eq!(window.write(b"xy").unwrap(), 1);
        assert_eq!(window.write(b"y").unwrap(), 0);
        assert!(window.seek(SeekFrom::Current(-9)).is_err());
        window.seek(SeekFrom::Start(u64::MAX)).unwrap();
        assert_eq!(window.read(&mut [0]).unwrap(), 0);
        window.rewind().unwrap();
        let mut text = String::new();
        window.read_to_string(&mut text).unwrap();
        assert_eq!(text, "ab.x");
        assert_eq!(device.into_inner(), b"...ab.x...");
    }
}
