//! Brings the images of an engine to the disk. The engine registers an image before its files are on the disk, and syncs
//! none of them: a power cut in the next half minute would leave an image without its content.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use bollard::models::{EventMessage, EventMessageTypeEnum};
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::docker::client::Client;
use crate::docker::hollow_images;

/// The limit for an engine's answer; after it, the engine is asked again.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(300);
/// The pause after a connection that has ended.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// The shortest time between two syncs, which cost everything that writes to the disk some time.
const INTERVAL: Duration = Duration::from_secs(10);

/// The times of syncs: at once after the first new image, and once for all that come within [`INTERVAL`] after it.
#[derive(Clone, Copy, Debug, Default)]
struct Schedule {
    last: Option<Instant>,
    is_wanted: bool,
}

impl Schedule {
    fn note_image(&mut self) {
        self.is_wanted = true;
    }

    /// The time of the next sync, if there is something to sync.
    fn due(&self, now: Instant) -> Option<Instant> {
        let earliest = self.last.map_or(now, |last| last + INTERVAL);
        self.is_wanted.then_some(earliest.max(now))
    }

    /// Notes a sync that begins now: an image that comes meanwhile is for the next.
    fn note_sync(&mut self, now: Instant) {
        *self = Self {
            last: Some(now),
            is_wanted: false,
        };
    }
}

/// Syncs the filesystem of `folder` after each change of the images of the engine at `socket`, until the process ends.
pub(crate) async fn keep_synced(socket: &str, folder: &Path) {
    let mut schedule = Schedule::default();
    loop {
        if let Err(error) = follow(socket, folder, &mut schedule).await {
            eprintln!("ros: {error:#}");
        }
        // The engine may have registered an image when it ended.
        schedule.note_image();
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// Syncs until the engine goes away.
async fn follow(socket: &str, folder: &Path, schedule: &mut Schedule) -> Result<()> {
    let Ok(engine) = Client::wait_for(socket, ENGINE_TIMEOUT).await else {
        return Ok(());
    };
    let options = EventsOptionsBuilder::default().build();
    let mut events = engine.api().events(Some(options));
    loop {
        let now = Instant::now();
        let due = schedule.due(now);
        tokio::select! {
            event = events.next() => {
                let Some(Ok(event)) = event else { return Ok(()) };
                if makes_image(&event) {
                    schedule.note_image();
                }
            }
            () = tokio::time::sleep_until(due.unwrap_or(now)), if due.is_some() => {
                schedule.note_sync(Instant::now());
                sync(folder.to_owned()).await?;
            }
        }
    }
}

/// A disk that does not answer holds up this task alone.
async fn sync(folder: PathBuf) -> Result<()> {
    let began = Instant::now();
    let synced = tokio::task::spawn_blocking(move || hollow_images::sync(&folder)).await;
    synced.context("syncing the images").flatten()?;
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("ros: new images are on the disk after {seconds:.1} s");
    Ok(())
}

/// Whether an image with files of its own may be new. `tag` is the only event of some builds.
fn makes_image(event: &EventMessage) -> bool {
    let action = event.action.as_deref().unwrap_or_default();
    match event.typ {
        Some(EventMessageTypeEnum::IMAGE) => {
            matches!(action, "pull" | "load" | "import" | "tag" | "create")
        }
        Some(EventMessageTypeEnum::CONTAINER) => action == "commit",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{INTERVAL, Schedule, makes_image};
    use bollard::models::{EventMessage, EventMessageTypeEnum};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn new_images_are_synced_at_once_and_many_of_them_together() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut schedule = Schedule::default();
        assert_eq!(schedule.due(now), None);
        schedule.note_image();
        assert_eq!(schedule.due(now), Some(now));
        schedule.note_sync(now);
        assert_eq!(schedule.due(now), None);
        // However many come, there is one sync for them.
        for _ in 0..100 {
            schedule.note_image();
        }
        assert_eq!(schedule.due(now + second), Some(now + INTERVAL));
        schedule.note_sync(now + INTERVAL);
        assert_eq!(schedule.due(now + INTERVAL), None);
        // A sync can take longer than the interval.
        schedule.note_image();
        let late = now + INTERVAL * 5;
        assert_eq!(schedule.due(late), Some(late));
    }

    #[test]
    fn events_that_bring_files() {
        for (kind, action, expected) in [
            (EventMessageTypeEnum::IMAGE, "pull", true),
            (EventMessageTypeEnum::IMAGE, "load", true),
            (EventMessageTypeEnum::IMAGE, "import", true),
            (EventMessageTypeEnum::IMAGE, "tag", true),
            (EventMessageTypeEnum::IMAGE, "create", true),
            (EventMessageTypeEnum::IMAGE, "delete", false),
            (EventMessageTypeEnum::IMAGE, "untag", false),
            (EventMessageTypeEnum::CONTAINER, "commit", true),
            (EventMessageTypeEnum::CONTAINER, "create", false),
            (EventMessageTypeEnum::CONTAINER, "start", false),
            (EventMessageTypeEnum::VOLUME, "create", false),
        ] {
            let event = EventMessage {
                typ: Some(kind),
                action: Some(action.to_owned()),
                ..EventMessage::default()
            };
            assert_eq!(makes_image(&event), expected, "{event:?}");
        }
    }
}
