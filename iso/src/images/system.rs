//! Images, built from their Dockerfiles by buildah, without a daemon.
//!
//! Every system image is one layer on `paddock/base`, which is the Debian tree. Only that one layer is kept:
//! the base below it is the OS root itself and is not stored a second time. The images of the catalogue, on
//! `paddock/debian`, are kept whole, as archives.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::build::artifact::Artifact;
use crate::build::command::{Log, argv};
use crate::build::files::{remove, sorted_entries, write};
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::root::Debian;

/// Remains of building that differ from run to run or are of no use: they would change a layer's
/// identity although nothing of substance changed.
const BUILD_REMAINS: &[&str] = &[
    "dev",
    "etc/group-",
    "etc/gshadow-",
    "etc/hostname",
    "etc/hosts",
    "etc/machine-id",
    "etc/mtab",
    "etc/passwd-",
    "etc/resolv.conf",
    "etc/shadow-",
    "etc/subgid-",
    "etc/subuid-",
    "proc",
    "run",
    "sys",
    "tmp",
    "usr/lib/sysimage/dpkg/lock",
    "usr/lib/sysimage/dpkg/lock-frontend",
    "usr/lib/sysimage/dpkg/status-old",
    "var/cache",
    "var/lib/apt",
    "var/lib/systemd",
    "var/lib/ucf",
    "var/log",
];

/// No file of a layer is dated later: the day Debian 13 was released.
const NEWEST_DATE: &str = "@1754697600";

/// One built system image.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) artifact: Artifact,
}

impl Image {
    /// The image's own layer, as a tree (with Docker's `.wh.` names for removed files).
    pub(crate) fn tree(&self) -> PathBuf {
        self.artifact.path.join("tree")
    }

    /// The image's own layer, as an archive; none if it only runs what the base has.
    pub(crate) fn layer(&self) -> Option<PathBuf> {
        Some(self.artifact.path.join("layer.tar")).filter(|file| file.exists())
    }

    /// What the Dockerfile says about running it: `Cmd`, `Env`, ….
    pub(crate) fn config(&self) -> Result<Value> {
        read_json(&self.artifact.path.join("config.json"))
    }
}

/// Builds what has changed of `images/system/*` on top of `debian`.
pub(crate) fn make(steps: &Steps, folders: &Folders, debian: &Debian) -> Result<Vec<Image>> {
    let build = &folders.build;
    let base = import_base(steps, folders, "base", &debian.root())?;
    sources(&folders.repository.join("images/system"))?
        .iter()
        .map(|source| {
            let name = name_of(source);
            let step = Step {
                name: &format!("image/{name}"),
                output: build.join("images").join(&name),
                key: key_of(source, &base)?,
            };
            let artifact = steps.run(step, |to, log| {
                let tag = format!("paddock/{name}");
                log.run(&buildah(build, build_arguments(&tag, source)))?;
                take_layer(build, &tag, to, log)
            })?;
            Ok(Image { name, artifact })
        })
        .collect()
}

/// Folders with Dockerfiles, and where the archives of their images go.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) sources: PathBuf,
    pub(crate) archives: PathBuf,
}

/// Builds what has changed of the catalogue's images on top of the small Debian; each becomes an archive that
/// `docker load` takes.
pub(crate) fn make_catalogue(
    steps: &Steps,
    folders: &Folders,
    small: &Artifact,
    collection: &Collection,
) -> Result<Vec<Artifact>> {
    let build = &folders.build;
    let base = import_base(steps, folders, "debian", small)?;
    sources(&collection.sources)?
        .iter()
        .map(|source| {
            let name = name_of(source);
            let step = Step {
                name: &format!("catalogue/{name}"),
                output: collection.archives.join(format!("{name}.tar")),
                key: key_of(source, &base)?,
            };
            steps.run(step, |to, log| {
                let tag = format!("paddock/{name}");
                log.run(&buildah(build, build_arguments(&tag, source)))?;
                // As the definitions name it where no registry is given.
                let target = format!("docker-archive:{}:localhost/{tag}:latest", to.display());
                log.run(&buildah(build, argv!["push", "--quiet", &tag, target]))
            })
        })
        .collect()
}

/// The folders below `images` that have a Dockerfile.
fn sources(images: &Path) -> Result<Vec<PathBuf>> {
    let mut found = sorted_entries(images)?;
    found.retain(|source| source.join("Dockerfile").exists());
    ensure!(
        !found.is_empty(),
        "finding a Dockerfile in {}",
        images.display()
    );
    Ok(found)
}

