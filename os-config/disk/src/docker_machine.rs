//! A new disk of docker-machine: it asks to be formatted, and may bring keys of ssh. The text is at the start of the
//! disk, alone or as the name of the first file of a tar archive (boot2docker's automount script).

/// The text that asks for a filesystem.
pub const MAGIC: &[u8] = b"boot2docker, please format-me";

/// A block of a tar archive (POSIX.1-1988, ustar).
const BLOCK: usize = 512;
/// The field with the size of a file, in octal digits.
const SIZE: std::ops::Range<usize> = 124..136;
/// The field with the name of a file.
const NAME: std::ops::Range<usize> = 0..100;
const KEY_FILES: [&str; 2] = [".ssh/authorized_keys", ".ssh/authorized_keys2"];

/// The lines of the key files in the archive at the start of a disk; none if there is no archive.
///
/// The crate `tar` is left out: PID 1 needs two files of an archive of a few kilobytes.
pub fn authorized_keys(head: &[u8]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    let mut rest = head;
    while let Some((name, content, next)) = first_file(rest) {
        if KEY_FILES.contains(&name.trim_start_matches("./")) {
            for line in String::from_utf8_lossy(content).lines() {
                let line = line.trim();
                let is_key = !line.is_empty() && !line.starts_with('#');
                if is_key && !keys.iter().any(|known| known == line) {
                    keys.push(line.to_owned());
                }
            }
        }
        rest = next;
    }
    keys
}

/// Name and content of the first file of an archive, and the rest of the archive.
fn first_file(archive: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let header = archive.get(..BLOCK)?;
    let text = |range| {
        let field: &[u8] = header.get(range)?;
        let end = field.iter().position(|byte| *byte == 0);
        std::str::from_utf8(field.get(..end.unwrap_or(field.len()))?).ok()
    };
    let name = text(NAME).filter(|name| !name.is_empty())?;
    let size = usize::from_str_radix(text(SIZE)?.trim(), 8).ok()?;
    let body = archive.get(BLOCK..)?;
    let content = body.get(..size)?;
    let next = body.get(size.checked_next_multiple_of(BLOCK)?..)?;
    Some((name, content, next))
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, MAGIC, authorized_keys};

    fn file(name: &str, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; BLOCK];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    #[test]
    fn keys_come_from_the_archive_alone() {
        let magic = std::str::from_utf8(MAGIC).unwrap();
        let archive = |files: &[(&str, &[u8])]| {
            let mut bytes = file(magic, MAGIC);
            for (name, content) in files {
                bytes.extend(file(name, content));
            }
            bytes.resize(8192, 0);
            bytes
        };
        let key = b"ssh-rsa AAAA docker-machine\n".as_slice();
        for (head, expected) in [
            (MAGIC.to_vec(), vec![]),
            (
                archive(&[
                    (".ssh", b""),
                    (".ssh/authorized_keys", key),
                    (".ssh/authorized_keys2", key),
                ]),
                vec!["ssh-rsa AAAA docker-machine"],
            ),
            (archive(&[("other", key)]), vec![]),
            (archive(&[])[..600].to_vec(), vec![]),
            (vec![0xFF; 4096], vec![]),
            (vec![], vec![]),
        ] {
            assert_eq!(authorized_keys(&head), expected);
        }
    }

    #[test]
    fn a_size_beyond_the_disk_ends_the_archive() {
        let mut bytes = file("x", b"");
        bytes[124..135].copy_from_slice(b"77777777777");
        assert_eq!(authorized_keys(&bytes), Vec::<String>::new());
    }
}
