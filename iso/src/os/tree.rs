//! The OS root: the Debian tree with PID 1, `ros`, the defaults and the console's configuration.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::build::artifact::Artifact;
use crate::build::command::{Log, argv};
use crate::build::effort::Effort;
use crate::build::files::{remove, sorted_entries, write};
use crate::build::folders::Folders;
use crate::build::key::{Key, hex};
use crate::build::step::{Step, Steps};
use crate::debian::root::Debian;
use crate::images::system::Image;
use crate::os::base_layer;
use crate::os::boot_files::BootFiles;
use crate::os::defaults;

/// The console sees the host's `/etc`, which therefore needs the files that the console's packages put there.
const CONSOLE: &str = "console";

/// Files of Debian's packages that nothing in the image uses: the C library's vector functions, which compilers call for
/// numerical programs, and the tool for InfiniBand, whose drivers are left out.
const UNUSED: [&str; 2] = ["usr/lib/x86_64-linux-gnu/libmvec.so.1", "usr/bin/rdma"];

/// Mount points, and folders that the boot fills: the root itself is read-only.
const FOLDERS: &[&str] = &[
    "etc/docker",
    "home",
    "media",
    "mnt",
    "opt",
    "state",
    "usr/share/ros/oem",
    "usr/share/ros/system-docker",
    "var/lib/docker",
    "var/lib/rancher/conf",
    "var/lib/system-docker",
    "var/log",
];

const SYSTEM_DOCKER: &str = "\
#!/bin/sh
# docker, talking to the engine that runs the system's own containers
exec docker -H unix:///var/run/system-docker.sock \"$@\"
";

/// The folders of the catalogue in the source tree, and the folders where `ros` looks for definitions.
const CATALOGUES: [(&str, &str); 3] = [
    ("images/catalogue/services", "usr/share/ros/services"),
    ("images/catalogue/consoles", "usr/share/ros/consoles"),
    ("images/catalogue/engines", "usr/share/ros/engines"),
];
/// The schema of cloud-configs, for editors.
pub(crate) const SCHEMA: &str = "usr/share/ros/cloud-config.schema.json";

/// Our own programs, built by cargo.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) init: PathBuf,
    pub(crate) ros: PathBuf,
}

impl Programs {
    pub(crate) fn find(repository: &Path, effort: Effort) -> Self {
        let folder = repository
            .join("target/x86_64-unknown-linux-gnu")
            .join(effort.cargo_profile());
        Self {
            init: folder.join("init"),
            ros: folder.join("ros"),
        }
    }
}

/// The parts of the root beside files of the source tree.
#[derive(Debug)]
pub(crate) struct TreeSources<'a> {
    pub(crate) debian: &'a Debian,
    pub(crate) images: &'a [Image],
    pub(crate) programs: &'a Programs,
    pub(crate) tools: &'a Artifact,
    /// The public key with which GRUB checks the files of a slot.
    pub(crate) rot_key: &'a [u8],
}

