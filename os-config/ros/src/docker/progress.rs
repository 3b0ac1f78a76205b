//! The progress of long work: the bytes of a pull, the elapsed time of other work. A terminal shows a bar, other
//! outputs a line every few seconds.
//!
//! `indicatif` is left out: it draws bars on terminals alone, and on the consoles of a boot lines are needed.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use bollard::models::CreateImageInfo;
use tokio::time::MissedTickBehavior;

/// The pause between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// The pause between two drawings of the bar.
const BAR_INTERVAL: Duration = Duration::from_millis(100);
/// The pause between two drawings of the elapsed time.
const ELAPSED_INTERVAL: Duration = Duration::from_secs(1);
/// Moves to the start of the line and clears it.
const CLEAR: &str = "\r\x1b[K";
/// The width of the bar, in characters.
const BAR: usize = 24;

/// Shows the elapsed time while `work` goes on.
pub(crate) async fn with_progress<T>(what: &str, work: impl Future<Output = T>) -> T {
    let is_terminal = std::io::stderr().is_terminal();
    let began = Instant::now();
    let pause = if is_terminal {
        ELAPSED_INTERVAL
    } else {
        LINE_INTERVAL
    };
    let mut times = tokio::time::interval_at((began + pause).into(), pause);
    times.set_missed_tick_behavior(MissedTickBehavior::Skip);
    tokio::pin!(work);
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            _ = times.tick() => {
                let seconds = began.elapsed().as_secs();
                // A closed standard error is no reason to stop.
                let mut to = std::io::stderr().lock();
                let _ = match is_terminal {
                    true => write!(to, "{CLEAR}{what}, {seconds} s"),
                    false => writeln!(to, "{what}, {seconds} s"),
                };
                let _ = to.flush();
            }
        }
    };
    if is_terminal {
        let _ = write!(std::io::stderr(), "{CLEAR}");
    }
    result
}

/// The progress of one pull, on standard error.
#[derive(Debug)]
pub(crate) struct Progress {
    layers: Layers,
    is_terminal: bool,
    last: Instant,
}

/// Bytes of layers, by their ids.
#[derive(Debug, Default)]
struct Layers {
    image: String,
    /// Present bytes and all bytes.
    downloads: BTreeMap<String, (i64, i64)>,
    unpacked: BTreeMap<String, (i64, i64)>,
}

impl Progress {
    pub(crate) fn new(image: &str) -> Self {
        Self {
            layers: Layers {
                image: image.to_owned(),
                ..Layers::default()
            },
            is_terminal: std::io::stderr().is_terminal(),
            last: Instant::now(),
        }
    }

    /// Takes in a message of the engine, and shows the progress when it is time.
    pub(crate) fn note(&mut self, said: &CreateImageInfo) {
        self.layers.note(said);
        let pause = if self.is_terminal {
            BAR_INTERVAL
        } else {
            LINE_INTERVAL
        };
        if self.last.elapsed() < pause {
            return;
        }
        self.last = Instant::now();
        let text = self.layers.text();
        let mut to = std::io::stderr().lock();
        // A closed standard error is no reason to stop.
        let _ = if self.is_terminal {
            write!(to, "{CLEAR}{} {text}", self.layers.bar())
        } else {
            writeln!(to, "{text}")
        };
        let _ = to.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "{CLEAR}");
        }
    }
}

impl Layers {
    fn note(&mut self, said: &CreateImageInfo) {
        let Some(id) = said.id.clone() else { return };
        let detail = said.progress_detail.as_ref();
        let bytes = detail.and_then(|detail| Some((detail.current?, detail.total?)));
        match (said.status.as_deref().unwrap_or_default(), bytes) {
            ("Downloading", Some(bytes)) => drop(self.downloads.insert(id, bytes)),
            ("Extracting", Some(bytes)) => drop(self.unpacked.insert(id, bytes)),
            ("Download complete" | "Verifying Checksum", _) => fill(&mut self.downloads, &id),
            ("Pull complete", _) => {
                fill(&mut self.downloads, &id);
                fill(&mut self.unpacked, &id);
            }
            _ => {}
        }
    }

    /// The finished share, from 0 to 1: downloading is the first half of a layer, unpacking the second.
    fn share(&self) -> f64 {
        let (_, all) = sum(&self.downloads);
        let done = sum(&self.downloads).0 + sum(&self.unpacked).0;
        if all == 0 {
            0.0
        } else {
            (done as f64 / (2 * all) as f64).min(1.0)
        }
    }

    fn bar(&self) -> String {
        let filled = (self.share() * BAR as f64) as usize;
        format!("[{}{}]", "=".repeat(filled), " ".repeat(BAR - filled))
    }

    fn text(&self) -> String {
        let ((got, all), (unpacked, _)) = (sum(&self.downloads), sum(&self.unpacked));
        let (verb, done) = if got < all || all == 0 {
            ("pulling", got)
        } else {
            ("unpacking", unpacked)
        };
        let megabytes = |bytes: i64| bytes as f64 / 1e6;
        format!(
            "{verb} {}: {:.1} of {:.1} MB",
            self.image,
            megabytes(done),
            megabytes(all)
        )
    }
}

fn fill(layers: &mut BTreeMap<String, (i64, i64)>, id: &str) {
    if let Some((present, all)) = layers.get_mut(id) {
        *present = *all;
    }
}

fn sum(layers: &BTreeMap<String, (i64, i64)>) -> (i64, i64) {
    let add = |total: (i64, i64), layer: &(i64, i64)| (total.0 + layer.0, total.1 + layer.1);
    layers.values().fold((0, 0), add)
}

#[cfg(test)]
mod tests {
    use super::Layers;
    use bollard::models::{CreateImageInfo, ProgressDetail};

    fn said(id: &str, status: &str, bytes: Option<(i64, i64)>) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: bytes.map(|(current, total)| ProgressDetail {
                current: Some(current),
                total: Some(total),
            }),
            ..CreateImageInfo::default()
        }
    }

    #[test]
    fn lines_of_a_pull() {
        let mut layers = Layers {
            image: "cow".to_owned(),
            ..Layers::default()
        };
        for (event, bar, text) in [
            (
                said("a", "Pulling fs layer", None),
                0,
                "pulling cow: 0.0 of 0.0 MB",
            ),
            (
                said("a", "Downloading", Some((1_500_000, 3_000_000))),
                6,
                "pulling cow: 1.5 of 3.0 MB",
            ),
            (
                said("b", "Downloading", Some((0, 1_000_000))),
                4,
                "pulling cow: 1.5 of 4.0 MB",
            ),
            (
                said("b", "Already exists", None),
                4,
                "pulling cow: 1.5 of 4.0 MB",
            ),
            (
                said("a", "Download complete", None),
                9,
                "pulling cow: 3.0 of 4.0 MB",
            ),
            (
                said("b", "Verifying Checksum", None),
                12,
                "unpacking cow: 0.0 of 4.0 MB",
            ),
            (
                said("a", "Extracting", Some((3_000_000, 3_000_000))),
                21,
                "unpacking cow: 3.0 of 4.0 MB",
            ),
            (
                said("a", "Pull complete", None),
                21,
                "unpacking cow: 3.0 of 4.0 MB",
            ),
            (
                said("b", "Extracting", Some((1_000_000, 1_000_000))),
                24,
                "unpacking cow: 4.0 of 4.0 MB",
            ),
        ] {
            layers.note(&event);
            assert_eq!(layers.text(), text);
            assert_eq!(layers.bar().matches('=').count(), bar, "{text}");
        }
    }
}
