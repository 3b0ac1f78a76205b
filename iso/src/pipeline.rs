//! The build as one page: each line is a step, and a step runs only if its inputs have changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::build::artifact::Artifact;
use crate::build::command::{Log, argv};
use crate::build::effort::Effort;
use crate::build::files::{remove, write};
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::build_host;
use crate::debian::catalogue_base;
use crate::debian::lists::PackageLists;
use crate::debian::root::Debian;
use crate::debian::tools;
use crate::images::catalogue::{self, Base, ImageFolders};
use crate::images::system;
use crate::media::disk_images;
use crate::media::initrd;
use crate::media::iso;
use crate::media::netboot;
use crate::media::rot_signature::RotKey;
use crate::media::slot;
use crate::media::user_images;
use crate::os::image::{self, FORMAT, Format};
use crate::os::packages;
use crate::os::store;
use crate::os::tree::{self, Programs};
use crate::os::verity;
use crate::report;

/// The file with the sums of a folder of results.
const CHECKSUMS: &str = "SHA256SUMS";

/// Makes everything in `dist`.
pub(crate) fn build(folders: &Folders, effort: Effort, user_images: &[PathBuf]) -> Result<()> {
    make_dist(folders, effort, &user_images::find(user_images)?)?;
    Ok(())
}

/// Makes the parts that do not need the programs: the Debian tree and the system images. The programs are compiled at
/// the same time.
pub(crate) fn build_packages(folders: &Folders) -> Result<()> {
    build_host::require_root()?;
    let steps = Steps::new(&folders.build);
    let lists = PackageLists::make(&steps, folders)?;
    let debian = Debian::make(&steps, folders, &lists)?;
    tools::make(&steps, folders, &lists)?;
    let images = system::make(&steps, folders, &debian, &lists)?;
    store::make(&steps, folders, &debian, &images)?;
    Ok(())
}

/// Packs the OS image in the other formats too, to compare them.
pub(crate) fn compare_formats(folders: &Folders) -> Result<()> {
    let os = make_dist(folders, Effort::Small, &[])?.os;
    let steps = Steps::new(&folders.build);
    for format in Format::ALL {
        let os_image = image::make(&steps, folders, &os, format)?;
        eprintln!("{}", report::size_line(format.name(), &os_image.path)?);
    }
    Ok(())
}

/// Makes the images of disks with the system in `dist/`; with `files` only these.
pub(crate) fn build_disk_images(
    folders: &Folders,
    effort: Effort,
    files: &[String],
    user_images: &[PathBuf],
) -> Result<()> {
    let user_images = user_images::find(user_images)?;
    let made = make_dist(folders, effort, &user_images)?;
    let steps = Steps::new(&folders.build);
    let sources = disk_images::DiskSources {
        tree: &made.os.tree,
        tools: &made.os.tools,
        slot_image: &made.slot_image,
        user_images: &user_images,
        effort,
        date: made.os.date,
    };
    let images = disk_images::make(&steps, folders, &sources, files)?;
    restore_owner(folders)?;
    for image in images {
        let name = image.path.display().to_string();
        eprintln!("{}", report::size_line(&name, &image.path)?);
    }
    Ok(())
}

/// The parts of `dist/` that other images are made of.
struct Dist {
    os: image::ImageParts,
    slot_image: Artifact,
}

