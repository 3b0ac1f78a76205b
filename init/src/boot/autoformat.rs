//! Formats a disk as `plan::state_content` decides, when no state disk was found.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use os_config::State;

use crate::boot::program;
use crate::plan::state_content::autoformat::{self, Formatting, LOOKED_AT, UnknownDisk};
use crate::plan::state_disk::SOURCE;
use host::block::{self, Device};
use host::console;
use host::problems::{self, ProblemRecord};
use host::process::deadline;

/// The limit for a look at a disk.
const LOOK_TIMEOUT: Duration = Duration::from_secs(20);
/// The limit for the making of a filesystem, which takes minutes on a large and slow disk.
const FORMAT_TIMEOUT: Duration = Duration::from_secs(1800);
/// The output of mke2fs, in memory.
const FORMAT_LOG: &str = "/run/ros/mke2fs.log";

/// Formats the first disk that may be, and returns its filesystem.
pub(crate) fn format(settings: &State) -> Option<(Device, Formatting)> {
    let root = Path::new("/");
    let named = settings.autoformat.iter().map(PathBuf::from);
    let mut nodes: Vec<PathBuf> = named.chain(block::whole_disks(root)).collect();
    nodes.dedup();
    let formatting = nodes
        .into_iter()
        .filter_map(read)
        .find_map(|disk| autoformat::choose(settings, &disk))?;
    match make_filesystem(&formatting) {
        Ok(device) => Some((device, formatting)),
        Err(error) => {
            let text = format!("{error:#}");
            problems::report(&ProblemRecord::error("state.autoformat", SOURCE, text));
            None
        }
    }
}

/// Reads a disk on which nothing was recognised; `None` if it holds something or does not answer.
fn read(node: PathBuf) -> Option<UnknownDisk> {
    let is_removable = block::is_removable(Path::new("/"), &node);
    let look = move || {
        let (head, tail) = read_ends(&node).ok()?;
        let is_known = block::read_superblock(&node).is_some();
        let disk = UnknownDisk {
            node,
            head,
            tail,
            is_removable,
        };
        (!is_known || autoformat::asks_for_it(&disk.head)).then_some(disk)
    };
    deadline::within(LOOK_TIMEOUT, look, drop).flatten()
}

fn read_ends(node: &Path) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    let mut file = File::open(node)?;
    let mut read_at = |position| {
        let mut bytes = Vec::new();
        file.seek(position)?;
        (&mut file).take(LOOKED_AT).read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    let head = read_at(SeekFrom::Start(0))?;
    let end = i64::try_from(LOOKED_AT).unwrap_or(i64::MAX);
    // A smaller disk has been read as a whole.
    let tail = read_at(SeekFrom::End(-end)).unwrap_or_else(|_| head.clone());
    Ok((head, tail))
}

fn make_filesystem(formatting: &Formatting) -> Result<Device> {
    let node = &formatting.node;
    console::print_line(&format!(
        "ros: {} is empty and becomes the state disk {}",
        node.display(),
        formatting.label
    ));
    let argv = autoformat::command(formatting);
    let formatting_disk = || format!("formatting {}", node.display());
    let code = program::run_to_end(&argv, Path::new(FORMAT_LOG), FORMAT_TIMEOUT)
        .with_context(formatting_disk)?;
    ensure!(
        code == Some(0),
        "formatting {} (see {FORMAT_LOG})",
        node.display()
    );
    let superblock = block::read_superblock(node).with_context(formatting_disk)?;
    Ok(Device {
        node: node.clone(),
        superblock,
    })
}
