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
    set-name: eth0
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
        (
            "version: 2\nwifis: {w: {}}",
            "wifis: PaddockOS does not do this; it has no effect",
        ),
        (
            "version: 2\nethernets: {e: {accept-ra: true}}",
            "e: accept-ra: PaddockOS does not do this; it has no effect",
        ),
        (
            "version: 2\nethernets: {e: {dhcp: true}}",
            "e: dhcp: unknown key; it has no effect",
        ),
        (
            "version: 2\nethernets: {e: {match: {macaddress: '52:54:00:12:34:56'}, set-name: lan0}}",
            "e: set-name: links keep the kernel's names; \"lan0\" has no effect",
        ),
        (
            "version: 2\nethernets: {e: {addresses: [10.0.0.5]}}",
            "e: addresses: expected an address with its prefix, such as 192.168.1.5/24, found \"10.0.0.5\"",
        ),
        (
            "version: 2\nethernets: {e: {mtu: 99999, dhcp4: maybe}}",
            "e: mtu: expected a number up to 65535, found \"99999\"",
        ),
        (
            "version: 2\nethernets: {e: {dhcp4: maybe}}",
            "e: dhcp4: expected true or false",
        ),
        (
            "version: 2\nethernets: {e: {routes: [{to: 10.0.0.0/8}]}}",
            "e: routes: a route needs `via`, or `scope: link`",
        ),
        (
            "version: 2\nethernets: {e: {addresses: [10.0.0.5/24], gateway4: 10.0.0.1, routes: [{to: default, via: 10.0.0.2}]}}",
            "a link with two gateways: 10.0.0.1 counts, 10.0.0.2 does not",
        ),
        (
            "version: 2\nbridges: {b: {parameters: {path-cost: {eth0: 5}}}}",
            "b: path-cost: PaddockOS does not do this",
        ),
        (
            "version: 1\nconfig: [{type: physical, name: e, mac_address: nonsense}]",
            "e: \"nonsense\" is no MAC address",
        ),
        (
            "version: 1\nconfig: [{type: physical, name: e}, {type: physical, name: f}, {type: route, destination: 10.9.0.0/16, gateway: 10.0.0.1}]",
            "route to 10.9.0.0/16: no network of a link contains the gateway 10.0.0.1",
        ),
        (
            "version: 1\nconfig: [{type: nameserver, address: 1.1.1.1, interface: eth0}]",
            "nameserver: interface: PaddockOS does not do this",
        ),
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

/// cloud-init's and netplan's own examples find the parent of a VLAN by its MAC address.
#[test]
fn vlans_and_members_of_links_that_are_found_by_mac() {
    let mac = "mac:52:54:00:12:34:56";
    let version_1 = "
version: 1
config:
- {type: vlan, name: eth0.5, vlan_id: 5, vlan_link: eth0}
- {type: physical, name: eth0, mac_address: '52:54:00:12:34:56'}
- {type: physical, name: eth1, mac_address: '52:54:00:12:34:57'}
- {type: bond, name: bond0, bond_interfaces: [eth1], mac_address: 'aa:bb:cc:00:00:01', params: {bond-slaves: none}}
";
    assert_eq!(
        config(version_1)["interfaces"],
        json!({
            mac: {"dhcp": false, "vlans": "5:eth0.5"},
            "mac:52:54:00:12:34:57": {"dhcp": false, "bond": "bond0"},
            "eth0.5": {"dhcp": false},
            "bond0": {"dhcp": false, "bond_opts": {}, "pre_up": ["ip link set dev $iface address aa:bb:cc:00:00:01"]},
        })
    );
    let version_2 = "
version: 2
ethernets:
  lan: {match: {macaddress: '52:54:00:12:34:56', name: 'en*'}}
  wan: {match: {macaddress: '52:54:00:12:34:57'}, set-name: eth7}
bridges:
  br0: {interfaces: [vlan5], parameters: {stp: false, forward-delay: 4, priority: 100}}
bonds:
  bond0: {interfaces: [wan]}
vlans:
  vlan5: {id: 5, link: lan}
  vlan6: {id: 6, link: bond0}
";
    assert_eq!(
        config(version_2)["interfaces"],
        json!({
            mac: {"dhcp": false, "vlans": "5:vlan5"},
            "mac:52:54:00:12:34:57": {"dhcp": false, "bond": "bond0"},
            "bond0": {"dhcp": false, "bond_opts": {}, "vlans": "6:vlan6"},
            "br0": {"dhcp": false, "bridge": "true", "pre_up": [
                "ip link set dev $iface type bridge stp_state 0",
                "ip link set dev $iface type bridge forward_delay 400",
                "ip link set dev $iface type bridge priority 100",
            ]},
            "vlan5": {"dhcp": false, "bridge": "br0"},
            "vlan6": {"dhcp": false},
        })
    );
    let openstack = r#"{"links": [
        {"id": "tap1", "type": "phy", "ethernet_mac_address": "52:54:00:12:34:56"},
        {"id": "bond", "type": "bond", "bond_links": ["tap1"]},
        {"id": "v", "type": "vlan", "vlan_id": 5, "vlan_link": "bond"}], "networks": []}"#;
    assert_eq!(
        config(openstack)["interfaces"],
        json!({
            mac: {"dhcp": false, "bond": "bond"},
            "bond": {"dhcp": false, "bond_opts": {}, "vlans": "5:vlan5"},
            "vlan5": {"dhcp": false},
        })
    );
}

