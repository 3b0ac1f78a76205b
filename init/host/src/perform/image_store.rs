//! System Docker's ready-made image store, as the OS image ships it.
//!
//! No image is loaded at boot. The store's metadata (a few hundred small files) is copied into the
//! data root; each layer's content stays in the read-only OS image, and the data root links to it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use os_config::bounded_file;

use crate::perform::files;

/// The list of files that the last boot installed, so that an OS image of another version removes them.
const MANIFEST: &str = ".shipped";
/// The last line of a whole list. A power failure or a full disk can cut a list, and a path that is cut short names
/// other data.
const MANIFEST_END: &str = "# end";
const REPOSITORIES: &str = "image/overlay2/repositories.json";
const LAYERS: &str = "overlay2";

/// Installs the shipped store `from` into the data root `to`. Images that the user pulled stay.
pub(super) fn install(from: &Path, to: &Path) -> Result<()> {
    let mut installed = BTreeSet::new();
    copy_metadata(&from.join("image"), from, to, &mut installed)?;
    link_layers(from, to, &mut installed)?;
    merge_repositories(from, to)?;
    remove_outdated(to, &installed);
    files::write(&to.join(MANIFEST), manifest(&installed).as_bytes(), 0o644)
}

fn manifest(installed: &BTreeSet<PathBuf>) -> String {
    let mut text: String = installed
        .iter()
        .map(|path| format!("{}\n", path.display()))
        .collect();
    text.push_str(MANIFEST_END);
    text.push('\n');
    text
}

fn copy_metadata(
    folder: &Path,
    from: &Path,
    to: &Path,
    installed: &mut BTreeSet<PathBuf>,
) -> Result<()> {
    let relative = folder.strip_prefix(from).unwrap_or(folder);
    fs::create_dir_all(to.join(relative))
        .with_context(|| format!("making {}", to.join(relative).display()))?;
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry.with_context(|| format!("listing {}", folder.display()))?;
        let path = entry.path();
        let relative = path.strip_prefix(from).unwrap_or(&path).to_owned();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            copy_metadata(&path, from, to, installed)?;
        } else if relative != Path::new(REPOSITORIES) {
            let content = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            install_file(&to.join(&relative), &content)?;
            installed.insert(relative);
        }
    }
    Ok(())
}

/// Writes a file unless it has this content already.
fn install_file(path: &Path, content: &[u8]) -> Result<()> {
    if bounded_file::bytes(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    if path.symlink_metadata().is_ok() {
        return files::write(path, content, 0o644);
    }
    // The next boot mends a new file that a power failure cut, before System Docker starts. To sync each of some hundred
    // files would make the first boot longer.
    fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}

fn link_layers(from: &Path, to: &Path, installed: &mut BTreeSet<PathBuf>) -> Result<()> {
    let folder = from.join(LAYERS);
    fs::create_dir_all(to.join(LAYERS).join("l")).context("making the folder of layer links")?;
    for entry in fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry.with_context(|| format!("listing {}", folder.display()))?;
        let relative = Path::new(LAYERS).join(entry.file_name());
        if entry.file_name() == "l" {
            install_short_links(&entry.path(), &to.join(&relative), installed)?;
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            install_layer(&entry.path(), &to.join(&relative))?;
            installed.insert(relative);
        }
    }
    Ok(())
}

/// `l/<short>` → `../<layer>/diff`, the names that overlay's mount options use.
fn install_short_links(from: &Path, to: &Path, installed: &mut BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(from)
        .with_context(|| format!("listing {}", from.display()))?
        .flatten()
    {
        let target = fs::read_link(entry.path())
            .with_context(|| format!("reading {}", entry.path().display()))?;
        replace_link(&to.join(entry.file_name()), &target)?;
        installed.insert(Path::new(LAYERS).join("l").join(entry.file_name()));
    }
    Ok(())
}

fn install_layer(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    for name in ["link", "lower", "committed"] {
        match fs::read(from.join(name)) {
            Ok(content) => install_file(&to.join(name), &content)?,
            // The lowest layer has no `lower`.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("reading {}", from.join(name).display()));
            }
        }
    }
    // The base layer is the OS root itself: its content in the store is a link to `/`.
    let content = fs::read_link(from.join("diff")).unwrap_or_else(|_| from.join("diff"));
    replace_link(&to.join("diff"), &content)
}

