//! The smallest system: an initrd with a busybox and a script.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::harness::spawn::run_tool;

/// Makes an initrd in `folder` whose PID 1 runs `script`.
pub fn make_busybox_initrd(folder: &Path, script: &str) -> Result<PathBuf> {
    let tree = folder.join("initrd-tree");
    for name in ["bin", "proc", "dev"] {
        fs::create_dir_all(tree.join(name)).context("creating an initrd's tree")?;
    }
    let busybox = ["/usr/bin/busybox", "/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).is_file());
    let busybox = busybox.context("looking for busybox (hint: install busybox-static)")?;
    fs::copy(busybox, tree.join("bin/busybox")).context("copying busybox")?;
    let init = format!(
        "#!/bin/busybox sh\n/bin/busybox --install -s /bin\nmount -t proc proc /proc\n{script}"
    );
    fs::write(tree.join("init"), init).context("writing the init script")?;
    run_tool("chmod", &["755", &tree.join("init").to_string_lossy()])?;
    let pack = format!(
        "cd '{}' && find . | {busybox} cpio -o -H newc",
        tree.display()
    );
    let archive = run_tool("sh", &["-c", &pack])?;
    let file = folder.join("initrd");
    fs::write(&file, archive).context("writing an initrd")?;
    fs::remove_dir_all(&tree).context("removing an initrd's tree")?;
    Ok(file)
}
