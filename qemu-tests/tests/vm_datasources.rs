//! Data sources that are asked over the network, each from a machine whose firmware says where it is.

use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};
use qemu_tests::cloud::{Cloud, Request};
use qemu_tests::guest::problems;
use qemu_tests::wait::Deadline;
use qemu_tests::{Machine, MachineSpec, Network, SeedKind, UserData, run};
use serde_json::json;

/// User-data that every cloud here gives: proves that it arrived, and with it the machine's addresses.
const USER_DATA: &str =
    "#cloud-config\nwrite_files:\n- path: /run/seen\n  content: \"$private_ipv4 $public_ipv4\"\n";
const TIME: u64 = 240;
const EC2: &[&str] = &["/latest"];

/// Port 80 of the loopback, which all machines of clouds reach, each by the paths of its own.
fn service() -> Result<&'static Cloud> {
    static CLOUD: OnceLock<Result<Cloud>> = OnceLock::new();
    match CLOUD.get_or_init(|| Cloud::listen(80)) {
        Ok(cloud) => Ok(cloud),
        Err(error) => bail!("{error:#}"),
    }
}

/// A machine of a cloud, without any seed.
fn spec(smbios: &[&str]) -> MachineSpec {
    MachineSpec {
        seed: SeedKind::None,
        network: Network::Metadata,
        smbios: smbios.iter().map(|&table| table.into()).collect(),
        ..MachineSpec::default()
    }
}

/// Boots `spec` beside a service that answers below `paths` with what `respond` says, to whom the machine's key is
/// given.
fn boots(
    name: &str,
    paths: &[&str],
    spec: &MachineSpec,
    respond: impl Fn(&Request, &str) -> Option<String> + Send + Sync + 'static,
    body: impl FnOnce(&Machine, &Cloud) -> Result<()>,
) -> Result<()> {
    let cloud = service()?;
    cloud.fall_silent_below(paths);
    let machine = Machine::start(&format!("datasource-{name}"), spec, &UserData::key_only())?;
    let key = machine.ssh.public_key().to_owned();
    cloud.answer_below(paths, move |request| respond(request, &key));
    let result = machine.wait_up().and_then(|_| body(&machine, cloud));
    machine.finish(result)
}

/// The machine has the cloud's name, and its user-data with the addresses that the cloud gave.
fn knows(machine: &Machine, hostname: &str, seen: &str) -> Result<()> {
    assert_eq!(machine.ssh.ok("hostname")?, hostname);
    assert_eq!(machine.ssh.ok("cat /run/seen")?, seen);
    assert_eq!(problems(machine)?, [""; 0]);
    Ok(())
}

