//! The keys whose values anybody may read. Messages, logs, exports and reports show no other value: a key that nobody
//! has judged, and every text that is the user's own, may hold a secret.

use crate::shell_pattern;

/// A section with its public keys. `*` stands for a name that the user chooses, and for a part of a name. Items of
/// lists have no part of their own: `users.name` is the name of each user.
const PUBLIC_KEYS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "disable_root",
            "fqdn",
            "groups",
            "groups/*",
            "hostname",
            "mounts",
            "resize_rootfs",
            "ssh_authorized_keys",
            "ssh_pwauth",
            "timezone",
            "users",
        ],
    ),
    ("ca_certs", &["remove-defaults", "remove_defaults"]),
    ("ca-certs", &["remove-defaults", "remove_defaults"]),
    ("chpasswd", &["expire"]),
    ("growpart", &["devices", "ignore_growroot_disabled", "mode"]),
    ("ntp", &["enabled", "ntp_client", "pools", "servers"]),
    ("rsyslog", &["config_filename", "remotes/*"]),
    ("rsyslog/configs", &["filename"]),
    ("swap", &["filename", "maxsize", "size"]),
    // Without their passwords, these are users that cannot log in by password.
    (
        "users",
        &[
            "groups",
            "homedir",
            "lock-passwd",
            "lock_passwd",
            "name",
            "no-create-home",
            "no_create_home",
            "primary-group",
            "primary_group",
            "shell",
            "ssh-authorized-keys",
            "ssh_authorized_keys",
            "sudo",
            "system",
            "uid",
        ],
    ),
    ("write_files", &["append", "encoding", "permissions"]),
    (
        "rancher",
        &[
            "console",
            "debug",
            "disable",
            "engines",
            "force_console_rebuild",
            "http_load_retries",
            "hypervisor_service",
            "log",
            "modules",
            "preload_images",
            "preload_wait",
            "recovery",
            "resize_device",
            "restart_services",
            "services_include/*",
            "shutdown_timeout",
            "sysctl/**",
        ],
    ),
    (
        "rancher/cloud_init",
        &[
            "datasources",
            "filesystems",
            "insecure",
            "lock",
            "removable",
        ],
    ),
    ("rancher/defaults", &["hostname"]),
    ("rancher/defaults/docker", &["engine"]),
    (
        "rancher/*docker",
        &[
            "bip",
            "bridge",
            "cgroup_parent",
            "config_file",
            "containerd",
            "data_root",
            "debug",
            "engine",
            "exec",
            "exec_root",
            "graph",
            "group",
            "host",
            "insecure_registry",
            "live_restore",
            "log_driver",
            "log_opts/max-*",
            "pid_file",
            "registry_mirror",
            "selinux_enabled",
            "storage_context",
            "storage_driver",
            "tls",
            "userland_proxy",
            "userns_enabled",
            "userns_remap",
        ],
    ),
    ("rancher/engines/*", &["fixed_ip", "image", "network"]),
    (
        "rancher/network",
        &[
            "dhcp_timeout",
            "dns",
            "forward",
            "http_proxy",
            "https_proxy",
            "no_proxy",
        ],
    ),
    ("rancher/network/dns", &["nameservers", "search"]),
    (
        "rancher/network/interfaces/*",
        &[
            "address",
            "addresses",
            "bond",
            "bond_opts/*",
            "bridge",
            "dhcp",
            "gateway",
            "gateway_ipv6",
            "ipv4ll",
            "match",
            "mtu",
            "vlans",
        ],
    ),
    ("rancher/network/wifi_networks/*", &["ssid"]),
    ("rancher/repositories/*", &["insecure"]),
    (
        "rancher/services/*",
        &[
            "cap_add",
            "cap_drop",
            "cgroup",
            "cgroup_parent",
            "container_name",
            "cpu_quota",
            "cpu_shares",
            "cpuset",
            "depends_on",
            "depends_on/*/condition",
            "deploy/replicas",
            "device_cgroup_rules",
            "devices",
            "dns",
            "dns_opt",
            "dns_search",
            "domainname",
            "env_file",
            "expose",
            "external_links",
            "extra_hosts",
            "extra_hosts/*",
            "group_add",
            "hostname",
            "image",
            "init",
            "ipc",
            "labels/io.rancher.os.*",
            "labels/io.docker.compose.*",
            "links",
            "log_driver",
            "log_opt/max-*",
            "logging/driver",
            "logging/options/max-*",
            "mem_limit",
            "mem_reservation",
            "mem_swappiness",
            "memswap_limit",
            "net",
            "network_mode",
            "oom_kill_disable",
            "oom_score_adj",
            "pid",
            "pids_limit",
            "ports",
            "privileged",
            "read_only",
            "restart",
            "runtime",
            "scale",
            "security_opt",
            "shm_size",
            "stdin_open",
            "stop_grace_period",
            "stop_signal",
            "sysctls/*",
            "tmpfs",
            "tty",
            "ulimits/*",
            "ulimits/*/hard",
            "ulimits/*/soft",
            "user",
            "uts",
            "volumes",
            "volumes_from",
            "working_dir",
        ],
    ),
    (
        "rancher/services/*/ports",
        &["host_ip", "mode", "protocol", "published", "target"],
    ),
    (
        "rancher/services/*/volumes",
        &["read_only", "source", "target", "type"],
    ),
    ("rancher/ssh", &["daemon", "listen_address", "port"]),
    (
        "rancher/state",
        &[
            "autoformat",
            "boot_dev",
            "boot_fstype",
            "cryptsetup",
            "dev",
            "directory",
            "fstype",
            "lvm_scan",
            "mdadm_scan",
            "oem_dev",
            "oem_fstype",
            "required",
            "wait",
        ],
    ),
    ("rancher/upgrade", &["image", "policy", "rollback"]),
];

