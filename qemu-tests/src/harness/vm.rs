//! A machine from its start to its end. However the test ends, QEMU ends too, the console is judged, and a failure
//! leaves its traces.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::harness::artifacts;
use crate::harness::bad_lines::bad_lines;
use crate::harness::console::{Console, Position};
use crate::harness::media::boot_medium;
use crate::harness::media::disk;
use crate::harness::media::seed::{self, UserData};
use crate::harness::media::uefi::UefiFirmware;
use crate::harness::paths;
use crate::harness::qemu::accel::{self, QEMU};
use crate::harness::qemu::argv::{self, HostResources, PortForward};
use crate::harness::qemu::process::Sockets;
use crate::harness::qemu::qmp::Qmp;
use crate::harness::results;
use crate::harness::spawn::free_port;
use crate::harness::spec::VmSpec;
use crate::harness::ssh::Ssh;
use crate::harness::vm_permits::{self, VmPermit};
use crate::harness::wait::{Deadline, retry};

/// The time limit of a boot on a slow, emulated, busy host.
pub const BOOT_TIMEOUT_SECS: u64 = 240;

/// The system prints this when User Docker answers and the services run.
pub const UP: &str = "ros: up in ";

/// A running machine.
#[derive(Debug)]
pub struct Vm {
    /// Its serial console.
    pub console: Console,
    /// Its monitor.
    pub qmp: Qmp,
    /// Its ssh client.
    pub ssh: Ssh,
    /// The host's port that leads to the machine's port 8080.
    pub web_port: u16,
    /// The folder of its traces.
    pub dir: PathBuf,
    agent_socket: String,
    started: Instant,
    child: Mutex<Child>,
    _permit: VmPermit,
}

/// Boots a machine, waits until it is up, runs `body` and judges the console.
pub fn run(
    name: &str,
    spec: &VmSpec,
    user_data: &UserData,
    body: impl FnOnce(&Vm) -> Result<()>,
) -> Result<()> {
    let vm = Vm::start(name, spec, user_data)?;
    let result = vm.wait_up().and_then(|_| results::catch(|| body(&vm)));
    vm.finish(result)
}

impl Vm {
    /// Starts a machine and returns at once; `name` is the folder of its traces.
    pub fn start(name: &str, spec: &VmSpec, user_data: &UserData) -> Result<Self> {
        let permit = vm_permits::acquire()?;
        let dir = artifacts::fresh_dir(name)?;
        let (ssh_port, web_port) = (free_port()?, free_port()?);
        let ssh = Ssh::new(&dir, ssh_port)?;
        let boot = boot_medium::resolve(spec)?;
        let sockets = Sockets::listen()?;
        let host = HostResources {
            accel: accel::accel()?,
            console_socket: sockets.name("console"),
            qmp_socket: sockets.name("qmp"),
            agent_socket: sockets.name("agent"),
            kernel: boot.kernel,
            iso: boot.iso,
            seed: seed::make(
                spec.seed,
                user_data,
                spec.network_config.as_deref(),
                ssh.public_key(),
                &dir,
            )?,
            disks: disks(spec, &dir)?,
            uefi: UefiFirmware::copy_to(&dir, spec)?,
            tftp: paths::dist(),
            forwards: vec![
                PortForward {
                    host: ssh_port,
                    guest: 22,
                },
                PortForward {
                    host: web_port,
                    guest: 8080,
                },
            ],
        };
        let agent_socket = host.agent_socket.clone();
        let argv = argv::argv(spec, &host);
        artifacts::write_argv(&dir, QEMU, &argv)?;
        // An initrd of the test's own holds a busybox, not the system.
        if spec.initrd.is_none() {
            results::record_boot();
        }
        let started = Instant::now();
        let qemu = sockets.start_qemu(&argv, &dir)?;
        Ok(Self {
            console: Console::attach(qemu.console, &dir.join("console.log"))?,
            qmp: Qmp::attach(qemu.qmp)?,
            ssh,
            web_port,
            agent_socket,
            dir,
            started,
            child: Mutex::new(qemu.child),
            _permit: permit,
        })
    }

    /// The time since QEMU's start.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits for the line that says that the system is up, and for ssh.
    pub fn wait_up(&self) -> Result<String> {
        self.wait_up_after(Position::default())
    }

    /// Waits until a restart that began after `mark` is up.
    pub fn wait_up_again(&self, mark: Position) -> Result<String> {
        results::record_boot();
        self.wait_up_after(mark)
    }

