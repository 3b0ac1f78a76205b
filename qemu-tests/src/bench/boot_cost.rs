//! What a boot costs in instructions: counted, so that the figures are the same on a busy host as on an idle one.
//!
//! The machine's clock is the count ([`crate::VmSpec::counts_instructions`]): a second of it is 10⁹ instructions, or a
//! wait for a timer that was asked for. Two boots of the same ISO differ by 2 % at most; a short phase may differ by
//! more, as the phases' work overlaps.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::harness::media::seed::UserData;
use crate::harness::paths;
use crate::harness::spec::VmSpec;
use crate::harness::vm::{UP, Vm};
use crate::harness::wait::Deadline;

/// Seconds of the host's for a counted boot: nothing in it waits for the host, but a busy host is slow.
const TIMEOUT_SECS: u64 = 480;
/// Jiffies in a second of `/proc/PID/stat`.
const HERTZ: f64 = 100.0;
/// Kernel ticks in a second, the kernel's `CONFIG_HZ`: each is a sample of the profile.
const SAMPLES_PER_SECOND: f64 = 250.0;
/// Where the records of the machine begin and end on its console.
const BEGIN: &str = "bench: cost begins";
const END: &str = "bench: cost ends";

/// The cost of one boot.
#[derive(Debug, Clone)]
pub struct BootCost {
    /// When each point of the boot was reached, in seconds of the machine's clock.
    pub reached: Vec<(String, f64)>,
    /// When the machine was up, in seconds, without its waits for the disk: they are the host's.
    pub up: f64,
    /// Where the instructions went, in seconds of the machine's clock, the largest first. Without a profile only the programs.
    pub parts: Vec<(String, f64)>,
    /// Time of each program and container, in seconds. A container's time contains that of its programs.
    pub programs: Vec<(String, f64)>,
    /// A second start of each program with nothing to do, in seconds.
    pub starts: Vec<(String, f64)>,
}

/// The costs of a recorded build, against which a change is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedCost {
    /// When the machine is up, in seconds of counted instructions.
    pub boot_seconds: f64,
    /// The sizes of the ISO, of `init` and of `ros` of a development build, in bytes.
    pub bytes: BTreeMap<String, u64>,
}

impl RecordedCost {
    /// The tracked file.
    pub fn path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("cost.json")
    }

    /// The costs of the build in `dist/` and `target/`, of which `boot` is a boot.
    pub fn of_build(boot: &BootCost) -> Result<Self> {
        let target = paths::repository().join("target/x86_64-unknown-linux-gnu/image-dev");
        let files = [
            paths::dist().join("paddock.iso"),
            target.join("init"),
            target.join("ros"),
        ];
        let mut bytes = BTreeMap::new();
        for file in files {
            let size = fs::metadata(&file)
                .with_context(|| format!("reading {} (hint: make iso)", file.display()))?
                .len();
            let name = file.file_name().unwrap_or_default();
            bytes.insert(name.to_string_lossy().into_owned(), size);
        }
        Ok(Self {
            boot_seconds: boot.up,
            bytes,
        })
    }

    /// Reads the tracked file.
    pub fn load() -> Result<Self> {
        let path = Self::path();
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }

    /// Writes the tracked file.
    pub fn save(&self) -> Result<()> {
        let path = Self::path();
        let text = serde_json::to_string_pretty(self).context("writing the costs")?;
        fs::write(&path, text + "\n").with_context(|| format!("writing {}", path.display()))
    }
}

/// A figure that grew: the recorded value, the value found, and the growth in percent.
pub fn growth(recorded: &RecordedCost, found: &RecordedCost, limit_percent: f64) -> Vec<String> {
    let mut grown = Vec::new();
    let mut compare = |name: &str, unit: &str, was: f64, is: f64| {
        let percent = (is / was - 1.0) * 100.0;
        if percent > limit_percent {
            grown.push(format!("{name}: {was} → {is} {unit}, {percent:.1} % more"));
        }
    };
    compare(
        "boot",
        "s of instructions",
        recorded.boot_seconds,
        found.boot_seconds,
    );
    for (name, is) in &found.bytes {
        if let Some(was) = recorded.bytes.get(name) {
            compare(name, "bytes", *was as f64, *is as f64);
        }
    }
    grown
}

