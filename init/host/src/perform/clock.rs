//! The lower bound of the clock. A machine whose clock has no battery starts in 1970: certificates are not valid yet, so
//! nothing can be pulled, and files are older than those that they replace.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};
use os_config::{atomic_file, bounded_file};

use crate::paths::CLOCK;

/// Writes down the time, for the next boot.
pub fn record() -> Result<()> {
    let seconds = since_epoch(SystemTime::now()).as_secs();
    atomic_file::replace(Path::new(CLOCK), seconds.to_string().as_bytes(), 0o644)
        .with_context(|| format!("writing {CLOCK}"))
}

/// Sets the clock to the date of the OS image (the time of its file `image`) or to the time in `recorded`, if it is
/// earlier than either.
pub(super) fn set_not_before(image: &Path, recorded: &Path) -> Result<()> {
    let built = fs::metadata(image).and_then(|found| found.modified());
    let text = bounded_file::text(recorded).unwrap_or_default();
    let now = since_epoch(SystemTime::now());
    let Some(time) = correction(now, built.ok().map(since_epoch), &text) else {
        return Ok(());
    };
    log::warn!(
        "the clock was {} days behind and is set to the date of the OS image or of the last shutdown",
        time.saturating_sub(now).as_secs() / 86400
    );
    clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::from_duration(time))
        .context("setting the clock")
}

/// The time to set, since 1970; `None` if the clock is not behind.
fn correction(now: Duration, built: Option<Duration>, recorded: &str) -> Option<Duration> {
    let recorded = recorded.trim().parse().ok().map(Duration::from_secs);
    let earliest = built.max(recorded)?;
    (now < earliest).then_some(earliest)
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::correction;
    use std::time::Duration;

    #[test]
    fn the_clock_is_never_before_the_image_or_the_last_shutdown() {
        for (now, built, recorded, expected) in [
            (5, Some(1000), "2000\n", Some(2000)),
            (5, Some(1000), "", Some(1000)),
            (5, Some(1000), "900", Some(1000)),
            (5, Some(1000), "garbage", Some(1000)),
            (5, None, "", None),
            (2000, Some(1000), "2000", None),
            (3000, Some(1000), "2000", None),
        ] {
            let set = correction(
                Duration::from_secs(now),
                built.map(Duration::from_secs),
                recorded,
            );
            assert_eq!(set, expected.map(Duration::from_secs), "{now} {recorded:?}");
        }
    }
}
