//! The few files that load the configuration. The entry of a command loads it once and passes it on: code that loads for
//! itself costs a whole read of the disk, and two loads of a process may differ.

use crate::sources::imports::list_unlisted;
use crate::sources::workspace::{Member, Workspace};

/// Functions that read the layers of the configuration.
const LOADING: &[&str] = &[
    "os_config::load::export",
    "os_config::load::hidden_texts",
    "os_config::load::load",
    "os_config::load::load_with_choices",
    "ros::service_engine::effective_config::load_startable",
    "ros::service_engine::effective_config::load_with_choices",
];

/// The crate that defines them, and crates that run on the build host.
const EXEMPT: &[&str] = &["os-config", "iso", "qemu-tests"];

const COMMAND: &str = "it is the entry of a command, which loads once";

/// The files that load, with their reasons.
const LOADERS: &[(&str, &str)] = &[
    (
        "init/src/boot/mod.rs",
        "the early configuration, of the initrd, is a document of its own",
    ),
    (
        "init/src/boot/os_root.rs",
        "the whole configuration is readable from here on",
    ),
    ("os-config/ros/src/cloud_init/mod.rs", COMMAND),
    ("os-config/ros/src/compat/env.rs", COMMAND),
    ("os-config/ros/src/config/mod.rs", COMMAND),
    ("os-config/ros/src/console/entrypoint.rs", COMMAND),
    ("os-config/ros/src/console/runcmd.rs", COMMAND),
    ("os-config/ros/src/disk/install/cloud_config.rs", COMMAND),
    (
        "os-config/ros/src/disk/install/state/images.rs",
        "it loads the configuration of another machine, which is being made",
    ),
    ("os-config/ros/src/docker/preload.rs", COMMAND),
    (
        "os-config/ros/src/extra_engines/commands.rs",
        "the service of a new engine is in the configuration once the engine is stored",
    ),
    ("os-config/ros/src/inspect/report.rs", COMMAND),
    ("os-config/ros/src/inspect/status.rs", COMMAND),
    ("os-config/ros/src/network/netconf.rs", COMMAND),
    (
        "os-config/ros/src/service/enable.rs",
        "the stored cloud-config has just been changed",
    ),
    ("os-config/ros/src/service/mod.rs", COMMAND),
    (
        "os-config/ros/src/service_engine/effective_config.rs",
        "it is the loader of the service engine",
    ),
    ("os-config/ros/src/service_engine/shutdown.rs", COMMAND),
    (
        "os-config/ros/src/service_engine/sysinit/boot_logs.rs",
        "the hidden values are those of the whole boot, whose configuration may have come late",
    ),
    (
        "os-config/ros/src/service_engine/sysinit/dhcp_settings.rs",
        "DHCP may answer anew at any time, and an operator may have named the machine since",
    ),
    (
        "os-config/ros/src/service_engine/sysinit/mod.rs",
        "it is an entry, and it lives as long as the machine: data sources and operators change the files",
    ),
    (
        "os-config/ros/src/service_engine/sysinit/retries.rs",
        "between two attempts an operator or a data source may have changed the files",
    ),
    (
        "os-config/ros/src/service_engine/watch.rs",
        "a service that was added since has an event",
    ),
    (
        "os-config/ros/src/switch/boot.rs",
        "an operator may choose another console or engine during a pull",
    ),
    (
        "os-config/ros/src/switch/candidate.rs",
        "the definition has just been fetched, and the configuration may name another",
    ),
    ("os-config/ros/src/switch/mod.rs", COMMAND),
    (
        "os-config/ros/src/switch/transaction/perform.rs",
        "the switch has just written the configuration",
    ),
    (
        "os-config/ros/src/switch/transaction/recovery.rs",
        "the worker that was waited for may have written the configuration",
    ),
    (
        "os-config/ros/src/switch/transaction/replace.rs",
        "it is the work of a command, `ros switch-worker`, with the candidate's name in the configuration",
    ),
    ("os-config/ros/src/tls/mod.rs", COMMAND),
    ("os-config/ros/src/user_docker/entrypoint.rs", COMMAND),
];

#[test]
fn entries_load_the_configuration() {
    crate::assert_none(
        &list_faults(&Workspace::get().crates, LOADERS),
        "take the configuration as a parameter; where the files have changed since the entry loaded them, give the \
         reason in LOADERS of iso/tests/house/rules/loaders.rs and at the call",
    );
}

fn list_faults(crates: &[Member], loaders: &[(&str, &str)]) -> Vec<String> {
    list_unlisted(crates, EXEMPT, LOADING, loaders, "it does not load")
}

#[cfg(test)]
mod tests {
    use super::list_faults;
    use crate::sources::workspace::Member;

    #[test]
    fn every_way_to_load_is_seen() {
        for (code, path) in [
            ("fn f() { os_config::load::load() }", "load"),
            ("use os_config::load; fn f() { load::load() }", "load"),
            (
                "use os_config::load::load as read; fn f() { read() }",
                "load",
            ),
            ("use os_config::load::*;", "*"),
            (
                "fn f() { os_config::load::load_with_choices() }",
                "load_with_choices",
            ),
            ("fn f() { os_config::load::export() }", "export"),
        ] {
            let ros = Member::new("ros", &[("ros/src/main.rs", code)]);
            let fault = format!("ros/src/main.rs: `os_config::load::{path}`");
            assert_eq!(list_faults(&[ros], &[]), [fault], "{code}");
        }
    }

    #[test]
    fn the_loader_of_the_service_engine_counts_too() {
        let ros = Member::new(
            "ros",
            &[
                ("ros/src/main.rs", "mod service_engine; mod user;"),
                (
                    "ros/src/service_engine/mod.rs",
                    "pub(crate) mod effective_config;",
                ),
                (
                    "ros/src/service_engine/effective_config.rs",
                    "pub(crate) fn load_startable() {}",
                ),
                (
                    "ros/src/user.rs",
                    "use crate::service_engine::effective_config; fn f() { effective_config::load_startable() }",
                ),
            ],
        );
        let path = "ros::service_engine::effective_config::load_startable";
        assert_eq!(
            list_faults(&[ros], &[]),
            [format!("ros/src/user.rs: `{path}`")]
        );
    }

    #[test]
    fn tests_builders_and_single_documents_are_free() {
        let code = "use os_config::load::{document, include}; fn f() { document() }
            #[cfg(test)] mod tests { fn f() { os_config::load::load() } }";
        let ros = Member::new("ros", &[("ros/src/main.rs", code)]);
        let iso = "fn f() { os_config::load::load() }";
        let iso = Member::new("iso", &[("iso/src/main.rs", iso)]);
        assert_eq!(list_faults(&[ros, iso], &[]), [""; 0]);
    }

    #[test]
    fn a_listed_file_loads() {
        let code = "fn f() { os_config::load::load() }";
        let ros = Member::new("ros", &[("ros/src/main.rs", code)]);
        let listed = [("ros/src/main.rs", "why"), ("ros/src/gone.rs", "why")];
        assert_eq!(
            list_faults(&[ros], &listed),
            ["ros/src/gone.rs: listed, but it does not load"]
        );
    }
}
