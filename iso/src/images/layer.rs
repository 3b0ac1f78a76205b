//! The layer of a system image, taken out of the archive that buildah writes.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::build::command::{Log, argv};
use crate::build::files::{read_json, remove, sorted_entries, write};
use crate::debian::passwords;
use crate::debian::privileges;
use crate::images::buildah::Buildah;

/// Remains of the build that differ from run to run or are of no use: they would change the identity
/// of a layer whose content is the same.
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

/// Files and passwords of a layer have at most this date, in seconds since 1970: the day when Debian 13 was released.
const NEWEST_DATE: u64 = 1_754_697_600;

/// Writes the layer of the image `tag` to the folder `to`, as `tree` and as `layer.tar`, and the
/// image's configuration as `config.json`.
pub(crate) fn extract(buildah: &Buildah<'_>, tag: &str, to: &Path, log: &Log) -> Result<()> {
    let (archive, unpacked) = (to.join("archive.tar"), to.join("unpacked"));
    fs::create_dir_all(&unpacked).with_context(|| format!("making {}", unpacked.display()))?;
    buildah.push(tag, format!("docker-archive:{}", archive.display()))?;
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

/// Unpacks `layer` to `to/tree` and packs it again as `to/layer.tar`, without the differences between
/// two builds of the same sources and without setuid programs that nobody needs.
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
    passwords::set_date(&tree, NEWEST_DATE)?;
    privileges::restrict(&tree)?;
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
        format!("--mtime=@{NEWEST_DATE}"),
        "--clamp-mtime",
        ".",
    ]);
    log.run(&argv)
}
