//! Disks for machines, made without root and without mounting.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::harness::spawn::{run_tool, run_tool_with_input};

const MIB: u64 = 1024 * 1024;

/// Makes a GPT disk of `mib` MiB with one ext4 partition labelled RANCHER_STATE.
pub fn make_state_disk(dir: &Path, mib: u32) -> Result<PathBuf> {
    let disk = dir.join("state.img");
    let path = disk.to_string_lossy();
    let file = File::create(&disk).with_context(|| format!("creating {path}"))?;
    file.set_len(u64::from(mib) * MIB)
        .with_context(|| format!("sizing {path}"))?;
    run_tool_with_input(
        "sfdisk",
        &["-q", &path],
        b"label: gpt\nstart=1MiB, type=linux\n",
    )?;
    // The first MiB holds the partition table, the last MiB its copy.
    let blocks = format!("{}k", u64::from(mib).saturating_sub(2) * 1024);
    let offset = format!("offset={MIB}");
    run_tool(
        "mkfs.ext4",
        &[
            "-q",
            "-F",
            "-L",
            "RANCHER_STATE",
            "-E",
            &offset,
            &path,
            &blocks,
        ],
    )?;
    Ok(disk)
}

#[cfg(test)]
mod tests {
    use super::make_state_disk;
    use crate::harness::spawn::run_tool;

    #[test]
    fn the_partition_holds_a_labelled_ext4() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let disk = make_state_disk(dir, 64).unwrap();
        let path = disk.to_string_lossy();
        let label = run_tool(
            "blkid",
            &["-p", "-O", "1048576", "-s", "LABEL", "-o", "value", &*path],
        )
        .unwrap();
        assert_eq!(String::from_utf8(label).unwrap().trim(), "RANCHER_STATE");
        let table = String::from_utf8(run_tool("sfdisk", &["-d", &*path]).unwrap()).unwrap();
        assert!(table.contains("start=        2048"), "{table}");
    }
}
