//! A machine boots with a broken cloud-config and reports it. This is one case; the other cloud-configs, and broken
//! kernel lines, are in long_broken.rs.

use anyhow::Result;
use qemu_tests::fixtures::broken_input::boot_with_config;

#[test]
#[ignore = "boots a VM: make test-vm"]
fn config_with_tabs() -> Result<()> {
    boot_with_config("tabs")
}
