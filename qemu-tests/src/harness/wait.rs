//! Deadlines. Every wait of the harness ends, and its error names the awaited event: a failed test says more than a
//! test that hangs.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The point in time at which a wait ends.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    started: Instant,
    budget: Duration,
}

impl Deadline {
    /// A deadline `secs` seconds from now.
    pub fn secs(secs: u64) -> Self {
        Self {
            started: Instant::now(),
            budget: Duration::from_secs(secs),
        }
    }

    /// The time until the deadline; `None` once it has passed.
    pub fn time_left(&self) -> Option<Duration> {
        self.budget
            .checked_sub(self.started.elapsed())
            .filter(|left| !left.is_zero())
    }

    /// The whole budget, for messages.
    pub fn budget(&self) -> Duration {
        self.budget
    }
}

/// Sleeps between two polls of a state that sends no event. The caller has a deadline or a limit: this only bounds the
/// rate of polling.
pub fn sleep_between_polls(time: Duration) {
    std::thread::sleep(time);
}

/// Calls `attempt` until it succeeds. `pause` blocks between two attempts; its error, e.g. that the machine is gone,
/// ends the wait early.
pub fn retry<T>(
    what: &str,
    deadline: Deadline,
    mut pause: impl FnMut() -> Result<()>,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    loop {
        let error = match attempt() {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if deadline.time_left().is_none() {
            bail!("waited {:?} for {what}: {error:#}", deadline.budget());
        }
        pause()?;
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Result, bail};

    use super::{Deadline, retry};

    #[test]
    fn retry_returns_the_first_success() {
        let mut calls = 0;
        let value = retry(
            "third call",
            Deadline::secs(60),
            || Ok(()),
            || {
                calls += 1;
                if calls < 3 {
                    bail!("call {calls}")
                } else {
                    Ok(calls)
                }
            },
        );
        assert_eq!(value.unwrap(), 3);
    }

    #[test]
    fn retry_names_what_it_waited_for_and_the_last_error() {
        let result: Result<()> = retry("a cow", Deadline::secs(0), || Ok(()), || bail!("no cow"));
        let text = result.unwrap_err().to_string();
        assert!(text.contains("for a cow: no cow"), "{text}");
    }

    #[test]
    fn pause_can_end_the_wait() {
        let result: Result<()> = retry(
            "a cow",
            Deadline::secs(60),
            || bail!("the machine is gone"),
            || bail!("no cow"),
        );
        assert_eq!(result.unwrap_err().to_string(), "the machine is gone");
    }
}
