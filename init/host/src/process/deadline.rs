//! Work that may block for ever, such as the start of a program from a disk that does not answer. A thread does it: the
//! kernel blocks the thread, and the process goes on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::console;

/// Work that takes longer is named on the consoles.
const SAID_AFTER: Duration = Duration::from_secs(5);
/// The threads that have not come to their end; with more, no work begins.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
const MAX_RUNNING: usize = 16;

/// Does `work` and returns its result, or `None` after `limit`. A result that comes later is handed to `undo`.
pub fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
    undo: impl FnOnce(T) + Send + 'static,
) -> Option<T> {
    let mut begun = Work::begin(work, undo)?;
    begun.wait(limit).or_else(|| begun.give_up())
}

/// Does work that may fail, and is an error after `limit`. The consoles show the `name` of work that takes long.
pub fn run<T: Send + 'static>(
    limit: Duration,
    name: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
    undo: impl FnOnce(T) + Send + 'static,
) -> Result<T> {
    let late = |done: Result<T>| {
        if let Ok(done) = done {
            undo(done);
        }
    };
    let no_answer = || NoAnswer {
        name: name.to_owned(),
        limit,
    };
    let mut begun = Work::begin(work, late).ok_or_else(no_answer)?;
    if let Some(done) = begun.wait(SAID_AFTER.min(limit)) {
        return done;
    }
    if limit > SAID_AFTER {
        console::print_line(&format!("ros: waiting for: {name}"));
    }
    let done = begun.wait(limit.saturating_sub(SAID_AFTER));
    done.or_else(|| begun.give_up()).ok_or_else(no_answer)?
}

/// The error of work that has missed its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer {
    name: String,
    limit: Duration,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: no answer in {} s", self.name, self.limit.as_secs())
    }
}

impl std::error::Error for NoAnswer {}

/// Whether work that missed its limit goes on in this process.
pub fn has_late_work() -> bool {
    RUNNING.load(Ordering::Acquire) > 0
}

/// Work in a thread of its own.
struct Work<T> {
    result: Receiver<T>,
    /// The thread or the waiting process has set it; the first of the two has the result.
    is_settled: Arc<AtomicBool>,
}

impl<T: Send + 'static> Work<T> {
    /// `None` if too much late work goes on, or the kernel makes no thread.
    fn begin(
        work: impl FnOnce() -> T + Send + 'static,
        undo: impl FnOnce(T) + Send + 'static,
    ) -> Option<Self> {
        if RUNNING.load(Ordering::Relaxed) >= MAX_RUNNING {
            return None;
        }
        let (sender, result) = channel();
        let is_settled = Arc::new(AtomicBool::new(false));
        let is_given_up = Arc::clone(&is_settled);
        RUNNING.fetch_add(1, Ordering::Relaxed);
        let started = thread::Builder::new().spawn(move || {
            let result = work();
            if is_given_up.swap(true, Ordering::AcqRel) {
                undo(result);
                RUNNING.fetch_sub(1, Ordering::Release);
            } else {
                RUNNING.fetch_sub(1, Ordering::Release);
                let _ = sender.send(result);
            }
        });
        if started.is_err() {
            RUNNING.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self { result, is_settled })
    }

    fn wait(&mut self, limit: Duration) -> Option<T> {
        self.result.recv_timeout(limit).ok()
    }

    /// Leaves the result to the thread. `Some` if the thread has just come to its end.
    fn give_up(&self) -> Option<T> {
        if self.is_settled.swap(true, Ordering::AcqRel) {
            return self.result.recv().ok();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{NoAnswer, has_late_work, run, within};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn work_has_its_limit_and_late_work_is_undone() {
        assert_eq!(within(DAY, || 1, |_| {}), Some(1));
        let (open, gate) = channel::<()>();
        let (undone, told) = channel();
        let work = move || {
            let _ = gate.recv();
            2
        };
        let undo = move |late| undone.send(late).unwrap();
        assert_eq!(within(Duration::from_millis(20), work, undo), None);
        // PID 1 must know it: the kernel starts no other program in place of a process with such a thread.
        assert!(has_late_work());
        drop(open);
        assert_eq!(told.recv_timeout(DAY), Ok(2));
    }

    #[test]
    fn work_that_never_ends_is_an_error() {
        let (open, gate) = channel::<()>();
        let (undone, told) = channel();
        let hang = move || {
            let _ = gate.recv();
            Ok(5)
        };
        let undo = move |late| undone.send(late).unwrap();
        let error = run(Duration::from_millis(20), "mount /dev/sda", hang, undo).unwrap_err();
        assert_eq!(error.to_string(), "mount /dev/sda: no answer in 0 s");
        assert!(error.is::<NoAnswer>());
        // The device answers after all.
        drop(open);
        assert_eq!(told.recv_timeout(DAY), Ok(5));
        assert_eq!(run(DAY, "", || Ok(6), |_| {}).unwrap(), 6);
        let failed = run::<()>(DAY, "", || anyhow::bail!("no disk"), |()| {});
        let error = failed.unwrap_err();
        assert_eq!(error.to_string(), "no disk");
        assert!(!error.is::<NoAnswer>());
    }
}
