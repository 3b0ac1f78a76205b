//! Starts QEMU and connects its console and its monitor to the harness.

use std::ffi::OsString;
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::harness::qemu::accel::QEMU;
use crate::harness::spawn;
use crate::harness::wait::Deadline;

/// QEMU with its two connections.
#[derive(Debug)]
pub struct Qemu {
    /// The process; the kernel kills it when the test program ends.
    pub child: Child,
    /// The serial console.
    pub console: UnixStream,
    /// The monitor.
    pub qmp: UnixStream,
}

/// The sockets of one machine. The harness listens and QEMU connects, so that no output of the machine is lost.
#[derive(Debug)]
pub struct Sockets {
    prefix: String,
    console: UnixListener,
    qmp: UnixListener,
}

impl Sockets {
    /// Listens on sockets with names that no other machine uses.
    pub fn listen() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("paddock-{}-{count}", std::process::id());
        let listen = |what: &str| {
            let address = SocketAddr::from_abstract_name(format!("{prefix}-{what}"))?;
            UnixListener::bind_addr(&address)
        };
        let console = listen("console").context("listening for the console")?;
        let qmp = listen("qmp").context("listening for the monitor")?;
        Ok(Self {
            console,
            qmp,
            prefix,
        })
    }

    /// The abstract name of the socket for `what`: `console`, `qmp` or `agent`.
    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }

    /// Starts QEMU, its output in `dir`/qemu.log, and takes both of its connections.
    pub fn start_qemu(self, argv: &[OsString], dir: &Path) -> Result<Qemu> {
        let log = dir.join("qemu.log");
        let mut child = spawn::start_background(QEMU, argv, &log)?;
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let streams = self
                .console
                .accept()
                .and_then(|(console, _)| Ok((console, self.qmp.accept()?.0)));
            // The receiver has gone if QEMU did not start in time.
            sender.send(streams).ok();
        });
        // QEMU connects while it builds the machine or ends with an error.
        let deadline = Deadline::secs(30);
        loop {
            if let Ok(streams) = receiver.recv_timeout(Duration::from_millis(100)) {
                let (console, qmp) = streams.context("accepting QEMU's connections")?;
                return Ok(Qemu {
                    child,
                    console,
                    qmp,
                });
            }
            let ended = child.try_wait().context("asking for QEMU's state")?;
            if ended.is_some() || deadline.time_left().is_none() {
                child.kill().ok();
                let said = fs::read_to_string(&log).unwrap_or_default();
                bail!("QEMU did not start: {}", said.trim());
            }
        }
    }
}
