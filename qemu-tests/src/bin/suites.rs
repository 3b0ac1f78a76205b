//! `suites vm|long|faults|install [name] [--list]`: runs the test programs of that kind, several at once, so that a program with a
//! single long test does not leave a CPU idle. Every line of a program is printed as it comes; at the end stands the
//! time of each test. `PADDOCK_TEST_VMS` limits the machines that run at once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use qemu_tests::harness::paths;
use qemu_tests::harness::results::{self, Event};

/// The boots that the VM tests of `make test` may do together: each costs some 24 s on a machine with two CPUs. A new
/// promise that needs a boot shares a machine, or another test goes to the long ones.
const BOOT_BUDGET: usize = 21;
/// A program more than machines: it begins as soon as a machine ends.
const PROGRAMS_AT_ONCE: usize = 3;
/// The programs that take longest begin first.
const LONGEST: [&str; 7] = [
    "vm_install",
    "vm_plain",
    "vm_catalogue",
    "vm_services",
    "vm_state_disk",
    "vm_scenarios",
    "vm_cost",
];

/// Runs VM tests.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(value_enum)]
    kind: SuiteKind,
    /// Only programs whose name contains this; if there is none, only tests whose name contains it.
    name: Option<String>,
    /// List the tests, and run none.
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum SuiteKind {
    /// The tests of `make test`.
    Vm,
    /// The tests of `make test-long`.
    Long,
    /// The tests of `make test-faults`.
    Faults,
    /// The tests of `make test-install`.
    Install,
}