fn name_of(source: &Path) -> String {
    let name = source.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn key_of(source: &Path, base: &Artifact) -> Result<Key> {
    let key = Key::of_code(&[include_str!("system.rs")])
        .text(&base.key)
        .file(&source.join("Dockerfile"))?;
    match source.join("rootfs") {
        rootfs if rootfs.exists() => key.tree(&rootfs),
        _ => Ok(key),
    }
}

/// Gives buildah a tree as `paddock/NAME`.
fn import_base(steps: &Steps, folders: &Folders, name: &str, root: &Artifact) -> Result<Artifact> {
    let build = &folders.build;
    let step = Step {
        name: &format!("image/{name}"),
        output: build.join(format!("images/{name}.imported")),
        key: Key::default().text(&root.key),
    };
    steps.run(step, |to, log| {
        let tag = format!("paddock/{name}");
        // What an interrupted build and the tree of before have left.
        let _ = log.run(&buildah(build, argv!["rm", "--all"]));
        let _ = log.run(&buildah(build, argv!["rmi", "--force", &tag]));
        let _ = log.run(&buildah(build, argv!["rmi", "--prune", "--force"]));
        let container = log.output(&buildah(build, argv!["from", "scratch"]))?;
        let mounted = log.output(&buildah(build, argv!["mount", &container]))?;
        log.run(&argv!["cp", "-a", root.path.join("."), &mounted])?;
        log.run(&buildah(
            build,
            argv!["commit", "--quiet", "--rm", &container, &tag],
        ))?;
        write(to, &root.key)
    })
}

fn build_arguments(tag: &str, source: &Path) -> Vec<OsString> {
    argv![
        "build",
        "--isolation=chroot",
        "--network=host",
        "--pull=never",
        "--layers=false",
        "--format=docker",
        "--tag",
        tag,
        source,
    ]
}

/// buildah with its storage in the build folder, apart from any other of the host's.
fn buildah(build: &Path, arguments: Vec<OsString>) -> Vec<OsString> {
    let mut argv = argv![
        "buildah",
        "--root",
        build.join("containers/storage"),
        "--runroot",
        build.join("containers/run"),
        "--storage-driver=overlay",
    ];
    argv.extend(arguments);
    argv
}

fn take_layer(build: &Path, tag: &str, to: &Path, log: &Log) -> Result<()> {
    let (archive, unpacked) = (to.join("archive.tar"), to.join("unpacked"));
    fs::create_dir_all(&unpacked).with_context(|| format!("making {}", unpacked.display()))?;
    let target = format!("docker-archive:{}", archive.display());
    log.run(&buildah(build, argv!["push", "--quiet", tag, target]))?;
    let index = log.output(&argv!["tar", "-xOf", &archive, "manifest.json"])?;
    let index: Value = serde_json::from_str(&index).context("reading the archive's manifest")?;
    let layers = index[0]["Layers"]
        .as_array()
        .context("finding the archive's layers")?;
    let config = index[0]["Config"]
        .as_str()
        .context("finding the archive's configuration")?;
    log.run(&argv!["tar", "-xf", &archive, "-C", &unpacked, config])?;
    let config = read_json(&unpacked.join(config))?;
    write(&to.join("config.json"), config["config"].to_string())?;
    ensure!(
        layers.len() <= 2,
        "expecting one layer on the base, found {}",
        layers.len() - 1
    );
    if let Some(layer) = layers.get(1).and_then(Value::as_str) {
        log.run(&argv!["tar", "-xf", &archive, "-C", &unpacked, layer])?;
        normalise(&unpacked.join(layer), to, log)?;
    }
    remove(&archive)?;
    remove(&unpacked)
}

/// Unpacks `layer` to `to/tree` and packs it again as `to/layer.tar`, without what differs from one
/// build to the next.
fn normalise(layer: &Path, to: &Path, log: &Log) -> Result<()> {
    let tree = to.join("tree");
    fs::create_dir_all(&tree).with_context(|| format!("making {}", tree.display()))?;
    let attributes = ["--xattrs", "--xattrs-include=*", "--numeric-owner"].map(OsString::from);
    let mut argv = argv!["tar", "-xpf", layer, "-C", &tree];
    argv.extend(attributes.clone());
    log.run(&argv)?;
    for path in BUILD_REMAINS {
        remove(&tree.join(path))?;
    }
    if sorted_entries(&tree)?.is_empty() {
        return Ok(());
    }
    let mut argv = argv![
        "tar",
        "-cf",
        to.join("layer.tar"),
        "-C",
        &tree,
        "--sort=name"
    ];
    argv.extend(attributes);
    argv.extend(argv![
        "--format=posix",
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
        format!("--mtime={NEWEST_DATE}"),
        "--clamp-mtime",
        ".",
    ]);
    log.run(&argv)
}

fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
}
