//! dockerd's command line and its file, from the configuration, the file that the user wrote, and what the machine
//! relies on.
//!
//! dockerd ends when a flag and its file set the same, and when settings exclude each other. So a default of the image
//! gives way to the file, a setting that the machine needs is the machine's, and a setting that would keep dockerd from
//! starting is left out with a reason.

use std::fs;
use std::path::{Path, PathBuf};

use os_config::keys::docker_daemon::{self, DaemonOptions};
use os_config::keys::docker_opts::DockerOpts;
use serde_json::{Map, Value};

use crate::dockerd::conflicts::{self, EngineFacts, Values};
use crate::dockerd::setting::{Flag, Origin, flag_of, read_words, texts};
use crate::paths::{
    DOCKER_OPTS, SYSTEM_CONTAINERD_SOCKET, SYSTEM_DOCKER_CONFIG, SYSTEM_DOCKER_SOCKET,
    USER_CONTAINERD_SOCKET, USER_DOCKER_CONFIG,
};

const DOCKERD: &str = "/usr/sbin/dockerd";
const GROUPS: &str = "etc/group";
/// The file that dockerd reads without a flag.
const USUAL_FILE: &str = "/etc/docker/daemon.json";
/// RancherOS's file for System Docker, which must not read User Docker's.
const SYSTEM_FILE: &str = "/etc/docker/system-docker.json";
/// Flags that dockerd takes several times; each adds a value.
const HOST: &str = "host";
const ADD_RUNTIME: &str = "add-runtime";

/// What System Docker needs: its data, which the image store was laid into, its files in memory, and no network of its
/// own, because rules of a second engine would be in the way of User Docker's.
const OF_SYSTEM_DOCKER: [(&str, &str); 10] = [
    ("bridge", "none"),
    ("data-root", "/var/lib/system-docker"),
    ("exec-root", "/run/system-docker/exec"),
    ("pidfile", "/run/system-docker.pid"),
    ("storage-driver", "overlay2"),
    ("iptables", "false"),
    ("ip6tables", "false"),
    ("ip-forward", "false"),
    ("containerd", SYSTEM_CONTAINERD_SOCKET),
    // crun starts a container in half of runc's time (0.57 s against 1.05 s under emulation).
    ("default-runtime", "crun"),
];
/// Settings of a network that System Docker has not, and of a store that its images are not in.
const NOT_OF_SYSTEM_DOCKER: [&str; 12] = [
    "bip",
    "bip6",
    "default-gateway",
    "default-gateway-v6",
    "fixed-cidr",
    "fixed-cidr-v6",
    "icc",
    "ip",
    "ip-masq",
    "ipv6",
    "userns-remap",
    "storage-opt",
];

/// An engine of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    System,
    /// User Docker, or an extra engine.
    User,
}

impl Engine {
    /// Its key below `rancher`.
    fn key(self) -> &'static str {
        match self {
            Self::System => "system_docker",
            Self::User => "docker",
        }
    }

    fn usual_file(self) -> &'static str {
        match self {
            Self::System => SYSTEM_FILE,
            Self::User => USUAL_FILE,
        }
    }

    /// The flags that the machine sets, whatever the user says.
    fn machine_flags(self) -> Vec<Flag> {
        let flag = |(name, value): (&str, &str)| Flag {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            origin: None,
        };
        match self {
            Self::System => {
                let socket = format!("unix://{SYSTEM_DOCKER_SOCKET}");
                let added = [(HOST, socket.as_str()), (ADD_RUNTIME, "crun=/usr/bin/crun")];
                OF_SYSTEM_DOCKER
                    .into_iter()
                    .chain(added)
                    .map(flag)
                    .collect()
            }
            // The sockets of the machine are open before dockerd runs, and dockerd inherits them.
            Self::User => [("containerd", USER_CONTAINERD_SOCKET), (HOST, "fd://")]
                .map(flag)
                .into(),
        }
    }
}

/// A setting that dockerd does not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub origin: Origin,
    pub why: String,
}

