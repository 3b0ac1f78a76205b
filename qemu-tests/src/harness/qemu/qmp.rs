//! QMP, QEMU's machine protocol: JSON lines over a socket. QEMU answers commands in order; this client keeps the
//! events that come in between.
//!
//! The crate `qapi` is left out: it has a type for each of QEMU's commands and events, and this harness uses a few.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::harness::wait::Deadline;

/// A connection to a machine's monitor.
#[derive(Debug)]
pub struct Qmp {
    shared: Arc<(Mutex<State>, Condvar)>,
    output: Mutex<UnixStream>,
}

#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Value>,
    events: Vec<Value>,
    is_closed: bool,
}

impl Qmp {
    /// Reads the greeting and leaves the negotiation mode.
    pub fn attach(stream: UnixStream) -> Result<Self> {
        let input = BufReader::new(stream.try_clone().context("cloning the monitor's socket")?);
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let writer = Arc::clone(&shared);
        thread::spawn(move || {
            let (state, changed) = &*writer;
            for line in input.lines().map_while(Result::ok) {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                match serde_json::from_str::<Value>(&line) {
                    Ok(value) if value.get("event").is_some() => state.events.push(value),
                    Ok(value) if value.get("QMP").is_some() => {}
                    Ok(value) => state.replies.push_back(value),
                    Err(error) => state
                        .replies
                        .push_back(json!({"error": {"desc": error.to_string()}})),
                }
                changed.notify_all();
            }
            state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_closed = true;
            changed.notify_all();
        });
        let qmp = Self {
            shared,
            output: Mutex::new(stream),
        };
        qmp.command("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Sends a command and returns its answer.
    pub fn command(&self, name: &str, arguments: Value) -> Result<Value> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{}\n", json!({"execute": name, "arguments": arguments}));
        output
            .write_all(line.as_bytes())
            .with_context(|| format!("sending `{name}` to the monitor"))?;
        let reply = self.wait(
            &format!("the answer to `{name}`"),
            Deadline::secs(30),
            |state| state.replies.pop_front(),
        )?;
        match reply.get("error") {
            Some(error) => bail!("the monitor refused `{name}`: {error}"),
            None => Ok(reply.get("return").cloned().unwrap_or(Value::Null)),
        }
    }

    /// Presses the ACPI power button.
    pub fn press_power_button(&self) -> Result<()> {
        self.command("system_powerdown", json!({})).map(drop)
    }

    /// Presses Ctrl, Alt and Delete together.
    pub fn press_ctrl_alt_del(&self) -> Result<()> {
        let keys: Vec<Value> = ["ctrl", "alt", "delete"]
            .iter()
            .map(|key| json!({"type": "qcode", "data": key}))
            .collect();
        self.command("send-key", json!({"keys": keys})).map(drop)
    }

    /// Presses a key of the keyboard, by QEMU's name for it, such as `down` or `ret`.
    pub fn press_key(&self, name: &str) -> Result<()> {
        let keys = json!([{"type": "qcode", "data": name}]);
        self.command("send-key", json!({"keys": keys})).map(drop)
    }

    /// Waits for the first event called `name` and returns its data.
    pub fn wait_event(&self, name: &str, deadline: Deadline) -> Result<Value> {
        self.wait_nth_event(name, 0, deadline)
    }

    /// Waits for the event called `name` that follows `skipped` earlier events of that name.
    pub fn wait_nth_event(&self, name: &str, skipped: usize, deadline: Deadline) -> Result<Value> {
        self.wait(&format!("the event {name}"), deadline, |state| {
            state
                .events
                .iter()
                .filter(|event| event["event"] == name)
                .nth(skipped)
                .map(|event| event["data"].clone())
        })
    }

    /// The number of events called `name` so far.
    pub fn count_events(&self, name: &str) -> usize {
        let state = self.lock();
        state
            .events
            .iter()
            .filter(|event| event["event"] == name)
            .count()
    }

    /// Blocks for `pause`; an error once QEMU has ended, which cuts the pause short.
    pub fn pause(&self, pause: Duration) -> Result<()> {
        let state = self.lock();
        let (state, _) = self
            .shared
            .1
            .wait_timeout_while(state, pause, |state| !state.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            bail!("QEMU ended");
        }
        Ok(())
    }

    /// Waits until QEMU has closed the connection, which it does last.
    pub fn wait_closed(&self, deadline: Deadline) -> Result<()> {
        let state = self.lock();
        let left = deadline.time_left().unwrap_or_default();
        let (state, _) = self
            .shared
            .1
            .wait_timeout_while(state, left, |state| !state.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        if !state.is_closed {
            bail!("waited {:?} for QEMU to end", deadline.budget());
        }
        Ok(())
    }

    fn wait<T>(
        &self,
        what: &str,
        deadline: Deadline,
        mut take: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T> {
        let mut state = self.lock();
        loop {
            if let Some(value) = take(&mut state) {
                return Ok(value);
            }
            if state.is_closed {
                bail!("QEMU ended while {what} was waited for");
            }
            let Some(left) = deadline.time_left() else {
                bail!("waited {:?} for {what}", deadline.budget());
            };
            state = self
                .shared
                .1
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;
    use std::time::Duration;

    use serde_json::json;

    use super::Qmp;
    use crate::harness::wait::Deadline;

    /// A monitor that greets, answers each command by the next line of `script` and then hangs up.
    fn monitor(script: &'static [&'static str]) -> (UnixStream, thread::JoinHandle<Vec<String>>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let handle = thread::spawn(move || {
            let mut output = theirs.try_clone().unwrap();
            let mut input = BufReader::new(theirs).lines();
            output
                .write_all(b"{\"QMP\": {\"version\": {}}}\r\n")
                .unwrap();
            script
                .iter()
                .map(|answer| {
                    let command = input.next().unwrap().unwrap();
                    output.write_all(answer.as_bytes()).unwrap();
                    command
                })
                .collect()
        });
        (ours, handle)
    }

    #[test]
    fn events_may_come_before_an_answer() {
        let (stream, handle) = monitor(&[
            "{\"return\": {}}\n",
            "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}\n{\"return\": 7}\n",
        ]);
        let qmp = Qmp::attach(stream).unwrap();
        assert_eq!(qmp.command("query-x", json!({})).unwrap(), json!(7));
        let data = qmp.wait_event("SHUTDOWN", Deadline::secs(10)).unwrap();
        assert_eq!(data["reason"], "guest-shutdown");
        let commands = handle.join().unwrap();
        assert!(commands[0].contains("qmp_capabilities"), "{commands:?}");
        qmp.wait_closed(Deadline::secs(10)).unwrap();
        assert!(qmp.pause(Duration::from_secs(60)).is_err());
    }

    #[test]
    fn a_refusal_is_an_error_with_its_reason() {
        let (stream, _handle) = monitor(&[
            "{\"return\": {}}\n",
            "{\"error\": {\"desc\": \"no such key\"}}\n",
        ]);
        let qmp = Qmp::attach(stream).unwrap();
        let error = qmp.press_ctrl_alt_del().unwrap_err().to_string();
        assert!(error.contains("no such key"), "{error}");
    }

    #[test]
    fn the_end_of_qemu_ends_a_wait() {
        let (stream, _handle) = monitor(&["{\"return\": {}}\n"]);
        let qmp = Qmp::attach(stream).unwrap();
        let error = qmp
            .wait_event("RESET", Deadline::secs(60))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("QEMU ended while the event RESET"),
            "{error}"
        );
    }
}
