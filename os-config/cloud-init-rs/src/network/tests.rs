//! Network configurations in the formats of cloud-init and OpenStack, each with the cloud-config that it gives.

use super::{Network, parse};
use serde_json::json;

fn read(text: &str) -> (Option<Network>, Vec<String>) {
    let mut problems = Vec::new();
    (parse(text.as_bytes(), &mut problems), problems)
}

/// A document as a cloud-config's `rancher.network`.
fn config(text: &str) -> serde_json::Value {
    let (network, problems) = read(text);
    assert_eq!(problems, [""; 0], "{text}");
    network.unwrap().to_cloud_config()["rancher"]["network"].clone()
}

#[test]
fn version_1() {
    let text = "
network:
  version: 1
  config:
  - type: physical
    name: eth0
    mac_address: '52:54:00:12:34:56'
    mtu: 1400
    subnets:
    - type: static
      address: 10.0.0.5
      netmask: 255.255.255.0
      gateway: 10.0.0.1
      dns_nameservers: [1.1.1.1]
      dns_search: [example.com]
      routes:
      - {network: 192.168.0.0, netmask: 255.255.0.0, gateway: 10.0.0.2}
    - {type: static6, address: 'fd00::5/64', gateway: 'fd00::1'}
  - {type: physical, name: eth1, subnets: [{type: dhcp4}]}
  - {type: nameserver, address: 9.9.9.9, search: lan}
  - type: loopback
    name: lo
";
    assert_eq!(
        config(text),
        json!({
            "interfaces": {
                "mac:52:54:00:12:34:56": {
                    "dhcp": false, "mtu": 1400, "addresses": ["10.0.0.5/24", "fd00::5/64"],
                    "gateway": "10.0.0.1", "gateway_ipv6": "fd00::1",
                    "post_up": ["ip route replace 192.168.0.0/16 via 10.0.0.2 dev $iface"],
                },
                "eth1": {"dhcp": true},
            },
            "dns": {"nameservers": ["1.1.1.1", "9.9.9.9"], "search": ["example.com", "lan"]},
        })
    );
}

#[test]
fn version_1_bonds_vlans_and_bridges() {
    let text = "
version: 1
config:
- {type: physical, name: eth0}
- {type: physical, name: eth1}
- {type: bond, name: bond0, bond_interfaces: [eth0, eth1], params: {bond-mode: 802.3ad, bond_miimon: 100}, subnets: [{type: dhcp}]}
- {type: vlan, name: bond0.7, vlan_link: bond0, vlan_id: 7, subnets: [{type: static, address: 10.7.0.2/24}]}
- {type: bridge, name: br0, bridge_interfaces: [eth2]}
- {type: physical, name: eth2}
";
    assert_eq!(
        config(text)["interfaces"],
        json!({
            "eth0": {"dhcp": false, "bond": "bond0"},
            "eth1": {"dhcp": false, "bond": "bond0"},
            "bond0": {"dhcp": true, "bond_opts": {"mode": "802.3ad", "miimon": "100"}, "vlans": "7:bond0.7"},
            "bond0.7": {"dhcp": false, "addresses": ["10.7.0.2/24"]},
            "br0": {"dhcp": false, "bridge": "true"},
            "eth2": {"dhcp": false, "bridge": "br0"},
        })
    );
}

