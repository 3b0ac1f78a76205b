//! System Docker's image store, ready-made: at build time the OS's own dockerd loads the images, and
//! the OS image carries the store that it has written. The boot loads no images.
//!
//! The base layer is the OS root: dockerd gets a stand-in of one file for it, and the `diff` of the
//! base layer in the store is a link to `/`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

use crate::build::artifact::Artifact;
use crate::build::command::argv;
use crate::build::files::{remove, sorted_entries, write};
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::root::Debian;
use crate::images::system::Image;
use crate::os::archive::write_archive;

/// Length of the short names under `overlay2/l`, as in dockerd: mount options are limited in length.
const SHORT_NAME: usize = 26;

/// Makes the store of `images` at `build/image-root/system-docker`.
pub(crate) fn make(
    steps: &Steps,
    folders: &Folders,
    debian: &Debian,
    images: &[Image],
) -> Result<Artifact> {
    let mut key = Key::of_code(&[
        include_str!("store.rs"),
        include_str!("store.sh"),
        include_str!("archive.rs"),
        include_str!("base_layer.rs"),
    ])
    .text(env!("CARGO_PKG_VERSION"))
    .text(debian.key());
    for image in images {
        key = key.text(&image.name).text(&image.artifact.key);
    }
    let step = Step {
        name: "image store",
        output: folders.build.join("image-root/system-docker"),
        key,
    };
    steps.run(step, |to, log| {
        let archive = folders.build.join("image-archive");
        remove(&archive)?;
        write_archive(&archive, debian, images, log)?;
        let script = argv![
            "-euc",
            include_str!("store.sh"),
            "store",
            debian.root().path,
            &archive,
            to
        ];
        let mut argv = argv![
            "unshare",
            "--mount",
            "--propagation=private",
            "--pid",
            "--fork",
            "--kill-child",
            "sh"
        ];
        argv.extend(script);
        log.run(&argv)?;
        remove(&archive)?;
        rename_layers(to)
    })
}

/// Gives the layers names that follow from their content: dockerd chooses random names, and a state
/// disk remembers the names from boot to boot. Then replaces the base layer by the link to `/`.
fn rename_layers(store: &Path) -> Result<()> {
    let layers = store.join("overlay2");
    let mut names = BTreeMap::new();
    for chain in sorted_entries(&store.join("image/overlay2/layerdb/sha256"))? {
        let id = chain
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let old = read(&chain.join("cache-id"))?;
        let old_short = read(&layers.join(&old).join("link"))?;
        write(&chain.join("cache-id"), &id)?;
        fs::rename(layers.join(&old), layers.join(&id)).context("naming a layer")?;
        names.insert(old_short, id);
    }
    remove(&layers.join("l"))?;
    fs::create_dir_all(layers.join("l")).context("making the layers' short names")?;
    for id in names.values() {
        let layer = layers.join(id);
        let short = short_name(id);
        write(&layer.join("link"), &short)?;
        symlink(format!("../{id}/diff"), layers.join("l").join(&short))
            .context("linking a layer")?;
        remove(&layer.join("work"))?;
        let lower = layer.join("lower");
        if lower.exists() {
            write(&lower, rename_lower(&read(&lower)?, &names)?)?;
        } else {
            remove(&layer.join("diff"))?;
            symlink("/", layer.join("diff")).context("linking the base layer to the OS root")?;
        }
    }
    Ok(())
}

fn rename_lower(lower: &str, names: &BTreeMap<String, String>) -> Result<String> {
    let renamed: Result<Vec<String>> = lower
        .split(':')
        .map(|entry| {
            let old = entry.trim_start_matches("l/");
            let id = names
                .get(old)
                .with_context(|| format!("finding layer {old}"))?;
            Ok(format!("l/{}", short_name(id)))
        })
        .collect();
    Ok(renamed?.join(":"))
}

fn short_name(id: &str) -> String {
    id.chars()
        .take(SHORT_NAME)
        .collect::<String>()
        .to_uppercase()
}

fn read(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::rename_lower;

    #[test]
    fn lower_layers_keep_their_order_under_new_names() {
        let id = |letter: &str| letter.repeat(64);
        let names = BTreeMap::from([("OLD1".to_owned(), id("a")), ("OLD2".to_owned(), id("b"))]);
        let expected = format!("l/{}:l/{}", "B".repeat(26), "A".repeat(26));
        assert_eq!(rename_lower("l/OLD2:l/OLD1", &names).unwrap(), expected);
        assert!(rename_lower("l/OTHER", &names).is_err());
    }
}