/// A test program that has been built.
struct TestProgram {
    name: String,
    path: PathBuf,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut programs = programs(match arguments.kind {
        SuiteKind::Vm => "vm_*",
        SuiteKind::Long => "long_*",
        SuiteKind::Faults => "faults_*",
        SuiteKind::Install => "install_*",
    })?;
    let mut filter = arguments.name.as_deref();
    if let Some(name) = filter
        && programs.iter().any(|program| program.name.contains(name))
    {
        programs.retain(|program| program.name.contains(name));
        filter = None;
    }
    if arguments.list {
        return list(&programs, filter).map(|()| ExitCode::SUCCESS);
    }
    let record = paths::artifacts().join("results.jsonl");
    std::fs::create_dir_all(paths::artifacts()).context("making the folder of the results")?;
    std::fs::write(&record, "").with_context(|| format!("writing {}", record.display()))?;
    let began = Instant::now();
    let failed = run_all(programs, filter, &record);
    let events = results::read(&record)?;
    println!("{}", summary(&events, began.elapsed().as_secs()));
    // Last, so that the end of a log says what is wrong.
    println!("{}", failures(&events, &failed));
    let boots = boots(&events);
    let is_whole = arguments.kind == SuiteKind::Vm && arguments.name.is_none();
    if is_whole && boots > BOOT_BUDGET {
        println!("FAILED: {boots} boots; the VM tests of `make test` may do {BOOT_BUDGET}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs all programs; returns the names of those that failed.
fn run_all(programs: Vec<TestProgram>, filter: Option<&str>, record: &Path) -> Vec<String> {
    let programs = Mutex::new(programs);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PROGRAMS_AT_ONCE {
            scope.spawn(|| {
                while let Some(program) = next(&programs) {
                    let began = Instant::now();
                    let result = run(&program, filter, record);
                    let seconds = began.elapsed().as_secs();
                    match result {
                        Ok(()) => println!("{}: ok, {seconds} s", program.name),
                        Err(error) => {
                            println!("{}: FAILED, {seconds} s: {error:#}", program.name);
                            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                            failed.push(program.name.clone());
                        }
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn next(programs: &Mutex<Vec<TestProgram>>) -> Option<TestProgram> {
    let mut programs = programs.lock().ok()?;
    (!programs.is_empty()).then(|| programs.remove(0))
}

/// Builds the test programs whose names fit, and returns them in the order to run them.
fn programs(pattern: &str) -> Result<Vec<TestProgram>> {
    let mut cargo = Command::new("cargo")
        .args(["test", "-p", "qemu-tests", "--no-run", "--test", pattern])
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo")?;
    let output = cargo.stdout.take().context("reading what cargo says")?;
    let mut programs = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line.context("reading what cargo says")?;
        let said: serde_json::Value =
            serde_json::from_str(&line).context("reading what cargo says")?;
        // Cargo builds the harness's own programs too.
        let is_test = said["target"]["kind"][0] == "test";
        if let (true, Some(name), Some(program)) = (
            is_test,
            said["target"]["name"].as_str(),
            said["executable"].as_str(),
        ) {
            programs.push(TestProgram {
                name: name.to_owned(),
                path: PathBuf::from(program),
            });
        }
    }
    let status = cargo.wait().context("waiting for cargo")?;
    ensure!(status.success(), "building the test programs failed");
    let rank = |name: &str| LONGEST.iter().position(|known| *known == name);
    programs.sort_by_key(|program| {
        let rank = rank(&program.name).unwrap_or(LONGEST.len());
        (rank, program.name.clone())
    });
    Ok(programs)
}

fn list(programs: &[TestProgram], filter: Option<&str>) -> Result<()> {
    for program in programs {
        let output = Command::new(&program.path)
            .args(["--list", "--ignored", "--format=terse"])
            .args(filter)
            .output()
            .with_context(|| format!("asking {} for its tests", program.name))?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            println!("{} {}", program.name, line.trim_end_matches(": test"));
        }
    }
    Ok(())
}

/// Runs a program to its end and prints its lines as they come, each behind the program's name.
fn run(program: &TestProgram, filter: Option<&str>, record: &Path) -> Result<()> {
    let mut words: Vec<String> = std::env::var("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER")
        .map(|runner| runner.split_whitespace().map(str::to_owned).collect())
        .unwrap_or_default();
    words.push(program.path.display().to_string());
    words.extend(["--ignored", "--test-threads=2", "--nocapture"].map(str::to_owned));
    words.extend(filter.map(str::to_owned));
    let (first, rest) = words.split_first().context("finding a program")?;
    let mut child = Command::new(first)
        .args(rest)
        .env(results::VARIABLE, record)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {first}"))?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(|| print_lines(&program.name, output));
        print_lines(&program.name, errors);
    });
    let status = child.wait().context("waiting for it")?;
    ensure!(status.success(), "{status}");
    Ok(())
}

fn print_lines(name: &str, from: Option<impl Read>) {
    for line in from
        .into_iter()
        .flat_map(|from| BufReader::new(from).split(b'\n'))
    {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line);
        if !line.trim().is_empty() {
            println!("{name} | {line}");
        }
    }
}

fn boots(events: &[Event]) -> usize {
    events
        .iter()
        .filter(|event| matches!(event, Event::Boot { .. }))
        .count()
}

/// The tests with their times and boots, the longest first.
fn summary(events: &[Event], took: u64) -> String {
    let mut tests: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for event in events {
        match event {
            Event::Boot { test } => tests.entry(test).or_default().1 += 1,
            Event::Test { test, seconds, .. } => tests.entry(test).or_default().0 += seconds,
        }
    }
    let mut tests: Vec<_> = tests.into_iter().collect();
    tests.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    let mut text = "seconds boots test\n".to_owned();
    for (test, (seconds, boots)) in &tests {
        text.push_str(&format!("{seconds:7.0} {boots:5} {test}\n"));
    }
    text + &format!(
        "{} tests with a machine and {} boots in {} min {} s",
        tests.len(),
        boots(events),
        took / 60,
        took % 60
    )
}

/// The failed tests of failed programs with their reasons, and those programs: a test without a machine has no event,
/// and a test of the harness passes when its machine's check fails.
fn failures(events: &[Event], programs: &[String]) -> String {
    let has_failed = |test: &str| {
        let program = test.split_once("::").map(|(program, _)| program);
        programs.iter().any(|name| Some(name.as_str()) == program)
    };
    let mut lines: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Test {
                test,
                failure: Some(reason),
                ..
            } if has_failed(test) => Some(format!("FAILED {test}: {reason}")),
            _ => None,
        })
        .collect();
    if !programs.is_empty() {
        lines.push(format!("FAILED programs: {}", programs.join(", ")));
    }
    lines.join("\n")
}
