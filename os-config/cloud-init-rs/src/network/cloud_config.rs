//! Writes a network as `rancher.network` of a cloud-config.

use serde_json::{Map, Value as Json, json};

use super::link::{Link, LinkKind, Network};

impl Network {
    /// The network as a cloud-config with `rancher.network`.
    pub fn to_cloud_config(&self) -> Json {
        let mut interfaces = Map::new();
        for link in &self.links {
            let key = link.key();
            interfaces.insert(key, link.to_interface(self));
            if let LinkKind::Vlan { id, link: parent } = &link.kind {
                let name = link.name.clone().unwrap_or_default();
                let below = interfaces
                    .entry(parent.clone())
                    .or_insert_with(|| json!({}));
                let known = below["vlans"].as_str().map(|list| format!("{list},"));
                below["vlans"] = json!(format!("{}{id}:{name}", known.unwrap_or_default()));
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
    fn key(&self) -> String {
        match (&self.mac, &self.name) {
            // A bond, bridge or VLAN shares its MAC address with its members, so its key is its name.
            (Some(mac), _) if self.kind == LinkKind::Physical => {
                format!("mac:{}", mac.to_lowercase())
            }
            (_, name) => name.clone().unwrap_or_default(),
        }
    }

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
        if !self.routes.is_empty() {
            let commands: Vec<String> = self
                .routes
                .iter()
                .map(|(to, via)| format!("ip route replace {to} via {via} dev $iface"))
                .collect();
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
                LinkKind::Bridge { members } => ("bridge", members),
                _ => continue,
            };
            let is_member = members.iter().any(|member| {
                self.name.as_ref() == Some(member) || self.mac.as_ref() == Some(member)
            });
            if let Some(name) = other.name.as_ref().filter(|_| is_member) {
                set(key, json!(name));
            }
        }
        if matches!(self.kind, LinkKind::Bridge { .. }) {
            set("bridge", json!("true"));
        }
        Json::Object(keys)
    }
}
