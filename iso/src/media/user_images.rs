//! Archives of images that a builder of a medium adds for User Docker, which loads them at the first boot. They lie beside the
//! slot image, because no version of the system has them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::build::artifact::Artifact;
use crate::build::key::Key;

/// The folder of the archives, from the folder of the slot image.
pub(crate) const FOLDER: &str = "images";
/// The formats that a machine loads.
const ENDINGS: [&str; 6] = [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2"];
/// The filesystem of a CD has no larger files.
const LARGEST: u64 = u32::MAX as u64;

/// Finds the archives of a command line.
///
/// # Errors
/// A file is missing, too large or no archive, or two have one name.
pub(crate) fn find(files: &[PathBuf]) -> Result<Vec<Artifact>> {
    let mut names = BTreeSet::new();
    let mut archives = Vec::new();
    for file in files {
        let shown = file.display();
        let about = fs::metadata(file).with_context(|| format!("reading the image {shown}"))?;
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{shown} has no plain name"))?;
        let is_plain =
            |character: char| character.is_ascii_alphanumeric() || "._+-".contains(character);
        ensure!(
            about.is_file()
                && name.chars().all(is_plain)
                && ENDINGS.iter().any(|ending| name.ends_with(ending)),
            "{shown}: expected an archive of `docker save` with a plain name and one of the endings {}",
            ENDINGS.join(" ")
        );
        ensure!(
            about.len() <= LARGEST,
            "{shown} is larger than 4 GiB (hint: pack it, or divide it)"
        );
        ensure!(
            names.insert(name.to_owned()),
            "two of the images are called {name}"
        );
        archives.push(Artifact {
            path: file.clone(),
            key: Key::default().text(name).file(file)?.hex(),
        });
    }
    Ok(archives)
}

/// The keys of the archives, for the keys of what they are added to.
pub(crate) fn keys(archives: &[Artifact]) -> Vec<&str> {
    archives
        .iter()
        .map(|archive| archive.key.as_str())
        .collect()
}

/// The length of all archives.
pub(crate) fn count_bytes(archives: &[Artifact]) -> Result<u64> {
    let mut bytes = 0;
    for archive in archives {
        let about = fs::metadata(&archive.path)
            .with_context(|| format!("reading {}", archive.path.display()))?;
        bytes += about.len();
    }
    Ok(bytes)
}

/// Copies the archives beside the slot image in `medium`.
pub(crate) fn add(archives: &[Artifact], medium: &Path) -> Result<()> {
    if archives.is_empty() {
        return Ok(());
    }
    let folder = medium.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for archive in archives {
        let to = folder.join(archive.path.file_name().unwrap_or_default());
        fs::copy(&archive.path, &to)
            .and_then(|_| fs::set_permissions(&to, fs::Permissions::from_mode(0o644)))
            .with_context(|| format!("adding {}", archive.path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{add, count_bytes, find};

    #[test]
    fn archives_with_plain_names_are_added() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let file = |name: &str| {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "images").unwrap();
            path
        };
        let good = [file("one.tar"), file("two_2.tar.zst")];
        let found = find(&good).unwrap();
        assert_eq!(count_bytes(&found).unwrap(), 12);
        let medium = folder.join("medium");
        add(&[], &medium).unwrap();
        assert!(!medium.exists());
        add(&found, &medium).unwrap();
        let added = fs::read_to_string(medium.join("images/two_2.tar.zst"));
        assert_eq!(added.unwrap(), "images");
        for (files, expected) in [
            (vec![folder.join("none.tar")], "reading the image"),
            (vec![file("notes.txt")], "one of the endings"),
            (vec![file("a \"b\".tar")], "a plain name"),
            (
                vec![file("one.tar"), file("other/one.tar")],
                "called one.tar",
            ),
        ] {
            let error = find(&files).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