/// Makes the OS root at `build/image-root/os`.
pub(crate) fn make(steps: &Steps, folders: &Folders, parts: &TreeSources<'_>) -> Result<Artifact> {
    let TreeSources {
        debian,
        images,
        programs,
        tools,
        rot_key,
    } = parts;
    let repository = &folders.repository;
    let services = defaults::load(repository, &debian.engine()?)?;
    let catalogue = catalogue(repository)?;
    let manual = repository.join("target/manual");
    let console = images
        .iter()
        .find(|image| image.name == CONSOLE)
        .context("finding the console's image")?;
    let key = Key::of_code(&[
        include_str!("tree.rs"),
        include_str!("base_layer.rs"),
        include_str!("boot_files.rs"),
        include_str!("../debian/grub.rs"),
    ])
    .text(debian.key())
    .text(&tools.key)
    .text(&hex(rot_key))
    .text(&console.artifact.key)
    .text(&services)
    .text(&format!("{catalogue:?}"))
    .text(&os_release())
    .tree(&manual)?
    .file(&programs.init)?
    .file(&programs.ros)?;
    let step = Step {
        name: "os tree",
        output: folders.build.join("image-root/os"),
        key,
    };
    steps.run(step, |to, log| {
        // The files are hard links into the Debian tree: the code below replaces files and never writes into a file.
        log.run(&argv!["cp", "-al", debian.root().path, to])?;
        copy_console_etc(console, to, log)?;
        // Each login would run its script, which prints the kernel's name, by five programs.
        remove(&to.join("etc/update-motd.d"))?;
        for file in UNUSED {
            remove(&to.join(file))?;
        }
        for folder in FOLDERS {
            fs::create_dir_all(to.join(folder)).with_context(|| format!("making {folder}"))?;
        }
        install(
            to,
            "usr/sbin/init",
            &fs::read(&programs.init).context("reading init")?,
            0o755,
        )?;
        install(
            to,
            "usr/bin/ros",
            &fs::read(&programs.ros).context("reading ros")?,
            0o755,
        )?;
        install(to, "usr/bin/system-docker", SYSTEM_DOCKER.as_bytes(), 0o755)?;
        install(
            to,
            "usr/share/ros/os-config.yml",
            services.as_bytes(),
            0o644,
        )?;
        install(
            to,
            base_layer::FILE,
            base_layer::text(debian).as_bytes(),
            0o644,
        )?;
        // `ros manual` wrote its files to the paths that they have in the root.
        log.run(&argv![
            "cp",
            "-a",
            "--no-preserve=ownership",
            manual.join("."),
            to
        ])?;
        let boot_files = BootFiles {
            tools: &tools.path,
            rot_key,
        };
        boot_files.install(to, log)?;
        for (path, definition) in &catalogue {
            install(to, path, definition.as_bytes(), 0o644)?;
        }
        let schema = log.output(&argv![&programs.ros, "config", "schema"])?;
        install(to, SCHEMA, (schema + "\n").as_bytes(), 0o644)?;
        install(to, "usr/lib/os-release", os_release().as_bytes(), 0o644)?;
        // The line above a login, with the name of the machine and of the terminal.
        for (path, end) in [("etc/issue", " \\n \\l\n\n"), ("etc/issue.net", "\n")] {
            let text = format!("PaddockOS {}{end}", env!("CARGO_PKG_VERSION"));
            install(to, path, text.as_bytes(), 0o644)?;
        }
        install(
            to,
            "etc/hosts",
            b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
            0o644,
        )?;
        // By default the driver makes a bond0 as it loads, which is in the way of a bond0 in the configuration.
        install(
            to,
            "etc/modprobe.d/bonding.conf",
            b"options bonding max_bonds=0\n",
            0o644,
        )?;
        remove(&to.join("etc/mtab"))?;
        symlink("/proc/self/mounts", to.join("etc/mtab")).context("linking /etc/mtab")
    })
}

/// The definitions of services, consoles and engines: their paths in the root, and their texts.
fn catalogue(repository: &Path) -> Result<Vec<(String, String)>> {
    let mut definitions = Vec::new();
    for (from, to) in CATALOGUES {
        for file in sorted_entries(&repository.join(from))? {
            if file.is_dir() {
                continue;
            }
            let text =
                fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            definitions.push((format!("{to}/{name}"), text));
        }
    }
    Ok(definitions)
}

fn copy_console_etc(console: &Image, to: &Path, log: &Log) -> Result<()> {
    let layer = console.layer().context("finding the console's layer")?;
    // tar unlinks the files that it replaces; cp would write through the hard links.
    log.run(&argv![
        "tar",
        "-xpf",
        layer,
        "-C",
        to,
        "--numeric-owner",
        "--exclude=.wh.*",
        "./etc",
    ])
}

fn install(root: &Path, path: &str, content: &[u8], mode: u32) -> Result<()> {
    let target = root.join(path);
    remove(&target)?;
    write(&target, content)?;
    fs::set_permissions(&target, fs::Permissions::from_mode(mode))
        .with_context(|| format!("setting the mode of /{path}"))
}

fn os_release() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "PRETTY_NAME=\"PaddockOS {version}\"\nNAME=\"PaddockOS\"\nID=paddock\nID_LIKE=rancheros\n\
         VERSION=\"{version}\"\nVERSION_ID={version}\n"
    )
}
