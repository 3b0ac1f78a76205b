//! The package lists of a build. Every tree and every image takes its packages from them, so all packages of a build
//! are of one moment.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::build::artifact::Artifact;
use crate::build::command::{Log, argv};
use crate::build::files::{remove, sorted_entries, write};
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::suite;

/// The lists' folder below the step's output.
const LISTS: &str = "lists";

/// The file with the date of the lists, in seconds since 1970.
const DATE: &str = "date";

/// The lists of some suites.
#[derive(Debug)]
pub(crate) struct PackageLists {
    /// Its key covers the signed indexes, which name the hash of each list: lists that are fetched again and are the same
    /// cause no work.
    artifact: Artifact,
    date: u64,
}

impl PackageLists {
    /// Fetches the lists of the OS, unless an earlier build did.
    pub(crate) fn make(steps: &Steps, folders: &Folders) -> Result<Self> {
        let step = Step {
            name: "package lists",
            output: folders.build.join("package-lists"),
            key: key(&suite::deb_lines()),
        };
        let artifact = steps.run(step, |to, log| {
            fs::create_dir_all(to.join(LISTS)).context("making the folder of the lists")?;
            fetch(to, &suite::deb_lines(), log)
        })?;
        Self::of(artifact)
    }

    /// Adds the lists of the other suites of which the catalogue has engines.
    pub(crate) fn with_other_suites(&self, steps: &Steps, folders: &Folders) -> Result<Self> {
        let step = Step {
            name: "package lists of the catalogue",
            output: folders.build.join("package-lists-catalogue"),
            key: key(&suite::other_deb_lines()).text(self.key()),
        };
        let artifact = steps.run(step, |to, log| {
            fs::create_dir_all(to).context("making the folder of the lists")?;
            log.run(&argv!["cp", "-a", self.folder(), to.join(LISTS)])?;
            fetch(to, &suite::other_deb_lines(), log)
        })?;
        Self::of(artifact)
    }

    fn of(artifact: Artifact) -> Result<Self> {
        let date = artifact.path.join(DATE);
        let text =
            fs::read_to_string(&date).with_context(|| format!("reading {}", date.display()))?;
        let date = text
            .trim()
            .parse()
            .with_context(|| format!("reading {}", date.display()))?;
        let mut key = Key::default();
        for index in indexes(&artifact.path.join(LISTS))? {
            key = key.file(&index)?;
        }
        let key = key.hex();
        Ok(Self {
            artifact: Artifact { key, ..artifact },
            date,
        })
    }

    pub(crate) fn key(&self) -> &str {
        &self.artifact.key
    }

    /// The folder for `/var/lib/apt/lists`.
    pub(crate) fn folder(&self) -> PathBuf {
        self.artifact.path.join(LISTS)
    }

    /// The date of the build, in seconds since 1970: the day of its newest list. Two builds from the same lists have the same
    /// date.
    pub(crate) fn date(&self) -> u64 {
        self.date
    }

    /// The action in progress, for the errors of an installation, with what helps if the mirror has newer packages only.
    pub(crate) fn hint(&self) -> String {
        format!(
            "installing packages by the lists in {} (hint: if the mirror no longer has a package, remove this folder, and \
             all is built from the packages of today)",
            self.artifact.path.display()
        )
    }
}

fn key(deb_lines: &[String]) -> Key {
    Key::of_code(&[include_str!("lists.rs"), include_str!("suite.rs")]).text(&deb_lines.join("\n"))
}

/// Fetches the lists of `deb_lines` to the folder of lists in `to` and checks their signatures.
fn fetch(to: &Path, deb_lines: &[String], log: &Log) -> Result<()> {
    ensure!(
        !deb_lines.is_empty(),
        "neither apt nor mmdebstrap of this host names a mirror of Debian"
    );
    let (lists, sources) = (to.join(LISTS), to.join("sources.list"));
    let signed = format!("deb [signed-by={}] ", suite::KEYRING);
    let text: String = deb_lines
        .iter()
        .map(|line| line.replacen("deb ", &signed, 1) + "\n")
        .collect();
    write(&sources, text)?;
    let mut argv = argv!["apt-get", "--error-on=any"];
    for option in [
        format!("Dir::Etc::SourceList={}", sources.display()),
        "Dir::Etc::SourceParts=/dev/null".to_owned(),
        format!("Dir::State::Lists={}", lists.display()),
        "Dir::Cache::pkgcache=".to_owned(),
        "Dir::Cache::srcpkgcache=".to_owned(),
        "APT::Architecture=amd64".to_owned(),
        "APT::Architectures=amd64".to_owned(),
        "APT::Get::List-Cleanup=false".to_owned(),
        // apt's own user may not enter the build folder.
        "APT::Sandbox::User=root".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "Acquire::GzipIndexes=false".to_owned(),
        // The lists of testing expire after a week, and some mirrors carry expired lists.
        "Acquire::Check-Valid-Until=false".to_owned(),
        // Only desktop programs read it.
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
    ] {
        argv.extend(argv!["--option", option]);
    }
    argv.extend(argv!["update"]);
    log.run(&argv)?;
    for name in ["auxfiles", "lock", "partial"] {
        remove(&lists.join(name))?;
    }
    let mut newest = 0;
    for index in indexes(&lists)? {
        newest = newest.max(date_of(&index, log)?);
    }
    write(&to.join(DATE), newest.to_string())
}

/// The signed indexes among the lists.
fn indexes(lists: &Path) -> Result<Vec<PathBuf>> {
    let mut files = sorted_entries(lists)?;
    files.retain(|file| file.to_string_lossy().ends_with("_InRelease"));
    ensure!(
        !files.is_empty(),
        "finding a signed index in {}",
        lists.display()
    );
    Ok(files)
}

/// The date in a signed index, in seconds since 1970.
fn date_of(index: &Path, log: &Log) -> Result<u64> {
    let reading = || format!("reading the date of {}", index.display());
    let text = fs::read_to_string(index).with_context(reading)?;
    let date = text
        .lines()
        .find_map(|line| line.strip_prefix("Date: "))
        .with_context(reading)?;
    let date = format!("--date={date}");
    let seconds = log.output(&argv!["date", "--utc", date, "+%s"])?;
    seconds.parse().with_context(reading)
}

#[cfg(test)]
mod tests {
    use super::{DATE, LISTS, PackageLists, date_of};
    use crate::build::artifact::Artifact;
    use crate::build::command::Log;
    use crate::build::files::write;

    #[test]
    fn the_key_follows_the_signed_indexes_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let lists = || {
            PackageLists::of(Artifact {
                path: folder.to_owned(),
                key: "of the step".to_owned(),
            })
        };
        let index = folder.join(LISTS).join("mirror_dists_x_InRelease");
        write(&folder.join(DATE), "1000\n").unwrap();
        write(&folder.join(LISTS).join("mirror_Packages"), "a").unwrap();
        assert!(lists().is_err(), "lists without a signature");
        write(&index, "Date: Wed, 25 Nov 2026 02:22:31 UTC\n").unwrap();
        let first = lists().unwrap();
        assert_eq!(first.date(), 1000);
        write(&folder.join(LISTS).join("mirror_other"), "b").unwrap();
        assert_eq!(lists().unwrap().key(), first.key());
        write(&index, "Date: Thu, 26 Nov 2026 02:22:31 UTC\n").unwrap();
        assert_ne!(lists().unwrap().key(), first.key());
        let log = Log::create(folder.join("log")).unwrap();
        assert_eq!(date_of(&index, &log).unwrap(), 1_795_659_751);
    }
}