fn of_table(table: &[(&str, &str)], path: &str) -> Option<String> {
    let known = table.iter().find(|(known, _)| *known == path);
    known.map(|(_, body)| (*body).to_owned())
}

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
        of_table(&table, &request.path)
    };
    let spec = MachineSpec {
        state_disk_mb: Some(1024),
        ..spec(&["type=1,manufacturer=Amazon EC2"])
    };
    boots("ec2", EC2, &spec, respond, |machine, cloud| {
        knows(machine, "cow.ec2.internal", "10.1.2.3 5.6.7.8")?;
        cloud.fall_silent_below(EC2);
        let mark = machine.console.mark();
        machine.ssh.run("sudo reboot")?;
        let said = machine
            .console
            .line_after(mark, "what was saved", Deadline::secs(TIME))?;
        ensure!(said.contains("ec2: http://169.254.169.254/"), "{said}");
        machine.wait_up_after(mark)?;
        assert_eq!(machine.ssh.ok("hostname")?, "cow.ec2.internal");
        assert_eq!(machine.ssh.ok("cat /run/seen")?, "10.1.2.3 5.6.7.8");
        Ok(())
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
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
        of_table(&table, path)
    };
    let spec = spec(&["type=1,manufacturer=Google,product=Google Compute Engine"]);
    boots(
        "gce",
        &["/computeMetadata"],
        &spec,
        respond,
        |machine, _| knows(machine, "cow", "10.1.2.3 5.6.7.8"),
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
                // The same as the others get, in base64.
                Some("I2Nsb3VkLWNvbmZpZwp3cml0ZV9maWxlczoKLSBwYXRoOiAvcnVuL3NlZW4KICBjb250ZW50OiAiJHByaXZhdGVfaXB2NCAkcHVibGljX2lwdjQiCg==".to_owned())
            }
            "/machine?comp=goalstate" => Some(goal_state.to_owned()),
            "/machine?comp=health" => Some(String::new()),
            _ => None,
        }
    };
    // QEMU reaches one link-local address, so both of Azure's services are there.
    let spec = MachineSpec {
        append: "rancher.cloud_init.datasources=[azure:http://169.254.169.254]".into(),
        ..spec(&["type=3,asset=7783-7084-3265-9085-8269-3286-77"])
    };
    boots(
        "azure",
        &["/metadata/instance", "/machine"],
        &spec,
        respond,
        |machine, cloud| {
            knows(machine, "cow", "10.1.2.3 5.6.7.8")?;
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
fn digitalocean_with_its_addresses() -> Result<()> {
    let respond = |request: &Request, key: &str| {
        // What QEMU's DHCP server would give as well, so that ssh finds the machine.
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
    boots(
        "digitalocean",
        &["/metadata/v1"],
        &spec,
        respond,
        |machine, _| {
            knows(machine, "cow", " 169.254.169.15")?;
            let network = machine
                .ssh
                .ok("sudo ros config get rancher.network.interfaces.eth0.addresses")?;
            ensure!(network.contains("10.17.0.5/16"), "{network}");
            // The network came up by DHCP to ask; then it was set up as the answer says.
            machine.until_ok(
                "ip -4 address show eth0 | grep 10.17.0.5/16",
                Deadline::secs(30),
            )?;
            machine.until_ok(
                "grep 'nameserver 169.254.169.3' /etc/resolv.conf",
                Deadline::secs(30),
            )?;
            let address = machine.ssh.ok("ip -4 -o address show eth0")?;
            ensure!(
                !address.contains("dynamic"),
                "it is still leased: {address}"
            );
            Ok(())
        },
    )
}

#[test]
#[ignore = "boots a VM: make test-vm"]
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
            // Lists of a later part replace those of an earlier one.
            _ if request.path == "/more" => Some(USER_DATA.to_owned()),
            _ => None,
        }
    };
    let spec = spec(&["type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova"]);
    boots(
        "openstack",
        &["/openstack", "/more"],
        &spec,
        respond,
        |machine, _| {
            // The vendor's cloud-config says less than the user's, and more than metadata.
            knows(machine, "vendor", "")?;
            machine.until_ok("grep ran /run/script", Deadline::secs(30))?;
            machine.until_ok("ip link show eth0 | grep 'mtu 1400'", Deadline::secs(30))?;
            Ok(())
        },
    )
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn vmware_by_its_ovf_environment() -> Result<()> {
    let spec = MachineSpec {
        seed: SeedKind::OvfIso,
        ..MachineSpec::default()
    };
    let user_data = UserData::Raw(USER_DATA.as_bytes().to_vec());
    run("datasource-ovf", &spec, &user_data, |machine| {
        knows(machine, "from-ovf", "")
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn nocloud_over_http_with_a_bond() -> Result<()> {
    let cloud = Cloud::listen(0)?;
    let spec = MachineSpec {
        seed: SeedKind::None,
        append: format!("ds=nocloud;h=cow;s=http://10.0.2.2:{}/seed/", cloud.port()),
        ..MachineSpec::default()
    };
    let machine = Machine::start("datasource-nocloud", &spec, &UserData::key_only())?;
    let key = machine.ssh.public_key().to_owned();
    cloud.answer_with(move |request| match request.path.as_str() {
        "/seed/meta-data" => Some(format!("instance-id: i\npublic-keys: ['{key}']\n")),
        "/seed/user-data" => Some(USER_DATA.to_owned()),
        "/seed/network-config" => Some(
            "version: 2\nethernets: {eth0: {}}\nbonds: {bond0: {interfaces: [eth0], dhcp4: true, parameters: {mode: active-backup}}}\n\
             vlans: {lan7: {id: 7, link: bond0, addresses: [10.7.0.2/24]}}\n"
                .to_owned(),
        ),
        _ => None,
    });
    let result = machine.wait_up().and_then(|_| {
        knows(&machine, "cow", "")?;
        let bond = machine.ssh.ok("cat /sys/class/net/bond0/bonding/mode")?;
        ensure!(bond.starts_with("active-backup"), "{bond}");
        let address = machine.ssh.ok("ip -4 -o address show bond0")?;
        ensure!(address.contains("10.0.2.15"), "{address}");
        let vlan = machine.ssh.ok("ip -d -4 address show lan7")?;
        ensure!(
            vlan.contains("id 7") && vlan.contains("10.7.0.2/24"),
            "{vlan}"
        );
        Ok(())
    });
    machine
        .finish(result)
        .context("a machine that is configured from http://10.0.2.2")
}
