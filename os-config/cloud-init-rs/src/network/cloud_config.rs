//! Writes a network as `rancher.network` of a cloud-config.

use std::net::IpAddr;

use serde_json::{Map, Value as Json, json};

use super::link::{self, Link, LinkKind, Network, Route};

impl Network {
    /// The network as a cloud-config with `rancher.network`.
    pub fn to_cloud_config(&self) -> Json {
        let mut interfaces = Map::new();
        for link in &self.links {
            interfaces.insert(link.key(), link.to_interface(self));
        }
        // Below their parents, which may stand behind them in the document.
        for link in &self.links {
            if let LinkKind::Vlan { id, link: parent } = &link.kind {
                let name = link.name.clone().unwrap_or_default();
                let below = interfaces
                    .entry(self.key_of(parent))
                    .or_insert_with(|| json!({}));
                let known = below["vlans"].as_str().map(|list| format!("{list},"));
                below["vlans"] = json!(format!("{}{id}:{name}", known.unwrap_or_default()));
            }
        }
        // Members that the document describes no further.
        for link in &self.links {
            let (setting, members) = match &link.kind {
                LinkKind::Bond { members, .. } => ("bond", members),
                LinkKind::Bridge { members, .. } => ("bridge", members),
                _ => continue,
            };
            let is_described =
                |member: &&String| self.links.iter().any(|known| known.is_called(member));
            for member in members.iter().filter(|member| !is_described(member)) {
                let key = match link::is_mac(member) {
                    true => format!("mac:{}", member.to_lowercase()),
                    false => member.clone(),
                };
                let below = interfaces.entry(key).or_insert_with(|| json!({}));
                below[setting] = json!(link.name);
            }
        }
        let mut network = Map::new();
        if !interfaces.is_empty() {
            network.insert("interfaces".to_owned(), Json::Object(interfaces));
        }
        if !self.nameservers.is_empty() || !self.search.is_empty() {
            let dns = json!({"nameservers": self.nameservers, "search": self.search});
            network.insert("dns".to_owned(), dns);
        }
        json!({"rancher": {"network": network}})
    }
}

impl Link {
    fn to_interface(&self, network: &Network) -> Json {
        let mut keys = Map::new();
        let mut set = |key: &str, value: Json| {
            keys.insert(key.to_owned(), value);
        };
        set("dhcp", json!(self.dhcp));
        if !self.addresses.is_empty() {
            set("addresses", json!(self.addresses));
        }
        if let Some(gateway) = &self.gateway_ipv4 {
            set("gateway", json!(gateway));
        }
        if let Some(gateway) = &self.gateway_ipv6 {
            set("gateway_ipv6", json!(gateway));
        }
        if let Some(mtu) = self.mtu {
            set("mtu", json!(mtu));
        }
        let before = self.commands_before();
        if !before.is_empty() {
            set("pre_up", json!(before));
        }
        if !self.routes.is_empty() {
            let routes = self.routes.iter();
            let commands: Vec<String> = routes.map(|route| self.route_command(route)).collect();
            set("post_up", json!(commands));
        }
        if let LinkKind::Bond { options, .. } = &self.kind {
            let options: Map<String, Json> = options
                .iter()
                .map(|(key, value)| (key.clone(), json!(value)))
                .collect();
            set("bond_opts", Json::Object(options));
        }
        for other in &network.links {
            let (key, members) = match &other.kind {
                LinkKind::Bond { members, .. } => ("bond", members),
                LinkKind::Bridge { members, .. } => ("bridge", members),
                _ => continue,
            };
            let is_member = members.iter().any(|member| self.is_called(member));
            if let Some(name) = other.name.as_ref().filter(|_| is_member) {
                set(key, json!(name));
            }
        }
        if matches!(self.kind, LinkKind::Bridge { .. }) {
            set("bridge", json!("true"));
        }
        Json::Object(keys)
    }

    /// Commands for what the cloud-config has no key for.
    fn commands_before(&self) -> Vec<String> {
        let mut commands = Vec::new();
        if let Some(mac) = &self.set_mac {
            commands.push(format!("ip link set dev $iface address {mac}"));
        }
        if let LinkKind::Bridge { options, .. } = &self.kind {
            let commands_of = options
                .iter()
                .map(|(key, value)| format!("ip link set dev $iface type bridge {key} {value}"));
            commands.extend(commands_of);
        }
        commands
    }

    fn route_command(&self, route: &Route) -> String {
        let gateway: Option<IpAddr> = route.via.as_ref().and_then(|via| via.parse().ok());
        let source: Option<IpAddr> = route.source.as_ref().and_then(|from| from.parse().ok());
        let is_ipv6 =
            route.to.contains(':') || [gateway, source].iter().flatten().any(IpAddr::is_ipv6);
        let family = if is_ipv6 { "-6 " } else { "" };
        let mut command = format!("ip {family}route replace {}", route.to);
        if let Some(via) = &route.via {
            command.push_str(&format!(" via {via}"));
        }
        command.push_str(" dev $iface");
        let numbers = [
            ("table", route.table),
            ("metric", route.metric),
            ("mtu", route.mtu),
        ];
        for (key, number) in numbers {
            if let Some(number) = number {
                command.push_str(&format!(" {key} {number}"));
            }
        }
        if let Some(source) = &route.source {
            command.push_str(&format!(" src {source}"));
        }
        if gateway.is_some_and(|gateway| route.on_link || !self.reaches(gateway)) {
            command.push_str(" onlink");
        }
        command
    }

    /// Whether a gateway is in a network of the link. An address of DHCP is not there yet when routes are set.
    fn reaches(&self, gateway: IpAddr) -> bool {
        let link_local = matches!(gateway, IpAddr::V6(ip) if ip.is_unicast_link_local());
        link_local || self.contains(gateway)
    }
}
