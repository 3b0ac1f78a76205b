//! What the kernel line says of modules. The kernel gives `MODULE.PARAMETER=VALUE` only to code that is built in; the
//! program that loads a module reads the rest (kernel-parameters.rst, modprobe(8)).

use std::collections::{BTreeMap, BTreeSet};

use super::index::canonical_name;
use crate::kernel_line;

/// The prefix of words for `modprobe`.
const BLACKLIST: &str = "modprobe.blacklist";

/// The parameters of modules, and the modules that no hardware loads.
#[derive(Debug, Default)]
pub(super) struct Options {
    parameters: BTreeMap<String, Vec<String>>,
    blacklist: BTreeSet<String>,
}

impl Options {
    pub(super) fn parse(line: &str) -> Self {
        let mut options = Self::default();
        for listed in kernel_line::values(line, BLACKLIST) {
            let names = listed.split(',').map(canonical_name);
            options.blacklist.extend(names);
        }
        for word in kernel_line::parameters(line) {
            let key = word.split('=').next().unwrap_or(word);
            if let Some((module, _)) = key.split_once('.') {
                let parameter = word[module.len() + 1..].to_owned();
                let of_module = options.parameters.entry(canonical_name(module));
                of_module.or_default().push(parameter);
            }
        }
        options
    }

    /// The module's parameters, `requested` last: the kernel lets the last word win.
    pub(super) fn parameters(&self, module: &str, requested: &str) -> String {
        let from_line = self.parameters.get(module).into_iter().flatten();
        let words = from_line.map(String::as_str).chain([requested]);
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        words.join(" ")
    }

    /// Whether the hardware's aliases leave the module out. Its own name still loads it, as with `modprobe`.
    pub(super) fn is_blacklisted(&self, module: &str) -> bool {
        self.blacklist.contains(module)
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn the_kernel_line_speaks_to_modules() {
        let options = Options::parse(
            "quiet usb-storage.delay_use=5 root=a.b=c nvme_core.default_ps_max_latency_us=0 \
             \"usb_storage.quirks=0bc2:ab20:u\" modprobe.blacklist=nouveau,snd-hda-intel i915.modeset",
        );
        for (module, requested, expected) in [
            ("usb_storage", "", "delay_use=5 quirks=0bc2:ab20:u"),
            (
                "usb_storage",
                "delay_use=1",
                "delay_use=5 quirks=0bc2:ab20:u delay_use=1",
            ),
            ("nvme_core", "", "default_ps_max_latency_us=0"),
            ("i915", "", "modeset"),
            ("root", "", ""),
            ("e1000e", "debug=1", "debug=1"),
        ] {
            assert_eq!(options.parameters(module, requested), expected, "{module}");
        }
        assert!(options.is_blacklisted("nouveau") && options.is_blacklisted("snd_hda_intel"));
        assert!(!options.is_blacklisted("usb_storage"));
    }
}
