//! The build as one page: each line is a step that is made again only when its inputs changed.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::build::command::{Log, argv};
use crate::build::files::write;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::Steps;
use crate::debian::catalogue_base;
use crate::debian::root::Debian;
use crate::debian::tools;
use crate::host;
use crate::images::system;
use crate::media::initrd;
use crate::media::iso::{self, Parts};
use crate::os::image::{self, FORMAT, Format};
use crate::os::packages;
use crate::os::store;
use crate::os::tree::{self, Programs};
use crate::report;

/// Makes everything in `dist`.
pub(crate) fn build(folders: &Folders) -> Result<()> {
    host::require_root()?;
    let started = Instant::now();
    let (build, dist) = (folders.build.as_path(), folders.dist.as_path());
    let programs = Programs::find(&folders.repository);
    let steps = Steps::new(build);
    let debian = Debian::make(&steps, build)?;
    let (tools, tools_key) = tools::make(&steps, build)?;
    let images = system::make(
        &steps,
        (&folders.repository.join("images/system"), build),
        &debian,
    )?;
    let store = store::make(&steps, build, &debian, &images)?;
    let places = (folders.repository.as_path(), build);
    let tree = tree::make(&steps, places, &debian, (&images, &programs))?;
    let (image, image_key) = image::make(
        &steps,
        (build, &tools),
        &[&tree, &store, &tools_key],
        FORMAT,
    )?;
    let small_key = initrd::make(&steps, (build, &tools), &debian, &programs.init)?;
    let small = build.join("initrd");
    let kernel = debian.kernel().join("vmlinuz");
    let parts = Parts {
        kernel: &kernel,
        initrd: &small,
        os_image: &image,
        keys: [&debian.key, &tools_key, &small_key, &image_key]
            .map(String::as_str)
            .join(" "),
    };
    let program_key = Key::default().file(&programs.ros)?.hex();
    let schema = build.join("image-root/os").join(tree::SCHEMA);
    let made = [
        iso::make(&steps, (build, &tools), &parts, &dist.join("paddock.iso"))?,
        copy(&steps, &kernel, &debian.key, &dist.join("vmlinuz"))?,
        initrd::make_netboot(
            &steps,
            (&small, &small_key),
            (&image, &image_key),
            &dist.join("initrd"),
        )?,
        packages::make(&steps, &debian, &images, &dist.join("packages.txt"))?,
        copy(&steps, &programs.ros, &program_key, &dist.join("ros"))?,
        copy(
            &steps,
            &schema,
            &program_key,
            &dist.join("cloud-config.schema.json"),
        )?,
    ];
    checksums(&steps, dist, &made)?;
    restore_owner(folders)?;
    report::print(folders, &parts, started.elapsed())
}

/// Makes the images of the catalogue in `dist/images`, and those that only tests use in `build/test-images`.
pub(crate) fn build_catalogue(folders: &Folders) -> Result<()> {
    host::require_root()?;
    let steps = Steps::new(&folders.build);
    let (small, small_key) = catalogue_base::make(&steps, &folders.build)?;
    let mut made = Vec::new();
    for (sources, archives) in [
        ("images/catalogue/dockerfiles", folders.dist.join("images")),
        ("qemu-tests/images", folders.build.join("test-images")),
    ] {
        let sources = folders.repository.join(sources);
        let places = (
            sources.as_path(),
            folders.build.as_path(),
            archives.as_path(),
        );
        made.extend(system::make_catalogue(
            &steps,
            places,
            (&small, &small_key),
        )?);
    }
    restore_owner(folders)?;
    for archive in made {
        eprintln!(
            "{}",
            report::size_line(&archive.display().to_string(), &archive)?
        );
    }
    Ok(())
}

/// Packs the OS image in the other formats too, to compare them.
pub(crate) fn compare_formats(folders: &Folders) -> Result<()> {
    build(folders)?;
    let steps = Steps::new(&folders.build);
    let key = fs::read_to_string(
        folders
            .build
            .join("stamps/os image-".to_owned() + FORMAT.name()),
    )?;
    for format in Format::ALL {
        let tools = folders.build.join("tools");
        let (image, _) = image::make(&steps, (&folders.build, &tools), &[&key], format)?;
        eprintln!("{}", report::size_line(format.name(), &image)?);
    }
    Ok(())
}

fn copy(steps: &Steps, from: &Path, key: &str, output: &Path) -> Result<String> {
    let name = output
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    steps.run(&name, (output, &Key::default().text(key)), |to, _| {
        fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
        Ok(())
    })
}

fn checksums(steps: &Steps, dist: &Path, keys: &[String]) -> Result<()> {
    let key = Key::default().text(&keys.join(" "));
    let output = dist.join("SHA256SUMS");
    steps.run("checksums", (&output, &key), |to, log: &Log| {
        let sums = log.output(&argv![
            "sh",
            "-euc",
            "cd \"$0\"; exec sha256sum paddock.iso vmlinuz initrd packages.txt ros cloud-config.schema.json",
            dist,
        ])?;
        write(to, sums + "\n")
    })?;
    Ok(())
}

/// What was built under sudo belongs to the one who called it.
fn restore_owner(folders: &Folders) -> Result<()> {
    let (Ok(user), Ok(group)) = (std::env::var("SUDO_UID"), std::env::var("SUDO_GID")) else {
        return Ok(());
    };
    let owner = format!("{user}:{group}");
    let log = Log::create(folders.build.join("logs/owner.log"))?;
    log.run(&argv!["chown", "-R", &owner, &folders.dist])?;
    log.run(&argv!["chown", &owner, &folders.build])
}
