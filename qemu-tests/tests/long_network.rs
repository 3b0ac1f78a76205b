//! A network-config of NoCloud as hosters write it: a bond of a card that its hardware address names, a VLAN on the
//! bond, an address without a network, a gateway outside of it, and a search list.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::guest::problems;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{UserData, Vm, VmSpec, run};

/// QEMU's first card has this hardware address, and its user network has these addresses.
const NETWORK: &str = "version: 2
ethernets:
  card:
    match: {macaddress: '52:54:00:12:34:56'}
bonds:
  bond0:
    interfaces: [card]
    parameters: {mode: active-backup, mii-monitor-interval: 100, gratuitious-arp: 2}
    addresses: [10.0.2.15/32]
    routes: [{to: default, via: 10.0.2.2, on-link: true}]
    nameservers: {addresses: [10.0.2.3], search: [meadow.example]}
vlans:
  bond0.5: {id: 5, link: bond0, addresses: [192.0.2.5/24]}
";

#[test]
#[ignore = "long: make test-long"]
fn a_bond_a_vlan_and_a_gateway_outside_of_every_network() -> Result<()> {
    let spec = VmSpec {
        network_config: Some(NETWORK.to_owned()),
        ..VmSpec::default()
    };
    run("network-config", &spec, &UserData::key_only(), |vm| {
        let mut checks = Checks::default();
        for (name, command, expected) in [
            ("the bond", "cat /proc/net/bonding/bond0", "active-backup"),
            (
                "its member",
                "cat /proc/net/bonding/bond0",
                "Slave Interface: eth0",
            ),
            (
                "its option",
                "cat /sys/class/net/bond0/bonding/num_grat_arp",
                "2",
            ),
            (
                "the VLAN",
                "ip -d link show bond0.5",
                "vlan protocol 802.1Q id 5",
            ),
            ("its address", "ip -o addr show bond0.5", "192.0.2.5/24"),
            ("the route", "ip route", "default via 10.0.2.2 dev bond0"),
            (
                "the name server",
                "cat /etc/resolv.conf",
                "nameserver 10.0.2.3",
            ),
            (
                "the search list",
                "cat /etc/resolv.conf",
                "search meadow.example",
            ),
        ] {
            checks.run(name, || shows(vm, command, expected));
        }
        checks.run("the address on the console", || {
            vm.console
                .wait_for("ros: bond0 has address 10.0.2.15", Deadline::secs(10))
                .map(drop)
        });
        checks.run("no problem", || {
            let told = problems(vm)?;
            ensure!(told.is_empty(), "{told:?}");
            Ok(())
        });
        checks.finish()
    })
}

/// DHCP gives the address, and the configuration the search list.
#[test]
#[ignore = "long: make test-long"]
fn a_search_list_beside_dhcp() -> Result<()> {
    let settings = "rancher:\n  network:\n    dns: {search: [meadow.example]}\n";
    run(
        "network-search",
        &VmSpec::default(),
        &UserData::config(settings),
        |vm| {
            shows(vm, "cat /etc/resolv.conf", "search meadow.example")?;
            shows(vm, "cat /etc/resolv.conf", "nameserver 10.0.2.3")?;
            vm.ssh.ok("sudo system-docker restart network")?;
            vm.wait_ssh(Deadline::secs(60))?;
            vm.wait_until("the name server of DHCP", Deadline::secs(60), || {
                shows(vm, "cat /etc/resolv.conf", "nameserver 10.0.2.3")
            })?;
            shows(vm, "cat /etc/resolv.conf", "search meadow.example")
        },
    )
}

fn shows(vm: &Vm, command: &str, expected: &str) -> Result<()> {
    let said = vm.ssh.ok(command)?;
    ensure!(said.contains(expected), "`{command}`: {said}");
    Ok(())
}
