//! The options of `ros install`: RancherOS's, with the reasons why some of them are refused.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// RancherOS's names for an installation to a local disk. Here all of them make the same disk.
const DISK_TYPES: [&str; 5] = [
    "generic",
    "syslinux",
    "gptsyslinux",
    "amazon-ebs-hvm",
    "googlecompute",
];

/// RancherOS's name for an installation that keeps the state partition of the disk.
const NO_FORMAT: &str = "noformat";

/// RancherOS's other names, with the reason why each is refused.
const REFUSED_TYPES: [(&str, &str); 7] = [
    (
        "raid",
        "an installation makes no RAID (hint: name one disk, and let the hardware mirror it)",
    ),
    (
        "bootstrap",
        "it was a step of RancherOS's own images (hint: -t generic)",
    ),
    (
        "amazon-ebs-pv",
        "machines of this kind start by pv-grub, which is no longer offered (hint: -t generic)",
    ),
    ("arm", "this system is for x86-64"),
    ("rpi64", "this system is for x86-64"),
    ("upgrade", UPGRADE),
    ("rancher-upgrade", UPGRADE),
];
const UPGRADE: &str =
    "it replaced the system of an installed machine, which an installation does not do";

#[derive(Clone, Debug, Default, clap::Args)]
#[command(
    after_help = "Example: sudo ros install -c cloud-config.yml -d /dev/sda\n\
    The disk gets two slots with the system, and a partition with the state in the rest. A disk that is not empty needs\n\
    -f, unless -t noformat keeps its state. Without a terminal nothing is asked: a script gives -f, or --yes for an empty\n\
    disk and with -t noformat."
)]
pub(crate) struct Args {
    /// The disk to install to, such as /dev/sda, or a file that becomes the image of a disk.
    #[arg(short, long)]
    pub(super) device: Option<PathBuf>,
    /// The cloud-config of the new machine: a file, or an http:// or https:// address.
    #[arg(short, long)]
    pub(super) cloud_config: Option<String>,
    /// RancherOS's kind of installation. generic, syslinux, gptsyslinux and its other kinds of local disks make the same disk; noformat writes the system anew and keeps the state of a disk that was installed before.
    #[arg(short = 't', long, default_value = "generic")]
    pub(super) install_type: String,
    /// Overwrite what is on the disk, ask nothing, and reboot at the end.
    #[arg(short, long)]
    pub(super) force: bool,
    /// A partition: refused, the whole disk is partitioned.
    #[arg(short, long)]
    pub(super) partition: Option<String>,
    /// Words for the kernel line of the new machine.
    #[arg(short, long, allow_hyphen_values = true)]
    pub(super) append: Option<String>,
    /// Another image: not possible yet, the system of this machine is installed.
    #[arg(short, long)]
    pub(super) image: Option<String>,
    /// Do not reboot at the end.
    #[arg(long)]
    pub(super) no_reboot: bool,
    /// Print what would be done, and change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Ask nothing. A disk that is not empty needs -f all the same.
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Take the images of the services in the cloud-config along: the first boot loads them, and pulls none.
    #[arg(short, long)]
    pub(super) save: bool,
    /// Start the new machine at the end without firmware and boot loader.
    #[arg(short, long)]
    pub(super) kexec: bool,
    #[arg(short, long, hide = true)]
    pub(super) rollback: Option<String>,
    /// With -t noformat: a folder of the state that the machine has in place of the whole.
    #[arg(long)]
    pub(super) statedir: Option<String>,
    #[arg(long, hide = true)]
    pub(super) mountiso: bool,
    #[arg(long, hide = true)]
    pub(super) isoinstallerloaded: bool,
    /// Accepted for old scripts; nothing depends on it.
    #[arg(long, hide = true)]
    pub(super) debug: bool,
}

/// Whether a command asks before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    Given,
    /// A person at the terminal is asked.
    Asked,
}

impl Args {
    /// Refuses options of RancherOS that cannot be kept.
    pub(super) fn ensure_possible(&self) -> Result<()> {
        let kind = self.install_type.as_str();
        if let Some((_, why)) = REFUSED_TYPES.iter().find(|(name, _)| *name == kind) {
            bail!("-t {kind}: {why}");
        }
        ensure!(
            DISK_TYPES.contains(&kind) || self.keeps_state(),
            "-t {kind}: there is no such kind of installation (hint: one of {}, {NO_FORMAT})",
            DISK_TYPES.join(", ")
        );
        self.ensure_state_folder()?;
        for (is_given, option, why) in [
            (
                self.partition.is_some(),
                "-p",
                "the whole disk is partitioned anew (hint: -d DISK alone; for data that is to stay, see -t noformat)",
            ),
            (
                self.image.is_some(),
                "-i",
                "the system that runs is installed (hint: boot the ISO of the version that you want)",
            ),
            (
                self.save && self.keeps_state(),
                "-s",
                "the state that stays has its images (hint: leave it out)",
            ),
            (
                self.kexec && self.no_reboot,
                "-k",
                "it is a way to reboot (hint: leave --no-reboot out)",
            ),
            (
                self.rollback.is_some(),
                "-r",
                "it had no effect in RancherOS (hint: leave it out)",
            ),
            (
                self.mountiso || self.isoinstallerloaded,
                "--mountiso, --isoinstallerloaded",
                "RancherOS's installer gave it to itself (hint: leave it out)",
            ),
        ] {
            ensure!(!is_given, "{option}: {why}");
        }
        Ok(())
    }

