//! Paths of files that programs of the OS write for each other: each with its writers, its readers, and its life. No
//! other source spells them; service.yml, scripts and Dockerfiles that do are named here.

pub use os_config::paths::{
    CACHE, CLOUD_CONFIG, CLOUD_CONFIG_FOLDER, CONF, GUEST_TOOLS, METADATA, USER_DOCKER_RUN,
    below_root,
};

// Mounts of PID 1.

/// The state filesystem. PID 1 mounts it; `ros` grows it.
pub const STATE: &str = "/state";
/// The boot files of an installation that are in no slot image. The build of the OS tree writes them; `ros install` reads.
pub const BOOT_FILES: &str = "/usr/share/ros/boot";
/// The vendor's partition with `oem-config.yml`. PID 1 mounts it; the configuration is read from it.
pub const OEM: &str = "/usr/share/ros/oem";
/// The medium that holds the OS image. PID 1 mounts it in the initrd, and it moves along when the root is switched;
/// `ros status` looks for it.
pub const MEDIUM: &str = "/run/ros/medium";
/// Archives of images for User Docker on the medium. The build of an ISO adds them; `ros sysinit` and `ros preload-images`
/// load them, and `ros install` copies them.
pub const MEDIUM_IMAGES: &str = "/run/ros/medium/paddock/images";
/// The slot image that the machine has started from: a slot of the disk, or the file of an ISO. PID 1 mounts it in the
/// initrd; `ros install` and `ros os` read it.
pub const SLOT: &str = "/run/ros/slot";
/// The whole OS image. PID 1 mounts it in the initrd and binds the OS root and the image store from it.
pub const OS_IMAGE: &str = "/run/ros/os-image";

// On the state filesystem: these survive a reboot. `CONF`, `CLOUD_CONFIG`, `METADATA` and `CACHE` belong to them.

/// Begins the paths of two files, which end with `console` and `engine`: the name that did not answer when it was tried
/// last. A switch and `ros sysinit` write and remove them; `ros sysinit` reads them and does not try that name again.
pub const FAILED_PREFIX: &str = "/var/lib/rancher/failed-";
/// The names of the user's containers that the last shutdown or switch stopped, a name a line in the order of starting. `ros sysinit` and the worker of a
/// switch write it; they remove each name when its container has been started, and the file after the last.
pub const STOPPED_CONTAINERS: &str = "/var/lib/rancher/stopped-containers";
/// `DOCKER_OPTS="…"`, RancherOS's file for further options of User Docker. A user writes it; `ros user-docker` reads.
pub const DOCKER_OPTS: &str = "/var/lib/rancher/conf/docker";
/// The settings with which User Docker answered last, if they are not the image's: its command line and its file, as
/// JSON. `ros user-docker` writes it, and reads it when other settings keep dockerd from starting.
pub const DOCKER_SETTINGS: &str = "/var/lib/rancher/docker-settings.json";
/// Archives of images, in `system-docker` and `docker`, with a mark for each archive that is loaded. PID 1 makes the
/// folder; a user puts archives there; `ros sysinit` and `ros preload-images` load them and write the marks.
pub const PRELOAD: &str = "/var/lib/rancher/preload";

/// Asks the next boot to empty the state filesystem: `everything`, or `settings` for all but the user's data. `ros reset`
/// writes it; PID 1 reads it, and removes it last.
pub const RESET: &str = "/var/lib/rancher/reset";
/// Tells that no shutdown has ended the boot yet. `ros sysinit` writes it, and searches for hollow images if the last boot
/// has left it; `ros stop-containers` removes it. `ros sysinit` also opens it to see whether the state filesystem works.
pub const RUNNING: &str = "/var/lib/rancher/running";
/// The time, in seconds since 1970. `ros sysinit` writes it each hour and `ros stop-containers` at a shutdown; PID 1 reads
/// it at boot, and the clock is never earlier.
pub const CLOCK: &str = "/var/lib/rancher/clock";

// Logs. Who keeps the programs keeps their logs below a limit of size (`process::keep_limited`).