/// Boots once and counts. With `profile`, the kernel also samples itself and the programs' shares are read, which
/// takes a little of the time that is counted.
pub fn count_boot(name: &str, profile: bool) -> Result<BootCost> {
    let spec = VmSpec {
        counts_instructions: true,
        cpus: 1,
        append: if profile { "profile=2" } else { "" }.to_owned(),
        ..VmSpec::default()
    };
    let vm = Vm::start(name, &spec, &UserData::key_only())?;
    let mut cost = None;
    let result = read(&vm, profile).map(|found| cost = Some(found));
    vm.finish(result)?;
    cost.context("counting a boot")
}

/// Reads the machine's records from its console: the clock races through every wait, so a session over the network
/// would run into its time limits.
fn read(vm: &Vm, profile: bool) -> Result<BootCost> {
    let deadline = Deadline::secs(TIMEOUT_SECS);
    let mark = vm.console.mark();
    vm.console.wait_line_after(mark, UP, deadline)?;
    // The typed words must not look like the printed ones.
    let (begin, end) = (
        BEGIN.replace("cost", "co\"\"st"),
        END.replace("cost", "co\"\"st"),
    );
    let programs = if profile { PROGRAMS } else { "true" };
    let cpu = "sed -n \"1s/^/boot /p\" /proc/stat";
    vm.console.type_line(&format!(
        "sudo sh -c 'echo \"{begin}\"; {cpu}; sed \"s/^/timeline /\" /run/ros/boot-time.jsonl; {programs}; echo \"{end}\"'"
    ))?;
    vm.console.wait_for_after(mark, END, deadline)?;
    let text = vm.console.text();
    let records = text
        .rsplit_once(BEGIN)
        .and_then(|(_, rest)| rest.split_once(END))
        .map(|(records, _)| records)
        .context("finding the machine's records on its console")?;
    parse(records)
}

/// The shell words that print the shares of programs and of the kernel.
const PROGRAMS: &str = "cat /proc/[0-9]*/stat 2>/dev/null | sed \"s/^/process /\"; \
    for c in /sys/fs/cgroup/docker/*/cpu.stat /sys/fs/cgroup/user-docker/*/cpu.stat; do echo container $c $(sed -n \"s/^usage_usec //p\" $c); done; \
    system-docker ps --no-trunc --format \"name {{.ID}} {{.Names}}\"; \
    readprofile -m /proc/kallsyms 2>/dev/null | sed \"s/^/profile /\"; \
    for p in dockerd containerd containerd-shim-runc-v2 runc crun ros; do \
    $p --version >/dev/null 2>&1; a=$(cut -d\" \" -f1 /proc/uptime); \
    for i in 1 2 3 4 5 6 7 8 9 10; do $p --version >/dev/null 2>&1; done; \
    echo start $p $a $(cut -d\" \" -f1 /proc/uptime); done";

#[derive(Deserialize)]
struct Mark {
    name: String,
    at: f64,
}

fn parse(records: &str) -> Result<BootCost> {
    let mut cost = BootCost {
        reached: Vec::new(),
        up: 0.0,
        parts: Vec::new(),
        programs: Vec::new(),
        starts: Vec::new(),
    };
    let mut parts: BTreeMap<&str, f64> = BTreeMap::new();
    let mut programs: BTreeMap<String, f64> = BTreeMap::new();
    let mut containers: Vec<(&str, f64)> = Vec::new();
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waits = 0.0;
    for line in records.lines() {
        let Some((of, rest)) = line.trim().split_once(' ') else {
            continue;
        };
        let words: Vec<&str> = rest.split_ascii_whitespace().collect();
        match of {
            "timeline" => {
                let mark: Mark = serde_json::from_str(rest)
                    .with_context(|| format!("reading the timeline's `{rest}`"))?;
                if mark.name == "up" {
                    cost.up = mark.at;
                }
                cost.reached.push((mark.name, mark.at));
            }
            "boot" => {
                // cpu user nice system idle iowait irq softirq
                let seconds = |at: usize| {
                    words
                        .get(at)
                        .and_then(|word| word.parse::<f64>().ok())
                        .unwrap_or_default()
                        / HERTZ
                };
                *parts.entry("programs outside the kernel").or_default() += seconds(1) + seconds(2);
                waits = seconds(5);
            }
            "profile" => {
                if let [samples, function, ..] = words.as_slice()
                    && *function != "total"
                    && let Ok(samples) = samples.parse::<f64>()
                {
                    *parts.entry(kernel_part(function)).or_default() +=
                        samples / SAMPLES_PER_SECOND;
                }
            }
            "process" => {
                if let Some((name, seconds)) = process(rest) {
                    *programs.entry(name).or_default() += seconds;
                }
            }
            "container" => {
                if let [path, micros] = words.as_slice() {
                    let id = path.trim_end_matches("/cpu.stat");
                    let id = id.rsplit('/').next().unwrap_or(id);
                    containers.push((id, micros.parse::<f64>().unwrap_or_default() / 1e6));
                }
            }
            "name" => {
                if let [id, name] = words.as_slice() {
                    names.insert(id, name);
                }
            }
            "start" => {
                if let [program, before, after] = words.as_slice() {
                    let (before, after): (f64, f64) = (before.parse()?, after.parse()?);
                    cost.starts
                        .push(((*program).to_owned(), (after - before) / 10.0));
                }
            }
            _ => {}
        }
    }
    ensure!(cost.up > 0.0, "the timeline has no mark `up`: {records}");
    cost.up -= waits;
    for (id, seconds) in containers {
        let name = names
            .get(id)
            .map_or("a container that has ended", |name| *name);
        *programs.entry(format!("container {name}")).or_default() += seconds;
    }
    cost.parts = largest_first(
        parts
            .into_iter()
            .map(|(name, seconds)| (name.to_owned(), seconds)),
    );
    cost.programs = largest_first(programs.into_iter());
    Ok(cost)
}