#[test]
fn routes_of_every_form() {
    let version_2 = "
version: 2
ethernets:
  eth0:
    addresses: [203.0.113.20/32, 10.0.0.5/24]
    routes:
    - {to: default, via: 203.0.113.254, on-link: true}
    - {to: default, via: 10.0.0.2, metric: 500}
    - {to: 10.1.0.0/16, via: 10.0.0.1, table: 101, from: 10.0.0.5, mtu: 1400}
    - {to: 10.2.0.0/16, via: 172.16.0.1}
    - {to: 169.254.169.254/32, scope: link}
    - {to: 'fd01::/64', via: 'fe80::1'}
    - {to: '::/0', via: 'fd00::1', metric: 5}
";
    assert_eq!(
        config(version_2)["interfaces"]["eth0"],
        json!({
            "dhcp": false, "addresses": ["203.0.113.20/32", "10.0.0.5/24"], "gateway": "203.0.113.254",
            "post_up": [
                "ip route replace default via 10.0.0.2 dev $iface metric 500",
                "ip route replace 10.1.0.0/16 via 10.0.0.1 dev $iface table 101 mtu 1400 src 10.0.0.5",
                "ip route replace 10.2.0.0/16 via 172.16.0.1 dev $iface onlink",
                "ip route replace 169.254.169.254/32 dev $iface",
                "ip -6 route replace fd01::/64 via fe80::1 dev $iface",
                "ip -6 route replace default via fd00::1 dev $iface metric 5 onlink",
            ],
        })
    );
    // A route beside the links: the link whose network has its gateway, else the link with DHCP.
    let version_1 = "
version: 1
config:
- {type: route, destination: 10.9.0.0/16, gateway: 192.168.23.1, metric: 3}
- {type: route, destination: 10.8.0.0, netmask: 255.255.0.0, gateway: 10.0.2.2}
- {type: physical, name: eth0, subnets: [{type: static, address: 192.168.23.14}]}
- {type: physical, name: eth1, subnets: [{type: dhcp}]}
";
    assert_eq!(
        config(version_1)["interfaces"],
        json!({
            "eth0": {
                "dhcp": false, "addresses": ["192.168.23.14/24"],
                "post_up": ["ip route replace 10.9.0.0/16 via 192.168.23.1 dev $iface metric 3"],
            },
            "eth1": {"dhcp": true, "post_up": ["ip route replace 10.8.0.0/16 via 10.0.2.2 dev $iface onlink"]},
        })
    );
}

#[test]
fn a_key_that_is_there_twice_costs_nothing_else() {
    let text = "
version: 1
config:
- type: bridge
  name: br0
  bridge_interfaces: [eth0]
  params:
    bridge_maxwait: 0
    bridge_fd: 2
    bridge_maxwait: 5
";
    let (network, problems) = read(text);
    assert!(network.is_some_and(|network| network.links.len() == 1));
    assert_eq!(
        problems,
        [
            "network configuration: line 10: the key `bridge_maxwait` is there twice; the last one counts"
        ]
    );
}

#[test]
fn a_member_of_two_links_is_named_and_needs_no_description() {
    let (network, problems) = read(
        "version: 2\nethernets: {nic: {match: {macaddress: '52:54:00:12:34:56'}}}\nbonds:\n  b0: {interfaces: [nic, eth1]}\n  \
         b1: {interfaces: [nic, '52:54:00:12:34:58']}\nbridges: {br: {interfaces: [b0]}}\n",
    );
    assert_eq!(
        problems,
        [
            "network configuration: nic: it is a member of b0 and of b1; a link can be in one of them, and b1 counts"
        ]
    );
    let config = network.unwrap().to_cloud_config();
    let interfaces = &config["rancher"]["network"]["interfaces"];
    for (key, expected) in [
        ("mac:52:54:00:12:34:56", "b1"),
        ("eth1", "b0"),
        ("mac:52:54:00:12:34:58", "b1"),
    ] {
        assert_eq!(interfaces[key]["bond"], expected, "{key}: {interfaces}");
    }
    assert_eq!(interfaces["b0"]["bridge"], "br");
}