/// The output of System Docker's daemons. PID 1 opens it for them; `ros sysinit` limits it; `ros report` reads it.
pub const SYSTEM_DOCKER_LOG: &str = "/var/log/system-docker.log";
/// The output of `ros sysinit`. PID 1 opens it; `ros sysinit` limits it.
pub const SYSINIT_LOG: &str = "/var/log/sysinit.log";
/// The output of `ros stop-containers` at a shutdown. PID 1 opens it; `ros sysinit` limits it.
pub const SHUTDOWN_LOG: &str = "/var/log/shutdown.log";

/// The logs of the programs that PID 1 starts. `ros sysinit` limits them, and PID 1 while that does not run.
pub const SYSTEM_LOGS: [&str; 3] = [SYSTEM_DOCKER_LOG, SYSINIT_LOG, SHUTDOWN_LOG];
/// The folder with the logs of a boot until it was up: `kernel.log`, `problems.jsonl` and `boot-time.jsonl`, and the same
/// with `.1` of the boot before. `ros sysinit` writes them.
pub const BOOT_LOGS: &str = "/var/log/boot";
/// The kernel's log of the boot before, in [`BOOT_LOGS`]. `ros sysinit` writes it; `ros report` reads it.
pub const LAST_KERNEL_LOG: &str = "/var/log/boot/kernel.log.1";

/// How often in a row the rescue console has rebooted a machine at which nobody was. PID 1 writes it; `ros sysinit`
/// removes it when the machine is up.
pub const RESCUE_REBOOTS: &str = "/state/paddock/rescue-reboots";

/// Room that is free when the state disk is full otherwise. PID 1 at boot and `ros sysinit` later make and remove it.
pub const STATE_RESERVE: &str = "/state/paddock/reserve";
/// Tells that an earlier boot has come up. `ros sysinit` writes it; the search for data sources reads it, and PID 1 before
/// it mounts the vendor's disk: neither takes a removable medium after that.
pub const FIRST_BOOT_DONE: &str = "/var/lib/rancher/first-boot-done";

// Files of a boot, in memory.

