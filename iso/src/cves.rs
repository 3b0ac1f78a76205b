//! `make cves`: the vulnerabilities of the image's packages that Debian's security tracker knows and the image has, less
//! those that `iso/accepted-cves.yml` accepts with a reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::build::command::{Log, argv};
use crate::build::folders::Folders;
use crate::debian::suite::SUITE;
use crate::os::packages;

const TRACKER: &str = "https://security-tracker.debian.org/tracker/data/json";

/// The tracker's data: by source package, by the name of the vulnerability.
type Tracker = BTreeMap<String, BTreeMap<String, Vulnerability>>;

#[derive(Debug, Deserialize)]
struct Vulnerability {
    #[serde(default)]
    description: String,
    #[serde(default)]
    releases: BTreeMap<String, Release>,
}

/// What the tracker says of a vulnerability in a release of Debian.
#[derive(Debug, Deserialize)]
struct Release {
    status: String,
    fixed_version: Option<String>,
    #[serde(default)]
    urgency: String,
    /// Why Debian publishes no fix of its own for it.
    nodsa: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    package: String,
    cve: String,
    why: String,
}

/// A vulnerability that the image has.
#[derive(Debug)]
struct Exposure {
    package: String,
    cve: String,
    /// What Debian says of a fix, and what the vulnerability is.
    text: String,
}

/// Prints the vulnerabilities of the packages in `dist/packages.txt`. Fails if one is not accepted, or if an accepted one
/// is no longer there. Without `recorded`, a file, the data comes from Debian.
pub(crate) fn print(folders: &Folders, recorded: Option<&Path>) -> Result<()> {
    let list = folders.dist.join("packages.txt");
    let list = fs::read_to_string(&list)
        .with_context(|| format!("reading {} (hint: make iso)", list.display()))?;
    let file = match recorded {
        Some(file) => file.to_owned(),
        None => download(folders)?,
    };
    let text = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let tracker: Tracker =
        serde_json::from_slice(&text).with_context(|| format!("parsing {}", file.display()))?;
    let accepted = folders.repository.join("iso/accepted-cves.yml");
    let accepted = fs::read_to_string(&accepted).context("reading iso/accepted-cves.yml")?;
    let accepted = read_accepted(&accepted).context("parsing iso/accepted-cves.yml")?;
    let found = find(&tracker, &sources(&list)?)?;
    let (lines, failures) = compare(&found, &accepted);
    for line in lines {
        println!("{line}");
    }
    ensure!(
        failures == 0,
        "{failures} to settle: build with newer packages, or write the reason into iso/accepted-cves.yml"
    );
    Ok(())
}

/// The accepted vulnerabilities. An entry without a reason is none.
fn read_accepted(text: &str) -> Result<Vec<Accepted>> {
    let accepted: Vec<Accepted> = serde_yaml::from_str(text)?;
    for entry in &accepted {
        ensure!(
            !entry.why.trim().is_empty(),
            "{} has no reason: write it behind `why:`",
            entry.cve
        );
    }
    Ok(accepted)
}

fn download(folders: &Folders) -> Result<std::path::PathBuf> {
    let to = folders.build.join("security-tracker.json");
    fs::create_dir_all(&folders.build).context("making build/")?;
    let log = Log::create(folders.build.join("security-tracker.log"))?;
    log.run(&argv![
        "curl",
        "--fail",
        "--silent",
        "--show-error",
        "--location",
        "--compressed",
        "--output",
        &to,
        TRACKER
    ])
    .context("fetching Debian's security tracker")?;
    Ok(to)
}

/// Debian's source packages of a list of packages, with their versions. cargo-deny looks after the crates.
fn sources(list: &str) -> Result<BTreeMap<String, String>> {
    list.lines()
        .map(|line| (line, line.split('\t').nth(3)))
        .filter(|(_, source)| !source.is_some_and(|source| source.starts_with(packages::URL)))
        .map(|(line, source)| {
            source
                .and_then(|source| source.split_once(' '))
                .map(|(name, version)| (name.to_owned(), version.to_owned()))
                .with_context(|| {
                    format!("the line {line:?} names no source package (hint: make iso)")
                })
        })
        .collect()
}

/// The vulnerabilities of `sources`. Debian calls `unimportant` what harms nobody as Debian builds the package.
fn find(tracker: &Tracker, sources: &BTreeMap<String, String>) -> Result<Vec<Exposure>> {
    let mut found = Vec::new();
    for (package, version) in sources {
        for (cve, about) in tracker.get(package).into_iter().flatten() {
            let Some(release) = about.releases.get(SUITE) else {
                continue;
            };
            let fix = match release.fixed_version.as_deref() {
                _ if release.urgency == "unimportant" => continue,
                // A package that never had it.
                Some("0") => continue,
                Some(fixed) if release.status == "resolved" => {
                    if !is_older(version, fixed)? {
                        continue;
                    }
                    format!("fixed in {fixed}, the image has {version}")
                }
                _ => match release.nodsa.as_deref() {
                    Some(reason) => format!("not fixed: {reason}"),
                    None => "not fixed".to_owned(),
                },
            };
            found.push(Exposure {
                package: package.clone(),
                cve: cve.clone(),
                text: format!("{fix}; {}", about.description),
            });
        }
    }
    Ok(found)
}

/// Whether Debian's order of versions puts `version` before `other`.
fn is_older(version: &str, other: &str) -> Result<bool> {
    let status = Command::new("dpkg")
        .args(["--compare-versions", version, "lt", other])
        .status()
        .context("starting dpkg")?;
    Ok(status.success())
}