fn replace_link(path: &Path, target: &Path) -> Result<()> {
    if fs::read_link(path).is_ok_and(|found| found == target) {
        return Ok(());
    }
    if path.is_symlink() {
        fs::remove_file(path).with_context(|| format!("replacing {}", path.display()))?;
    }
    symlink(target, path)
        .with_context(|| format!("linking {} to {}", path.display(), target.display()))
}

/// Adds the shipped names to the names in the data root; a shipped name replaces an equal name.
fn merge_repositories(from: &Path, to: &Path) -> Result<()> {
    let file = to.join(REPOSITORIES);
    let shipped =
        fs::read(from.join(REPOSITORIES)).context("reading the shipped repositories.json")?;
    let mut shipped: serde_json::Value =
        serde_json::from_slice(&shipped).context("reading the shipped repositories.json")?;
    // System Docker does not start with a file that is not JSON.
    let known: Option<serde_json::Value> = bounded_file::bytes(&file)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let known = known
        .as_ref()
        .and_then(|value| value.get("Repositories")?.as_object());
    if let (Some(known), Some(names)) = (
        known,
        shipped
            .get_mut("Repositories")
            .and_then(serde_json::Value::as_object_mut),
    ) {
        for (name, tags) in known {
            names.entry(name.clone()).or_insert_with(|| tags.clone());
        }
    }
    files::write(&file, shipped.to_string().as_bytes(), 0o600)
}

/// Removes the files that an OS image of another version installed and that this image does not have. A file that
/// cannot be removed does no harm.
fn remove_outdated(to: &Path, installed: &BTreeSet<PathBuf>) {
    let before = bounded_file::text(&to.join(MANIFEST)).unwrap_or_default();
    let Some(paths) = whole_list(&before) else {
        return;
    };
    for path in paths.filter(|path| !installed.contains(*path)) {
        let full = to.join(path);
        let removed = match full.symlink_metadata() {
            Ok(found) if !found.is_dir() && is_inside(path) => fs::remove_file(&full),
            Ok(found) if found.is_dir() && is_shipped_layer(to, path) => fs::remove_dir_all(&full),
            _ => continue,
        };
        if let Err(error) = removed {
            log::warn!(
                "removing {} of the former OS image: {error}",
                full.display()
            );
        }
    }
}

/// The paths of a list; `None` if the list is cut.
fn whole_list(text: &str) -> Option<impl Iterator<Item = &Path>> {
    let (paths, end) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    (end == MANIFEST_END).then(|| paths.lines().map(Path::new))
}

fn is_inside(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, std::path::Component::Normal(_)))
}

