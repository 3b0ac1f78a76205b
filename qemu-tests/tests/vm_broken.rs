//! A broken cloud-config or kernel line boots anyway and is reported. Some of
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
fn config_that_is_binary() -> Result<()> {
    boot_with_config("binary")
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn config_with_wrong_types() -> Result<()> {
    boot_with_config("wrong-types")
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn kernel_line_with_a_scalar_for_a_map() -> Result<()> {
    boot_with_kernel_line("scalar-for-map")
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn kernel_line_with_empty_keys() -> Result<()> {
    boot_with_kernel_line("empty-keys")
}
