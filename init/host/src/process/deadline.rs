//! Work that may block for ever, such as the start of a program from a disk that does not answer. A thread does it: the
//! kernel blocks the thread, and the process goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SendError, channel};
use std::thread;
use std::time::Duration;

/// The threads that have not come to their end; with more, no work begins.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
const MAX_RUNNING: usize = 16;

/// Does `work` and returns its result, or `None` after `limit`. A result that comes later is handed to `undo`.
pub fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
    undo: impl FnOnce(T) + Send + 'static,
) -> Option<T> {
    if RUNNING.load(Ordering::Relaxed) >= MAX_RUNNING {
        return None;
    }
    let (sender, receiver) = channel();
    RUNNING.fetch_add(1, Ordering::Relaxed);
    let started = thread::Builder::new().spawn(move || {
        let result = work();
        RUNNING.fetch_sub(1, Ordering::Relaxed);
        if let Err(SendError(late)) = sender.send(result) {
            undo(late);
        }
    });
    if started.is_err() {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
        return None;
    }
    receiver.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use super::within;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn work_has_its_limit_and_late_work_is_undone() {
        let day = Duration::from_secs(86_400);
        assert_eq!(within(day, || 1, |_| {}), Some(1));
        let (open, gate) = channel::<()>();
        let (undone, told) = channel();
        let work = move || {
            let _ = gate.recv();
            2
        };
        let undo = move |late| undone.send(late).unwrap();
        assert_eq!(within(Duration::from_millis(20), work, undo), None);
        drop(open);
        assert_eq!(told.recv_timeout(day), Ok(2));
    }
}
