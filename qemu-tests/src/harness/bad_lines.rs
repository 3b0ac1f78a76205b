//! Lines that fail every test when they are on the console.

/// Pieces of bad lines, each with its meaning.
const BAD: &[(&str, &str)] = &[
    ("Kernel panic", "the kernel gave up"),
    ("Oops:", "the kernel met a bug and went on"),
    ("BUG:", "the kernel met a bug"),
    ("kernel BUG at", "the kernel met a bug"),
    ("Call Trace:", "the kernel printed a backtrace"),
    ("general protection", "a bad memory access"),
    ("segfault at", "a program crashed"),
    ("trap invalid opcode", "a program crashed"),
    ("blocked for more than", "a task hung"),
    ("soft lockup", "a CPU hung"),
    ("rcu_sched self-detected stall", "a CPU hung"),
    ("Attempted to kill init", "PID 1 died"),
    ("panicked at", "one of our programs panicked"),
    ("unable to mount", "a file system was not mounted"),
    ("Unable to mount root", "the system was not found"),
    ("Out of memory: Killed process", "memory ran out"),
    ("EXT4-fs error", "a damaged file system"),
    ("SQUASHFS error", "a damaged system image"),
    ("I/O error, dev", "a medium could not be read"),
    ("rescue console", "the boot ended in the rescue console"),
];

/// Lines with a piece of a bad line that are known to be harmless.
const HARMLESS: &[(&str, &str)] = &[
    // The kernel reads an absent floppy drive.
    ("I/O error, dev", "dev fd0"),
    // The kernel prints it when lock debugging switches itself off; nothing is wrong.
    ("BUG:", "debug_locks"),
];

/// The bad lines of a console, with their meaning.
pub fn bad_lines(console: &str) -> Vec<String> {
    console.lines().filter_map(judge).collect()
}

fn judge(line: &str) -> Option<String> {
    let (piece, meaning) = BAD.iter().find(|(piece, _)| line.contains(piece))?;
    let is_harmless = HARMLESS
        .iter()
        .any(|(bad, context)| bad == piece && line.contains(context));
    (!is_harmless).then(|| format!("{meaning}: {}", line.trim()))
}

#[cfg(test)]
mod tests {
    use super::bad_lines;

    #[test]
    fn judgements() {
        let table = [
            (
                "[    3.1] Kernel panic - not syncing: Attempted to kill init!",
                1,
            ),
            ("[    3.1] BUG: kernel NULL pointer dereference", 1),
            ("dockerd[211]: segfault at 0 ip 00007f", 1),
            (
                "INFO: task kworker/0:1 blocked for more than 120 seconds.",
                1,
            ),
            ("thread 'main' panicked at src/main.rs:1:1:", 1),
            ("I/O error, dev fd0, sector 0 op 0x0:(READ)", 0),
            ("I/O error, dev sr0, sector 64 op 0x0:(READ)", 1),
            ("ros: up in 13.1 s", 0),
            ("debugging is on", 0),
        ];
        for (line, expected) in table {
            assert_eq!(bad_lines(line).len(), expected, "{line}");
        }
    }

    #[test]
    fn every_bad_line_is_reported_once() {
        let found = bad_lines("fine\nOops: 0000 [#1]\nfine\nCall Trace:\n");
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0],
            "the kernel met a bug and went on: Oops: 0000 [#1]"
        );
    }
}
