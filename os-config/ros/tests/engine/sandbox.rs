//! A machine without a virtual machine: namespaces of their own, with the root of the built OS image, its dockerd and
//! the `ros` of this build. `enter.sh` makes it; dropping the value ends it. A failed test prints the ends of its logs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use host::dockerd::{CommandLine, Engine};
use serde_yaml::Value;

/// The limit of every wait. A wait that is fulfilled takes tenths of a second.
const TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Privileged containers get all privileges of the machine's process 1. These would reach the host.
const BARRED_CAPABILITIES: &str = "-sys_time,-sys_boot,-sys_module,-sys_rawio,-syslog";
/// The services of the image that stay. The others handle devices, addresses and the clock.
const KEPT_SERVICES: [&str; 2] = ["console", "docker"];
/// A container that runs these tests may not raise limits.
const LEFT_OUT_KEYS: [&str; 2] = ["ulimits", "oom_score_adj"];
const USER_CONFIG: &str = "/var/lib/rancher/conf/cloud-config.yml";
const LOGS: [&str; 3] = ["system-docker.log", "docker.log", "sysinit.log"];
/// The lines of each log that a failed test prints.
const PRINTED_LINES: usize = 40;

/// A running machine: System Docker answers, and `ros sysinit` is not started yet.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// `unshare`, whose end ends the machine.
    unshare: Child,
    /// The machine's process 1, as the host sees it.
    init: u32,
    cgroup: PathBuf,
    folder: tempfile::TempDir,
    sysinit: Option<Child>,
}

