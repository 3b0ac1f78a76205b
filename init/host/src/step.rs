//! A step: a change that the boot makes to the machine, as a value that can be printed, compared and performed.

use std::fmt;
use std::path::{Path, PathBuf};

/// A single change of the machine. Paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A folder with its parents; an existing folder keeps its mode.
    Folder { path: PathBuf, mode: u32 },
    /// A filesystem; an existing mount of the same type on the target is left alone.
    Mount {
        source: String,
        target: PathBuf,
        fstype: String,
        options: String,
    },
    /// A folder that is shown at a second place.
    Bind { source: PathBuf, target: PathBuf },
    /// The mount at `target` takes no setuid programs and no device nodes.
    Restrict { target: PathBuf },
    /// The containers that share the target see mounts that come later below it.
    Share { target: PathBuf },
    /// A mount moves to another folder.
    MoveMount { source: PathBuf, target: PathBuf },
    /// A link at `path` to `to`; a file or another link at `path` is replaced.
    Link { path: PathBuf, to: PathBuf },
    /// The content of a file, replaced as a whole.
    Write {
        path: PathBuf,
        content: String,
        mode: u32,
    },
    /// A file that must exist; the content of an existing file is left alone.
    WriteIfMissing { path: PathBuf, content: String },
    /// Everything in a folder goes, but `kept` and what is in it.
    Empty { folder: PathBuf, kept: Vec<PathBuf> },
    /// A line for the kernel, into a file of `/proc` or `/sys`.
    Tell { path: PathBuf, content: String },
    /// Such a line, which a kernel without the file goes without.
    TellIfPresent { path: PathBuf, content: String },
    /// The kernel's host name.
    Hostname(String),
    /// The names, with blanks between, that resolve to the machine itself.
    HostsEntry(String),
    /// The clock is not behind the time of the file `image` or the time that `recorded` holds.
    ClockNotBefore { image: PathBuf, recorded: PathBuf },
    /// The folder `to` gets the system users and groups of the folder `from` that it lacks.
    SystemAccounts { from: PathBuf, to: PathBuf },
    /// A file that takes room on its filesystem, and gives the room back when the filesystem is full.
    Reserve(PathBuf),
    /// The whole device becomes swap space, which the kernel uses before any other.
    SwapSpace(PathBuf),
    /// The time zone, as zoneinfo names it.
    TimeZone(String),
    /// A kernel module with parameters.
    Module { name: String, parameters: String },
    /// The loopback interface.
    LoopbackUp,
    /// Brings the image store of System Docker, shipped in the OS image, into its data root.
    ImageStore { from: PathBuf, to: PathBuf },
    /// Deletes the files of the initrd, whose root is `root`.
    FreeInitrd { root: PathBuf },
    /// The OS image, mounted at `new_root`, becomes the root.
    SwitchRoot { new_root: PathBuf },
}

/// The consequence of a failed step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The machine is of no use without the step: the rescue console opens.
    Fatal,
    /// The error is reported and boot goes on.
    Warn,
}

/// A step and its severity: the element of every plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub step: Step,
    pub severity: Severity,
}

/// A step that the machine cannot do without.
pub fn must(step: Step) -> Planned {
    Planned {
        step,
        severity: Severity::Fatal,
    }
}

/// A step whose failure is only reported.
pub fn may(step: Step) -> Planned {
    Planned {
        step,
        severity: Severity::Warn,
    }
}

/// The folder below `parent` for the mount of a device. Another device has another folder.
pub fn folder_of(parent: &str, node: impl AsRef<Path>) -> PathBuf {
    let name = node.as_ref().display().to_string().replace('/', "-");
    Path::new(parent).join(name.trim_start_matches('-'))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { path, mode } => write!(f, "folder {} ({mode:04o})", path.display()),
            Self::Mount {
                source,
                target,
                fstype,
                options,
            } => {
                write!(f, "mount {source} on {} ({fstype}", target.display())?;
                if options.is_empty() {
                    write!(f, ")")
                } else {
                    write!(f, " {options})")
                }
            }
            Self::Bind { source, target } => {
                write!(f, "bind {} on {}", source.display(), target.display())
            }
            Self::Restrict { target } => write!(f, "nosuid,nodev on {}", target.display()),
            Self::Share { target } => write!(f, "share {}", target.display()),
            Self::MoveMount { source, target } => {
                write!(f, "move {} to {}", source.display(), target.display())
            }
            Self::Link { path, to } => write!(f, "link {} to {}", path.display(), to.display()),
            Self::Write { path, mode, .. } => write!(f, "write {} ({mode:04o})", path.display()),
            Self::WriteIfMissing { path, .. } => write!(f, "write {} if missing", path.display()),
            Self::Empty { folder, kept } => {
                let kept: Vec<String> =
                    kept.iter().map(|path| path.display().to_string()).collect();
                write!(f, "empty {} but {}", folder.display(), kept.join(", "))
            }
            Self::Tell { path, content } => write!(f, "tell {} {content:?}", path.display()),
            Self::TellIfPresent { path, content } => {
                write!(f, "tell {} {content:?} if present", path.display())
            }
            Self::Hostname(name) => write!(f, "hostname {name}"),
            Self::HostsEntry(names) => write!(f, "own names {names}"),
            Self::ClockNotBefore { image, recorded } => write!(
                f,
                "clock not before {} and {}",
                image.display(),
                recorded.display()
            ),
            Self::SystemAccounts { from, to } => {
                write!(
                    f,
                    "system accounts of {} in {}",
                    from.display(),
                    to.display()
                )
            }
            Self::Reserve(file) => write!(f, "reserve {}", file.display()),
            Self::SwapSpace(device) => write!(f, "swap space on {}", device.display()),
            Self::TimeZone(zone) => write!(f, "time zone {zone}"),
            Self::Module { name, parameters } if parameters.is_empty() => {
                write!(f, "module {name}")
            }
            Self::Module { name, parameters } => write!(f, "module {name} {parameters}"),
            Self::LoopbackUp => write!(f, "loopback up"),
            Self::ImageStore { from, to } => {
                write!(f, "image store {} into {}", from.display(), to.display())
            }
            Self::FreeInitrd { root } => write!(f, "free initrd {}", root.display()),
            Self::SwitchRoot { new_root } => write!(f, "change root to {}", new_root.display()),
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.severity {
            Severity::Fatal => "must",
            Severity::Warn => "may ",
        };
        write!(f, "{mark} {}", self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::folder_of;
    use std::path::Path;

    #[test]
    fn devices_do_not_share_a_folder() {
        let folder = |node| folder_of("/run/ros/mounting", node);
        assert_eq!(
            folder("/dev/cciss/c0d0p1"),
            Path::new("/run/ros/mounting/dev-cciss-c0d0p1")
        );
        assert_ne!(folder("/dev/sda"), folder("/dev/sda1"));
    }
}