/// Whether `path` is the folder of a layer whose content is in an OS image. A layer of a pulled image has a folder as
/// its content, and all other folders of the data root hold more than this module installs.
fn is_shipped_layer(to: &Path, path: &Path) -> bool {
    let is_layer = path
        .strip_prefix(LAYERS)
        .ok()
        .and_then(Path::to_str)
        .is_some_and(|id| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_layer && to.join(path).join("diff").is_symlink()
}

#[cfg(test)]
mod tests {
    use super::{MANIFEST, MANIFEST_END, install};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    /// The id of a layer, of one digit.
    fn id(digit: &str) -> String {
        digit.repeat(64)
    }

    /// A store's data root after its first boot, with an image of the user's beside the shipped image.
    fn data_root(dir: &Path) -> (PathBuf, PathBuf) {
        let (from, to) = (dir.join("from"), dir.join("to"));
        fs::create_dir_all(&to).unwrap();
        ship(&from, &id("1"), "sha256:1");
        install(&from, &to).unwrap();
        fs::create_dir_all(to.join("overlay2").join(id("a")).join("diff/etc")).unwrap();
        fs::create_dir_all(to.join("containers/c")).unwrap();
        fs::write(to.join("image/overlay2/layerdb/users"), "x").unwrap();
        (from, to)
    }

    fn has_users_data(to: &Path) -> bool {
        to.join("overlay2").join(id("a")).join("diff/etc").is_dir()
            && to.join("containers/c").is_dir()
            && to.join("image/overlay2/layerdb/users").is_file()
    }

    #[test]
    fn a_list_that_was_cut_anywhere_removes_nothing_of_the_users() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = data_root(folder.path());
        ship(&from, &id("2"), "sha256:2");
        let whole = fs::read(to.join(MANIFEST)).unwrap();
        for end in 0..=whole.len() {
            fs::write(to.join(MANIFEST), &whole[..end]).unwrap();
            install(&from, &to).unwrap();
            assert!(has_users_data(&to), "cut after {end} bytes");
        }
        assert!(!to.join("overlay2").join(id("1")).exists());
    }

    #[test]
    fn a_list_of_nonsense_removes_nothing_of_the_users() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = data_root(folder.path());
        let users = format!("overlay2/{}", id("a"));
        for line in [
            "overlay2",
            "overlay2/l",
            "image",
            "image/overlay2/layerdb",
            "",
            ".",
            "/",
            "..",
            "../to/image/overlay2/layerdb/users",
            "containers/c",
            &users,
        ] {
            for end in ["", "\n", &format!("\n{MANIFEST_END}\n")] {
                fs::write(to.join(MANIFEST), format!("{line}{end}")).unwrap();
                install(&from, &to).unwrap();
                assert!(has_users_data(&to), "{line:?} {end:?}");
            }
        }
    }

    #[test]
    fn a_file_that_differs_is_replaced_and_never_written_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = data_root(folder.path());
        let lower = to.join("overlay2").join(id("1")).join("lower");
        fs::write(&lower, "l/BA").unwrap();
        let before = folder.path().join("before");
        fs::hard_link(&lower, &before).unwrap();
        install(&from, &to).unwrap();
        assert_eq!(fs::read(&lower).unwrap(), b"l/BASE");
        assert_eq!(fs::read(&before).unwrap(), b"l/BA");
    }

    fn ship(from: &Path, layer: &str, tag: &str) {
        let _ = fs::remove_dir_all(from);
        fs::create_dir_all(from.join("image/overlay2/layerdb")).unwrap();
        fs::create_dir_all(from.join("overlay2/l")).unwrap();
        fs::create_dir_all(from.join("overlay2").join(layer).join("diff")).unwrap();
        fs::create_dir_all(from.join("overlay2/base")).unwrap();
        symlink("/", from.join("overlay2/base/diff")).unwrap();
        fs::write(from.join("overlay2").join(layer).join("lower"), "l/BASE").unwrap();
        symlink(format!("../{layer}/diff"), from.join("overlay2/l/SHORT")).unwrap();
        fs::write(from.join("image/overlay2/layerdb").join(layer), "x").unwrap();
        fs::write(
            from.join("image/overlay2/repositories.json"),
            format!("{{\"Repositories\":{{\"paddock/x\":{{\"paddock/x:latest\":\"{tag}\"}}}}}}"),
        )
        .unwrap();
    }

    #[test]
    fn another_version_replaces_what_the_first_one_laid_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = data_root(folder.path());
        let [one, two] = ["1", "2"].map(id);
        assert_eq!(
            fs::read_link(to.join("overlay2/base/diff")).unwrap(),
            Path::new("/")
        );
        assert_eq!(
            fs::read_link(to.join("overlay2").join(&one).join("diff")).unwrap(),
            from.join("overlay2").join(&one).join("diff")
        );

        let file = to.join("image/overlay2/repositories.json");
        let with_users = fs::read_to_string(&file).unwrap().replace(
            "{\"paddock",
            "{\"mine\":{\"mine:1\":\"sha256:9\"},\"paddock",
        );
        fs::write(&file, with_users).unwrap();

        ship(&from, &two, "sha256:2");
        install(&from, &to).unwrap();
        install(&from, &to).unwrap();
        assert!(!to.join("overlay2").join(&one).exists());
        assert!(!to.join("image/overlay2/layerdb").join(&one).exists());
        assert!(has_users_data(&to));
        assert_eq!(
            fs::read_link(to.join("overlay2/l/SHORT")).unwrap(),
            Path::new("..").join(&two).join("diff")
        );
        let names: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(names["Repositories"]["mine"]["mine:1"], "sha256:9");
        assert_eq!(
            names["Repositories"]["paddock/x"]["paddock/x:latest"],
            "sha256:2"
        );

        fs::write(&file, "{\"Repositories\":{\"pad").unwrap();
        install(&from, &to).unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(&fs::read(&file).unwrap()).is_ok());
    }
}
