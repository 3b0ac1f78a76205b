//! The initramfs archive format, `newc`: headers of hexadecimal text, everything aligned to 4 bytes
//! (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! Written by hand: the format is one header, and the crate `cpio` would save some twenty lines.

use std::io::{self, Write};

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_600;
const TRAILER: &str = "TRAILER!!!";

/// The device of a device node; zero in all other entries.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DeviceNumber {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

/// Writes one archive into `to`.
#[derive(Debug)]
pub(crate) struct Writer<W: Write> {
    to: W,
    inode: u32,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to, inode: 0 }
    }

    pub(crate) fn folder(&mut self, path: &str) -> io::Result<()> {
        self.entry(path, FOLDER, DeviceNumber::default(), &[])
    }

    pub(crate) fn file(&mut self, path: &str, permissions: u32, content: &[u8]) -> io::Result<()> {
        self.entry(path, FILE | permissions, DeviceNumber::default(), content)
    }

    pub(crate) fn device(&mut self, path: &str, number: DeviceNumber) -> io::Result<()> {
        self.entry(path, CHARACTER_DEVICE, number, &[])
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.entry(TRAILER, 0, DeviceNumber::default(), &[])?;
        Ok(self.to)
    }

    fn entry(
        &mut self,
        path: &str,
        mode: u32,
        device: DeviceNumber,
        content: &[u8],
    ) -> io::Result<()> {
        self.inode += 1;
        let size = u32::try_from(content.len()).map_err(|_| {
            io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("{path} is larger than 4 GiB"),
            )
        })?;
        let name_size = path.len() as u32 + 1;
        let links = if mode == FOLDER { 2 } else { 1 };
        write!(self.to, "070701")?;
        // inode, mode, uid, gid, links, mtime, size, device of the file (2), device it is (2), name, checksum
        for field in [
            self.inode,
            mode,
            0,
            0,
            links,
            0,
            size,
            0,
            0,
            device.major,
            device.minor,
            name_size,
            0,
        ] {
            write!(self.to, "{field:08X}")?;
        }
        self.to.write_all(path.as_bytes())?;
        self.to.write_all(&[0])?;
        self.align(110 + path.len() + 1)?;
        self.to.write_all(content)?;
        self.align(content.len())
    }

    fn align(&mut self, length: usize) -> io::Result<()> {
        self.to.write_all(&[0; 3][..length.wrapping_neg() % 4])
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::Writer;

    #[test]
    fn every_part_is_aligned() {
        let mut archive = Writer::new(Vec::new());
        archive.folder("dev").unwrap();
        archive.file("init", 0o755, b"12345").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        assert!(bytes.starts_with(b"07070100000001000041ED"));
        // The second header follows the first entry's name, padded from 114 to 116 bytes.
        assert_eq!(&bytes[116..122], b"070701");
        assert_eq!(&bytes[116 + 54..116 + 62], b"00000005", "size");
    }

    #[test]
    fn the_cpio_program_reads_it() {
        let mut archive = Writer::new(Vec::new());
        archive.folder("bin").unwrap();
        archive.file("bin/one", 0o755, b"1").unwrap();
        archive.file("two", 0o644, b"22222222").unwrap();
        let bytes = archive.finish().unwrap();
        let Ok(mut cpio) = Command::new("cpio")
            .args(["--list", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
        else {
            // Not every host has the program; `every_part_is_aligned` covers the format's rules.
            return;
        };
        cpio.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = cpio.wait_with_output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "bin\nbin/one\ntwo\n"
        );
    }
}
