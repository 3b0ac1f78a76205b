//! More data sources that a machine asks over the network, and VMware's OVF environment.

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::datasource::{
    CloudVm, USER_DATA, body_in_table, boot_beside_cloud, check_cloud_data, spec,
};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::cloud::{Cloud, Request};
use qemu_tests::{SeedKind, UserData, Vm, VmSpec, run};
use serde_json::json;

#[test]
#[ignore = "long: make test-long"]
fn gce() -> Result<()> {
    let respond = |request: &Request, key: &str| {
        let flavor = request.headers.get("metadata-flavor").map(String::as_str);
        let path = request.path.strip_prefix("/computeMetadata/v1/")?;
        if flavor != Some("Google") {
            return None;
        }
        if path == "project/attributes/ssh-keys" {
            return Some(format!("me:{key}\n"));
        }
        let table = [
            ("instance/", "attributes/\n"),
            ("instance/hostname", "cow"),
            ("instance/network-interfaces/0/ip", "10.1.2.3"),
            (
                "instance/network-interfaces/0/access-configs/0/external-ip",
                "5.6.7.8",
            ),
            ("instance/attributes/user-data", USER_DATA),
        ];
        body_in_table(&table, path)
    };
    let spec = spec(&["type=1,manufacturer=Google,product=Google Compute Engine"]);
    boot_beside_cloud(
        &CloudVm {
            name: "gce",
            paths: &["/computeMetadata"],
            spec: &spec,
        },
        respond,
        |vm, _| check_cloud_data(vm, "cow", "10.1.2.3 5.6.7.8"),
    )
}

#[test]
#[ignore = "long: make test-long"]
fn digitalocean_with_its_addresses() -> Result<()> {
    let respond = |request: &Request, key: &str| {
        // The address that QEMU's DHCP server would give too, so that ssh finds the machine.
        let document = json!({"droplet_id": 7, "hostname": "cow", "public_keys": [key],
            "dns": {"nameservers": ["169.254.169.3"]},
            "interfaces": {"public": [{
                "mac": "52:54:00:12:34:56",
                "ipv4": {"ip_address": "169.254.169.15", "netmask": "255.255.255.0", "gateway": "169.254.169.254"},
                "anchor_ipv4": {"ip_address": "10.17.0.5", "netmask": "255.255.0.0"}}]}});
        match request.path.as_str() {
            "/metadata/v1.json" => Some(document.to_string()),
            "/metadata/v1/user-data" => Some(USER_DATA.to_owned()),
            _ => None,
        }
    };
    let spec = spec(&["type=1,manufacturer=DigitalOcean"]);
    boot_beside_cloud(
        &CloudVm {
            name: "digitalocean",
            paths: &["/metadata/v1"],
            spec: &spec,
        },
        respond,
        |vm, _| {
            check_cloud_data(vm, "cow", " 169.254.169.15")?;
            let network = vm
                .ssh
                .ok("sudo ros config get rancher.network.interfaces.eth0.addresses")?;
            ensure!(network.contains("10.17.0.5/16"), "{network}");
            // The machine used DHCP to ask the service, and then the addresses of the answer.
            vm.wait_until_ok(
                "ip -4 address show eth0 | grep 10.17.0.5/16",
                Deadline::secs(30),
            )?;
            vm.wait_until_ok(
                "grep 'nameserver 169.254.169.3' /etc/resolv.conf",
                Deadline::secs(30),
            )?;
            let address = vm.ssh.ok("ip -4 -o address show eth0")?;
            ensure!(
                !address.contains("dynamic"),
                "it is still leased: {address}"
            );
            Ok(())
        },
    )
}

#[test]
#[ignore = "long: make test-long"]
fn openstack_with_several_parts() -> Result<()> {
    let respond = |request: &Request, key: &str| {
        let meta = json!({"hostname": "cow", "uuid": "u", "public_keys": {"me": key}});
        let user_data = format!(
            "Content-Type: multipart/mixed; boundary=\"==x\"\nMIME-Version: 1.0\n\n--==x\nContent-Type: text/cloud-config\n\n{}\n\
             --==x\nContent-Type: text/x-include-url\n\nhttp://169.254.169.254/more\n\
             --==x\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho ran > /run/script\n--==x--\n",
            USER_DATA.replace("/run/seen", "/run/not-seen")
        );
        let network = json!({"links": [{"id": "a", "type": "phy", "ethernet_mac_address": "52:54:00:12:34:56", "mtu": 1400}],
            "networks": [{"link": "a", "type": "ipv4_dhcp"}]});
        match request.path.strip_prefix("/openstack/latest/") {
            Some("meta_data.json") => Some(meta.to_string()),
            Some("user_data") => Some(user_data),
            Some("network_data.json") => Some(network.to_string()),
            Some("vendor_data.json") => {
                Some(json!({"cloud-init": "#cloud-config\nhostname: vendor\n"}).to_string())
            }
            // A list of a later part replaces the list of an earlier part.
            _ if request.path == "/more" => Some(USER_DATA.to_owned()),
            _ => None,
        }
    };
    let spec = spec(&["type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova"]);
    boot_beside_cloud(
        &CloudVm {
            name: "openstack",
            paths: &["/openstack", "/more"],
            spec: &spec,
        },
        respond,
        |vm, _| {
            // The vendor's cloud-config yields to the user's and overrides metadata.
            check_cloud_data(vm, "vendor", "")?;
            vm.wait_until_ok("grep ran /run/script", Deadline::secs(30))?;
            vm.wait_until_ok("ip link show eth0 | grep 'mtu 1400'", Deadline::secs(30))?;
            Ok(())
        },
    )
}

#[test]
#[ignore = "long: make test-long"]
fn vmware_by_its_ovf_environment() -> Result<()> {
    let spec = VmSpec {
        seed: SeedKind::OvfIso,
        ..VmSpec::default()
    };
    let user_data = UserData::Raw(USER_DATA.as_bytes().to_vec());
    run("datasource-ovf", &spec, &user_data, |vm| {
        check_cloud_data(vm, "from-ovf", "")
    })
}

#[test]
#[ignore = "long: make test-long"]
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
#[ignore = "long: make test-long"]
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
