//! Keys of cloud-init that have an effect on other systems only: a message must not call them typing errors.

const KEYS: [&str; 28] = [
    "ansible",
    "apk_repos",
    "apt",
    "apt_update",
    "apt_upgrade",
    "chef",
    "disk_setup",
    "fs_setup",
    "keyboard",
    "locale",
    "manage_etc_hosts",
    "manage_resolv_conf",
    "network",
    "no_ssh_fingerprints",
    "output",
    "package_update",
    "package_upgrade",
    "packages",
    "phone_home",
    "power_state",
    "preserve_hostname",
    "puppet",
    "resolv_conf",
    "salt_minion",
    "snap",
    "ssh_import_id",
    "ssh_keys",
    "yum_repos",
];

/// Whether cloud-init has this key at the top of its configuration, with hyphens or underscores.
pub(crate) fn contains(key: &str) -> bool {
    KEYS.contains(&key.replace('-', "_").as_str())
}
