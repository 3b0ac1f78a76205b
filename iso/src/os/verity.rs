//! The tree of digests behind the OS image, by which dm-verity checks each block that is read.

use std::fs::{self, File};

use anyhow::{Context, Result};

use crate::build::artifact::Artifact;
use crate::build::command::argv;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::tools;

/// The size of a block, in bytes; PID 1 expects it too.
const BLOCK: u64 = 4096;
/// The files of the folder.
pub(crate) const IMAGE: &str = "os.img";
const ROOT_HASH: &str = "root-hash";

/// Makes the folder `build/os-verity` with the OS image, its tree behind it, and the digest of the tree's root.
pub(crate) fn make(
    steps: &Steps,
    folders: &Folders,
    tools: &Artifact,
    os_image: &Artifact,
) -> Result<Artifact> {
    let step = Step {
        name: "os image/digests",
        output: folders.build.join("os-verity"),
        key: Key::of_code(&[include_str!("verity.rs")]).texts(&[&tools.key, &os_image.key]),
    };
    steps.run(step, |to, log| {
        fs::create_dir_all(to).context("making the folder of the verified image")?;
        let image = to.join(IMAGE);
        let bytes = fs::copy(&os_image.path, &image).context("copying the OS image")?;
        // The filesystem ends where its own head says, so what follows does no harm.
        let data = bytes.next_multiple_of(BLOCK);
        let file = File::options().write(true).open(&image);
        file.and_then(|file| file.set_len(data))
            .context("filling the last block of the OS image")?;
        let mut command = tools::program(&tools.path, "usr/sbin/veritysetup");
        command.extend(argv![
            "format",
            "--no-superblock",
            "--hash=sha256",
            "--salt=-",
            format!("--data-block-size={BLOCK}"),
            format!("--hash-block-size={BLOCK}"),
            format!("--data-blocks={}", data / BLOCK),
            format!("--hash-offset={data}"),
            "--root-hash-file",
            to.join(ROOT_HASH),
            &image,
            &image
        ]);
        log.run(&command)
    })
}

/// The digest of the root of the tree in the folder `verified`, in hexadecimal.
pub(crate) fn root_hash(verified: &Artifact) -> Result<String> {
    let file = verified.path.join(ROOT_HASH);
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    Ok(text.trim().to_owned())
}
