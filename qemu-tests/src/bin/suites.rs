//! `suites vm|long [name]`: runs the test programs of that kind, several at once, so that a program with a single long
//! test does not leave a CPU idle. `PADDOCK_TEST_VMS` limits the machines that run at once.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

/// More programs than machines, because a program does not need a machine all the time.
const PROGRAMS_AT_ONCE: usize = 3;
/// The programs that take longest begin first.
const LONGEST: [&str; 6] = [
    "vm_catalogue",
    "vm_services",
    "vm_state_disk",
    "vm_shutdown",
    "vm_datasources",
    "vm_broken",
];

/// A test program that has been built.
struct TestProgram {
    name: String,
    path: PathBuf,
}

fn main() -> Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    let kind = words.next().context("usage: suites vm|long [name]")?;
    let filter = words.next();
    let programs = Mutex::new(programs(&format!("{kind}_*"))?);
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..PROGRAMS_AT_ONCE {
            scope.spawn(|| {
                while let Some(program) = next(&programs) {
                    if let Err(error) = run(&program, filter.as_deref()) {
                        println!("{}: {error:#}", program.name);
                        failed.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    Ok(if failed.into_inner() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
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

/// Runs a program to its end and then prints all of its output.
fn run(program: &TestProgram, filter: Option<&str>) -> Result<()> {
    let began = Instant::now();
    let mut words: Vec<String> = std::env::var("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER")
        .map(|runner| runner.split_whitespace().map(str::to_owned).collect())
        .unwrap_or_default();
    words.push(program.path.display().to_string());
    words.extend(["--ignored", "--test-threads=2"].map(str::to_owned));
    words.extend(filter.map(str::to_owned));
    let (first, rest) = words.split_first().context("finding a program")?;
    let output = Command::new(first)
        .args(rest)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {first}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // One call, so that no output of another program comes in between.
    println!(
        "=== {}, {:.0} s\n{}",
        program.name,
        began.elapsed().as_secs_f64(),
        said.trim()
    );
    ensure!(output.status.success(), "failed ({})", output.status);
    Ok(())
}
