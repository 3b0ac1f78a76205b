//! The first decisions in the OS image: the warning of too little memory, and the rescue console for
//! `rancher.recovery`. Pure: facts and kernel line in, lines for the consoles out.

use host::facts::HostFacts;
use host::kernel_line;

/// A machine with less memory boots slowly or not at all, and has no memory left for containers.
const ENOUGH_MEMORY_MIB: u64 = 224;

/// The warning of too little memory.
pub(crate) fn memory_warning(machine: &HostFacts) -> Option<String> {
    let has = machine.memory_mib;
    (has < ENOUGH_MEMORY_MIB).then(|| {
        format!(
            "ros: this machine has {has} MB of memory; PaddockOS needs {ENOUGH_MEMORY_MIB} MB, 512 MB are advised"
        )
    })
}

/// The reason for a rescue console before the boot goes on.
pub(crate) fn rescue_request(line: &str) -> Option<&'static str> {
    kernel_line::is_on(line, "rancher.recovery").then_some("ros: rancher.recovery is set")
}
