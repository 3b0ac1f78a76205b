//! The links that the kernel shows below /sys/class/net.

use std::path::Path;

use network::Link;

/// Links that belong to hardware, by name. Links that containers make are left alone.
pub(super) fn hardware_links(root: &Path) -> Vec<Link> {
    let mut links = all_links(root);
    links.retain(|link| is_hardware(root, &link.name));
    links
}

/// All links, by name.
pub(super) fn all_links(root: &Path) -> Vec<Link> {
    let mut links: Vec<Link> = link_names(root)
        .into_iter()
        .map(|name| {
            let mac = std::fs::read_to_string(folder(root, &name).join("address"));
            let master = std::fs::read_link(folder(root, &name).join("master"));
            Link {
                mac: mac.unwrap_or_default().trim().to_owned(),
                master: master
                    .ok()
                    .and_then(|path| Some(path.file_name()?.to_str()?.to_owned())),
                name,
            }
        })
        .collect();
    links.sort_by(|a, b| a.name.cmp(&b.name));
    links
}

/// Whether a link belongs to hardware: the kernel shows its device.
pub(crate) fn is_hardware(root: &Path, name: &str) -> bool {
    folder(root, name).join("device").exists()
}

/// Whether a link is hardware or rests on it, as bonds, bridges and VLANs of the machine's do. A bridge of containers
/// rests on none.
pub(crate) fn rests_on_hardware(root: &Path, name: &str) -> bool {
    // A VLAN of a bridge of VLANs of a bond; the kernel allows eight levels.
    rests_within(root, name, 8)
}

fn rests_within(root: &Path, name: &str, levels: u32) -> bool {
    let entries = || std::fs::read_dir(folder(root, name)).into_iter().flatten();
    is_hardware(root, name)
        || levels > 0
            && entries().flatten().any(|entry| {
                let entry = entry.file_name();
                let lower = entry.to_str().and_then(|name| name.strip_prefix("lower_"));
                lower.is_some_and(|lower| rests_within(root, lower, levels - 1))
            })
}

/// The names of all links.
pub(crate) fn link_names(root: &Path) -> Vec<String> {
    let folder = std::fs::read_dir(root.join("sys/class/net"));
    let entries = folder.into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn folder(root: &Path, name: &str) -> std::path::PathBuf {
    root.join("sys/class/net").join(name)
}

#[cfg(test)]
mod tests {
    use super::{hardware_links, rests_on_hardware};
    use std::fs;

    #[test]
    fn links_of_containers_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        let net = root.path().join("sys/class/net");
        for (name, is_hardware) in [("eth1", true), ("docker0", false), ("eth0", true)] {
            fs::create_dir_all(net.join(name)).unwrap();
            fs::write(net.join(name).join("address"), format!("mac of {name}\n")).unwrap();
            if is_hardware {
                std::os::unix::fs::symlink("/", net.join(name).join("device")).unwrap();
            }
        }
        std::os::unix::fs::symlink("../bond0", net.join("eth1/master")).unwrap();
        for (name, lower) in [
            ("bond0", "eth1"),
            ("bond0.5", "bond0"),
            ("br0", "bond0.5"),
            ("docker0", "veth1"),
        ] {
            fs::create_dir_all(net.join(name).join(format!("lower_{lower}"))).unwrap();
        }
        let names = ["eth0", "bond0", "bond0.5", "br0", "docker0", "veth1"];
        let resting = names
            .into_iter()
            .filter(|name| rests_on_hardware(root.path(), name));
        assert_eq!(resting.collect::<Vec<_>>(), names[..4]);
        let found: Vec<String> = hardware_links(root.path())
            .into_iter()
            .map(|link| format!("{} {} {:?}", link.name, link.mac, link.master))
            .collect();
        assert_eq!(
            found,
            ["eth0 mac of eth0 None", "eth1 mac of eth1 Some(\"bond0\")"]
        );
    }
}
