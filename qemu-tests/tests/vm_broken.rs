//! A machine boots with a broken cloud-config and reports it, from kernel and initrd without any medium. The other
//! cloud-configs, and broken kernel lines, are in long_broken.rs.

use anyhow::Result;
use qemu_tests::fixtures::broken_input::boot_with_config;
use qemu_tests::{BootMedium, VmSpec};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn config_with_tabs() -> Result<()> {
    let spec = VmSpec {
        boot_medium: BootMedium::Netboot,
        ..VmSpec::default()
    };
    boot_with_config("tabs", &spec)
}
