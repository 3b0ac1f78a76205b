//! A broken cloud-config or kernel line boots anyway and is reported. One of
//! each; all of them are in long_broken.rs.

use anyhow::Result;
use qemu_tests::broken::{boot_with_config, boot_with_kernel_line};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn config_with_tabs() -> Result<()> {
    boot_with_config("tabs")
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn kernel_line_with_a_scalar_for_a_map() -> Result<()> {
    boot_with_kernel_line("scalar-for-map")
}
