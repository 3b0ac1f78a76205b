//! `/proc/PID/stat`. The kernel writes this file without a look at the process's memory: a read of `cmdline` or `status`
//! waits for a process that is stuck on a dead disk.

/// The flag of a kernel thread (`PF_KTHREAD` of linux/sched.h).
const KERNEL_THREAD: u64 = 0x0020_0000;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// The first 15 characters of its program's name.
    pub name: String,
    pub is_kernel_thread: bool,
    /// Whether it has ended and waits for its parent.
    pub is_zombie: bool,
}

/// Parses the text of the file. The name may contain anything, blanks and parentheses too.
pub fn parse(text: &str) -> Option<ProcessStat> {
    let (_, after) = text.split_once(" (")?;
    let (name, after) = after.rsplit_once(") ")?;
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    let flags: u64 = fields.get(6)?.parse().ok()?;
    Some(ProcessStat {
        name: name.to_owned(),
        is_kernel_thread: flags & KERNEL_THREAD != 0,
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::{ProcessStat, parse};

    #[test]
    fn processes() {
        let stat = |name: &str, is_kernel_thread, is_zombie| {
            Some(ProcessStat {
                name: name.to_owned(),
                is_kernel_thread,
                is_zombie,
            })
        };
        for (text, expected) in [
            (
                "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 3 0 0 18446744073709551615",
                stat("kthreadd", true, false),
            ),
            (
                "812 (sshd-session) D 1 812 812 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 99 4096 1",
                stat("sshd-session", false, false),
            ),
            (
                "9 (a) (b) S) Z 1 9 9 0 -1 4227084 0 0",
                stat("a) (b) S", false, true),
            ),
            ("", None),
            ("1 (init) S 0 1", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert!(!parse(&own).unwrap().is_kernel_thread);
    }
}