/// The folder of the files that last one boot. PID 1 makes it, and the console has it in `/run`. Other services have
/// folders in it: what faces the network must not write the files of PID 1.
pub const RUN: &str = "/run/ros";
/// A file for each service that has run to its end. PID 1 makes the folder; `ros sysinit` writes and reads the files;
/// commands that start or recreate a container remove its file.
pub const DONE_SERVICES: &str = "/run/ros/done";
/// A file for each service that an operator has stopped. PID 1 makes the folder; `ros sysinit` writes and reads the
/// files; commands that start or recreate a container remove its file.
pub const STOPPED_SERVICES: &str = "/run/ros/stopped";
/// The lock of the slot table. `ros sysinit`, when it gives a count back, and `ros os rollback` take it.
pub const SLOT_TABLE_LOCK: &str = "/run/ros/slot-table.lock";
/// A lock for each container of a service, of a switch and for each extra engine, with the number of its changes. `ros`
/// writes and reads the files.
pub const CONTAINER_LOCKS: &str = "/run/ros/locks";
/// `rancher.shutdown_timeout` of the configuration in force, in seconds. PID 1 writes it at boot and `ros sysinit` once
/// the configuration is complete; PID 1 reads it when the machine goes down.
pub const SHUTDOWN_TIMEOUT: &str = "/run/ros/shutdown-timeout";
/// The sign of life of `ros sysinit`, which changes it every ten seconds. PID 1 looks when it was changed, and replaces a
/// `ros sysinit` that hangs.
pub const SYSINIT_BEAT: &str = "/run/ros/sysinit-beat";
/// The boot's timeline, a JSON object a line. PID 1 and `ros sysinit` append; `ros boot-time` and `ros status` read.
pub const TIMELINE: &str = "/run/ros/boot-time.jsonl";
/// The deaths of User Docker's daemons in this boot, as JSON. `ros user-docker` writes it; a switch of engines and the
/// check of the engine at boot read it. An extra engine has a folder of its own in this place.
pub const DAEMON_DEATHS: &str = "/run/user-docker/daemon-deaths.json";
/// Tells that dockerd has been started in this boot, or will be at once. `ros user-docker` writes it; `ros sysinit` and
/// a switch of engines connect to User Docker after it. An extra engine has a folder of its own in this place.
pub const DOCKERD_STARTED: &str = "/run/user-docker/started";
/// The name of the mark, in the folder of each engine's socket, that the user's mounts, files and boot commands are
/// done. `ros runcmd` writes it, in the console; `ros user-docker` starts dockerd after it.
pub const COMMANDS_DONE: &str = "commands-done";
/// The problems that `ros user-docker` has found, a line each. It appends to the file; `ros sysinit` reports them.
pub const USER_DOCKER_NOTICES: &str = "/run/user-docker/notices";
/// The problems of this boot, a JSON object a line. PID 1 and `ros` append; the ssh banner, `ros status`, `ros report`
/// and `ros config validate` read; `ros sysinit` shows the problems of processes without a console; a switch of console
/// or engine appends that its own problems are solved.
pub const PROBLEMS: &str = "/run/ros/problems.jsonl";
/// Folders of the network and the cloud-init service. PID 1 makes them; each service mounts its folder, as its
/// `service.yml` says, and reports problems in a file there.
pub const SERVICE_RUNS: [&str; 2] = ["/run/ros/network", "/run/ros/cloud-init"];
/// The file of problems in a folder of [`SERVICE_RUNS`]. The service appends; the readers of [`PROBLEMS`] read it too.
pub const SERVICE_PROBLEMS: &str = "problems.jsonl";
/// Tells that the configuration is complete, with the data sources' answers, and applied. `ros sysinit` writes and reads
/// it, so that a restarted `ros sysinit` does not apply it again.
pub const CONFIGURED: &str = "/run/ros/configured";
/// Tells that this boot has come up. `ros sysinit` writes and reads it: work of a boot is not repeated after it.
pub const UP: &str = "/run/ros/up";
/// The name of the data source of this boot. `ros sysinit` (disks) and the cloud-init service (network) write it; both
/// read it and search no more.
pub const DATASOURCE_FOUND: &str = "/run/ros/cloud-init/datasource-found";
/// User-data that includes documents from the network. `ros sysinit` writes it from a disk; the cloud-init service
/// fetches the documents and removes the folder.
pub const PENDING_USER_DATA: &str = "/run/ros/cloud-init/pending";
/// Files of `write_files` for containers other than the console. `ros sysinit` writes them; each is mounted into its
/// container.
pub const STAGED_FILES: &str = "/run/ros/files";
/// The time servers of the configuration. `ros sysinit` writes it; chrony reads it, by `chrony.conf` and `service.yml`
/// of the ntp image, which name the folder.
pub const TIME_SERVERS: &str = "/run/ros/ntp/servers.conf";
/// The settings of dhcpcd. `ros netconf` writes it in the network service's own `/run`, where dhcpcd reads it.
pub const DHCPCD_CONFIG: &str = "/run/dhcpcd.conf";
/// The passwords of a rescue console, mounted over `/etc/shadow` while it is open. PID 1 writes it; sulogin reads it.
pub const RESCUE_SHADOW: &str = "/run/ros/rescue-shadow";
/// The text that sshd shows before the login. `ros console-init` writes it at each start of the console; sshd reads it.
pub const SSH_BANNER: &str = "/run/ros/ssh-banner";
/// The message that every login shows. `ros console-init` writes it at each start of the console; pam_motd reads it, as
/// Debian's `/etc/pam.d/login` and `sshd` name it.
pub const MOTD: &str = "/run/motd.dynamic";
/// Tells that `runcmd`, the scripts of user-data and start.sh of this boot have run. `ros runcmd` writes it, in the console; `ros sysinit` starts
/// the user's services after it.
pub const CONSOLE_DONE: &str = "/run/console-done";
/// The folder of udev's control socket and database. PID 1 makes it; the udev image's script and udevd write; the udev
/// and network services mount it, as their `service.yml` say.
pub const UDEV_RUN: &str = "/run/udev";
/// Tells that udev has seen every device of the boot. The udev image's script `udev` writes it; `ros runcmd` waits for
/// it.
pub const DEVICES_SEEN: &str = "/run/udev/coldplugged";

// Files of a moment.

/// The mount of a data source's disk while `ros sysinit` reads it.
pub const DATASOURCE_MOUNT: &str = "/run/ros/datasource";
/// Begins the path of the folder that `ros report` fills and removes; it ends with the number of the process. The next
/// report removes folders of processes that are gone.
pub const REPORT_PREFIX: &str = "/run/ros/report-";