/// The lines to print, and how many of them are to be settled.
fn compare(found: &[Exposure], accepted: &[Accepted]) -> (Vec<String>, usize) {
    let is_same = |found: &Exposure, entry: &Accepted| {
        found.package == entry.package && found.cve == entry.cve
    };
    let mut lines = Vec::new();
    let mut failures = 0;
    for item in found {
        let head = format!("{} {}", item.package, item.cve);
        if let Some(entry) = accepted.iter().find(|entry| is_same(item, entry)) {
            lines.push(format!("accepted  {head}: {}", entry.why));
        } else {
            failures += 1;
            lines.push(format!("OPEN      {head}: {}", item.text));
        }
    }
    for entry in accepted {
        if !found.iter().any(|item| is_same(item, entry)) {
            failures += 1;
            let (package, cve) = (&entry.package, &entry.cve);
            lines.push(format!(
                "GONE      {package} {cve}: take it out of iso/accepted-cves.yml"
            ));
        }
    }
    (lines, failures)
}

#[cfg(test)]
mod tests {
    use super::{Accepted, Tracker, compare, find, print, read_accepted, sources};
    use crate::build::folders::Folders;
    use std::fs;
    use std::path::Path;

    const DATA: &str = include_str!("../tests/security-tracker.json");
    const LIST: &str = "\
libc6\t2.41-12+deb13u5\tLGPL-2.1+\tglibc 2.41-12+deb13u5
runc\t1.1.15+ds1-2+b4\tApache-2.0\trunc 1.1.15+ds1-2
absent\t1.0\tMIT\tpkg:cargo/absent@1.0
";

    fn accepted(package: &str, cve: &str) -> Accepted {
        Accepted {
            package: package.to_owned(),
            cve: cve.to_owned(),
            why: "a reason".to_owned(),
        }
    }

    #[test]
    fn open_and_late_ones_are_named_and_no_others() {
        let tracker: Tracker = serde_json::from_str(DATA).unwrap();
        let found = find(&tracker, &sources(LIST).unwrap()).unwrap();
        let (lines, failures) = compare(&found, &[]);
        assert_eq!(failures, 3, "{lines:?}");
        for (line, expected) in lines.iter().zip([
            "OPEN      glibc CVE-2025-4802: fixed in 2.41-12+deb13u9, the image has 2.41-12+deb13u5; Untrusted",
            "OPEN      runc CVE-2025-31133: not fixed: Minor issue; runc",
            "OPEN      runc CVE-2025-52565: not fixed; runc",
        ]) {
            assert!(line.starts_with(expected), "{line}");
        }
    }

    #[test]
    fn accepted_ones_are_shown_and_superfluous_entries_fail() {
        let tracker: Tracker = serde_json::from_str(DATA).unwrap();
        let found = find(&tracker, &sources(LIST).unwrap()).unwrap();
        let list = [
            accepted("runc", "CVE-2025-31133"),
            accepted("runc", "CVE-2025-52565"),
            accepted("glibc", "CVE-2025-4802"),
        ];
        let (lines, failures) = compare(&found, &list);
        assert_eq!(failures, 0);
        for line in lines {
            assert!(line.starts_with("accepted  "), "{line}");
            assert!(line.ends_with(": a reason"), "{line}");
        }
        let (lines, failures) = compare(&[], &list[..1]);
        assert_eq!(failures, 1);
        assert!(lines[0].starts_with("GONE      runc CVE-2025-31133"));
    }

    /// `make cves TRACKER=file` as a whole, on an image with three packages.
    #[test]
    fn the_command_fails_until_each_has_a_reason_and_again_when_one_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["iso", "dist"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let folders = Folders::new(folder.path()).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("dist/packages.txt", LIST);
        write("tracker.json", DATA);
        let tracker = folder.path().join("tracker.json");
        let run = |accepted: &str| {
            write("iso/accepted-cves.yml", accepted);
            let outcome = print(&folders, Some(&tracker));
            outcome.map_err(|error| format!("{error:#}"))
        };
        let entry = |package: &str, cve: &str| {
            format!("- {{package: {package}, cve: {cve}, why: nobody reaches it}}\n")
        };
        let all = [
            entry("glibc", "CVE-2025-4802"),
            entry("runc", "CVE-2025-31133"),
            entry("runc", "CVE-2025-52565"),
        ];
        assert!(run("[]").unwrap_err().starts_with("3 to settle"));
        assert!(
            run(&all[..2].concat())
                .unwrap_err()
                .starts_with("1 to settle")
        );
        assert_eq!(run(&all.concat()), Ok(()));
        let error = run(&(all.concat() + &entry("runc", "CVE-2019-5736"))).unwrap_err();
        assert!(error.starts_with("1 to settle"), "{error}");
        let error = run("- {package: runc, cve: CVE-2025-31133, why: ' '}\n").unwrap_err();
        assert!(error.contains("CVE-2025-31133 has no reason"), "{error}");
        assert!(run("- {package: runc, cve: CVE-2025-31133}\n").is_err());
    }

    #[test]
    fn each_accepted_one_has_a_reason() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("accepted-cves.yml");
        read_accepted(&fs::read_to_string(file).unwrap()).unwrap();
    }

    #[test]
    fn a_list_without_sources_is_no_clean_list() {
        assert!(sources("runc\t1.1\tApache-2.0\n").is_err());
    }
}
