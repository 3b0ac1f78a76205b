//! Data sources that a machine asks over the network; the firmware of each machine names its cloud. More data sources
//! are in long_datasources.rs.

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::datasource::{
    BOOT_TIMEOUT_SECS, CloudVm, USER_DATA, body_in_table, boot_beside_cloud, check_cloud_data, spec,
};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::cloud::{Cloud, Request};
use qemu_tests::{SeedKind, UserData, Vm, VmSpec};
use serde_json::json;

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
            cloud.fall_silent_below(EC2);
            let mark = vm.console.mark();
            vm.ssh.run("sudo reboot")?;
            let said = vm.console.wait_line_after(
                mark,
                "what was saved",
                Deadline::secs(BOOT_TIMEOUT_SECS),
            )?;
            ensure!(said.contains("ec2: http://169.254.169.254/"), "{said}");
            vm.wait_up_after(mark)?;
            assert_eq!(vm.ssh.ok("hostname")?, "cow.ec2.internal");
            assert_eq!(vm.ssh.ok("cat /run/seen")?, "10.1.2.3 5.6.7.8");
            Ok(())
        },
    )
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn azure() -> Result<()> {
    let respond = |request: &Request, key: &str| {
        let instance = json!({"compute": {"name": "cow", "publicKeys": [{"keyData": key}]},
            "network": {"interface": [{"ipv4": {"ipAddress": [
                {"privateIpAddress": "10.1.2.3", "publicIpAddress": "5.6.7.8"}]}}]}});
        let goal_state = "<GoalState><Incarnation>1</Incarnation><Container><ContainerId>c</ContainerId>\
            <RoleInstanceList><RoleInstance><InstanceId>i</InstanceId></RoleInstance></RoleInstanceList></Container></GoalState>";
        match request.path.split('&').next()? {
            "/metadata/instance?api-version=2019-02-01" => Some(instance.to_string()),
            "/metadata/instance/compute/customData?api-version=2019-02-01" => {
                // `USER_DATA` in base64.
                Some("I2Nsb3VkLWNvbmZpZwp3cml0ZV9maWxlczoKLSBwYXRoOiAvcnVuL3NlZW4KICBjb250ZW50OiAiJHByaXZhdGVfaXB2NCAkcHVibGljX2lwdjQiCg==".to_owned())
            }
            "/machine?comp=goalstate" => Some(goal_state.to_owned()),
            "/machine?comp=health" => Some(String::new()),
            _ => None,
        }
    };
    // QEMU reaches only one link-local address, so both of Azure's services answer there.
    let spec = VmSpec {
        append: "rancher.cloud_init.datasources=[azure:http://169.254.169.254]".into(),
        ..spec(&["type=3,asset=7783-7084-3265-9085-8269-3286-77"])
    };
    boot_beside_cloud(
        &CloudVm {
            name: "azure",
            paths: &["/metadata/instance", "/machine"],
            spec: &spec,
        },
        respond,
        |vm, cloud| {
            check_cloud_data(vm, "cow", "10.1.2.3 5.6.7.8")?;
            let report = cloud.wait_for("/machine?comp=health", Deadline::secs(5))?;
            ensure!(
                report.method == "POST" && report.body.contains("<State>Ready</State>"),
                "{report:?}"
            );
            Ok(())
        },
    )
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn nocloud_over_http_with_a_bond() -> Result<()> {
    let cloud = Cloud::listen(0)?;
    let spec = VmSpec {
        seed: SeedKind::None,
        append: format!("ds=nocloud;h=cow;s=http://10.0.2.2:{}/seed/", cloud.port()),
        ..VmSpec::default()
    };
    let vm = Vm::start("datasource-nocloud", &spec, &UserData::key_only())?;
    let key = vm.ssh.public_key().to_owned();
    cloud.respond_with(move |request| match request.path.as_str() {
        "/seed/meta-data" => Some(format!("instance-id: i\npublic-keys: ['{key}']\n")),
        "/seed/user-data" => Some(USER_DATA.to_owned()),
        "/seed/network-config" => Some(
            "version: 2\nethernets: {eth0: {}}\nbonds: {bond0: {interfaces: [eth0], dhcp4: true, parameters: {mode: active-backup}}}\n\
             vlans: {lan7: {id: 7, link: bond0, addresses: [10.7.0.2/24]}}\n"
                .to_owned(),
        ),
        _ => None,
    });
    let result = vm.wait_up().and_then(|_| {
        check_cloud_data(&vm, "cow", "")?;
        let bond = vm.ssh.ok("cat /sys/class/net/bond0/bonding/mode")?;
        ensure!(bond.starts_with("active-backup"), "{bond}");
        let address = vm.ssh.ok("ip -4 -o address show bond0")?;
        ensure!(address.contains("10.0.2.15"), "{address}");
        let vlan = vm.ssh.ok("ip -d -4 address show lan7")?;
        ensure!(
            vlan.contains("id 7") && vlan.contains("10.7.0.2/24"),
            "{vlan}"
        );
        Ok(())
    });
    vm.finish(result)
        .context("a machine that is configured from http://10.0.2.2")
}
