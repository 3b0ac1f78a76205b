//! Keys of cloud-init, and of other systems with cloud-configs, that PaddockOS does not do: a message must not call them
//! typing errors. cloud-init's are the keys of its JSON schema and of its base configuration.

/// Key → what to do instead; empty where there is nothing.
const KEYS: [(&str, &str); 90] = [
    ("allow_public_ssh_keys", ""),
    ("ansible", CONTAINERS),
    ("apk_repos", PACKAGES),
    ("apt", PACKAGES),
    ("apt_pipelining", PACKAGES),
    ("apt_reboot_if_required", PACKAGES),
    ("apt_update", PACKAGES),
    ("apt_upgrade", PACKAGES),
    ("authkey_hash", ""),
    ("autoinstall", "`ros install` installs"),
    ("byobu_by_default", ""),
    ("chef", CONTAINERS),
    ("cloud_config_modules", ""),
    ("cloud_final_modules", ""),
    ("cloud_init_modules", ""),
    (
        "coreos",
        "`rancher.services` has services, `write_files` files",
    ),
    (
        "datasource",
        "`rancher.cloud_init.datasources` names the data sources",
    ),
    (
        "datasource_list",
        "`rancher.cloud_init.datasources` names the data sources",
    ),
    ("def_log_file", ""),
    ("device_aliases", DISKS),
    (
        "disable_ec2_metadata",
        "`rancher.cloud_init.datasources` names the data sources",
    ),
    ("disable_root_opts", ""),
    ("disk_setup", DISKS),
    ("drivers", "`rancher.modules` names modules of the kernel"),
    ("fan", ""),
    ("fs_setup", DISKS),
    ("grub_dpkg", ""),
    ("ignition", ""),
    ("k3os", "the catalogue has k3s: `ros service enable k3s`"),
    ("keyboard", ""),
    ("landscape", CONTAINERS),
    ("launch_index", ""),
    ("locale", "a container has the language of its image"),
    ("locale_configfile", ""),
    ("log_cfgs", ""),
    ("lxd", ""),
    (
        "manage_etc_hosts",
        "/etc/hosts always has the machine's name; `write_files` may add to it with `append: true`",
    ),
    ("manage_resolv_conf", NAME_SERVERS),
    ("mcollective", CONTAINERS),
    ("merge_how", MERGE),
    ("merge_type", MERGE),
    ("migrate", ""),
    ("network", "`rancher.network` has the network"),
    ("no_ssh_fingerprints", ""),
    ("output", ""),
    ("package_reboot_if_required", PACKAGES),
    ("package_update", PACKAGES),
    ("package_upgrade", PACKAGES),
    ("packages", PACKAGES),
    ("phone_home", "a command of `runcmd` can send the message"),
    ("power_state", "a command of `runcmd` can reboot"),
    ("prefer_fqdn_over_hostname", ""),
    (
        "preserve_hostname",
        "without `hostname`, a data source names the machine",
    ),
    ("puppet", CONTAINERS),
    ("random_seed", "the kernel makes its random numbers itself"),
    ("reporting", ""),
    ("resolv_conf", NAME_SERVERS),
    ("rh_subscription", ""),
    ("rpi", ""),
    ("salt_minion", CONTAINERS),
    ("snap", CONTAINERS),
    ("spacewalk", ""),
    ("ssh", "`rancher.ssh` has the settings of sshd"),
    ("ssh_deletekeys", HOST_KEYS),
    ("ssh_fp_console_blacklist", ""),
    ("ssh_genkeytypes", HOST_KEYS),
    (
        "ssh_import_id",
        "`ssh_authorized_keys` has the keys themselves",
    ),
    ("ssh_key_console_blacklist", ""),
    ("ssh_keys", HOST_KEYS),
    ("ssh_publish_hostkeys", ""),
    ("ssh_quiet_keygen", ""),
    ("syslog_fix_perms", ""),
    ("system_info", ""),
    ("ubuntu_advantage", ""),
    ("ubuntu_autoinstall", ""),
    ("ubuntu_pro", ""),
    ("units", "`rancher.services` has services"),
    ("unverified_modules", ""),
    ("updates", ""),
    (
        "user",
        "`users` has further users; the first is always rancher",
    ),
    (
        "vendor_data",
        "`rancher.cloud_init.datasources` names the data sources",
    ),
    (
        "vendor_data2",
        "`rancher.cloud_init.datasources` names the data sources",
    ),
    ("warnings", ""),
    ("wireguard", ""),
    ("yum_repo_dir", PACKAGES),
    ("yum_repos", PACKAGES),
    ("zypper", PACKAGES),
    (
        "flatcar",
        "`rancher.services` has services, `write_files` files",
    ),
    ("rancherd", ""),
    ("rke2", ""),
];

const CONTAINERS: &str = "`rancher.services` runs programs in containers";
const PACKAGES: &str = "containers and consoles bring their own packages";
const DISKS: &str = "commands of `bootcmd` can prepare a disk, `mounts` mounts it";
const NAME_SERVERS: &str = "`rancher.network.dns` has name servers";
const HOST_KEYS: &str = "`rancher.ssh.keys` has the machine's own keys";
const MERGE: &str = "a list of a later document replaces an earlier document's";

/// What to do instead of a key at the top, with hyphens or underscores; `None` for a key that neither cloud-init nor
/// another system has.
pub(crate) fn instead(key: &str) -> Option<&'static str> {
    let key = key.replace('-', "_");
    let found = KEYS.iter().find(|(known, _)| *known == key);
    found.map(|(_, instead)| *instead)
}

#[cfg(test)]
mod tests {
    use crate::config::read;

    /// The keys at the top of cloud-init's JSON schema.
    const SCHEMA: &str = "allow_public_ssh_keys ansible apk_repos apt apt_pipelining apt_reboot_if_required apt_update \
        apt_upgrade authkey_hash autoinstall bootcmd byobu_by_default ca-certs ca_certs chef chpasswd cloud_config_modules \
        cloud_final_modules cloud_init_modules device_aliases disable_ec2_metadata disable_root disable_root_opts \
        disk_setup drivers fan final_message fqdn fs_setup groups growpart grub-dpkg grub_dpkg hostname keyboard \
        landscape locale locale_configfile lxd manage_etc_hosts manage_resolv_conf mcollective merge_how merge_type \
        migrate mount_default_fields mounts no_ssh_fingerprints ntp output package_reboot_if_required package_update \
        package_upgrade packages password phone_home power_state prefer_fqdn_over_hostname preserve_hostname puppet \
        random_seed reporting resize_rootfs resolv_conf rh_subscription rsyslog runcmd salt_minion snap spacewalk ssh \
        ssh_authorized_keys ssh_deletekeys ssh_fp_console_blacklist ssh_genkeytypes ssh_import_id \
        ssh_key_console_blacklist ssh_keys ssh_publish_hostkeys ssh_pwauth ssh_quiet_keygen swap system_info timezone \
        ubuntu_advantage ubuntu_pro updates user users vendor_data wireguard write_files yum_repo_dir yum_repos zypper";

    #[test]
    fn every_key_of_cloud_init_is_known() {
        for key in SCHEMA.split_whitespace() {
            for message in read(&format!("{key}: {{x: 1}}")).1 {
                let is_of_key = message.starts_with(&format!("{key}: "));
                let is_known =
                    !message.contains("unknown key") && !message.contains("did you mean");
                assert!(!is_of_key || is_known, "{message}");
            }
        }
    }
}
