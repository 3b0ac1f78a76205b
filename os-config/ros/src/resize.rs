//! `rancher.resize_device`: lets the first partition of a disk, and the filesystem on it, fill the disk.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Less than this at the end of a disk is not worth a new table; alignment leaves it free. Sectors.
const WORTH_IT: u64 = 8 << 20 >> 9;

/// Grows the partition and its filesystem, if there is room behind it.
pub(crate) fn grow(disk: &str) -> Result<()> {
    let name = disk
        .strip_prefix("/dev/")
        .with_context(|| format!("expected a disk such as /dev/vda, found {disk:?}"))?;
    let partition = partition_of(name);
    let sectors = |path: String| -> Result<u64> {
        let file = Path::new("/sys/class/block").join(&path);
        let text = fs::read_to_string(&file)
            .with_context(|| format!("there is no {}", path.split('/').next().unwrap_or(&path)))?;
        text.trim()
            .parse()
            .with_context(|| format!("reading {}", file.display()))
    };
    let size = sectors(format!("{name}/size"))?;
    let start = sectors(format!("{partition}/start"))?;
    let end = start + sectors(format!("{partition}/size"))?;
    if end + WORTH_IT > size {
        return Ok(());
    }
    let number = partition.trim_start_matches(name).trim_start_matches('p');
    // The copy of the table belongs at the disk's end, wherever that is now. Others have none.
    let _ = run("sfdisk", &["--relocate", "gpt-bak-std", disk], None);
    run(
        "sfdisk",
        &[
            "--quiet",
            "--force",
            "--no-reread",
            "--no-tell-kernel",
            "-N",
            number,
            disk,
        ],
        Some(", +\n"),
    )?;
    run("partx", &["--update", "--nr", number, disk], None)?;
    let device = format!("/dev/{partition}");
    match filesystem(&device)?.as_str() {
        "ext2" | "ext3" | "ext4" => run("resize2fs", &[&device], None),
        other => {
            bail!("{device} has filled its disk, but its {other:?} cannot be grown here, only ext4")
        }
    }
}

/// The first partition, by the kernel's rules; on cards of small boards the second, as in RancherOS.
fn partition_of(disk: &str) -> String {
    if disk.starts_with("mmcblk") {
        format!("{disk}p2")
    } else if disk.ends_with(|c: char| c.is_ascii_digit()) {
        format!("{disk}p1")
    } else {
        format!("{disk}1")
    }
}

fn filesystem(device: &str) -> Result<String> {
    let output = Command::new("blkid")
        .args(["-p", "-s", "TYPE", "-o", "value", device])
        .output()
        .context("starting blkid")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn run(program: &str, arguments: &[&str], input: Option<&str>) -> Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    if let Some(mut pipe) = child.stdin.take() {
        // Who does not read it says why on its own.
        let _ = pipe.write_all(input.unwrap_or_default().as_bytes());
    }
    let output = child
        .wait_with_output()
        .with_context(|| format!("waiting for {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{program}: {}",
        said.lines().last().unwrap_or("it gives no reason")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::partition_of;

    #[test]
    fn names_of_partitions() {
        for (disk, expected) in [
            ("vda", "vda1"),
            ("xvda", "xvda1"),
            ("nvme0n1", "nvme0n1p1"),
            ("mmcblk0", "mmcblk0p2"),
        ] {
            assert_eq!(partition_of(disk), expected);
        }
    }
}
