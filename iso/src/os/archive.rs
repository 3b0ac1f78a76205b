//! The archive of the system images, in the format of `docker save`, from which dockerd loads them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::build::command::{Log, argv};
use crate::build::files::{remove, write};
use crate::build::key::hex;
use crate::debian::root::Debian;
use crate::images::system::Image;
use crate::os::base_layer;

/// A layer in an image archive: its identity, and its file relative to the archive.
#[derive(Debug, Clone, Copy)]
struct Layer<'a> {
    id: &'a str,
    file: &'a str,
}

/// Writes an image archive as `docker save` does, with the base's stand-in as lowest layer.
pub(crate) fn write_archive(to: &Path, debian: &Debian, images: &[Image], log: &Log) -> Result<()> {
    let folder = to.join("base");
    write(
        &folder.join("tree").join(base_layer::FILE),
        base_layer::text(debian),
    )?;
    let layer = folder.join("layer.tar");
    log.run(&argv![
        "tar",
        "-cf",
        &layer,
        "-C",
        folder.join("tree"),
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mode=u=rwX,go=rX",
        "--mtime=@0",
        "usr",
    ])?;
    remove(&folder.join("tree"))?;
    let base_id = layer_id(&layer)?;
    let base = Layer {
        id: &base_id,
        file: "base/layer.tar",
    };
    let mut manifest = vec![write_config(to, "base", &json!({}), &[base])?];
    for image in images {
        let mut layers = vec![base];
        let (own_id, own);
        if let Some(layer) = image.layer() {
            own = format!("{}/layer.tar", image.name);
            fs::create_dir_all(to.join(&image.name)).context("making a layer's folder")?;
            fs::hard_link(&layer, to.join(&own)).context("adding a layer")?;
            own_id = layer_id(&layer)?;
            layers.push(Layer {
                id: &own_id,
                file: &own,
            });
        }
        manifest.push(write_config(to, &image.name, &image.config()?, &layers)?);
    }
    write(&to.join("manifest.json"), Value::from(manifest).to_string())
}

/// Writes the configuration of an image and returns the image's entry in the manifest.
fn write_config(to: &Path, name: &str, config: &Value, layers: &[Layer<'_>]) -> Result<Value> {
    let ids: Vec<&str> = layers.iter().map(|layer| layer.id).collect();
    let files: Vec<&str> = layers.iter().map(|layer| layer.file).collect();
    let text = json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Cmd": config["Cmd"],
            "Entrypoint": config["Entrypoint"],
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Labels": {"io.rancher.os.version": env!("CARGO_PKG_VERSION")},
        },
        "rootfs": {"type": "layers", "diff_ids": ids},
    })
    .to_string();
    let file = format!("{}.json", hex(&Sha256::digest(&text)));
    write(&to.join(&file), text)?;
    Ok(json!({"Config": file, "RepoTags": [format!("paddock/{name}:latest")], "Layers": files}))
}

fn layer_id(layer: &Path) -> Result<String> {
    let content = fs::read(layer).with_context(|| format!("reading {}", layer.display()))?;
    Ok(format!("sha256:{}", hex(&Sha256::digest(content))))
}
