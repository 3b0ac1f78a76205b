//! Keys that a document may have and that no program reads: the reason, and the values that ask for nothing.

use serde_yaml::Value;

use crate::defaults;
use crate::yaml::scalar;

/// Why a key has no effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoEffect {
    pub(super) reason: &'static str,
    /// Whether `false` asks for nothing, where the image has no default.
    is_off_by_default: bool,
    /// Whether the key has its effect on the kernel line.
    pub(super) counts_on_kernel_line: bool,
}

impl NoEffect {
    pub(super) const LATER: Self = Self {
        reason: "PaddockOS does not do this yet",
        is_off_by_default: true,
        counts_on_kernel_line: false,
    };
    pub(super) const LEGACY: Self = Self {
        reason: "a key of RancherOS for what PaddockOS does not have",
        is_off_by_default: true,
        counts_on_kernel_line: false,
    };
    pub(super) const EARLY: Self = Self {
        reason: "it is needed before any file can be read: put it on the kernel line",
        is_off_by_default: true,
        counts_on_kernel_line: true,
    };

    pub(super) const fn superfluous(reason: &'static str) -> Self {
        Self {
            reason,
            ..Self::LEGACY
        }
    }

    pub(super) const fn replaced(reason: &'static str) -> Self {
        Self {
            reason,
            is_off_by_default: false,
            counts_on_kernel_line: false,
        }
    }

    /// Whether a value of the key at `path` asks for nothing but the default: it is empty, the image's own, or off.
    pub(super) fn is_default(self, path: &str, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Sequence(items) => items.is_empty(),
            Value::Mapping(entries) => entries.is_empty(),
            _ => scalar::text(value).is_some_and(|text| {
                text.is_empty()
                    || match defaults::text(path) {
                        Some(default) => is_same(&default, &text),
                        None => self.is_off_by_default && scalar::boolean(&text) == Some(false),
                    }
            }),
        }
    }
}

/// Whether two texts are equal, or two spellings of a flag.
fn is_same(one: &str, other: &str) -> bool {
    let flag = scalar::boolean(one);
    one == other || flag.is_some() && flag == scalar::boolean(other)
}

#[cfg(test)]
mod tests {
    use crate::config::read;

    #[test]
    fn a_value_gives_a_warning_unless_it_asks_for_the_default() {
        for (text, is_silent) in [
            // The image's own is `true`.
            ("state: {rngd: false}", false),
            ("state: {rngd: yes}", true),
            ("http_load_retries: 6", true),
            ("http_load_retries: 0", false),
            // There is none, and nothing is asked for.
            ("rm_usr: false", true),
            ("docker: {exec: off}", true),
            ("state: {autoformat: []}", true),
            // Nothing is restarted less for it.
            ("docker: {restart: false}", false),
            ("system_docker: {restart: true}", false),
            // No file is there when it is needed.
            ("recovery: true", false),
            ("state: {dev: /dev/vda}", false),
            ("state: {fstype: auto, wait: false}", true),
            ("state: {oem_dev: LABEL=OEM}", true),
            (
                "state: {boot_dev: LABEL=RANCHER_BOOT, boot_fstype: auto}",
                true,
            ),
            ("state: {boot_dev: /dev/sda1}", false),
        ] {
            let found = read(&format!("rancher: {{{text}}}")).1;
            assert_eq!(found.is_empty(), is_silent, "{text}: {found:?}");
        }
    }
}
