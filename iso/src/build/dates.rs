//! The dates of files: without fixed dates, two builds from the same parts differ.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use crate::build::command::{Log, argv};

/// Gives `date`, in seconds since 1970, to everything in `root` that is newer.
pub(crate) fn limit(root: &Path, date: u64, log: &Log) -> Result<()> {
    let date = format!("@{date}");
    log.run(&argv![
        "find",
        root,
        "-newermt",
        &date,
        "-exec",
        "touch",
        "--no-dereference",
        "--date",
        &date,
        "{}",
        "+"
    ])
}

/// The command `argv`, which takes `date`, in seconds since 1970, for the present.
pub(crate) fn at(date: u64, argv: Vec<OsString>) -> Vec<OsString> {
    let mut dated = argv!["env", format!("SOURCE_DATE_EPOCH={date}")];
    dated.extend(argv);
    dated
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::limit;
    use crate::build::command::{Log, argv};
    use crate::build::files::write;

    #[test]
    fn newer_files_folders_and_links_get_the_date_and_older_ones_keep_theirs() {
        let temporary = tempfile::tempdir().unwrap();
        let log = Log::create(temporary.path().join("log")).unwrap();
        let root = temporary.path().join("root");
        write(&root.join("folder/new"), "").unwrap();
        write(&root.join("folder/old file"), "").unwrap();
        symlink("nowhere", root.join("link")).unwrap();
        let old = root.join("folder/old file");
        log.run(&argv!["touch", "--date", "@500", &old]).unwrap();
        limit(&root, 1000, &log).unwrap();
        for (name, expected) in [
            ("", 1000),
            ("folder", 1000),
            ("folder/new", 1000),
            ("folder/old file", 500),
            ("link", 1000),
        ] {
            let about = fs::symlink_metadata(root.join(name)).unwrap();
            assert_eq!(about.mtime(), expected, "{name}");
        }
    }
}
