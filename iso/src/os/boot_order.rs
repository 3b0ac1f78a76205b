//! The order of files in the OS image: the files that a boot reads come first, in the order of reading.
//!
//! Small files share blocks of the image, and the kernel unpacks a whole block for a file and keeps few blocks. Files that
//! are read one after the other therefore belong into one block.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use crate::build::files::sorted_entries;

/// The paths that a boot opens, in its order; docs/boot.md says how they were recorded. A path that the image does not have
/// is left out, and a file that the list does not have costs a block of its own.
const RECORDED: &str = include_str!("boot-order.txt");
/// Stands for the kernel's release in [`RECORDED`].
const RELEASE: &str = "/usr/lib/modules/*/";
/// The priority of the first file; mksquashfs takes a signed number of 16 bits.
const HIGHEST: usize = 32_767;
/// Links in a path; more of them are a circle.
const MAX_LINKS: usize = 16;

/// The text of mksquashfs's `-sort` for the image in `root`.
pub(super) fn sort_file(root: &Path) -> Result<String> {
    let os = root.join("os");
    let release = release(&os)?;
    let mut trees = vec![os.clone()];
    for layer in sorted_entries(&root.join("system-docker/overlay2"))? {
        let tree = layer.join("diff");
        // The base layer is a link to the OS root.
        if tree.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            trees.push(tree);
        }
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for path in RECORDED.lines() {
        let path = path.replace(RELEASE, &format!("/usr/lib/modules/{release}/"));
        for tree in &trees {
            let Some(file) = resolve(tree, &os, Path::new(&path)) else {
                continue;
            };
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    let lines = files
        .iter()
        .zip((1..=HIGHEST).rev())
        .map(|(file, priority)| format!("{} {priority}\n", file.display()));
    Ok(lines.collect())
}

fn release(os: &Path) -> Result<String> {
    let folder = os.join("usr/lib/modules");
    let entries = sorted_entries(&folder)?;
    let first = entries.first().and_then(|entry| entry.file_name());
    let name =
        first.with_context(|| format!("finding the kernel's release in {}", folder.display()))?;
    Ok(name.to_string_lossy().into_owned())
}

/// The regular file of `tree` that a program opens by `path`; a folder or link that a layer lacks is that of the OS root.
fn resolve(tree: &Path, os: &Path, path: &Path) -> Option<PathBuf> {
    let mut rest: Vec<PathBuf> = components(path);
    let mut reached = PathBuf::new();
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == Path::new("..") {
            reached.pop();
            continue;
        }
        reached.push(&name);
        let target = [tree, os]
            .iter()
            .find_map(|tree| tree.join(&reached).read_link().ok());
        if let Some(target) = target {
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            reached.pop();
            if target.is_absolute() {
                reached = PathBuf::new();
            }
            rest.extend(components(&target));
        }
    }
    let file = tree.join(reached);
    file.symlink_metadata()
        .is_ok_and(|found| found.is_file())
        .then_some(file)
}

/// The names of a path, the last first.
fn components(path: &Path) -> Vec<PathBuf> {
    path.components()
        .rev()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| PathBuf::from(part.as_os_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{resolve, sort_file};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    #[test]
    fn links_lead_to_the_files_of_a_tree() {
        let folder = tempfile::tempdir().unwrap();
        let (os, layer) = (folder.path().join("os"), folder.path().join("layer"));
        for dir in [os.join("usr/lib"), layer.join("usr/lib")] {
            fs::create_dir_all(dir).unwrap();
        }
        symlink("usr/lib", os.join("lib")).unwrap();
        symlink("a.so.1.2", os.join("usr/lib/a.so.1")).unwrap();
        symlink("../lib/b.so.1.2", layer.join("usr/lib/b.so.1")).unwrap();
        symlink("circle", os.join("circle")).unwrap();
        fs::write(os.join("usr/lib/a.so.1.2"), "").unwrap();
        fs::write(layer.join("usr/lib/b.so.1.2"), "").unwrap();
        let found = |tree: &Path, path: &str| resolve(tree, &os, Path::new(path));
        assert_eq!(found(&os, "/lib/a.so.1"), Some(os.join("usr/lib/a.so.1.2")));
        assert_eq!(
            found(&layer, "/lib/b.so.1"),
            Some(layer.join("usr/lib/b.so.1.2"))
        );
        assert_eq!(found(&layer, "/lib/a.so.1"), None);
        assert_eq!(found(&os, "/circle"), None);
        assert_eq!(found(&os, "/lib"), None);
    }

    #[test]
    fn the_first_file_of_a_boot_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let modules = root.join("os/usr/lib/modules/6.12");
        fs::create_dir_all(&modules).unwrap();
        fs::create_dir_all(root.join("os/usr/sbin")).unwrap();
        fs::create_dir_all(root.join("system-docker/overlay2")).unwrap();
        for name in ["init", "dockerd"] {
            fs::write(root.join("os/usr/sbin").join(name), "").unwrap();
        }
        let text = sort_file(root).unwrap();
        let place = |name: &str| text.find(name).unwrap();
        assert!(text.ends_with('\n'), "{text}");
        assert!(place("/os/usr/sbin/init 32767") < place("/os/usr/sbin/dockerd "));
    }
}