fn make_dist(folders: &Folders, effort: Effort, user_images: &[Artifact]) -> Result<Dist> {
    build_host::require_root()?;
    let started = Instant::now();
    let steps = Steps::new(&folders.build);
    let programs = Programs::find(&folders.repository, effort);
    let lists = PackageLists::make(&steps, folders)?;
    let debian = Debian::make(&steps, folders, &lists)?;
    let tools = tools::make(&steps, folders, &lists)?;
    let images = system::make(&steps, folders, &debian, &lists)?;
    let rot_key = RotKey::load()?.public_file()?;
    let sources = tree::TreeSources {
        debian: &debian,
        images: &images,
        programs: &programs,
        tools: &tools,
        rot_key: &rot_key,
    };
    let os = image::ImageParts {
        store: store::make(&steps, folders, &debian, &images)?,
        tree: tree::make(&steps, folders, &sources)?,
        tools,
        effort,
        date: lists.date(),
    };
    let os_image = image::make(&steps, folders, &os, FORMAT)?;
    let initrd = initrd::make(
        &steps,
        folders,
        &initrd::InitrdParts {
            debian: &debian,
            tools: &os.tools,
            init: &programs.init,
            build_id: &os.build_id(),
            effort,
        },
    )?;
    let verified = verity::make(&steps, folders, &os.tools, &os_image)?;
    let slot_parts = slot::SlotParts {
        tools: &os.tools,
        kernel: &debian.kernel().part("vmlinuz"),
        initrd: &initrd,
        os_image: &verified.part(verity::IMAGE),
        root_hash: &verity::root_hash(&verified)?,
        build_id: &os.build_id(),
        date: lists.date(),
    };
    let slot_image = slot::make(&steps, folders, &slot_parts)?;
    let iso_parts = iso::IsoParts {
        tools: &os.tools,
        slot_image: &slot_image,
        user_images,
        date: lists.date(),
    };
    let ros = Artifact {
        key: Key::default().file(&programs.ros)?.hex(),
        path: programs.ros,
    };
    let schema = Artifact {
        path: os.tree.path.join(tree::SCHEMA),
        key: ros.key.clone(),
    };
    let results = [
        iso::make(&steps, folders, &iso_parts)?,
        copy(&steps, slot_parts.kernel, folders.dist.join("vmlinuz"))?,
        netboot::make(&steps, folders, &initrd, &os_image)?,
        netboot::make_script(&steps, folders)?,
        packages::make(&steps, folders, &debian, &images)?,
        copy(&steps, &ros, folders.dist.join("ros"))?,
        copy(
            &steps,
            &schema,
            folders.dist.join("cloud-config.schema.json"),
        )?,
    ];
    write_checksums(&steps, &folders.dist, &results)?;
    restore_owner(folders)?;
    let user_bytes = user_images::count_bytes(user_images)?;
    report::print(folders, &slot_parts, effort, user_bytes)?;
    eprintln!(
        "dist/ is up to date ({:.0} s)",
        started.elapsed().as_secs_f32()
    );
    Ok(Dist { os, slot_image })
}

/// Makes the images of the catalogue in `dist/images`, and the images of tests in `build/test-images`; with `names` only
/// the images of these names.
pub(crate) fn build_catalogue(folders: &Folders, names: &[String]) -> Result<()> {
    build_host::require_root()?;
    let steps = Steps::new(&folders.build);
    let lists = PackageLists::make(&steps, folders)?;
    let root = catalogue_base::make(&steps, folders, &lists)?;
    let base = Base {
        root: &root,
        lists: &lists.with_other_suites(&steps, folders)?,
    };
    let mut archives = Vec::new();
    for images in [
        ImageFolders {
            sources: folders.repository.join("images/catalogue/dockerfiles"),
            archives: folders.dist.join("images"),
        },
        ImageFolders {
            sources: folders.repository.join("qemu-tests/images"),
            archives: folders.build.join("test-images"),
        },
    ] {
        let made = catalogue::make(&steps, folders, &base, &images, names)?;
        // A list of some archives would not be true of the others.
        if names.is_empty() {
            write_checksums(&steps, &images.archives, &made)?;
        } else {
            remove(&images.archives.join(CHECKSUMS))?;
        }
        archives.extend(made);
    }
    restore_owner(folders)?;
    ensure!(
        names.is_empty() || archives.len() == names.len(),
        "of the images {names:?} the catalogue has {}",
        archives.len()
    );
    for archive in archives {
        let name = archive.path.display().to_string();
        eprintln!("{}", report::size_line(&name, &archive.path)?);
    }
    Ok(())
}

fn copy(steps: &Steps, from: &Artifact, output: PathBuf) -> Result<Artifact> {
    let name = output
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let step = Step {
        name: &name,
        output,
        key: Key::default().text(&from.key),
    };
    steps.run(step, |to, _| {
        fs::copy(&from.path, to).with_context(|| format!("copying {}", from.path.display()))?;
        Ok(())
    })
}

/// Writes the sums of `results` beside them in `folder`.
fn write_checksums(steps: &Steps, folder: &Path, results: &[Artifact]) -> Result<()> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let mut key = Key::default();
    let mut argv = argv!["sh", "-euc", "cd \"$0\"; exec sha256sum \"$@\"", folder];
    for result in results {
        let name = result.path.file_name().unwrap_or_default();
        key = key.texts(&[&name.to_string_lossy(), &result.key]);
        argv.push(name.to_owned());
    }
    let step = Step {
        name: &format!("checksums of {name}"),
        output: folder.join(CHECKSUMS),
        key,
    };
    steps.run(step, |to, log: &Log| write(to, log.output(&argv)? + "\n"))?;
    Ok(())
}

/// Gives the results of a build under sudo to the user who called sudo.
fn restore_owner(folders: &Folders) -> Result<()> {
    let (Ok(user), Ok(group)) = (std::env::var("SUDO_UID"), std::env::var("SUDO_GID")) else {
        return Ok(());
    };
    let owner = format!("{user}:{group}");
    let log = Log::create(folders.build.join("logs/owner.log"))?;
    log.run(&argv!["chown", "-R", &owner, &folders.dist])?;
    log.run(&argv!["chown", &owner, &folders.build])
}