fn largest_first(parts: impl Iterator<Item = (String, f64)>) -> Vec<(String, f64)> {
    let mut parts: Vec<_> = parts.filter(|(_, seconds)| *seconds >= 0.005).collect();
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    parts
}

/// A line of `/proc/PID/stat`: the program's name, and the seconds of it and of its children that have ended.
fn process(line: &str) -> Option<(String, f64)> {
    let (head, rest) = line.rsplit_once(") ")?;
    let name = head.split_once('(')?.1;
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let jiffies: f64 = words
        .get(11..15)?
        .iter()
        .filter_map(|word| word.parse::<f64>().ok())
        .sum();
    Some((name.to_owned(), jiffies / HERTZ))
}

/// The part of the kernel's work that a function belongs to.
fn kernel_part(function: &str) -> &'static str {
    const PARTS: &[(&str, &[&str])] = &[
        (
            "unpacking the OS image (zstd, squashfs)",
            &[
                "ZSTD_",
                "HUF_",
                "FSE_",
                "xxh",
                "squashfs",
                "unpack_to",
                "gunzip",
            ],
        ),
        (
            "signatures of kernel modules, tests of ciphers",
            &[
                "vli_", "mpi", "ecc_", "ecdsa", "sha256", "sha512", "pkcs", "x509", "asn1",
            ],
        ),
        (
            "randomness",
            &["keccak", "jent_", "chacha", "blake2", "crng"],
        ),
        (
            "linking kernel modules",
            &[
                "find_kallsyms",
                "strncmp",
                "get_symbol",
                "kallsyms",
                "apply_rel",
                "trace_event_update",
                "find_exported",
                "cmp_name",
                "bsearch",
                "btf_",
                "orc_",
                "module",
            ],
        ),
        ("clearing pages", &["clear_page", "__memset", "memset"]),
        (
            "copying",
            &[
                "__memcpy",
                "memcpy",
                "copy_",
                "_copy",
                "__memmove",
                "rep_movs",
            ],
        ),
        (
            "page faults and memory",
            &[
                "fault",
                "filemap",
                "next_uptodate",
                "mas_",
                "mt_",
                "pte",
                "pmd",
                "rmap",
                "folio",
                "page",
                "vma",
                "mmap",
                "zap_",
                "unmap_",
                "lru",
                "mod_",
                "charge",
                "memcg",
                "slab",
                "kmem",
                "kmalloc",
                "kfree",
                "rmqueue",
                "__free",
                "free_",
                "tlb",
                "flush_",
                "anon_",
                "xa_",
                "xas_",
            ],
        ),
        (
            "waiting",
            &["pv_native_safe_halt", "default_idle", "acpi_idle"],
        ),
        (
            "switching, locks, interrupts",
            &[
                "__schedule",
                "_raw_spin",
                "finish_task",
                "handle_softirqs",
                "try_to_wake",
                "enqueue",
                "dequeue",
                "pick_",
                "update_",
                "futex",
                "rcu",
                "irq",
                "timer",
                "hrtimer",
            ],
        ),
        (
            "writing to the console",
            &[
                "serial",
                "uart",
                "vt_",
                "fb",
                "con_",
                "console",
                "io_serial",
            ],
        ),
    ];
    PARTS
        .iter()
        .find(|(_, words)| words.iter().any(|word| function.contains(word)))
        .map_or("the rest of the kernel", |(part, _)| *part)
}

