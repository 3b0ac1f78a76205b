//! How many machines run at once. Two keep two CPUs busy; more only slow each
//! other until deadlines fail. `PADDOCK_TEST_VMS` says otherwise.

use std::sync::{Condvar, LazyLock, Mutex, PoisonError};

static FREE: LazyLock<(Mutex<usize>, Condvar)> = LazyLock::new(|| {
    let asked = std::env::var("PADDOCK_TEST_VMS")
        .ok()
        .and_then(|text| text.parse().ok());
    (Mutex::new(asked.unwrap_or(2).max(1)), Condvar::new())
});

/// The right to run one machine.
#[derive(Debug)]
pub struct Slot(());

/// Waits for that right. Without a deadline: what is waited for is the end of
/// other tests, and each of them has its own deadlines.
pub fn take() -> Slot {
    let (free, changed) = &*FREE;
    let guard = free.lock().unwrap_or_else(PoisonError::into_inner);
    let mut guard = changed
        .wait_while(guard, |free| *free == 0)
        .unwrap_or_else(PoisonError::into_inner);
    *guard -= 1;
    Slot(())
}

impl Drop for Slot {
    fn drop(&mut self) {
        let (free, changed) = &*FREE;
        *free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        changed.notify_one();
    }
}
