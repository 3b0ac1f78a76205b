//! Documents and kernel lines that are wrong. Each must boot, and each whose
//! fault can be named must be reported.

use anyhow::{Context, Result, ensure};

use crate::guest::problems;
use crate::machine::{Machine, run};
use crate::seed::UserData;
use crate::spec::MachineSpec;

/// Something wrong that a machine is given.
#[derive(Debug, Clone)]
pub struct Case {
    /// Names the test's machine.
    pub name: &'static str,
    /// The cloud-config, or the addition to the kernel line.
    pub input: Vec<u8>,
    /// What the report must mention; none where nothing is to be reported.
    pub mentions: Option<&'static str>,
}

fn case(name: &'static str, input: impl Into<Vec<u8>>, mentions: Option<&'static str>) -> Case {
    Case {
        name,
        input: input.into(),
        mentions,
    }
}

/// Broken cloud-configs.
pub fn configs() -> Vec<Case> {
    vec![
        case(
            "truncated",
            "#cloud-config\nhostname: cow\nwrite_files:\n  - path: \"/etc/x\n",
            Some("boot.yml:"),
        ),
        case("binary", binary(), Some("user-data")),
        case(
            "tabs",
            "#cloud-config\nrancher:\n\tdebug: true\n",
            Some("boot.yml:3:"),
        ),
        case(
            "wrong-types",
            "#cloud-config\nhostname: [a, b]\nrancher:\n  shutdown_timeout: soon\n  network: 7\n",
            Some("shutdown_timeout"),
        ),
        case(
            "nuls",
            "#cloud-config\nhostname: c\0w\n",
            Some("boot.yml:2:12: expected text, found the control character U+0000"),
        ),
        case(
            "ten-megabytes",
            ten_megabytes(),
            Some("expected a document of at most 4096 KiB"),
        ),
        case(
            "bomb",
            bomb(),
            Some("boot.yml:6:35: expected at most 50000 values"),
        ),
        case(
            "invalid-utf8",
            b"#cloud-config\nhostname: \xc3\x28\xff\n".to_vec(),
            Some("UTF-8"),
        ),
        case(
            "duplicate-keys",
            "#cloud-config\nhostname: cow\nhostname: calf\n",
            Some("hostname"),
        ),
        case(
            "scalar-for-list",
            "#cloud-config\nruncmd: 17\nwrite_files: yes\n",
            Some("write_files"),
        ),
        case(
            "unknown-keys",
            "#cloud-config\nhostnmae: cow\nrancher:\n  dokcer: {}\n",
            Some("dokcer"),
        ),
        case("empty", "", None),
    ]
}

/// Broken additions to the kernel line.
pub fn kernel_lines() -> Vec<Case> {
    vec![
        case(
            "unclosed-list",
            "rancher.network.dns.nameservers=[1.1.1.1",
            Some("nameservers"),
        ),
        case(
            "unclosed-quote",
            "rancher.environment.A=\"moo",
            Some("never closed"),
        ),
        case(
            "scalar-for-map",
            "rancher.services=7 rancher.docker=no",
            Some("rancher.docker"),
        ),
        case(
            "wrong-type",
            "rancher.shutdown_timeout=soon",
            Some("shutdown_timeout"),
        ),
        case(
            "empty-keys",
            "rancher.= rancher..=1 =x rancher. cc.=",
            Some("expected rancher.KEY=value"),
        ),
        case("unknown-key", "rancher.dokcer.tls=true", Some("dokcer")),
        case(
            "no-such-state",
            "rancher.state.dev=/dev/nonsense rancher.state.fstype=cow",
            Some("the state disk /dev/nonsense was not found"),
        ),
        case(
            "no-such-console",
            "console=ttyS9 rancher.autologin=ttyS9 console=ttyS0",
            Some("no terminal ttyS9"),
        ),
        // Unusual, but right: nothing is to be reported.
        case(
            "long-word",
            format!("rancher.environment.LONG={}", "m".repeat(1200)),
            None,
        ),
        case(
            "no-such-module",
            "rancher.modules=[no_such_module]",
            Some("no_such_module"),
        ),
        case(
            "not-yaml",
            "rancher.\u{fc}=\u{1f404} cc.hostname=[[[[ cc.runcmd={ cc.write_files=moo",
            Some("write_files"),
        ),
    ]
}

