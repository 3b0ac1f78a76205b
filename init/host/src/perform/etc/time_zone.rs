//! The time zone, as Debian's two files below `/etc`.

use std::path::Path;

use anyhow::{Context, Result};
use os_config::atomic_file;

use crate::perform::files;

const ZONES: &str = "/usr/share/zoneinfo";

/// Makes `zone` the machine's time zone.
pub(in crate::perform) fn set_time_zone(zone: &str) -> Result<()> {
    let file = Path::new(ZONES).join(zone);
    let named = !zone.is_empty() && !zone.starts_with('/') && !zone.contains("..");
    anyhow::ensure!(
        named && file.is_file(),
        "timezone: expected a name such as Europe/Berlin or UTC, found {zone:?}"
    );
    files::link(Path::new("/etc/localtime"), &file)?;
    atomic_file::replace(
        Path::new("/etc/timezone"),
        format!("{zone}\n").as_bytes(),
        0o644,
    )
    .context("writing /etc/timezone")
}

#[cfg(test)]
mod tests {
    #[test]
    fn zones_stay_below_their_folder() {
        for zone in ["", "/etc/passwd", "../../../etc/passwd", "Middle/Earth"] {
            assert!(super::set_time_zone(zone).is_err(), "{zone:?}");
        }
    }
}
