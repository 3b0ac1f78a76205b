//! The kernel settings that protect the kernel and its users from each other, as the Kernel Self Protection Project
//! recommends them, where a Docker host can bear it. Pure: the kernel line in, steps out.
//!
//! PID 1 sets them once, before `rancher.sysctl`, which wins. Left out are `kernel.kexec_load_disabled`, because the machine
//! may start its next kernel by kexec; `kernel.modules_disabled`, because containers and hot-plugged devices need modules;
//! `user.max_user_namespaces=0`, because rootless engines and browsers in containers need user namespaces; and a higher
//! `vm.mmap_rnd_bits`, because sanitizers in containers fail with it.

use std::path::Path;

use host::kernel_line;
use host::step::{Planned, Step, may};

/// The settings: name, value, reason. `docs/security.md` has the same list.
const SETTINGS: &[(&str, &str, &str)] = &[
    (
        "kernel.kptr_restrict",
        "1",
        "addresses of the kernel help an attack; only CAP_SYSLOG sees them",
    ),
    (
        "kernel.dmesg_restrict",
        "1",
        "the kernel log holds addresses and the hardware's names; `sudo dmesg` reads it",
    ),
    (
        "kernel.perf_event_paranoid",
        "3",
        "the interface for measuring has had many faults; root may measure",
    ),
    (
        "kernel.yama.ptrace_scope",
        "1",
        "a program reads the memory of its own children alone, unless it has CAP_SYS_PTRACE",
    ),
    (
        "kernel.unprivileged_bpf_disabled",
        "2",
        "programs for the kernel come from root alone; with 1, `rancher.sysctl` could not take it back",
    ),
    (
        "net.core.bpf_jit_harden",
        "1",
        "constants of filters without rights are hidden; 2 would slow every seccomp filter of a container",
    ),
    (
        "kernel.panic_on_oops",
        "1",
        "after a fault the kernel's memory cannot be trusted, and locks stay taken: the machine starts anew",
    ),
    (
        PANIC,
        "10",
        "a machine that panics reboots after ten seconds, whatever its boot loader says",
    ),
    (
        "dev.tty.ldisc_autoload",
        "0",
        "users load no drivers of old serial protocols; `rancher.modules` loads a needed driver",
    ),
    (
        "dev.tty.legacy_tiocsti",
        "0",
        "a program types nothing into the terminal that started it by sudo or su",
    ),
    (
        "fs.protected_hardlinks",
        "1",
        "no hard links to the files of others",
    ),
    (
        "fs.protected_symlinks",
        "1",
        "in folders that all may write to, no program follows the link of another user",
    ),
    (
        "fs.protected_fifos",
        "2",
        "there, no program writes into a pipe that another user has put in its way",
    ),
    (
        "fs.protected_regular",
        "2",
        "there, no program writes into a file that another user has put in its way",
    ),
    (
        "fs.suid_dumpable",
        "0",
        "the memory of a setuid program is in no core file",
    ),
    (
        "vm.unprivileged_userfaultfd",
        "0",
        "attacks use it to stop the kernel at a chosen moment",
    ),
    // `default`, not `all`: the greater of `all` and the link counts, and network plugins need 0 on their own links.
    (
        "net.ipv4.conf.default.rp_filter",
        "2",
        "packets from an address to which no way leads are forged; loose, because answers may take another link",
    ),
    (
        "net.ipv4.conf.all.accept_redirects",
        "0",
        "a neighbour must not turn the machine's packets to himself",
    ),
    (
        "net.ipv4.conf.default.accept_redirects",
        "0",
        "likewise on links to come",
    ),
    (
        "net.ipv6.conf.all.accept_redirects",
        "0",
        "likewise for IPv6",
    ),
    (
        "net.ipv6.conf.default.accept_redirects",
        "0",
        "likewise for IPv6, on links to come",
    ),
    (
        "net.ipv4.conf.all.accept_source_route",
        "0",
        "a sender must not choose the way of its packets past the firewall",
    ),
    (
        "net.ipv4.conf.default.accept_source_route",
        "0",
        "likewise on links to come",
    ),
];

const PANIC: &str = "kernel.panic";

/// Sets each setting. `panic=` of the kernel line stays.
pub(crate) fn settings(line: &str) -> Vec<Planned> {
    let chosen = kernel_line::value(line, "panic").is_some();
    SETTINGS
        .iter()
        .filter(|(name, ..)| *name != PANIC || !chosen)
        .map(|(name, value, _)| {
            may(Step::TellIfPresent {
                path: Path::new("/proc/sys").join(name.replace('.', "/")),
                content: (*value).to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{SETTINGS, settings};

    const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");

    #[test]
    fn the_manual_lists_every_setting_with_its_reason() {
        let manual = std::fs::read_to_string(DOCS).unwrap();
        let listed: Vec<&str> = manual
            .lines()
            .filter(|line| line.starts_with("| `") && line.contains(" = "))
            .collect();
        let expected: Vec<String> = SETTINGS
            .iter()
            .map(|(name, value, reason)| format!("| `{name} = {value}` | {reason} |"))
            .collect();
        assert_eq!(listed, expected);
    }

    #[test]
    fn the_kernel_line_decides_on_panics() {
        let plan = |line: &str| {
            let lines = settings(line);
            lines
                .iter()
                .map(ToString::to_string)
                .filter(|line| line.contains("/kernel/panic "))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            plan("quiet"),
            ["may  tell /proc/sys/kernel/panic \"10\" if present"]
        );
        assert!(plan("quiet panic=0").is_empty());
    }
}