#[test]
fn version_2() {
    let text = "
version: 2
renderer: networkd
ethernets:
  id0:
    match: {macaddress: 'AA:BB:CC:00:00:01'}
    set-name: lan0
    addresses: [192.168.1.5/24, {'fd00::2/64': {lifetime: 0}}]
    routes: [{to: default, via: 192.168.1.1}, {to: 10.0.0.0/8, via: 192.168.1.2}]
    nameservers: {addresses: [192.168.1.1], search: [lan]}
  eth1: {dhcp4: true, gateway6: 'fd00::1'}
  any: {match: {name: 'en*'}, dhcp4: yes}
bonds:
  bond0: {interfaces: [eth1], parameters: {mode: active-backup, mii-monitor-interval: 50}}
vlans:
  v9: {id: 9, link: eth1, dhcp4: true}
";
    assert_eq!(
        config(text),
        json!({
            "interfaces": {
                "mac:aa:bb:cc:00:00:01": {
                    "dhcp": false, "addresses": ["192.168.1.5/24", "fd00::2/64"], "gateway": "192.168.1.1",
                    "post_up": ["ip route replace 10.0.0.0/8 via 192.168.1.2 dev $iface"],
                },
                "eth1": {"dhcp": true, "gateway_ipv6": "fd00::1", "bond": "bond0", "vlans": "9:v9"},
                "en*": {"dhcp": true},
                "bond0": {"dhcp": false, "bond_opts": {"mode": "active-backup", "miimon": "50"}},
                "v9": {"dhcp": true},
            },
            "dns": {"nameservers": ["192.168.1.1"], "search": ["lan"]},
        })
    );
}

#[test]
fn openstack() {
    let text = r#"{
  "links": [
    {"id": "tap1", "type": "ovs", "ethernet_mac_address": "fa:16:3e:00:00:01", "mtu": 1450},
    {"id": "tap2", "type": "phy", "ethernet_mac_address": "fa:16:3e:00:00:02", "mtu": null}],
  "networks": [
    {"id": "n0", "type": "ipv4", "link": "tap1", "ip_address": "172.16.0.5", "netmask": "255.255.0.0",
     "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "172.16.0.1"}],
     "services": [{"type": "dns", "address": "8.8.4.4"}]},
    {"id": "n1", "type": "ipv4_dhcp", "link": "tap2"}],
  "services": [{"type": "dns", "address": "8.8.8.8"}]}"#;
    assert_eq!(
        config(text),
        json!({
            "interfaces": {
                "mac:fa:16:3e:00:00:01": {"dhcp": false, "addresses": ["172.16.0.5/16"], "gateway": "172.16.0.1", "mtu": 1450},
                "mac:fa:16:3e:00:00:02": {"dhcp": true},
            },
            "dns": {"nameservers": ["8.8.4.4", "8.8.8.8"], "search": []},
        })
    );
}

#[test]
fn invalid_parts_are_reported_and_left_out() {
    for (text, expected) in [
        ("version: 3", "expected `version: 1` or `version: 2`"),
        ("[", "expected YAML"),
        (
            "version: 1\nconfig: [{type: infiniband}]",
            "type \"infiniband\" is not known",
        ),
        (
            "version: 1\nconfig: [{type: physical}]",
            "a link without a name",
        ),
        (
            "version: 1\nconfig: [{type: physical, name: 'a;reboot'}]",
            "\"a;reboot\" is no name of a link",
        ),
        (
            "version: 2\nethernets: {e: {addresses: [10.0.0.999/24]}}",
            "found \"10.0.0.999\" and \"24\"",
        ),
        (
            "version: 2\nethernets: {e: {routes: [{to: 10.0.0.0/8, via: $(reboot)}]}}",
            "\"$(reboot)\" is no address of a gateway",
        ),
        (
            "version: 2\nethernets: {e: {nameservers: {addresses: [x], search: ['a b']}}}",
            "\"x\" is no address of a name server",
        ),
        (
            "version: 2\nethernets: {e: {match: {driver: virtio}}}",
            "only match by name",
        ),
        ("version: 2\nwifis: {w: {}}", "wifis are not supported"),
        (
            "version: 1\nconfig: [{type: vlan, name: v}]",
            "needs vlan_id",
        ),
    ] {
        let (_, problems) = read(text);
        assert!(
            problems.iter().any(|problem| problem.contains(expected)),
            "{text}: {problems:?}"
        );
    }
    for nothing in ["", "network:", "{links: [], networks: []}"] {
        assert_eq!(read(nothing), (None, vec![]), "{nothing:?}");
    }
}
