//! The few words of the kernel line that are needed before any configuration can be read: `console=`, `paddock.*`, and
//! switches that must work when the configuration cannot be loaded.
//!
//! `os_config::kernel_line` reads everything else under `rancher.` and `cc.`.

use std::path::Path;

/// Reads `proc/cmdline` below `root`; an unreadable file counts as an empty line.
pub fn read(root: &Path) -> String {
    let bytes = std::fs::read(root.join("proc/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

/// The parameters, without quotes around a whole parameter: some boot loaders write them.
pub(crate) fn parameters(line: &str) -> impl DoubleEndedIterator<Item = &str> {
    line.split_ascii_whitespace()
        .map(|word| word.trim_matches('"'))
}

/// All values of `key=value` words, in order.
pub fn values<'a>(line: &'a str, key: &str) -> Vec<&'a str> {
    parameters(line)
        .filter_map(|word| word.strip_prefix(key)?.strip_prefix('='))
        .collect()
}

/// The last value of `key=value`, as the kernel itself lets the last word win.
pub fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    values(line, key).pop()
}

/// Whether a switch is on: `key` alone, or with a value that YAML 1.1 reads as true.
pub fn is_on(line: &str, key: &str) -> bool {
    parameters(line)
        .filter_map(|word| {
            let rest = word.strip_prefix(key)?;
            match rest.strip_prefix('=') {
                Some(text) => Some(matches!(text, "true" | "1" | "yes" | "on")),
                None => rest.is_empty().then_some(true),
            }
        })
        .next_back()
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::{is_on, value, values};

    #[test]
    fn words_are_found_by_whole_key() {
        let line = "console=tty0 console=ttyS0,115200 rancher.debug xconsole=no";
        assert_eq!(values(line, "console"), ["tty0", "ttyS0,115200"]);
        assert_eq!(value(line, "console"), Some("ttyS0,115200"));
        assert_eq!(value(line, "rancher"), None);
    }

    #[test]
    fn switches() {
        for (line, expected) in [
            ("rancher.debug", true),
            ("rancher.debug=true", true),
            ("rancher.debug=false", false),
            ("rancher.debug rancher.debug=0", false),
            ("rancher.debugger", false),
            ("rancher.debug=", false),
            ("\"rancher.debug=true\"", true),
            ("", false),
        ] {
            assert_eq!(is_on(line, "rancher.debug"), expected, "{line:?}");
        }
    }
}
