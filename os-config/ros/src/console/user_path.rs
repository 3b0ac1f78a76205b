//! Paths below folders that users write to. Root follows a link there only if root made it: a user's link could lead to
//! `/etc`, or to a file that only root may read.
//!
//! A path is walked folder by folder, each by the handle of the folder above it, so a user who renames or replaces a
//! folder in the meantime leads nobody astray.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};
use nix::unistd::{Gid, Uid, fchownat};

/// As the kernel.
const MOST_LINKS: usize = 40;
/// A handle of a file, which reads nothing and follows no link.
const HANDLE: OFlag = OFlag::O_PATH
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_NOFOLLOW);
const FOLDER_MODE: Mode = Mode::from_bits_truncate(0o755);

/// A folder that stays the same folder, whatever happens to the names above it.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

/// What to do about a folder that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Make,
    Accept,
}

impl Folder {
    /// Opens a folder, by an absolute path; `None` if it is missing and not to be made.
    pub(crate) fn open(path: &Path, missing: Missing) -> Result<Option<Self>> {
        let open = || -> Result<Option<Self>> {
            ensure!(path.is_absolute(), "the path is not absolute");
            let root = open("/", HANDLE, Mode::empty())?;
            let Some(found) = walk(root, names(path), missing)? else {
                return Ok(None);
            };
            ensure!(is_kind(&found, SFlag::S_IFDIR)?, "it is no folder");
            Ok(Some(Self(found)))
        };
        open().with_context(|| format!("opening {}", path.display()))
    }

    /// The path of a file in the folder, for this process alone.
    pub(crate) fn path(&self, name: &Path) -> PathBuf {
        Path::new("/proc/self/fd")
            .join(self.0.as_raw_fd().to_string())
            .join(name)
    }

    /// Gives the folder to the user and the group with this number.
    pub(crate) fn set_owner(&self, id: u32) -> Result<()> {
        let (user, group) = (Uid::from_raw(id), Gid::from_raw(id));
        Ok(fchownat(
            &self.0,
            "",
            Some(user),
            Some(group),
            AtFlags::AT_EMPTY_PATH,
        )?)
    }

    /// Opens a regular file of the folder for reading; `None` if it is missing. A link is followed if root made it.
    pub(crate) fn open_file(&self, name: &Path) -> Result<Option<File>> {
        let start = self.0.try_clone()?;
        let Some(found) = walk(start, names(name), Missing::Accept)? else {
            return Ok(None);
        };
        // Another kind of file could block, or act on being opened.
        ensure!(is_kind(&found, SFlag::S_IFREG)?, "it is no regular file");
        Ok(Some(File::open(format!(
            "/proc/self/fd/{}",
            found.as_raw_fd()
        ))?))
    }
}

/// Reads a file that a user may have made, up to a limit.
pub(crate) fn read_bounded(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {limit} bytes"),
        ));
    }
    Ok(content)
}

/// Walks from a folder to a file or folder. `None` if it is missing.
fn walk(start: OwnedFd, mut rest: VecDeque<OsString>, missing: Missing) -> Result<Option<OwnedFd>> {
    let mut at = start;
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        let next = match openat(&at, name.as_os_str(), HANDLE, Mode::empty()) {
            Err(Errno::ENOENT) if missing == Missing::Accept => return Ok(None),
            Err(Errno::ENOENT) => {
                match mkdirat(&at, name.as_os_str(), FOLDER_MODE) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                openat(&at, name.as_os_str(), HANDLE, Mode::empty())?
            }
            next => next?,
        };
        if !is_kind(&next, SFlag::S_IFLNK)? {
            at = next;
            continue;
        }
        let name = name.display();
        ensure!(
            fstat(&next)?.st_uid == 0,
            "{name} is a link that a user made"
        );
        links += 1;
        ensure!(links <= MOST_LINKS, "it has too many links");
        let target = PathBuf::from(readlinkat(&next, "")?);
        if target.is_absolute() {
            at = open("/", HANDLE, Mode::empty())?;
        }
        for name in names(&target).into_iter().rev() {
            rest.push_front(name);
        }
    }
    Ok(Some(at))
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

fn is_kind(file: &OwnedFd, kind: SFlag) -> nix::Result<bool> {
    Ok(fstat(file)?.st_mode & SFlag::S_IFMT.bits() == kind.bits())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{lchown, symlink};
    use std::path::Path;

    use super::{Folder, Missing, read_bounded};

    const NOBODY: u32 = 65534;

    fn is_root() -> bool {
        nix::unistd::geteuid().is_root()
    }

    #[test]
    fn a_users_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("secrets")).unwrap();
        fs::write(root.join("secrets/secret"), "secret").unwrap();
        for (link, target) in [("folder", "secrets"), ("file", "secrets/secret")] {
            symlink(target, root.join(link)).unwrap();
            // Only root can make a link another user's; for other users every link is a user's.
            let _ = lchown(root.join(link), Some(NOBODY), Some(NOBODY));
        }
        for missing in [Missing::Make, Missing::Accept] {
            assert!(Folder::open(&root.join("folder"), missing).is_err());
            assert!(Folder::open(&root.join("folder/below"), missing).is_err());
        }
        let folder = Folder::open(root, Missing::Accept).unwrap().unwrap();
        assert!(folder.open_file(Path::new("file")).is_err());
        assert!(folder.open_file(Path::new("absent")).unwrap().is_none());
        assert!(folder.open_file(Path::new("secrets")).is_err());
        if is_root() {
            symlink("secrets", root.join("roots")).unwrap();
            let found = Folder::open(&root.join("roots"), Missing::Accept).unwrap();
            let file = found.unwrap().open_file(Path::new("secret")).unwrap();
            assert_eq!(read_bounded(&file.unwrap(), 6).unwrap(), b"secret");
        }
    }

    #[test]
    fn missing_folders_are_made_only_if_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        assert!(Folder::open(&below, Missing::Accept).unwrap().is_none());
        let made = Folder::open(&below, Missing::Make).unwrap().unwrap();
        fs::write(made.path(Path::new("file")), "").unwrap();
        assert!(below.join("file").exists());
        // The handle leads to the folder, not to its name.
        fs::rename(&below, folder.path().join("moved")).unwrap();
        fs::write(made.path(Path::new("more")), "").unwrap();
        assert!(folder.path().join("moved/more").exists());
    }

    #[test]
    fn reading_has_a_limit() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "12345").unwrap();
        let open = || fs::File::open(file.path()).unwrap();
        assert_eq!(read_bounded(&open(), 5).unwrap(), b"12345");
        assert!(read_bounded(&open(), 4).is_err());
    }
}
