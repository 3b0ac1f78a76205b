//! One boot, from start to power-off, with a stop-watch.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::harness::console::Position;
use crate::harness::media::seed::UserData;
use crate::harness::spec::VmSpec;
use crate::harness::vm::{BOOT_TIMEOUT_SECS, Vm};
use crate::harness::wait::Deadline;

/// A machine counts as idle after this time without commands.
const IDLE_SECS: u32 = 20;

/// The figures of one boot. Times are in seconds.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Kernel start → Docker answers, by the machine's own clock.
    pub docker: f64,
    /// Kernel start → ssh accepts, seen from the host.
    pub ssh: f64,
    /// Kernel start → the first container of an image that was made on the machine has run, by the machine's own clock.
    pub first_run: f64,
    /// Memory in use when idle, MB.
    pub used_mb: f64,
    /// Memory of each program when idle, MB, its part of what programs share included, the largest first.
    pub programs_mb: Vec<(String, f64)>,
    /// `poweroff` → the machine is off.
    pub off: f64,
    /// Resident memory of PID 1, MB.
    pub pid1_mb: f64,
}

/// How a machine reports that its Docker answers.
#[derive(Debug, Clone, Copy)]
pub enum DockerReady {
    /// By these words on the console, which the seconds follow.
    OnConsole(&'static str),
    /// By PaddockOS's own timeline, which is complete when these words are on the console.
    InTimeline(&'static str),
}

/// Boots once and measures.
pub fn measure_boot(name: &str, spec: &VmSpec, docker: DockerReady) -> Result<Figures> {
    let spec = VmSpec {
        // No other machine runs on the host.
        cpus_at_once: true,
        ..spec.clone()
    };
    let vm = Vm::start(name, &spec, &UserData::key_only())?;
    let mut figures = None;
    let result = measure(&vm, docker).map(|found| figures = Some(found));
    vm.finish(result)?;
    figures.context("measuring a boot")
}

fn measure(vm: &Vm, docker: DockerReady) -> Result<Figures> {
    let boot = Deadline::secs(BOOT_TIMEOUT_SECS);
    let accepted = wait_ssh_accepts(vm, boot)?;
    let (DockerReady::OnConsole(marker) | DockerReady::InTimeline(marker)) = docker;
    let line = vm
        .console
        .wait_line_after(Position::default(), marker, boot)?;
    vm.wait_ssh(Deadline::secs(60))?;
    let docker = match docker {
        DockerReady::OnConsole(marker) => seconds_after(&line, marker)?,
        DockerReady::InTimeline(_) => user_docker(&vm.ssh.ok("ros boot-time --format json")?)?,
    };
    let ssh = accepted - kernel_start(vm)?;
    let first_run = first_run(vm)?;
    vm.ssh.ok(&format!("sleep {IDLE_SECS}"))?;
    let used_mb = f64::from(vm.used_memory_mb()?);
    let rss = vm
        .ssh
        .ok("sudo awk '/^VmRSS:/ { print $2 }' /proc/1/status")?;
    let pid1_mb = rss
        .trim()
        .parse::<f64>()
        .with_context(|| format!("reading PID 1's memory from `{rss}`"))?
        / 1024.0;
    Ok(Figures {
        docker,
        ssh,
        first_run,
        used_mb,
        programs_mb: programs_mb(vm)?,
        pid1_mb,
        off: power_off(vm)?.as_secs_f64(),
    })
}

/// Boots from the firmware on, and returns the seconds from power-on until the ssh daemon accepts.
pub fn measure_power_on(name: &str, spec: &VmSpec) -> Result<f64> {
    let spec = VmSpec {
        cpus_at_once: true,
        ..spec.clone()
    };
    let vm = Vm::start(name, &spec, &UserData::key_only())?;
    let mut seconds = None;
    let boot = Deadline::secs(BOOT_TIMEOUT_SECS);
    let result = wait_ssh_accepts(&vm, boot).map(|found| seconds = Some(found));
    vm.finish(result)?;
    seconds.context("measuring from power-on")
}

/// Waits until the ssh daemon accepts, and returns the seconds since QEMU's start.
fn wait_ssh_accepts(vm: &Vm, deadline: Deadline) -> Result<f64> {
    wait_network(vm, deadline)?;
    vm.wait_until("the ssh daemon to accept", deadline, || {
        vm.ssh.banner().map(drop)
    })?;
    Ok(vm.age().as_secs_f64())
}

/// Makes an image of the machine's own `true`, runs it, and returns the machine's uptime then.
fn first_run(vm: &Vm) -> Result<f64> {
    let uptime = vm.ssh.ok_for(
        120,
        "sudo sh -c 'tar -chC / bin/true lib64/ld-linux-x86-64.so.2 lib/x86_64-linux-gnu/libc.so.6 \
         | docker import - first >/dev/null && docker run --rm first /bin/true && cut -d\" \" -f1 /proc/uptime'",
    )?;
    uptime
        .trim()
        .parse()
        .with_context(|| format!("reading the uptime from `{uptime}`"))
}

/// The proportional memory of each program in MB, programs of the same name together.
fn programs_mb(vm: &Vm) -> Result<Vec<(String, f64)>> {
    let text = vm.ssh.ok_for(
        60,
        "sudo sh -c 'for p in /proc/[0-9]*; do \
         echo $(sed -n \"s/^Pss: *//p\" $p/smaps_rollup 2>/dev/null) $(cat $p/comm 2>/dev/null); done'",
    )?;
    let mut programs = BTreeMap::new();
    for line in text.lines() {
        if let Some((kb, name)) = line.split_once(" kB ")
            && let Ok(kb) = kb.parse::<f64>()
        {
            *programs.entry(name.to_owned()).or_insert(0.0) += kb / 1024.0;
        }
    }
    let mut programs: Vec<_> = programs.into_iter().collect();
    programs.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(programs)
}

/// Waits until the machine answers on the network. A connection that begins earlier hangs until QEMU sends its SYN
/// again, some seconds later; an abandoned connection to the ssh daemon keeps the daemon busy. So this connects to a
/// port where no program listens: the refusal is the answer.
fn wait_network(vm: &Vm, deadline: Deadline) -> Result<()> {
    const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, vm.web_port));
    vm.wait_until("the machine to answer on the network", deadline, || {
        let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        stream.set_read_timeout(Some(CONNECT_TIMEOUT))?;
        match stream.read(&mut [0; 1]) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error.into()),
        }
    })
}

