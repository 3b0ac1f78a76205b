//! The start of dockerd with settings of the user. Settings that keep dockerd from starting must not cost User Docker:
//! the last settings that worked are tried once, and a problem says so.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use host::dockerd::{CommandLine, Engine};
use host::paths::{DOCKER_SETTINGS, DOCKER_SOCKET};
use host::process::probe::{self, Server};
use host::restart::HEALTHY_AFTER;
use os_config::atomic_file;
use serde::{Deserialize, Serialize};

/// The limit for the first answer. A dockerd with many containers looks at each before it answers.
const LIMIT: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What dockerd is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) argv: Vec<String>,
    /// The path and the text of a file that is written before the start.
    pub(super) file: Option<(String, String)>,
}

impl Settings {
    pub(super) fn from_line(line: &CommandLine) -> Self {
        Self {
            argv: line.argv(),
            file: line.file().map(|(path, text)| (path.to_owned(), text)),
        }
    }

    /// Writes the file.
    pub(super) fn write_file(&self) -> Result<()> {
        let Some((path, text)) = &self.file else {
            return Ok(());
        };
        // It may hold a proxy's password.
        atomic_file::replace(Path::new(path), text.as_bytes(), 0o600)
            .with_context(|| format!("writing {path}"))
    }
}

#[derive(Debug)]
enum State {
    /// The settings worked before.
    Known,
    /// New settings run, and have not answered yet.
    Trying { until: Instant },
    /// The last settings that worked run, since then.
    FellBack { since: Instant },
}

/// The trial of settings.
#[derive(Debug)]
pub(super) struct Trial {
    settings: Settings,
    state: State,
    answer: Option<Receiver<bool>>,
}

impl Trial {
    /// A trial of the settings of `line`. The image's own settings, and those that worked last, need none.
    pub(super) fn new(line: &CommandLine, now: Instant) -> Self {
        let settings = Settings::from_line(line);
        let last = read_last();
        let state = if !line.is_changed() {
            if last.is_some() {
                // The image's own settings are the last that worked from now on.
                let _ = fs::remove_file(DOCKER_SETTINGS);
            }
            State::Known
        } else if last.as_ref() == Some(&settings) {
            State::Known
        } else {
            State::Trying { until: now + LIMIT }
        };
        Self {
            settings,
            state,
            answer: None,
        }
    }

    /// The settings under trial.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The time of the next [`Self::watch`].
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        matches!(self.state, State::Trying { .. }).then(|| now + POLL_INTERVAL)
    }

    /// Looks for an answer of dockerd. Returns whether dockerd has missed the limit, and is to be ended.
    pub(super) fn watch(&mut self, now: Instant) -> bool {
        let State::Trying { until } = self.state else {
            return false;
        };
        match self.answer.as_ref().map(Receiver::try_recv) {
            Some(Ok(true)) => {
                self.state = State::Known;
                if let Err(error) = self.keep() {
                    eprintln!("ros user-docker: {error:#}");
                }
                return false;
            }
            Some(Err(TryRecvError::Empty)) => {}
            None | Some(Ok(false) | Err(TryRecvError::Disconnected)) => {
                let (sender, receiver) = channel();
                let ask = move || {
                    let [is_answer] = probe::answers([(Server::Dockerd, DOCKER_SOCKET)]);
                    let _ = sender.send(is_answer);
                };
                // Without a thread there is no answer, and the next look tries again.
                self.answer = thread::Builder::new().spawn(ask).ok().map(|_| receiver);
            }
        }
        now >= until
    }

    /// Notes the end of dockerd. Returns the settings for the next start if they are others now, and what a user is to
    /// be told.
    pub(super) fn note_end(&mut self, how: &str, now: Instant) -> Option<(Settings, String)> {
        match self.state {
            State::Known => None,
            State::Trying { .. } => {
                self.state = State::FellBack { since: now };
                self.answer = None;
                let (settings, which) = match read_last() {
                    Some(last) => (last, "the last settings that worked"),
                    None => (
                        Settings::from_line(&CommandLine::of_image(Engine::User)),
                        "the image's own settings",
                    ),
                };
                let text = format!(
                    "User Docker did not start with the settings of rancher.docker and daemon.json ({how}); it runs with \
                     {which} until they are corrected"
                );
                Some((settings, text))
            }
            // It has worked.
            State::FellBack { since } if now >= since + HEALTHY_AFTER => None,
            // The fault is not in the settings.
            State::FellBack { .. } => {
                self.state = State::Known;
                let text = "User Docker does not start with the earlier settings either; the configured settings are \
                    tried again";
                Some((self.settings.clone(), text.to_owned()))
            }
        }
    }

    /// Keeps the settings as the last that worked.
    fn keep(&self) -> Result<()> {
        let text = serde_json::to_string(&self.settings).context("writing settings as JSON")?;
        atomic_file::replace(Path::new(DOCKER_SETTINGS), text.as_bytes(), 0o600)
            .with_context(|| format!("writing {DOCKER_SETTINGS}"))
    }
}

/// A damaged file counts as none.
fn read_last() -> Option<Settings> {
    serde_json::from_slice(&fs::read(DOCKER_SETTINGS).ok()?).ok()
}