    /// Whether the state partition of the disk stays.
    pub(super) fn keeps_state(&self) -> bool {
        self.install_type == NO_FORMAT
    }

    fn ensure_state_folder(&self) -> Result<()> {
        let Some(folder) = &self.statedir else {
            return Ok(());
        };
        ensure!(
            self.keeps_state(),
            "--statedir: it belongs to -t {NO_FORMAT} (hint: `--append rancher.state.directory={folder}` gives a new state \
             such a folder)"
        );
        let is_plain = |character: char| {
            character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | '/')
        };
        let is_path = Path::new(folder)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        ensure!(
            is_path && !folder.is_empty() && folder.chars().all(is_plain),
            "--statedir {folder}: expected a folder below the root of the state, of letters, digits, . _ - and /"
        );
        Ok(())
    }

    /// The machine's own words of the kernel line.
    pub(super) fn kernel_words(&self) -> String {
        let mut words = self.append.clone().unwrap_or_default();
        if let Some(folder) = &self.statedir {
            words += &format!(" rancher.state.directory={folder}");
        }
        words.trim().to_owned()
    }

    /// The device, as it was given. `disks` are shown to a person who names none.
    pub(super) fn device(&self, disks: impl FnOnce() -> Vec<String>) -> Result<&Path> {
        self.device.as_deref().with_context(|| {
            let disks = disks();
            match disks.is_empty() {
                true => "which disk? The machine has none that it does not run from".to_owned(),
                false => format!(
                    "which disk?\nhint: -d DISK, one of\n  {}",
                    disks.join("\n  ")
                ),
            }
        })
    }

    /// Whether the installation is asked about. RancherOS's scripts give `-f`.
    ///
    /// # Errors
    /// Nobody can be asked.
    pub(super) fn consent(&self, is_terminal: bool) -> Result<Consent> {
        if self.force || self.yes || self.dry_run {
            return Ok(Consent::Given);
        }
        ensure!(
            is_terminal,
            "standard input is no terminal, so nobody can be asked\nhint: --yes installs without a question"
        );
        Ok(Consent::Asked)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Args, Consent};

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Args {
        let words = ["install"].into_iter().chain(line.split_ascii_whitespace());
        Line::try_parse_from(words).unwrap().args
    }

    #[test]
    fn command_lines_of_rancheros() {
        for line in [
            "-c cloud-config.yml -d /dev/sda",
            "-f -c http://host/config -d /dev/vda -t gptsyslinux --no-reboot",
            "-t syslinux -d /dev/sda -a rancher.autologin=tty1 --debug",
            "--append -quiet -d /dev/sda --install-type generic",
            "-t googlecompute -d /dev/sda",
            "-k -d /dev/sda",
            "-s -c cloud-config.yml -d /dev/sda",
            "-t noformat -d /dev/sda --statedir rancher/box_1",
        ] {
            parse(line).ensure_possible().unwrap();
        }
        for (line, expected) in [
            ("-t noformat --statedir /x", "below the root of the state"),
            (
                "-t noformat --statedir a/../b",
                "below the root of the state",
            ),
            ("-t noformat --statedir a;b", "below the root of the state"),
            ("-t raid", "no RAID"),
            ("-t amazon-ebs-pv", "pv-grub"),
            ("-t nonesuch", "one of generic, syslinux"),
            ("-p /dev/sda1 -d /dev/sda", "-p: "),
            ("-i rancher/os:v1.5.8", "-i: the system that runs"),
            ("-s -t noformat", "has its images"),
            ("-k --no-reboot", "a way to reboot"),
            ("-r v1.0", "no effect"),
            ("--statedir x", "rancher.state.directory=x"),
            ("--isoinstallerloaded", "gave it to itself"),
        ] {
            let error = parse(line).ensure_possible().unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn the_folder_of_the_state_is_a_word_of_the_kernel_line() {
        for (line, expected) in [
            ("-d x", ""),
            ("-d x -a quiet", "quiet"),
            (
                "-d x -t noformat --statedir b -a quiet",
                "quiet rancher.state.directory=b",
            ),
            ("-d x -t noformat --statedir b", "rancher.state.directory=b"),
        ] {
            assert_eq!(parse(line).kernel_words(), expected);
        }
    }

    #[test]
    fn only_a_terminal_is_asked() {
        for (line, is_terminal, expected) in [
            ("-d x", true, Some(Consent::Asked)),
            ("-d x", false, None),
            ("-d x -f", false, Some(Consent::Given)),
            ("-d x --yes", true, Some(Consent::Given)),
            ("-d x --dry-run", false, Some(Consent::Given)),
        ] {
            assert_eq!(parse(line).consent(is_terminal).ok(), expected, "{line}");
        }
    }

    #[test]
    fn a_person_without_a_disk_sees_the_disks() {
        let args = parse("");
        let error = args.device(|| vec!["/dev/vda".to_owned()]).unwrap_err();
        assert!(error.to_string().ends_with("one of\n  /dev/vda"), "{error}");
        assert!(args.device(Vec::new).is_err());
        let args = parse("-d /dev/vdb");
        assert_eq!(args.device(Vec::new).unwrap().to_str(), Some("/dev/vdb"));
    }
}
