//! Archives of images that the installation medium has for User Docker (`make iso USER_IMAGES=…`). They are written into the
//! new state straight from the medium: the memory of a small machine does not hold them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use host::paths::{MEDIUM_IMAGES, below_root};

use crate::docker::preload::{TargetEngine, archives_in};
use crate::subprocess::{last_line, run};

/// Finds the archives on the medium of the machine with its files below `root`.
pub(in crate::disk::install) fn find(root: &Path) -> Vec<PathBuf> {
    archives_in(&root.join(below_root(MEDIUM_IMAGES)))
}

/// The length of all archives.
pub(in crate::disk::install) fn count_bytes(archives: &[PathBuf]) -> u64 {
    let lengths = archives.iter().filter_map(|file| fs::metadata(file).ok());
    lengths.map(|about| about.len()).sum()
}

/// Writes the archives into the state filesystem that begins at `first_byte` of the disk or file `device`.
pub(in crate::disk::install) fn write(
    archives: &[PathBuf],
    device: &Path,
    first_byte: u64,
) -> Result<()> {
    if archives.is_empty() {
        return Ok(());
    }
    let image = format!("{}?offset={first_byte}", device.display());
    let folder = TargetEngine::User.folder();
    let parents: Vec<&Path> = folder.ancestors().collect();
    let folders = parents.iter().rev().skip(1);
    let folders: String = folders
        .map(|folder| format!("mkdir {}\n", folder.display()))
        .collect();
    // The request for a folder that is there fails.
    run("debugfs", &["-w", "-f", "-", &image], Some(&folders))?;
    for archive in archives {
        let name = archive.file_name().unwrap_or_default();
        let to = folder.join(name);
        let request = format!("write \"{}\" {}", archive.display(), to.display());
        write_file(&image, &request).with_context(|| format!("writing {}", archive.display()))?;
    }
    Ok(())
}

/// A failed request shows on standard error alone, behind the version.
fn write_file(image: &str, request: &str) -> Result<()> {
    let output = Command::new("debugfs")
        .args(["-w", "-R", request, image])
        .stdin(Stdio::null())
        .output()
        .context("starting debugfs")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let mut lines = said.lines();
    ensure!(
        output.status.success() && lines.all(|line| line.starts_with("debugfs ")),
        "debugfs: {}",
        last_line(said.trim())
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::process::Command;

    use host::paths::{MEDIUM_IMAGES, below_root};

    use super::{count_bytes, find, write};

    #[test]
    fn archives_of_the_medium_lie_in_the_new_state() {
        let root = tempfile::tempdir().unwrap();
        assert!(find(root.path()).is_empty());
        let medium = root.path().join(below_root(MEDIUM_IMAGES));
        fs::create_dir_all(&medium).unwrap();
        for name in ["b.tar", "a.tar.gz", "notes"] {
            fs::write(medium.join(name), name).unwrap();
        }
        let archives = find(root.path());
        assert_eq!(count_bytes(&archives), 13);
        let disk = root.path().join("disk");
        File::create(&disk).unwrap().set_len(80 << 20).unwrap();
        let made = Command::new("mke2fs")
            .args(["-q", "-F", "-t", "ext4", "-E", "offset=8388608"])
            .arg(&disk)
            .arg("65536k")
            .status();
        assert!(made.unwrap().success());
        write(&[], &disk, 8 << 20).unwrap();
        write(&archives, &disk, 8 << 20).unwrap();
        let image = format!("{}?offset=8388608", disk.display());
        for name in ["b.tar", "a.tar.gz"] {
            let request = format!("cat /var/lib/rancher/preload/docker/{name}");
            let output = Command::new("debugfs")
                .args(["-R", &request, &image])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), name);
        }
        let large = medium.join("large.tar");
        fs::write(&large, vec![b'#'; 70 << 20]).unwrap();
        let error = write(&[large], &disk, 8 << 20).unwrap_err();
        assert!(format!("{error:#}").contains("debugfs: "), "{error:#}");
    }
}
