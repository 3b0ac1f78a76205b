//! Replaces files so that after a power failure either the old or the new version is there, always whole.
//!
//! A link at the path is replaced and never followed: its folder may belong to a user. A mount point cannot be replaced,
//! and is written in place.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, fchown};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::bounded_file;

/// A new version is called by the prefix, random letters and the suffix until it replaces its file.
const PREFIX: &str = ".paddock-";
const SUFFIX: &str = ".new";

/// The content of a file that is to be replaced; empty if the file is missing. Any other failure is an error: a
/// replacement would lose what the file holds.
pub fn read_or_empty(path: &Path) -> io::Result<Vec<u8>> {
    match bounded_file::bytes(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found,
    }
}

/// Replaces `path` by a file with this content and mode. Makes the folder if it is missing. A file that is so already
/// stays: a boot on a full disk writes what it wrote at the boot before.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    if is_current(path, content, mode, (None, None)) {
        return Ok(());
    }
    AtomicFile::write(path, content, mode)?.persist()
}

/// Whether `path` is a file with this content, mode and owner, on the disk. Without a user or a group any will do.
pub fn is_current(
    path: &Path,
    content: &[u8],
    mode: u32,
    (user, group): (Option<u32>, Option<u32>),
) -> bool {
    let compare = || -> io::Result<bool> {
        let found = fs::symlink_metadata(path)?;
        // What is written into another name of the file would change this one.
        let is_alike = found.is_file()
            && found.nlink() == 1
            && found.len() == content.len() as u64
            && found.mode() & 0o7777 == mode
            && user.is_none_or(|user| found.uid() == user)
            && group.is_none_or(|group| found.gid() == group);
        if !is_alike {
            return Ok(false);
        }
        let file = bounded_file::open(path)?;
        let mut bytes = Vec::with_capacity(content.len());
        (&file).take(found.len()).read_to_end(&mut bytes)?;
        file.sync_all()?;
        Ok(bytes == content)
    };
    compare().unwrap_or(false)
}

/// Writes into a file that must stay the same file, or makes it. Containers mount `/etc/hosts`, `/etc/resolv.conf` and
/// `/etc/hostname` as files: a container would keep the old version of a replaced file, and inside the container the
/// rename fails (`EBUSY`).
///
/// The file is never empty in between. The new bytes are on disk before the rest of the old bytes is cut off, so a power
/// failure leaves the old content, the new content, or the new content with old lines behind it.
pub fn overwrite(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.write_all_at(content, 0)?;
    file.sync_data()?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

/// A new version beside the file that it will replace. A dropped value leaves the file as it is.
#[derive(Debug)]
pub struct AtomicFile {
    new: NamedTempFile,
    path: PathBuf,
    mode: u32,
}

impl AtomicFile {
    /// Writes the new version. Only its owner can read it before [`AtomicFile::persist`].
    pub fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<Self> {
        ensure_replaceable(path)?;
        let folder = folder_of(path);
        make_folders(folder)?;
        remove_leftovers(folder);
        let mut new = make_temporary(folder, mode & 0o600)?;
        new.write_all(content)?;
        Ok(Self {
            new,
            path: path.to_owned(),
            mode,
        })
    }

    /// The path of the new version.
    pub fn temporary(&self) -> &Path {
        self.new.path()
    }

    /// Gives the new version to a user and a group, each if it is given.
    pub fn set_owner(&self, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
        fchown(self.new.as_file(), user, group)
    }

    /// Replaces the file, and syncs the file and its folder to disk.
    pub fn persist(self) -> io::Result<()> {
        // The mode comes after the owner, because a change of the owner takes the set-user-ID bit away. The umask does not
        // cut it.
        let file = self.new.as_file();
        file.set_permissions(Permissions::from_mode(self.mode))?;
        file.sync_all()?;
        match self.new.persist(&self.path) {
            Ok(_) => File::open(folder_of(&self.path))?.sync_all(),
            Err(failed) if failed.error.kind() == io::ErrorKind::ResourceBusy => {
                fill_mount_point(&self.path, failed.file)
            }
            Err(failed) => Err(failed.error),
        }
    }
}

/// Makes a folder with its parents. Each is on the disk before a file in it counts as written.
fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder_of(folder);
    make_folders(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(parent)?.sync_all()
}

/// A rename would replace a device as readily as a file.
fn ensure_replaceable(path: &Path) -> io::Result<()> {
    path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() && !found.is_symlink() => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        )),
        _ => Ok(()),
    }
}

/// Makes an empty file and locks it, so that no process takes it for a leftover.
fn make_temporary(folder: &Path, mode: u32) -> io::Result<NamedTempFile> {
    loop {
        let new = Builder::new()
            .prefix(PREFIX)
            .suffix(SUFFIX)
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)?;
        // On a filesystem without locks nobody can lock the file, and then it counts as no leftover either.
        let _ = new.as_file().lock();
        // A process that looked for leftovers may have removed the file before it was locked.
        if new.as_file().metadata()?.nlink() > 0 {
            return Ok(new);
        }
    }
}

