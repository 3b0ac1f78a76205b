//! `packages.txt`: every Debian package in the image and every crate in its own programs, with version, licences and source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::build::artifact::Artifact;
use crate::build::files::write;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::dpkg::{self, Package};
use crate::debian::root::Debian;
use crate::images::system::Image;

/// The crates in `init` and `ros`, below the source tree. The Makefile writes the file as it calls cargo: a line
/// for the compiler, as it calls itself, and a line for each crate with its version and, after a tab, its licence.
const CRATES: &str = "target/crates.txt";

/// Where the source of a line is a crate or the compiler, and not a package of Debian, it is a package URL
/// (<https://github.com/package-url/purl-spec>), which begins so.
pub(crate) const URL: &str = "pkg:";

/// Writes `dist/packages.txt`, a line per package: name, version, licences, and source package with its version, separated by
/// tabs.
pub(crate) fn make(
    steps: &Steps,
    folders: &Folders,
    debian: &Debian,
    images: &[Image],
) -> Result<Artifact> {
    let mut key = Key::of_code(&[
        include_str!("packages.rs"),
        include_str!("../debian/dpkg.rs"),
    ])
    .text(debian.key())
    .file(&folders.repository.join(CRATES))?;
    for image in images {
        key = key.text(&image.artifact.key);
    }
    let step = Step {
        name: "package list",
        output: folders.dist.join("packages.txt"),
        key,
    };
    steps.run(step, |to, _| {
        let mut roots = vec![debian.root().path];
        roots.extend(images.iter().map(Image::tree));
        let crates = folders.repository.join(CRATES);
        let crates =
            fs::read_to_string(&crates).with_context(|| format!("reading {}", crates.display()))?;
        let mut lines = packages(&debian.kernel().path, &roots)?;
        lines.extend(crate_lines(&crates)?);
        write(to, lines.into_iter().collect::<String>())
    })
}

/// The lines of the crates and of the compiler, whose standard library is in the programs. `text` is that of [`CRATES`].
fn crate_lines(text: &str) -> Result<Vec<String>> {
    text.lines()
        // The crates of the workspace have a path.
        .filter(|line| !line.contains(" (/"))
        .map(|line| {
            let (package, licence) = line.split_once('\t').unwrap_or((line, ""));
            let mut words = package.split(' ');
            let (Some(name), Some(version)) = (words.next(), words.next()) else {
                bail!("the line {line:?} of {CRATES} names no crate");
            };
            Ok(match version.strip_prefix('v') {
                Some(version) => {
                    format!("{name}\t{version}\t{licence}\t{URL}cargo/{name}@{version}\n")
                }
                None => {
                    format!("{name}\t{version}\tMIT OR Apache-2.0\t{URL}generic/rust@{version}\n")
                }
            })
        })
        .collect()
}

/// The lines of Debian's packages.
fn packages(kernel: &Path, roots: &[PathBuf]) -> Result<BTreeSet<String>> {
    let mut packages = BTreeMap::new();
    for root in roots {
        let Ok(status) = fs::read_to_string(root.join(dpkg::STATUS)) else {
            // An image without packages of its own has no database.
            continue;
        };
        let found = dpkg::installed_packages(&status).into_iter();
        packages.extend(found.map(|package| (package.name.clone(), package)));
    }
    let mut lines: BTreeSet<String> = BTreeSet::new();
    for (name, package) in packages {
        let licences = copyright(roots, &name)
            .map(|text| licences(&text))
            .unwrap_or_default();
        lines.insert(line(&package, &licences));
    }
    let text = |name: &str| {
        fs::read_to_string(kernel.join(name))
            .with_context(|| format!("reading the kernel's {name}"))
    };
    let (package, terms) = (text("package")?, text("copyright")?);
    let (name, version) = package.split_once(' ').unwrap_or((&package, ""));
    // The source package of signed kernels has a number of its own; the security tracker knows the kernel's.
    let package = Package {
        name: name.to_owned(),
        version: version.to_owned(),
        source: format!("linux {version}"),
    };
    lines.insert(line(&package, &licences(&terms)));
    Ok(lines)
}

fn line(package: &Package, licences: &str) -> String {
    let licences = if licences.is_empty() {
        "see /usr/share/doc"
    } else {
        licences
    };
    let Package {
        name,
        version,
        source,
    } = package;
    format!("{name}\t{version}\t{licences}\t{source}\n")
}

fn copyright(roots: &[PathBuf], package: &str) -> Option<String> {
    roots.iter().find_map(|root| {
        let file = root.join("usr/share/doc").join(package).join("copyright");
        fs::read(file)
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    })
}

/// The short names of licences in a copyright file: its `License:` fields, or, in a file of free text,
/// the common licences that it points to.
fn licences(text: &str) -> String {
    let mut names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("License:"))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() {
        const COMMON_LICENSES: &str = "/usr/share/common-licenses/";
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
        names = text
            .match_indices(COMMON_LICENSES)
            .map(|(at, _)| {
                text[at + COMMON_LICENSES.len()..]
                    .split(|c| !is_of_name(c))
                    .next()
                    .unwrap_or_default()
            })
            .map(|name| name.trim_end_matches('.'))
            .filter(|name| !name.is_empty())
            .collect();
    }
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{crate_lines, licences};

    #[test]
    fn crates_and_the_compiler_are_listed_and_the_workspace_is_not() {
        let text = "\
rustc 1.95.0 (59807616e 2026-04-14)
anyhow v1.0.104\tMIT OR Apache-2.0
host v0.1.0 (/src/init/host)\tApache-2.0
";
        assert_eq!(
            crate_lines(text).unwrap(),
            [
                "rustc\t1.95.0\tMIT OR Apache-2.0\tpkg:generic/rust@1.95.0\n",
                "anyhow\t1.0.104\tMIT OR Apache-2.0\tpkg:cargo/anyhow@1.0.104\n",
            ]
        );
        assert!(crate_lines("nonsense\n").is_err());
    }

    #[test]
    fn licences_of_both_kinds_of_files() {
        for (text, expected) in [
            (
                "Files: *\nLicense: MIT\n\nLicense: GPL-2+\n text\nLicense: MIT\n",
                "GPL-2+, MIT",
            ),
            (
                "see `/usr/share/common-licenses/GPL-3'.\nand /usr/share/common-licenses/LGPL-2.1.\n",
                "GPL-3, LGPL-2.1",
            ),
            ("Do what you like.\n", ""),
        ] {
            assert_eq!(licences(text), expected);
        }
    }
}