/// Boots with the broken cloud-config called `name`: the machine comes up, and
/// says on the console, in `ros config validate` and at login what is wrong.
pub fn boot_with_config(name: &str) -> Result<()> {
    let case = find(configs(), name)?;
    let user_data = UserData::Raw(case.input.clone());
    run(
        &format!("broken-config-{name}"),
        &MachineSpec::default(),
        &user_data,
        |machine| {
            check_report(machine, &case)?;
            let Some(piece) = case.mentions else {
                return Ok(());
            };
            let output = machine.ssh.run("sudo ros config validate")?;
            // Warnings alone are no failure.
            let failed = output.status != 0 || output.stderr.contains(": warning: ");
            ensure!(
                failed && output.stderr.contains(piece),
                "`ros config validate` does not report `{piece}`: {output:?}"
            );
            Ok(())
        },
    )
}

/// Boots with the broken addition to the kernel line called `name`.
pub fn boot_with_kernel_line(name: &str) -> Result<()> {
    let case = find(kernel_lines(), name)?;
    let append = String::from_utf8(case.input.clone()).context("reading a kernel line")?;
    let spec = MachineSpec {
        append,
        ..MachineSpec::default()
    };
    run(
        &format!("broken-line-{name}"),
        &spec,
        &UserData::key_only(),
        |machine| check_report(machine, &case),
    )
}

fn find(cases: Vec<Case>, name: &str) -> Result<Case> {
    cases
        .into_iter()
        .find(|case| case.name == name)
        .with_context(|| format!("looking for the case `{name}`"))
}

fn check_report(machine: &Machine, case: &Case) -> Result<()> {
    let Some(piece) = case.mentions else {
        return Ok(());
    };
    let problems = problems(machine)?;
    let problem = problems
        .iter()
        .find(|line| line.contains(piece))
        .with_context(|| format!("`{piece}` is in no reported problem: {problems:?}"))?;
    ensure!(
        machine.console.text().contains(problem.trim()),
        "the console does not show `{problem}`"
    );
    let banner = machine.ssh.greeting()?;
    ensure!(
        banner.contains(piece),
        "the ssh banner does not mention `{piece}`: {banner}"
    );
    Ok(())
}

/// Every byte value, pseudo-random: no text in any encoding.
fn binary() -> Vec<u8> {
    let mut state: u32 = 0x2545_f491;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    });
    bytes.take(4096).collect()
}

fn ten_megabytes() -> Vec<u8> {
    let mut text = b"#cloud-config\nwrite_files:\n- path: /tmp/large\n  content: |\n".to_vec();
    let line = format!("    {}\n", "moo ".repeat(25));
    while text.len() < 10 * 1024 * 1024 {
        text.extend(line.bytes());
    }
    text
}

/// Nine levels of nine references: a billion laughs.
fn bomb() -> String {
    let mut text =
        String::from("#cloud-config\na0: &a0 [moo, moo, moo, moo, moo, moo, moo, moo, moo]\n");
    for level in 1..9 {
        let inner = format!("*a{}, ", level - 1).repeat(9);
        text.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            inner.trim_end_matches(", ")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_documents_and_ten_wrong_lines() {
        assert_eq!(configs().len(), 12);
        let lines = kernel_lines();
        assert_eq!(
            lines.iter().filter(|line| line.mentions.is_some()).count(),
            10
        );
    }

    #[test]
    fn inputs_are_what_they_say() {
        let configs = configs();
        let input = |name: &str| {
            configs
                .iter()
                .find(|case| case.name == name)
                .unwrap()
                .input
                .clone()
        };
        assert!(std::str::from_utf8(&input("binary")).is_err());
        assert!(std::str::from_utf8(&input("invalid-utf8")).is_err());
        assert!(input("ten-megabytes").len() >= 10 * 1024 * 1024);
        assert!(input("nuls").contains(&0));
        assert!(input("bomb").len() < 2000);
    }

    #[test]
    fn kernel_lines_stay_within_the_kernels_limit() {
        for case in kernel_lines() {
            assert!(case.input.len() < 1500, "{}", case.name);
        }
    }
}
