//! Images whose content a power cut has taken. An engine registers an image before its files are on the disk, and from
//! then on takes the empty files for the image. `ros` syncs new images; for what a cut takes before that, the disk is
//! searched after a boot that no shutdown preceded.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use host::paths::{CONF, RUNNING};
use host::problems::{self, ProblemRecord};
use os_config::atomic_file;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The data roots of the engines, with their commands.
const ENGINES: [(&str, &str); 2] = [
    ("/var/lib/docker", "docker"),
    ("/var/lib/system-docker", "system-docker"),
];
/// The kernel writes files within a minute. Layers that came so long before the newest layer are on the disk.
const YOUNG: Duration = Duration::from_secs(600);
/// A layer with less than this part of its content, in percent, is hollow.
const WHOLE_PERCENT: u64 = 90;

/// Brings what was pulled or loaded to the disk of `folder`.
pub(crate) fn sync(folder: &Path) -> Result<()> {
    let folder = File::open(folder).with_context(|| format!("opening {}", folder.display()))?;
    nix::unistd::syncfs(&folder).context("syncing the images")
}

/// Brings what `ros` has pulled or loaded to the disk, before it goes on.
pub(crate) fn sync_state() -> Result<()> {
    sync(Path::new(CONF))
}

/// Begins a boot. Returns whether the last one was cut off.
pub(crate) fn begin_boot() -> bool {
    let was_cut = Path::new(RUNNING).exists();
    if !was_cut && let Err(error) = atomic_file::replace(Path::new(RUNNING), b"", 0o644) {
        eprintln!("ros: writing {RUNNING}: {error}");
    }
    was_cut
}

/// Ends a boot in order.
pub(crate) fn end_boot() {
    let _ = fs::remove_file(RUNNING);
}

/// Searches the engines for hollow images, and reports them.
pub(crate) fn report_all() {
    for (root, client) in ENGINES {
        for name in find(Path::new(root)) {
            let text = format!(
                "the power cut has left the image {name} without its content (hint: `{client} rmi -f {name}`, and pull or \
                 load it again)"
            );
            problems::report(&ProblemRecord::error("image.hollow", client, text));
        }
    }
}

/// The names of the hollow images below a data root.
fn find(root: &Path) -> BTreeSet<String> {
    let store = root.join("image/overlay2");
    let hollow = hollow_layers(root, &store.join("layerdb/sha256"));
    if hollow.is_empty() {
        return BTreeSet::new();
    }
    let json =
        |path: PathBuf| -> Option<Value> { serde_json::from_slice(&fs::read(path).ok()?).ok() };
    let repositories = json(store.join("repositories.json")).unwrap_or_default();
    let repositories = repositories.get("Repositories").and_then(Value::as_object);
    let names = repositories.into_iter().flatten().flat_map(|(_, tags)| {
        let tags = tags.as_object().into_iter().flatten();
        tags.filter_map(|(name, id)| Some((name, id.as_str()?.strip_prefix("sha256:")?)))
    });
    names
        .filter(|(_, id)| {
            let config = json(store.join("imagedb/content/sha256").join(id)).unwrap_or_default();
            chain_ids(&config)
                .iter()
                .any(|layer| hollow.contains(layer))
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// The ids of an image's layers, each with the layers below it, as image-spec makes them.
fn chain_ids(config: &Value) -> Vec<String> {
    let layers = config.pointer("/rootfs/diff_ids").and_then(Value::as_array);
    let layers = layers.into_iter().flatten().filter_map(Value::as_str);
    layers
        .scan(String::new(), |below, layer| {
            *below = if below.is_empty() {
                layer.to_owned()
            } else {
                let digest = Sha256::digest(format!("{below} {layer}"));
                let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("sha256:{digits}")
            };
            Some(below.trim_start_matches("sha256:").to_owned())
        })
        .collect()
}

/// The layers among the youngest that hold less than their size.
fn hollow_layers(root: &Path, layers: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(layers).into_iter().flatten().flatten();
    let found: Vec<(String, PathBuf, SystemTime)> = entries
        .filter_map(|entry| {
            let changed = entry.metadata().ok()?.modified().ok()?;
            let name = entry.file_name().into_string().ok()?;
            Some((name, entry.path(), changed))
        })
        .collect();
    let Some(newest) = found.iter().map(|(_, _, changed)| *changed).max() else {
        return BTreeSet::new();
    };
    found
        .into_iter()
        .filter(|(_, _, changed)| newest.duration_since(*changed).unwrap_or_default() <= YOUNG)
        .filter(|(_, layer, _)| is_hollow(root, layer))
        .map(|(name, _, _)| name)
        .collect()
}

fn is_hollow(root: &Path, layer: &Path) -> bool {
    let text = |name: &str| fs::read_to_string(layer.join(name)).unwrap_or_default();
    let Ok(size) = text("size").trim().parse::<u64>() else {
        // An empty file: the cut has taken it too.
        return layer.join("size").exists();
    };
    let content = root
        .join("overlay2")
        .join(text("cache-id").trim())
        .join("diff");
    // The layers of the OS image are links to it.
    !content.is_symlink() && size_of(&content) < size / 100 * WHOLE_PERCENT
}

/// The bytes of all files below a folder.
fn size_of(folder: &Path) -> u64 {
    let (mut total, mut counted) = (0, BTreeSet::new());
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else {
                continue;
            };
            if found.is_dir() {
                folders.push(entry.path());
            } else if found.is_file() && (found.nlink() == 1 || counted.insert(found.ino())) {
                total += found.len();
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::{chain_ids, find};
    use serde_json::json;
    use std::fs;
    use std::path::Path;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Adds an image `name` with one layer, whose file `content` stands for `size` bytes.
    fn add_image(root: &Path, name: &str, id: &str, size: &str, content: &str) {
        let store = root.join("image/overlay2");
        let layer = format!("{id}0");
        write(
            &store.join("imagedb/content/sha256").join(id),
            &json!({"rootfs": {"diff_ids": [format!("sha256:{layer}")]}}).to_string(),
        );
        let folder = store.join("layerdb/sha256").join(&layer);
        write(&folder.join("size"), size);
        write(&folder.join("cache-id"), id);
        write(
            &root.join("overlay2").join(id).join("diff/bin/program"),
            content,
        );
        let file = store.join("repositories.json");
        let mut repositories = fs::read(&file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_else(|| json!({"Repositories": {}}));
        repositories["Repositories"][name] = json!({name: format!("sha256:{id}")});
        write(&file, &repositories.to_string());
    }

    #[test]
    fn an_image_without_its_content_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert!(find(root).is_empty());
        add_image(root, "whole:1", "aa", "1000", &"x".repeat(1000));
        add_image(root, "small:1", "bb", "0", "");
        assert!(find(root).is_empty());
        add_image(root, "hollow:1", "cc", "1000", "");
        add_image(root, "sizeless:1", "dd", "", "x");
        let names: Vec<String> = find(root).into_iter().collect();
        assert_eq!(names, ["hollow:1", "sizeless:1"]);
    }

    #[test]
    fn a_chain_of_layers() {
        // From image-spec: the first id is the layer's own, and the next is the digest of both.
        let config = json!({"rootfs": {"diff_ids": ["sha256:aa", "sha256:bb"]}});
        let ids = chain_ids(&config);
        assert_eq!(ids[0], "aa");
        assert_eq!(ids[1].len(), 64);
        assert!(chain_ids(&json!({})).is_empty());
    }
}