/// The costs in Markdown: the points of the boot, and where its instructions went.
pub fn tables(cost: &BootCost) -> String {
    let mut text =
        String::from("| point of the boot | reached after, s | took, s |\n|---|---|---|\n");
    let mut before = 0.0;
    for (name, at) in &cost.reached {
        text.push_str(&format!("| {name} | {at:.2} | {:.2} |\n", at - before));
        before = *at;
    }
    let table = |title: &str, rows: &[(String, f64)]| {
        let mut text = format!("\n| {title} | s | of the boot |\n|---|---|---|\n");
        for (name, seconds) in rows {
            let percent = seconds / cost.up * 100.0;
            text.push_str(&format!("| {name} | {seconds:.2} | {percent:.0} % |\n"));
        }
        text
    };
    text.push_str(&table("where the instructions go", &cost.parts));
    text.push_str(&table("program or container", &cost.programs));
    text.push_str(&table("a start of a program, warm", &cost.starts));
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{RecordedCost, growth, parse, process, tables};

    const RECORDS: &str = "\n\
        timeline {\"name\":\"load drivers\",\"at\":4.71,\"took\":2.06}\n\
        timeline {\"name\":\"up\",\"at\":16.0,\"took\":null}\n\
        boot cpu  375 25 1218 34 22 0 18 0 0 0\n\
        process 228 (dockerd) S 1 228 228 0 -1 4194560 1 2 3 4 100 50 7 3 20 0 9 0 700 1 2\n\
        process 309 (a (b) c) S 1 228 228 0 -1 4194560 1 2 3 4 0 0 0 0 20 0 9 0 700 1 2\n\
        container /sys/fs/cgroup/docker/abc/cpu.stat 1500000\n\
        name abc console\n\
        profile 500 ZSTD_decompressSequences_bmi2.constprop.0 0.25\n\
        profile 250 vli_mult 0.1\n\
        profile 750 total 0.0002\n\
        start dockerd 20.0 23.0\n";

    #[test]
    fn records_become_parts() {
        let cost = parse(RECORDS).unwrap();
        // 16 s, without 0.22 s of waits for the disk.
        assert!((cost.up - 15.78).abs() < 1e-9);
        let parts: Vec<_> = cost
            .parts
            .iter()
            .map(|(name, s)| format!("{name} {s:.1}"))
            .collect();
        assert_eq!(
            parts,
            [
                "programs outside the kernel 4.0",
                "unpacking the OS image (zstd, squashfs) 2.0",
                "signatures of kernel modules, tests of ciphers 1.0"
            ]
        );
        let programs: Vec<_> = cost
            .programs
            .iter()
            .map(|(name, s)| format!("{name} {s:.1}"))
            .collect();
        assert_eq!(programs, ["dockerd 1.6", "container console 1.5"]);
        assert_eq!(cost.starts[0].0, "dockerd");
        assert!((cost.starts[0].1 - 0.3).abs() < 1e-9);
        let page = tables(&cost);
        assert!(page.contains("| up | 16.00 | 11.29 |"), "{page}");
        assert!(
            page.contains("| signatures of kernel modules, tests of ciphers | 1.00 | 6 % |"),
            "{page}"
        );
    }

    #[test]
    fn a_timeline_without_its_end_is_an_error() {
        assert!(parse("timeline {\"name\":\"load drivers\",\"at\":4.71}\n").is_err());
        assert!(parse("timeline {\"name\":\n").is_err());
    }

    #[test]
    fn names_with_brackets() {
        assert_eq!(process("x"), None);
        let line = "1 (a) b) S 0 1 1 0 -1 0 0 0 0 0 10 20 30 40 20 0 1 0 2";
        assert_eq!(process(line), Some(("a) b".into(), 1.0)));
    }

    #[test]
    fn growth_beyond_the_limit() {
        let cost = |boot_seconds: f64, iso: u64| RecordedCost {
            boot_seconds,
            bytes: BTreeMap::from([("paddock.iso".into(), iso)]),
        };
        let recorded = cost(10.0, 1000);
        for (found, expected) in [
            (cost(10.4, 1049), 0),
            (cost(10.6, 1000), 1),
            (cost(9.0, 1051), 1),
            (cost(11.0, 2000), 2),
        ] {
            assert_eq!(growth(&recorded, &found, 5.0).len(), expected, "{found:?}");
        }
    }
}