/// dockerd's command line and the content of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    engine: Engine,
    /// `KEY=value` for dockerd.
    environment: Vec<String>,
    flags: Vec<Flag>,
    machine: Vec<Flag>,
    file: Map<String, Value>,
    file_path: String,
    /// Whether `file` is not what stands in the file.
    is_file_changed: bool,
    left_out: Vec<LeftOut>,
}

/// Files of the machine that a command line depends on.
#[derive(Clone, Debug, Default)]
struct Files {
    root: PathBuf,
    /// [`DOCKER_OPTS`].
    more: String,
    /// The text of daemon.json; `None` if there is none, an error if it cannot be read.
    settings: Option<Result<String, String>>,
    /// `/etc/group`.
    groups: String,
}

impl CommandLine {
    /// The command line of an engine on the machine whose root is `root`.
    pub fn read(engine: Engine, config: &os_config::Config, root: &Path) -> Self {
        let options = options(engine, config);
        let below = |path: &str| root.join(path.trim_start_matches('/'));
        let settings = match fs::read_to_string(below(file_path(engine, options))) {
            Ok(text) => Some(Ok(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(error.to_string())),
        };
        let files = Files {
            root: root.to_owned(),
            more: match engine {
                Engine::System => String::new(),
                Engine::User => fs::read_to_string(below(DOCKER_OPTS)).unwrap_or_default(),
            },
            settings,
            groups: fs::read_to_string(root.join(GROUPS)).unwrap_or_default(),
        };
        Self::new(engine, config, &files)
    }

    /// The command line of a document that no machine runs yet, and that may become a part of the machine whose root is
    /// `root`. Of the files that a command line depends on, the document writes those that are known.
    pub fn of_document(engine: Engine, config: &os_config::Config, root: &Path) -> Self {
        let path = file_path(engine, options(engine, config));
        let mut written = config.write_files.iter().filter(|file| file.path == path);
        let content = written.next().and_then(|file| file.decode().ok());
        let text = String::from_utf8(content.unwrap_or_default()).unwrap_or_default();
        let files = Files {
            root: root.to_owned(),
            settings: Some(Ok(text)),
            ..Files::default()
        };
        Self::new(engine, config, &files)
    }

    /// The command line of the image's own settings.
    pub fn of_image(engine: Engine) -> Self {
        Self::new(engine, &os_config::Config::of_image(), &Files::default())
    }

    fn new(engine: Engine, config: &os_config::Config, files: &Files) -> Self {
        let options = options(engine, config);
        let mut line = Self {
            engine,
            environment: docker_daemon::environment(options, &config.rancher.network),
            flags: flags_of(engine, options),
            machine: engine.machine_flags(),
            file: Map::new(),
            file_path: file_path(engine, options).to_owned(),
            is_file_changed: false,
            left_out: Vec::new(),
        };
        let more = DockerOpts::read(&files.more);
        line.flags.extend(read_words(&more.words, |_| {
            Some(Origin::whole(DOCKER_OPTS))
        }));
        line.environment.extend(more.environment);
        line.flags.retain(|flag| flag.name != "config-file");
        line.read_file(files);
        line.remove_flags_of_machine();
        line.give_way_to_file();
        let names = files
            .groups
            .lines()
            .filter_map(|line| line.split(':').next());
        let machine = EngineFacts {
            is_user_docker: engine == Engine::User,
            groups: names.map(str::to_owned).collect(),
            has_plugins: line.has_plugins(&files.root),
        };
        for conflict in conflicts::find(&line.values(), &machine) {
            line.leave_out(conflict.flag, conflict.value.as_deref(), &conflict.why);
        }
        line.remove_foreign_log_options();
        line.allow_plain_tcp();
        line
    }

    /// Whether the engine has plugins in its data, below `root`.
    fn has_plugins(&self, root: &Path) -> bool {
        // dockerd makes these folders for itself.
        const DOCKERD_FOLDERS: [&str; 2] = ["storage", "tmp"];
        let data_root = self.value("data-root").unwrap_or_default();
        let folder = root.join(data_root.trim_start_matches('/')).join("plugins");
        match fs::read_dir(folder) {
            Ok(entries) => {
                let mut names = entries.flatten().map(|entry| entry.file_name());
                names.any(|name| DOCKERD_FOLDERS.iter().all(|own| name != *own))
            }
            // A user without rights does not know.
            Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
        }
    }

    fn read_file(&mut self, files: &Files) {
        let text = match &files.settings {
            None => {
                if self.file_path != self.engine.usual_file() {
                    let file = Origin::whole(&self.file_path);
                    self.note_left_out(file, "there is no such file");
                }
                return;
            }
            Some(text) => text,
        };
        let parsed = text.clone().and_then(|text| {
            // dockerd takes an empty file for no settings.
            if text.trim().is_empty() {
                return Ok(Map::new());
            }
            serde_json::from_str(&text).map_err(|error| error.to_string())
        });
        match parsed {
            Ok(file) => self.file = file,
            Err(why) => {
                self.is_file_changed = true;
                self.note_left_out(Origin::whole(&self.file_path), &why);
            }
        }
    }

    /// Removes what the machine sets itself. Sockets of the user's are added to the machine's.
    fn remove_flags_of_machine(&mut self) {
        let keys: Vec<String> = self.file.keys().cloned().collect();
        for key in keys {
            let flag = flag_of(&key).to_owned();
            let is_of_machine = self.machine.iter().any(|own| own.name == flag);
            let is_foreign =
                self.engine == Engine::System && NOT_OF_SYSTEM_DOCKER.contains(&flag.as_str());
            if flag == ADD_RUNTIME || !(is_of_machine || is_foreign) {
                continue;
            }
            let origin = Origin::part(&self.file_path, &key);
            let values = self.file.remove(&key).map(|value| texts(&value));
            self.is_file_changed = true;
            self.flags
                .extend(values.into_iter().flatten().map(|value| Flag {
                    name: flag.clone(),
                    value: Some(value),
                    origin: Some(origin.clone()),
                }));
        }
        let mut removed = Vec::new();
        let (machine, engine) = (&self.machine, self.engine);
        self.flags.retain(|flag| {
            let is_same = |own: &Flag| normalized(own.text()) == normalized(flag.text());
            let mut own = machine.iter().filter(|own| own.name == flag.name);
            let is_foreign =
                engine == Engine::System && NOT_OF_SYSTEM_DOCKER.contains(&flag.name.as_str());
            let stays = match flag.name.as_str() {
                HOST => !is_socket_of_machine(engine, flag.text()),
                ADD_RUNTIME => !own.any(is_same),
                _ => !is_foreign && own.next().is_none(),
            };
            let is_said = !machine
                .iter()
                .any(|own| own.name == flag.name && is_same(own));
            if !stays && flag.name != HOST && is_said {
                removed.extend(flag.origin.clone().map(|origin| (origin, is_foreign)));
            }
            stays
        });
        for (origin, is_foreign) in removed {
            let why = match (self.engine, is_foreign) {
                (Engine::System, true) => {
                    "System Docker has no network and no store of its own; `rancher.docker` is User Docker"
                }
                (Engine::System, false) => {
                    "System Docker needs the machine's own value; `rancher.docker` is User Docker"
                }
                (Engine::User, _) => "the machine sets it",
            };
            self.note_left_out(origin, why);
        }
    }

    /// Removes the flags of settings that the file has too.
    fn give_way_to_file(&mut self) {
        let keys: Vec<&str> = self.file.keys().map(|key| flag_of(key)).collect();
        let (kept, removed): (Vec<Flag>, Vec<Flag>) = std::mem::take(&mut self.flags)
            .into_iter()
            .partition(|flag| !keys.contains(&flag.name.as_str()));
        self.flags = kept;
        let why = format!("{} sets it too, and the file counts", self.file_path);
        for origin in removed.into_iter().filter_map(|flag| flag.origin) {
            self.note_left_out(origin, &why);
        }
    }

    /// The image's options of its log driver mean nothing to another log driver.
    fn remove_foreign_log_options(&mut self) {
        let values = self.values();
        let driver = values.get("log-driver").and_then(|all| all.last());
        if driver.is_some_and(|driver| driver != "json-file" && driver != "local") {
            self.flags
                .retain(|flag| flag.name != "log-opt" || flag.origin.is_some());
        }
    }

    /// A user who names a TCP socket without TLS means it. dockerd waits 15 s before it opens such a socket, unless TLS
    /// is switched off by a flag.
    fn allow_plain_tcp(&mut self) {
        const TLS: [&str; 5] = ["tls", "tlsverify", "tlscacert", "tlscert", "tlskey"];
        let values = self.values();
        let is_tcp = |host: &String| host.starts_with("tcp:") || !host.contains("://");
        let has_tcp = values
            .get(HOST)
            .is_some_and(|hosts| hosts.iter().any(is_tcp));
        if has_tcp && !TLS.iter().any(|name| values.contains_key(*name)) {
            self.machine.push(Flag {
                name: "tls".to_owned(),
                value: Some("false".to_owned()),
                origin: None,
            });
        }
    }

    /// The values of all settings by the names of the flags.
    fn values(&self) -> Values {
        let mut values = Values::new();
        for flag in self.flags.iter().chain(&self.machine) {
            let all = values.entry(flag.name.clone()).or_default();
            all.push(flag.text().to_owned());
        }
        for (key, value) in &self.file {
            let all = values.entry(flag_of(key).to_owned()).or_default();
            all.extend(texts(value));
        }
        values
    }

    /// Leaves a setting out, or one value of it.
    pub fn leave_out(&mut self, name: &str, value: Option<&str>, why: &str) {
        let is_meant = |text: &str| value.is_none_or(|value| value == text);
        let mut origins: Vec<Origin> = Vec::new();
        self.flags.retain(|flag| {
            let goes = flag.name == name && is_meant(flag.text());
            if goes {
                origins.extend(flag.origin.clone());
            }
            !goes
        });
        let keys: Vec<String> = self
            .file
            .iter()
            .filter(|(key, found)| {
                flag_of(key) == name && texts(found).iter().any(|text| is_meant(text))
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            origins.push(Origin::part(&self.file_path, &key));
            self.is_file_changed = true;
            match (self.file.get_mut(&key), value) {
                (Some(Value::Array(items)), Some(value)) => {
                    items.retain(|item| item.as_str() != Some(value));
                }
                (Some(Value::Object(entries)), Some(value)) => {
                    let name = value.split('=').next().unwrap_or(value);
                    entries.remove(name);
                }
                _ => drop(self.file.remove(&key)),
            }
        }
        for origin in origins {
            self.note_left_out(origin, why);
        }
        let is_set = self.values().contains_key(name);
        if value.is_none() && !is_set {
            let own = image_flags(self.engine).into_iter();
            self.flags.extend(own.filter(|flag| flag.name == name));
        }
    }

    fn note_left_out(&mut self, origin: Origin, why: &str) {
        let why = why.to_owned();
        self.left_out.push(LeftOut { origin, why });
    }

    /// The settings that dockerd does not get.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The names of the settings that a user gave.
    fn said(&self) -> Vec<String> {
        let flags = self.flags.iter().filter(|flag| flag.origin.is_some());
        let mut names: Vec<String> = flags
            .map(|flag| flag.name.clone())
            .chain(self.file.keys().map(|key| flag_of(key).to_owned()))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether a user gave any setting.
    pub fn is_changed(&self) -> bool {
        !self.said().is_empty()
    }

    /// This command line with the settings of the user that have these names, and no others.
    fn with_only(&self, names: &[String]) -> Self {
        let mut line = self.clone();
        let is_named = |name: &str| names.iter().any(|known| known == name);
        line.flags
            .retain(|flag| flag.origin.is_none() || is_named(&flag.name));
        line.file.retain(|key, _| is_named(flag_of(key)));
        line.is_file_changed = true;
        line
    }

    /// Leaves out each setting of the user that `check` refuses, with the reason that it gives. A check that refuses
    /// the image's own settings too says nothing about the user's.
    #[must_use]
    pub fn without_refused(mut self, check: impl Fn(&Self) -> Result<(), String>) -> Self {
        let names = self.said();
        if names.is_empty() || check(&self).is_ok() || check(&self.with_only(&[])).is_err() {
            return self;
        }
        let mut kept = Vec::new();
        for name in names {
            kept.push(name.clone());
            if let Err(why) = check(&self.with_only(&kept)) {
                kept.pop();
                self.leave_out(&name, None, &why);
            }
        }
        self
    }

    /// The last value of a setting.
    pub fn value(&self, name: &str) -> Option<String> {
        self.values().remove(name)?.pop()
    }

    /// The file with the settings that dockerd gets, where the file of the user is not what dockerd can take: its path
    /// and its text.
    pub fn file(&self) -> Option<(&'static str, String)> {
        let path = self.own_file_path()?;
        Some((path, Value::Object(self.file.clone()).to_string()))
    }

    fn own_file_path(&self) -> Option<&'static str> {
        match self.engine {
            Engine::System => Some(SYSTEM_DOCKER_CONFIG),
            Engine::User => self.is_file_changed.then_some(USER_DOCKER_CONFIG),
        }
    }

    /// The flags of dockerd.
    pub fn arguments(&self) -> Vec<String> {
        let flags = self.flags.iter().chain(&self.machine);
        let mut words: Vec<String> = flags.map(Flag::word).collect();
        let path = match self.own_file_path() {
            Some(path) => path,
            None if self.file_path != USUAL_FILE && !self.file.is_empty() => &self.file_path,
            None => return words,
        };
        words.push(format!("--config-file={path}"));
        words
    }

    /// The program with its environment and its flags.
    pub fn argv(&self) -> Vec<String> {
        let mut argv = Vec::new();
        if !self.environment.is_empty() {
            argv.push("/usr/bin/env".to_owned());
            argv.extend(self.environment.iter().cloned());
        }
        argv.push(DOCKERD.to_owned());
        argv.extend(self.arguments());
        argv
    }
}

fn options(engine: Engine, config: &os_config::Config) -> &DaemonOptions {
    match engine {
        Engine::System => &config.rancher.system_docker,
        Engine::User => &config.rancher.docker,
    }
}

fn file_path(engine: Engine, options: &DaemonOptions) -> &str {
    let said = options.options.get("config_file");
    said.map_or(engine.usual_file(), String::as_str)
}

/// The flags of the image's own configuration, without those that only the machine sets.
fn image_flags(engine: Engine) -> Vec<Flag> {
    let image = os_config::Config::of_image();
    let words = docker_daemon::dockerd_args(options(engine, &image));
    let own = engine.machine_flags();
    let mut flags = read_words(&words, |_| None);
    flags.retain(|flag| own.iter().all(|own| own.name != flag.name));
    flags
}

/// The flags of the configuration, each with its key unless it is a default of the image.
fn flags_of(engine: Engine, options: &DaemonOptions) -> Vec<Flag> {
    let defaults = image_flags(engine);
    let section = format!("rancher.{}", engine.key());
    let keys = DaemonOptions {
        extra_args: Vec::new(),
        tls: false,
        ..options.clone()
    };
    let count = docker_daemon::dockerd_args(&keys).len();
    let words = docker_daemon::dockerd_args(options);
    let (of_keys, of_lists) = words.split_at(count.min(words.len()));
    let is_default = |flag: &Flag| {
        let mut known = defaults.iter();
        known.any(|known| known.name == flag.name && known.value == flag.value)
    };
    let mut flags = read_words(of_keys, |flag| {
        let key = docker_daemon::key_of(&flag.name);
        (!is_default(flag)).then(|| Origin::whole(format!("{section}.{key}")))
    });
    flags.extend(read_words(of_lists, |flag| {
        (!is_default(flag)).then(|| Origin::part(&format!("{section}.extra_args"), flag.word()))
    }));
    flags
}

/// `/var/run` is a link to `/run`.
fn normalized(text: &str) -> String {
    text.replacen("/var/run/", "/run/", 1)
}

fn is_socket_of_machine(engine: Engine, host: &str) -> bool {
    use crate::paths::{DOCKER_SOCKET, USER_DOCKER_SOCKET};
    let host = normalized(host);
    let path = host.strip_prefix("unix://").unwrap_or(&host);
    match engine {
        Engine::System => path == SYSTEM_DOCKER_SOCKET,
        Engine::User => {
            path.starts_with("fd:") || path == DOCKER_SOCKET || path == USER_DOCKER_SOCKET
        }
    }
}

#[cfg(test)]
mod tests;
