//! The table of mounts, from `/proc/PID/mountinfo` (proc(5)).
//!
//! The parser reads bytes, because a path need not be text. It leaves out a line that it does not understand, because
//! PID 1 unmounts by this table: an odd line must not keep the other filesystems from being unmounted. The crate
//! `procfs` refuses the whole table for such a line, and keeps the kernel's escapes in the paths. `sys-mount` reads no
//! tables any more.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The table of the calling process.
pub const THIS_PROCESS: &str = "/proc/self/mountinfo";
/// The table of PID 1. A container need not see what the machine has mounted.
pub const OF_INIT: &str = "/proc/1/mountinfo";

/// A mounted filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// The device, or the word that was given in its place.
    pub source: PathBuf,
    pub target: PathBuf,
    pub fstype: String,
    /// The state of the filesystem itself: `ro` or `rw`, and its own options.
    pub options: String,
}

/// Reads a table; its order is the order of the mounts.
pub fn read(table: &Path) -> io::Result<Vec<MountPoint>> {
    Ok(parse(&std::fs::read(table)?))
}

/// The uppermost filesystem at `target`: a later mount hides an earlier mount.
pub fn find<'a>(mounts: &'a [MountPoint], target: &Path) -> Option<&'a MountPoint> {
    mounts.iter().rfind(|mount| mount.target == target)
}

/// Reads the text of a table.
pub fn parse(table: &[u8]) -> Vec<MountPoint> {
    table
        .split(|byte| *byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

fn parse_line(line: &[u8]) -> Option<MountPoint> {
    let mut fields = line.split(|byte| *byte == b' ');
    let target = unescape(fields.nth(4)?);
    // A variable number of fields ends with a hyphen, behind the options of the mount.
    fields.next()?;
    fields.find(|field| *field == b"-")?;
    let fstype = String::from_utf8(fields.next()?.to_owned()).ok()?;
    let source = unescape(fields.next()?);
    let options = fields.next().unwrap_or_default();
    Some(MountPoint {
        source,
        target,
        fstype,
        options: String::from_utf8_lossy(options).into_owned(),
    })
}

/// A path of a file of `/proc`. The kernel writes blank, tab, newline, backslash and `#` as three octal digits.
pub fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = (first == b'\\').then(|| octal(behind)).flatten();
        bytes.push(escaped.unwrap_or(first));
        rest = match escaped {
            Some(_) => behind.get(3..).unwrap_or_default(),
            None => behind,
        };
    }
    OsString::from_vec(bytes).into()
}

fn octal(text: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(text.get(..3)?).ok()?;
    u8::from_str_radix(digits, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::{MountPoint, find, parse, read, unescape};
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    fn mount(source: &str, target: &str, fstype: &str, options: &str) -> MountPoint {
        MountPoint {
            source: source.into(),
            target: target.into(),
            fstype: fstype.to_owned(),
            options: options.to_owned(),
        }
    }

    #[test]
    fn lines_of_the_table() {
        for (line, expected) in [
            (
                "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
                Some(mount("/dev/root", "/mnt2", "ext3", "rw,errors=continue")),
            ),
            (
                "1 0 7:0 / / ro - squashfs /dev/loop0 ro",
                Some(mount("/dev/loop0", "/", "squashfs", "ro")),
            ),
            (
                "2 1 0:5 / /a\\040b rw shared:1 master:2 - nfs4 host:/x\\043y rw",
                Some(mount("host:/x#y", "/a b", "nfs4", "rw")),
            ),
            (
                "3 1 0:5 / /x rw - tmpfs  rw",
                Some(mount("", "/x", "tmpfs", "rw")),
            ),
            // `-` as the name of the mount point is no separator.
            (
                "4 1 0:5 / - rw - tmpfs t rw",
                Some(mount("t", "-", "tmpfs", "rw")),
            ),
            ("5 1 0:5 / /x rw shared:1", None),
            ("6 1 0:5 / /x rw -", None),
            ("6 1 0:5 / /x rw - tmpfs", None),
            ("7 1 0:5 /", None),
            ("", None),
        ] {
            let parsed = parse(line.as_bytes());
            assert_eq!(parsed, Vec::from_iter(expected), "{line:?}");
        }
    }

    #[test]
    fn an_odd_line_hides_no_other() {
        let table = b"1 0 7:0 / /a rw - ext4 /dev/vda rw\nodd\n\
                      2 0 7:0 / /caf\xe9 rw - ext4 /dev/vdb rw\n3 0 7:0 / /a rw - xfs /dev/vdc rw\n";
        let mounts = parse(table);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[1].target, Path::new(OsStr::from_bytes(b"/caf\xe9")));
        assert_eq!(find(&mounts, Path::new("/a")), Some(&mounts[2]));
        assert_eq!(find(&mounts, Path::new("/b")), None);
    }

    #[test]
    fn all_escapes_of_the_kernel() {
        for (text, expected) in [
            ("/plain", "/plain"),
            ("/a\\040b", "/a b"),
            ("/a\\011b", "/a\tb"),
            ("/a\\012b", "/a\nb"),
            ("/a\\134b", "/a\\b"),
            ("/a\\043b", "/a#b"),
            // An escaped backslash before digits is no second escape.
            ("/a\\134040b", "/a\\040b"),
            ("\\040\\040", "  "),
            ("/a\\04", "/a\\04"),
            ("/a\\x40b", "/a\\x40b"),
            ("/a\\777b", "/a\\777b"),
            ("\\", "\\"),
            ("", ""),
        ] {
            assert_eq!(unescape(text.as_bytes()), Path::new(expected), "{text:?}");
        }
    }

    #[test]
    fn the_table_of_this_process_has_proc() {
        let mounts = read(Path::new(super::THIS_PROCESS)).unwrap();
        assert!(find(&mounts, Path::new("/proc")).is_some_and(|mount| mount.fstype == "proc"));
    }
}