    fn wait_up_after(&self, mark: Position) -> Result<String> {
        let line = self
            .console
            .wait_line_after(mark, UP, Deadline::secs(BOOT_TIMEOUT_SECS))?;
        self.wait_ssh(Deadline::secs(60))?;
        Ok(line)
    }

    /// Waits until the ssh daemon accepts connections and a login succeeds.
    pub fn wait_ssh(&self, deadline: Deadline) -> Result<()> {
        self.ssh.hang_up();
        self.wait_until("the ssh daemon to accept", deadline, || {
            self.ssh.banner().map(drop)
        })?;
        self.wait_until("ssh to let us in", deadline, || {
            self.ssh.ok_for(30, "true").map(drop)
        })
    }

    /// Repeats `attempt` until it succeeds, the deadline passes or QEMU ends.
    pub fn wait_until<T>(
        &self,
        what: &str,
        deadline: Deadline,
        attempt: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        retry(
            what,
            deadline,
            || self.qmp.pause(Duration::from_millis(250)),
            attempt,
        )
    }

    /// Repeats a command until it succeeds; returns its output.
    pub fn wait_until_ok(&self, command: &str, deadline: Deadline) -> Result<String> {
        self.wait_until(&format!("`{command}`"), deadline, || {
            self.ssh.ok_for(60, command)
        })
    }

    /// Waits for the guest to switch the machine off and returns QEMU's reason.
    pub fn wait_shutdown(&self, deadline: Deadline) -> Result<String> {
        let data = self.qmp.wait_event("SHUTDOWN", deadline)?;
        if data["guest"] != true {
            bail!("QEMU was ended from outside: {data}");
        }
        Ok(data["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// Connects to the guest agent's port, which the machine's declaration must have.
    pub fn guest_agent(&self) -> Result<UnixStream> {
        SocketAddr::from_abstract_name(&self.agent_socket)
            .and_then(|address| UnixStream::connect_addr(&address))
            .context("connecting to the guest agent's port")
    }

    /// Used memory in MB, as the machine counts it.
    pub fn used_memory_mb(&self) -> Result<u32> {
        let text = self.ssh.ok("free -m | awk '/^Mem:/ { print $3 }'")?;
        text.trim()
            .parse()
            .with_context(|| format!("reading used memory from `{text}`"))
    }

    /// Fails if the console shows a bad line.
    pub fn check_console(&self) -> Result<()> {
        self.check_console_despite(&[])
    }

    fn check_console_despite(&self, expected: &[&str]) -> Result<()> {
        let mut bad = bad_lines(&self.console.text());
        bad.retain(|line| !expected.iter().any(|piece| line.contains(piece)));
        if !bad.is_empty() {
            bail!("the console shows\n  {}", bad.join("\n  "));
        }
        Ok(())
    }

    /// Ends the test on this machine. A test that passed fails if the console shows a bad line.
    pub fn finish(self, result: Result<()>) -> Result<()> {
        self.finish_despite(&[], result)
    }

    /// Like [`Vm::finish`], after a fault that prints bad lines with these pieces.
    pub fn finish_despite(self, expected: &[&str], result: Result<()>) -> Result<()> {
        let result = result.and_then(|()| self.check_console_despite(expected));
        results::record_test(self.started.elapsed(), &result);
        match &result {
            Ok(()) => remove_large_files(&self.dir),
            Err(_) => self.report_failure(),
        }
        result
    }

    /// Prints the console's end and collects the machine's traces.
    pub fn report_failure(&self) {
        artifacts::collect(&self.dir, &self.ssh);
        eprintln!(
            "--- last 60 console lines (all of it: {}/console.log)",
            self.dir.display()
        );
        eprintln!("{}", self.console.tail(60));
        eprintln!("--- end of console");
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // A failed assertion skips `finish`.
        if thread::panicking() {
            self.report_failure();
        }
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // QEMU may have ended by itself, as in a power-off test.
        child.kill().ok();
        child.wait().ok();
    }
}

/// Removes the large files, which only help to explain a failure.
fn remove_large_files(dir: &Path) {
    for name in ["state.img", "ovmf-vars.fd"] {
        fs::remove_file(dir.join(name)).ok();
    }
}

fn disks(spec: &VmSpec, dir: &Path) -> Result<Vec<PathBuf>> {
    let mut disks = spec.disks.clone();
    if let Some(mib) = spec.state_disk_mb {
        disks.push(disk::make_state_disk(dir, mib)?);
    }
    Ok(disks)
}