/// The start of the kernel's clock in seconds after QEMU's start: the firmware and the boot menu run before it.
fn kernel_start(vm: &Vm) -> Result<f64> {
    let marker = "bench: kernel runs for ";
    vm.ssh.ok(&format!(
        "sudo sh -c 'read up rest </proc/uptime; echo \"{marker}$up s\" >/dev/ttyS0'"
    ))?;
    let line = vm
        .console
        .wait_line_after(Position::default(), marker, Deadline::secs(10))?;
    Ok(vm.age().as_secs_f64() - seconds_after(&line, marker)?)
}

/// The time at which User Docker answered, from `ros boot-time --format json`.
fn user_docker(timeline: &str) -> Result<f64> {
    let marks: serde_json::Value =
        serde_json::from_str(timeline).context("reading the machine's timeline")?;
    marks
        .as_array()
        .into_iter()
        .flatten()
        .find(|mark| mark["name"] == "User Docker")
        .and_then(|mark| mark["at"].as_f64())
        .with_context(|| format!("looking for User Docker in {timeline}"))
}

/// Measures the power-off. The clock starts when the machine prints that it begins: ssh needs time for a session.
fn power_off(vm: &Vm) -> Result<Duration> {
    let begin = "bench: power off";
    std::thread::scope(|scope| {
        // The session ends with the machine.
        scope.spawn(|| {
            vm.ssh
                .run_for(
                    60,
                    &format!("sudo sh -c 'echo \"{begin}\" >/dev/ttyS0; poweroff'"),
                )
                .ok()
        });
        vm.console.wait_for(begin, Deadline::secs(60))?;
        let began = Instant::now();
        vm.wait_shutdown(Deadline::secs(120))?;
        Ok(began.elapsed())
    })
}

/// The number after `marker` in `line`.
fn seconds_after(line: &str, marker: &str) -> Result<f64> {
    let rest = line.split(marker).nth(1).unwrap_or_default();
    let number = rest.split_whitespace().next().unwrap_or_default();
    number
        .parse()
        .with_context(|| format!("reading seconds from `{line}`"))
}

#[cfg(test)]
mod tests {
    use super::{seconds_after, user_docker};

    #[test]
    fn timelines() {
        let text = r#"[{"name": "up", "at": 15.0}, {"name": "User Docker", "at": 13.5}]"#;
        assert!((user_docker(text).unwrap() - 13.5).abs() < 1e-9);
        assert!(user_docker("[]").is_err());
    }

    #[test]
    fn seconds() {
        assert!((seconds_after("ros: up in 13.1 s", "ros: up in ").unwrap() - 13.1).abs() < 1e-9);
        assert!(seconds_after("ros: up in a while", "ros: up in ").is_err());
    }
}
