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
    use super::hardware_links;
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