// Cgroups.

/// PID 1 and the processes that it starts, without those of containers. PID 1 makes it; `ros sysinit` protects its memory.
pub const SYSTEM_CGROUP: &str = "/sys/fs/cgroup/system";
/// System Docker's containers but those of User Dockers, by dockerd's default. `ros sysinit` makes it and protects its
/// memory; PID 1 kills what is in it before it lays System Docker's data anew.
pub const SYSTEM_CONTAINERS_CGROUP: &str = "/sys/fs/cgroup/docker";
/// The containers of User Docker and of extra engines, with the user's containers in them: `service.yml` of the docker
/// image names it. `ros sysinit` makes and limits it; PID 1 kills what is in it, as above.
pub const USER_DOCKER_CGROUP: &str = "/sys/fs/cgroup/user-docker";

// Sockets, and the folders of daemons, in memory.

/// The folder of PID 1's socket. PID 1 makes it; the acpid service mounts it, and can change nothing in it.
pub const CONTROL_RUN: &str = "/run/ros/control";
/// The socket for requests to PID 1. PID 1 listens; `ros` connects, also from the acpid service.
pub const CONTROL_SOCKET: &str = "/run/ros/control/init.sock";
/// The folder of the sockets and states of System Docker's daemons. PID 1 makes it; dockerd has its `exec_root` there,
/// by the built-in defaults.
pub const SYSTEM_DOCKER_RUN: &str = "/run/system-docker";
/// The settings of System Docker from a file of the user, as far as it can take them. PID 1 writes it; dockerd reads it.
pub const SYSTEM_DOCKER_CONFIG: &str = "/run/system-docker/daemon.json";
/// The settings of System Docker's containerd. PID 1 writes it; containerd reads it.
pub const SYSTEM_CONTAINERD_CONFIG: &str = "/run/system-docker/containerd.toml";
/// The state of System Docker's containerd, which alone uses it.
pub const SYSTEM_CONTAINERD_STATE: &str = "/run/system-docker/containerd";
/// The socket of System Docker's containerd, which dockerd connects to.
pub const SYSTEM_CONTAINERD_SOCKET: &str = "/run/system-docker/containerd.sock";
/// The socket of System Docker, by the built-in defaults. `ros` connects, and so does the command `system-docker` of the
/// OS tree.
pub const SYSTEM_DOCKER_SOCKET: &str = "/run/system-docker.sock";
/// The socket of User Docker that is outside its container too. User Docker listens; `ros` connects.
pub const USER_DOCKER_SOCKET: &str = "/run/user-docker/docker.sock";
/// The usual socket of a Docker engine: on the machine a link to [`USER_DOCKER_SOCKET`] that PID 1 makes, in User
/// Docker's container a socket of its own. The build of the image store uses the name on the build host.
pub const DOCKER_SOCKET: &str = "/run/docker.sock";
/// The file with the number of User Docker's process, by the built-in defaults. dockerd writes it; `ros user-docker`
/// removes the file of a killed dockerd. It is in the container's own `/run`, as the files of its containerd.
pub const USER_DOCKER_PID: &str = "/var/run/docker.pid";
/// The settings of User Docker from `/etc/docker/daemon.json`, as far as it can take them. `ros user-docker` writes it if
/// that file cannot be taken as it is; dockerd reads it.
pub const USER_DOCKER_CONFIG: &str = "/run/docker-daemon.json";
/// The folder of User Docker's containerd. `ros user-docker` makes it.
pub const USER_CONTAINERD_RUN: &str = "/run/containerd";
/// The settings of User Docker's containerd. `ros user-docker` writes it; containerd reads it.
pub const USER_CONTAINERD_CONFIG: &str = "/run/containerd/config.toml";
/// The state of User Docker's containerd, which alone uses it.
pub const USER_CONTAINERD_STATE: &str = "/run/containerd/daemon";
/// The socket of User Docker's containerd. dockerd connects to it.
pub const USER_CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";
/// The folder of syslog's socket. PID 1 makes it; the syslog service mounts it, as its `service.yml` says.
pub const LOG_RUN: &str = "/run/log";
/// The socket that `/dev/log` links to. The syslog image's `rsyslog.conf` listens on it.
pub const LOG_SOCKET: &str = "/run/log/dev-log";