impl Sandbox {
    /// Starts a machine with the user's cloud-config `config`.
    pub(crate) fn start(config: &str) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test needs root; `make test-engine` gets it"
        );
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../build/image-root");
        let tree = built.join("os");
        assert!(
            tree.join("usr/sbin/dockerd").exists(),
            "{} is not built; run `make iso`",
            tree.display()
        );
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        fs::create_dir(&work).unwrap();
        let os_config = folder.path().join("os-config.yml");
        fs::write(&os_config, image_config(&tree)).unwrap();
        let kernel_line = folder.path().join("kernel-line");
        fs::write(&kernel_line, "\n").unwrap();
        let cgroup = make_cgroup();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/enter.sh");
        // System Docker starts its containerd itself here, and `enter.sh` chooses its runtime.
        const CHANGED_FLAGS: [&str; 3] = ["--containerd=", "--add-runtime=", "--default-runtime="];
        let mut dockerd = CommandLine::of_image(Engine::System).argv();
        dockerd.retain(|word| !CHANGED_FLAGS.iter().any(|flag| word.starts_with(flag)));
        let unshare = Command::new("setpriv")
            .args(["--pdeathsig=KILL", "sh", "-c"])
            .arg("echo $$ >\"$CGROUP/cgroup.procs\" && exec \"$@\"")
            .args(["sh", "setpriv"])
            .arg(format!("--bounding-set={BARRED_CAPABILITIES}"))
            .args(["unshare", "--mount", "--propagation=private", "--pid"])
            .args(["--fork", "--kill-child", "--net", "--uts", "--ipc"])
            .args(["--cgroup", "sh"])
            .arg(script)
            .args(dockerd)
            .env("CGROUP", &cgroup)
            .env("WORK", &work)
            .env("OS_TREE", &tree)
            .env("IMAGE_STORE", built.join("system-docker"))
            .env("OS_CONFIG", &os_config)
            .env("KERNEL_LINE", &kernel_line)
            .env("ROS", env!("CARGO_BIN_EXE_ros"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut sandbox = Self {
            unshare,
            init: 0,
            cgroup,
            folder,
            sysinit: None,
        };
        sandbox.wait_for_init();
        sandbox.wait_until("System Docker answers", |sandbox| {
            sandbox.run(&["system-docker", "version"]).status.success()
        });
        sandbox.configure(config);
        sandbox
    }

    fn wait_for_init(&mut self) {
        let began = Instant::now();
        let children = format!("/proc/{0}/task/{0}/children", self.unshare.id());
        loop {
            let child = fs::read_to_string(&children).unwrap_or_default();
            if let Ok(init) = child.trim().parse()
                && fs::read_to_string(format!("/proc/{init}/comm")).is_ok_and(|c| c == "tini\n")
            {
                self.init = init;
                return;
            }
            let ended = self.unshare.try_wait().unwrap();
            assert_eq!(ended, None, "enter.sh ended; its message is above");
            assert!(
                began.elapsed() < TIMEOUT,
                "enter.sh does not get to its end"
            );
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// The path of a file of the machine, as the host sees it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }

    /// Replaces the user's cloud-config.
    pub(crate) fn configure(&self, config: &str) {
        self.write(USER_CONFIG, config);
    }

    /// A command in the machine.
    pub(crate) fn command(&self, argv: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--bounding-set={BARRED_CAPABILITIES}"))
            .args(["nsenter", "--target", &self.init.to_string()])
            .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"])
            .args(["--root", "--wd"])
            .args(argv)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, argv: &[&str]) -> Output {
        self.command(argv).output().unwrap()
    }

    /// Runs a command that must succeed, and returns its standard output.
    pub(crate) fn succeed(&self, argv: &[&str]) -> String {
        let output = self.run(argv);
        assert!(
            output.status.success(),
            "{argv:?}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Starts `ros sysinit`, as PID 1 does.
    pub(crate) fn start_sysinit(&mut self) {
        let script = "echo $$ >/run/sysinit.pid; exec ros sysinit >>/var/log/sysinit.log 2>&1";
        self.sysinit = Some(self.command(&["sh", "-c", script]).spawn().unwrap());
    }

    /// Kills `ros sysinit`, which may happen at any moment.
    pub(crate) fn kill_sysinit(&mut self) {
        if let Some(mut sysinit) = self.sysinit.take() {
            let pid = self.read("/run/sysinit.pid");
            self.succeed(&["kill", "-KILL", pid.trim()]);
            sysinit.wait().unwrap();
        }
    }

    /// Starts `ros sysinit` and waits until the machine is up.
    pub(crate) fn bring_up(&mut self) {
        self.start_sysinit();
        self.wait_until("the machine is up", |sandbox| sandbox.exists("/run/ros/up"));
    }

    /// Ends the boot and begins another: all containers are stopped, and files of one boot are gone. System Docker
    /// keeps running.
    pub(crate) fn reboot(&mut self) {
        self.kill_sysinit();
        let running = self.succeed(&["system-docker", "ps", "--quiet"]);
        let mut stop = vec!["system-docker", "stop", "--time=1"];
        stop.extend(running.lines());
        if stop.len() > 3 {
            self.succeed(&stop);
        }
        for file in ["up", "configured", "problems", "problems.jsonl"] {
            let _ = fs::remove_file(self.path(&format!("/run/ros/{file}")));
        }
        for folder in ["done", "stopped"] {
            let folder = self.path(&format!("/run/ros/{folder}"));
            fs::remove_dir_all(&folder).unwrap();
            fs::create_dir(&folder).unwrap();
        }
    }

    /// Runs `system-docker`, which must succeed.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let argv: Vec<&str> = ["system-docker"].iter().chain(arguments).copied().collect();
        self.succeed(&argv)
    }

    /// Makes an image of a shell and `sleep`. The shipped images cannot be saved, because their layers are links.
    pub(crate) fn make_image(&self, name: &str) {
        let files = "bin lib lib64 usr/lib64 usr/bin/sh usr/bin/dash usr/bin/sleep \
            usr/lib/x86_64-linux-gnu/libc.so.6 usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
        let script = format!("tar -C / -c {files} | system-docker import - {name}");
        self.succeed(&["sh", "-c", &script]);
    }

    /// A field of a container by Docker's template; empty if there is no such container.
    pub(crate) fn inspect(&self, container: &str, template: &str) -> String {
        let argv = [
            "system-docker",
            "container",
            "inspect",
            "--format",
            template,
        ];
        let argv: Vec<&str> = argv.into_iter().chain([container]).collect();
        let output = self.run(&argv);
        text(&output.stdout).trim().to_owned()
    }

    /// The id of a container; empty if there is none.
    pub(crate) fn id(&self, container: &str) -> String {
        self.inspect(container, "{{.Id}}")
    }

    /// Whether a container runs.
    pub(crate) fn is_running(&self, container: &str) -> bool {
        self.inspect(container, "{{.State.Running}}") == "true"
    }

    /// Waits until `is_fulfilled`; `what` says what for.
    pub(crate) fn wait_until(&self, what: &str, is_fulfilled: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_fulfilled(self) {
            assert!(began.elapsed() < TIMEOUT, "waiting until {what}");
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Answers every request for `path` at port 80 of the machine itself with `text`, until the machine ends.
    pub(crate) fn serve(&self, path: &'static str, text: &'static str) {
        let network = fs::File::open(format!("/proc/{}/ns/net", self.init)).unwrap();
        let bound = thread::spawn(move || {
            // A namespace belongs to a thread.
            nix::sched::setns(network, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            TcpListener::bind("127.0.0.1:80").unwrap()
        });
        let listener = bound.join().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = String::new();
                let mut reader = BufReader::new(&stream);
                while reader.read_line(&mut request).is_ok_and(|read| read > 2) {}
                let (status, body) = match request.starts_with(&format!("GET {path} ")) {
                    true => ("200 OK", text),
                    false => ("404 Not Found", ""),
                };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                // The client may have gone away.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
    }

    fn print_logs(&self) {
        for log in LOGS {
            let text = self.read(&format!("/var/log/{log}"));
            let lines: Vec<&str> = text.lines().collect();
            let end = lines.len().saturating_sub(PRINTED_LINES);
            eprintln!("--- the end of {log}:");
            for line in lines.iter().skip(end) {
                eprintln!("{line}");
            }
        }
        let list = self.run(&["system-docker", "ps", "--all"]);
        eprintln!("--- containers:\n{}", text(&list.stdout));
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if thread::panicking() && self.init != 0 {
            self.print_logs();
        }
        // Its child is the machine's process 1, and the kernel ends the processes of a namespace with process 1.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        if let Some(mut sysinit) = self.sysinit.take() {
            let _ = sysinit.wait();
        }
        let began = Instant::now();
        while !remove_cgroups(&self.cgroup) && began.elapsed() < TIMEOUT {
            thread::sleep(POLL_INTERVAL);
        }
        let is_gone = !self.cgroup.exists();
        let is_empty = fs::read_dir(self.folder.path().join("work"))
            .is_ok_and(|mut entries| entries.next().is_none());
        if !thread::panicking() {
            assert!(is_gone, "{} is left", self.cgroup.display());
            assert!(
                is_empty,
                "a mount is left on {}",
                self.folder.path().display()
            );
        }
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The image's own layer of the configuration, with the services that a machine of a test has.
fn image_config(tree: &Path) -> String {
    let text = fs::read_to_string(tree.join("usr/share/ros/os-config.yml")).unwrap();
    let mut config: Value = serde_yaml::from_str(&text).unwrap();
    let services = config["rancher"]["services"].as_mapping_mut().unwrap();
    services.retain(|name, _| KEPT_SERVICES.iter().any(|kept| name.as_str() == Some(kept)));
    assert_eq!(services.len(), KEPT_SERVICES.len(), "{services:?}");
    for (_, service) in services.iter_mut() {
        let keys = service.as_mapping_mut().unwrap();
        keys.retain(|key, _| !LEFT_OUT_KEYS.iter().any(|out| key.as_str() == Some(out)));
    }
    serde_yaml::to_string(&config).unwrap()
}

/// Makes a cgroup for a machine, where the host has cgroup v2.
fn make_cgroup() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mount = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let folder = fields.next()?;
        (fields.next()? == "cgroup2").then_some(folder)
    });
    let mount = mount.expect("this host has no cgroup v2");
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("ros-engine-{}-{number}", std::process::id());
    let cgroup = Path::new(mount).join(name);
    fs::create_dir(&cgroup).unwrap();
    cgroup
}

/// Removes a cgroup with the cgroups below it. Returns whether it is gone; a process that is ending keeps it.
fn remove_cgroups(cgroup: &Path) -> bool {
    if let Ok(entries) = fs::read_dir(cgroup) {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove_cgroups(&entry.path());
            }
        }
    }
    let _ = fs::remove_dir(cgroup);
    !cgroup.exists()
}
