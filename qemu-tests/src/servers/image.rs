//! Container images from a tar layer, a configuration and a manifest, so that the host needs no Docker daemon.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::harness::spawn::{run_tool, run_tool_with_input};

/// The media type of a manifest, which a registry demands.
pub const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// An image, ready to be pushed.
#[derive(Debug)]
pub struct Image {
    /// The compressed layers.
    pub layers: Vec<Vec<u8>>,
    /// The image's configuration.
    pub config: Vec<u8>,
    /// The manifest that names both by digest.
    pub manifest: Vec<u8>,
}

/// A blob's name: `sha256:` and its hash.
pub fn digest(bytes: &[u8]) -> Result<String> {
    let said = run_tool_with_input("sha256sum", &["-"], bytes)?;
    let text = String::from_utf8_lossy(&said).into_owned();
    Ok(format!(
        "sha256:{}",
        text.split(' ').next().unwrap_or_default()
    ))
}

/// Debian's busybox with all its applets. A container runs `command`; `files` are a second layer.
pub fn busybox(scratch: &Path, command: &[&str], files: &[(&str, &str)]) -> Result<Image> {
    make(
        scratch,
        &json!({"Cmd": command, "Env": ["PATH=/bin"]}),
        files,
    )
}

/// [`busybox`] with an entry point: the command of a container is added to its arguments.
pub fn busybox_program(
    scratch: &Path,
    entrypoint: &[&str],
    files: &[(&str, &str)],
) -> Result<Image> {
    make(
        scratch,
        &json!({"Entrypoint": entrypoint, "Env": ["PATH=/bin"]}),
        files,
    )
}

fn make(scratch: &Path, run: &Value, files: &[(&str, &str)]) -> Result<Image> {
    let root = scratch.join("busybox");
    fs::create_dir_all(root.join("bin")).context("creating an image's tree")?;
    let busybox = static_busybox()?;
    fs::copy(&busybox, root.join("bin/busybox")).context("copying busybox into an image")?;
    let applets = run_tool(&busybox.to_string_lossy(), &["--list"])?;
    for applet in String::from_utf8_lossy(&applets)
        .lines()
        .filter(|name| *name != "busybox")
    {
        symlink("busybox", root.join("bin").join(applet))
            .with_context(|| format!("linking {applet}"))?;
    }
    for (name, text) in [
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("etc/group", "root:x:0:\n"),
        ("tmp/.keep", ""),
        ("root/.keep", ""),
    ] {
        write_file(&root.join(name), text)?;
    }
    let mut trees = vec![root];
    if !files.is_empty() {
        let extra = scratch.join("extra");
        for (name, text) in files {
            write_file(&extra.join(name), text)?;
        }
        trees.push(extra);
    }
    let image = assemble(&trees, run);
    for tree in trees {
        fs::remove_dir_all(&tree).with_context(|| format!("removing {}", tree.display()))?;
    }
    image
}

fn assemble(trees: &[PathBuf], run: &Value) -> Result<Image> {
    let mut layers = Vec::new();
    let mut diff_ids = Vec::new();
    for tree in trees {
        let tree = tree.to_string_lossy();
        let tar = run_tool(
            "tar",
            &[
                "-C",
                &tree,
                "--owner=0",
                "--group=0",
                "--mtime=@0",
                "--sort=name",
                "-cf",
                "-",
                ".",
            ],
        )?;
        diff_ids.push(digest(&tar)?);
        layers.push(run_tool_with_input("gzip", &["-1nc"], &tar)?);
    }
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": diff_ids.iter().map(|_| json!({"created_by": "harness"})).collect::<Vec<_>>(),
    });
    let config = config.to_string().into_bytes();
    let mut described = Vec::new();
    for layer in &layers {
        described.push(describe(
            layer,
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        )?);
    }
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": describe(&config, "application/vnd.docker.container.image.v1+json")?,
        "layers": described,
    });
    Ok(Image {
        layers,
        manifest: manifest.to_string().into_bytes(),
        config,
    })
}

fn describe(blob: &[u8], media_type: &str) -> Result<Value> {
    Ok(json!({"mediaType": media_type, "size": blob.len(), "digest": digest(blob)?}))
}

fn write_file(file: &Path, text: &str) -> Result<()> {
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    }
    fs::write(file, text)
        .and_then(|()| {
            // A script must be executable.
            let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
            fs::set_permissions(file, fs::Permissions::from_mode(mode))
        })
        .with_context(|| format!("writing {}", file.display()))
}

/// Debian's `busybox-static`; a busybox with shared libraries would not run in an image.
fn static_busybox() -> Result<PathBuf> {
    let found = ["/usr/bin/busybox", "/bin/busybox"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file());
    let path = found.context("looking for busybox (hint: install busybox-static)")?;
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    ensure!(
        !wants_interpreter(&bytes),
        "{} has shared libraries (hint: install busybox-static)",
        path.display()
    );
    Ok(path)
}

/// Whether a 64-bit ELF file has a PT_INTERP segment, the dynamic loader's name.
fn wants_interpreter(elf: &[u8]) -> bool {
    const PT_INTERP: [u8; 4] = [3, 0, 0, 0];
    let number = |at: usize, size: usize| {
        let bytes = elf.get(at..at + size).unwrap_or_default();
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | usize::from(*byte))
    };
    let (start, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|index| {
        elf.get(start + index * size..)
            .is_some_and(|header| header.starts_with(&PT_INTERP))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::{assemble, digest, wants_interpreter};

    #[test]
    fn a_digest_is_the_sha256() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(b"").unwrap(), empty);
    }

    #[test]
    fn a_shared_program_is_told_from_a_static_one() {
        assert!(wants_interpreter(&fs::read("/bin/sh").unwrap()));
        // The tests themselves are linked statically, like all our programs.
        assert!(!wants_interpreter(
            &fs::read(std::env::current_exe().unwrap()).unwrap()
        ));
        assert!(!wants_interpreter(b"not a program"));
    }

    #[test]
    fn the_manifest_names_every_blob_by_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::create_dir_all(dir.join("tree")).unwrap();
        fs::write(dir.join("tree/file"), "x").unwrap();
        let image = assemble(
            &[dir.join("tree")],
            &json!({"Cmd": ["/file"], "Env": ["PATH=/bin"]}),
        )
        .unwrap();
        let manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
        assert_eq!(manifest["config"]["digest"], digest(&image.config).unwrap());
        assert_eq!(
            manifest["layers"][0]["digest"],
            digest(&image.layers[0]).unwrap()
        );
        assert_eq!(manifest["layers"][0]["size"], image.layers[0].len());
        let config: Value = serde_json::from_slice(&image.config).unwrap();
        assert_eq!(config["config"]["Cmd"], json!(["/file"]));
        assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 1);
    }
}
