//! The machine's memory, from `/proc/meminfo`.

use std::path::Path;

/// The machine's memory. A value that the kernel does not show is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub total_kib: u64,
    /// The memory that programs can still have without swapping.
    pub available_kib: u64,
}

impl Memory {
    /// Reads `proc/meminfo` below `root`; an unreadable file shows no memory.
    pub fn read(root: &Path) -> Self {
        let text = std::fs::read_to_string(root.join("proc/meminfo"));
        Self::parse(&text.unwrap_or_default())
    }

    fn parse(meminfo: &str) -> Self {
        let kib = |key: &str| {
            let found = meminfo.lines().find_map(|line| line.strip_prefix(key));
            let word = found.and_then(|rest| rest.split_ascii_whitespace().next());
            word.and_then(|word| word.parse().ok()).unwrap_or_default()
        };
        Self {
            total_kib: kib("MemTotal:"),
            available_kib: kib("MemAvailable:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn lines_of_meminfo() {
        for (text, total_kib, available_kib) in [
            (
                "MemTotal:        1013476 kB\nMemFree: 1 kB\nMemAvailable:     402 kB\n",
                1_013_476,
                402,
            ),
            ("MemTotal: 7 kB", 7, 0),
            ("MemTotal:\nMemAvailable: many kB\n", 0, 0),
            ("nonsense", 0, 0),
            ("", 0, 0),
        ] {
            let expected = Memory {
                total_kib,
                available_kib,
            };
            assert_eq!(Memory::parse(text), expected, "{text:?}");
        }
    }
}