/// Removes the new versions that a power failure left in a folder: no process has them locked.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_new_version = name.starts_with(PREFIX)
            && name.ends_with(SUFFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_new_version
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // An error leaves a hidden file, which does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Gives a mount point the content, the owner and the mode of the new version.
fn fill_mount_point(path: &Path, mut new: NamedTempFile) -> io::Result<()> {
    let wanted = new.as_file().metadata()?;
    let found = fs::metadata(path)?;
    if (found.uid(), found.gid()) != (wanted.uid(), wanted.gid()) {
        chown(path, Some(wanted.uid()), Some(wanted.gid()))?;
    }
    fs::set_permissions(path, wanted.permissions())?;
    let mut content = Vec::new();
    new.rewind()?;
    new.read_to_end(&mut content)?;
    overwrite(path, &content)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::path::Path;

    use super::{AtomicFile, overwrite, read_or_empty, replace};

    fn mode_of(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/file.yml");
        replace(&path, b"old", 0o644).unwrap();
        let unfinished = AtomicFile::write(&path, b"half", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(unfinished);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        replace(&path, b"new", 0o640).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode_of(&path), 0o640);
        assert_eq!(names_in(path.parent().unwrap()), ["file.yml"]);
    }

    #[test]
    fn a_file_that_holds_the_content_already_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let replaced = |content: &[u8], mode| {
            let before = fs::symlink_metadata(&path).unwrap().ino();
            replace(&path, content, mode).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
            assert_eq!(mode_of(&path), mode);
            fs::symlink_metadata(&path).unwrap().ino() != before
        };
        replace(&path, b"moo", 0o644).unwrap();
        assert!(!replaced(b"moo", 0o644));
        assert!(replaced(b"moo", 0o600));
        assert!(replaced(b"mop", 0o600));
        assert!(replaced(b"", 0o600));
        let target = folder.path().join("target");
        fs::rename(&path, &target).unwrap();
        symlink(&target, &path).unwrap();
        replace(&path, b"", 0o600).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert!(!super::is_current(&path, b"", 0o600, (Some(12345), None)));
    }

    #[test]
    fn two_writers_of_a_file_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folders/file");
        let first = AtomicFile::write(&path, b"AAAA", 0o600).unwrap();
        let second = AtomicFile::write(&path, b"B", 0o600).unwrap();
        first.persist().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"AAAA");
        second.persist().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"B");
    }

    #[test]
    fn a_leftover_is_removed_and_the_file_of_a_running_writer_stays() {
        let folder = tempfile::tempdir().unwrap();
        let leftover = folder.path().join(".paddock-abc123.new");
        fs::write(&leftover, "half").unwrap();
        let other = AtomicFile::write(&folder.path().join("a"), b"a", 0o600).unwrap();
        assert!(!leftover.exists());
        replace(&folder.path().join("b"), b"b", 0o600).unwrap();
        other.persist().unwrap();
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"a");
    }

    #[test]
    fn the_new_version_is_never_open_to_more_than_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for (mode, before) in [(0o600, 0o600), (0o644, 0o600), (0o400, 0o400)] {
            let new = AtomicFile::write(&path, b"secret", mode).unwrap();
            assert_eq!(mode_of(new.temporary()), before, "{mode:o}");
            new.persist().unwrap();
            assert_eq!(mode_of(&path), mode);
        }
    }

    #[test]
    fn a_change_of_the_owner_keeps_the_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let new = AtomicFile::write(&path, b"", 0o4755).unwrap();
        let own = fs::metadata(new.temporary()).unwrap();
        new.set_owner(Some(own.uid()), Some(own.gid())).unwrap();
        new.persist().unwrap();
        assert_eq!(mode_of(&path), 0o4755);
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let [path, target] = ["file", "target"].map(|name| folder.path().join(name));
        fs::write(&target, "other").unwrap();
        symlink(&target, &path).unwrap();
        replace(&path, b"new", 0o600).unwrap();
        assert!(!path.is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read(&target).unwrap(), b"other");
    }

    #[test]
    fn a_file_is_overwritten_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        overwrite(&path, b"first, and long").unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        overwrite(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read_or_empty(&path).unwrap(), b"");
        fs::write(&path, "text").unwrap();
        assert_eq!(read_or_empty(&path).unwrap(), b"text");
        assert!(read_or_empty(folder.path()).is_err());
        assert!(read_or_empty(&path.join("below")).is_err());
    }

    #[test]
    fn only_files_and_links_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for path in [Path::new("/"), folder.path(), &socket] {
            assert!(replace(path, b"", 0o644).is_err(), "{}", path.display());
        }
        assert_eq!(names_in(folder.path()), ["socket"]);
    }
}
