//! A data source over the network, which the firmware names, and the saved copy of its answer. The other data sources
//! are in long_datasources.rs.

use anyhow::{Result, ensure};
use qemu_tests::VmSpec;
use qemu_tests::fixtures::datasource::{
    BOOT_TIMEOUT_SECS, CloudVm, USER_DATA, body_in_table, boot_beside_cloud, check_cloud_data, spec,
};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::cloud::Request;

const EC2: &[&str] = &["/latest"];

#[test]
#[ignore = "boots a VM: make test-vm"]
fn ec2_and_what_is_saved_of_it() -> Result<()> {
    let respond = |request: &Request, key: &str| {
        let token = request.headers.get("x-aws-ec2-metadata-token");
        if request.method == "PUT" {
            return (request.path == "/latest/api/token").then(|| "token-1".to_owned());
        }
        if token.map(String::as_str) != Some("token-1") {
            return None;
        }
        if request.path == "/latest/meta-data/public-keys/0/openssh-key" {
            return Some(key.to_owned());
        }
        let table = [
            ("/latest/meta-data/", "hostname\n"),
            ("/latest/meta-data/hostname", "cow.ec2.internal"),
            ("/latest/meta-data/local-ipv4", "10.1.2.3"),
            ("/latest/meta-data/public-ipv4", "5.6.7.8"),
            ("/latest/meta-data/public-keys", "0=me\n"),
            ("/latest/user-data", USER_DATA),
        ];
        body_in_table(&table, &request.path)
    };
    let spec = VmSpec {
        state_disk_mb: Some(1024),
        ..spec(&["type=1,manufacturer=Amazon EC2"])
    };
    boot_beside_cloud(
        &CloudVm {
            name: "ec2",
            paths: EC2,
            spec: &spec,
        },
        respond,
        |vm, cloud| {
            check_cloud_data(vm, "cow.ec2.internal", "10.1.2.3 5.6.7.8")?;
            // `rancher.restart_services` names a service that starts before the answer.
            let time = |field: &str, name: &str| {
                let format = format!("{{{{.State.{field}}}}}");
                vm.ssh
                    .ok(&format!("sudo system-docker inspect -f '{format}' {name}"))
            };
            let (started, answered) = (
                time("StartedAt", "network")?,
                time("FinishedAt", "cloud-init")?,
            );
            ensure!(started > answered, "{started} is before {answered}");
            cloud.fall_silent_below(EC2);
            let mark = vm.console.mark();
            vm.ssh.run("sudo reboot")?;
            let said = vm.console.wait_line_after(
                mark,
                "what was saved",
                Deadline::secs(BOOT_TIMEOUT_SECS),
            )?;
            ensure!(said.contains("ec2: http://169.254.169.254/"), "{said}");
            vm.wait_up_again(mark)?;
            assert_eq!(vm.ssh.ok("hostname")?, "cow.ec2.internal");
            assert_eq!(vm.ssh.ok("cat /run/seen")?, "10.1.2.3 5.6.7.8");
            Ok(())
        },
    )
}
