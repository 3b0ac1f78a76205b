//! A broken cloud-config boots anyway and is reported. One of them; all, and broken kernel lines, are in
//! long_broken.rs.

use anyhow::Result;
use qemu_tests::fixtures::broken_input::boot_with_config;

#[test]
#[ignore = "boots a VM: make test-vm"]
fn config_with_tabs() -> Result<()> {
    boot_with_config("tabs")
}