/// Whether anybody may read the value at a path, whose parts are keys.
pub(crate) fn is_public(parts: &[&str]) -> bool {
    patterns().any(|pattern| matches(&pattern, parts))
}

/// Whether anybody may read the value at a path as diagnostics name it. A key with a dot in its name has more parts
/// than it should, and so counts as not public.
pub(crate) fn is_public_path(path: &str) -> bool {
    let parts: Vec<&str> = path
        .split('.')
        .map(|part| part.split('[').next().unwrap_or(part))
        .collect();
    is_public(&parts)
}

/// The paths of all public keys.
pub(crate) fn patterns() -> impl Iterator<Item = Vec<&'static str>> {
    PUBLIC_KEYS.iter().flat_map(|(section, keys)| {
        let parents: Vec<&str> = section.split('/').filter(|part| !part.is_empty()).collect();
        keys.iter()
            .map(move |key| parents.iter().copied().chain(key.split('/')).collect())
    })
}

/// Whether a path fits a pattern.
pub(crate) fn matches(pattern: &[&str], parts: &[&str]) -> bool {
    match (pattern.split_first(), parts.split_first()) {
        (Some((&"**", _)), Some(_)) => true,
        (Some((first, rest)), Some((part, parts))) => {
            shell_pattern::matches(first, part) && matches(rest, parts)
        }
        (pattern, part) => pattern.is_none() && part.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_public, is_public_path};

    #[test]
    fn public_paths() {
        for (path, expected) in [
            ("hostname", true),
            ("users[0].name", true),
            ("users[0].plain_text_passwd", false),
            ("users[0].gecos", false),
            ("runcmd[2]", false),
            ("write_files[0].content", false),
            ("rancher.sysctl.net.ipv4.ip_forward", true),
            ("rancher.environment.COLOUR", false),
            ("rancher.services.image.environment", false),
            ("rancher.services.a.environment.image", false),
            ("rancher.services.a.image", true),
            ("rancher.docker.bip", true),
            ("rancher.system_docker.bip", true),
            ("rancher.docker.extra_args[0]", false),
            ("rancher.network.interfaces.eth0.dhcp", true),
            ("rancher.network.interfaces.eth0.5.dhcp", false),
            ("rancher.network.wifi_networks.home.psk", false),
            ("something", false),
            ("", false),
        ] {
            assert_eq!(is_public_path(path), expected, "{path}");
        }
        let service = |label| ["rancher", "services", "a", "labels", label];
        assert!(is_public(&service("io.rancher.os.scope")));
        assert!(!is_public(&service("traefik.basicauth")));
    }
}
