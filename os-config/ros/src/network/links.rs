//! The links that the kernel shows below /sys/class/net.

use std::path::Path;

use network::Link;

/// Links that belong to hardware, by name. Links that containers make are left alone.
pub(super) fn hardware_links(root: &Path) -> Vec<Link> {
    let mut links: Vec<Link> = link_names(root)
        .into_iter()
        .filter(|name| folder(root, name).join("device").exists())
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

/// The names of all links.
pub(super) fn link_names(root: &Path) -> Vec<String> {
    let folder = std::fs::read_dir(root.join("sys/class/net"));
    let entries = folder.into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn folder(root: &Path, name: &str) -> std::path::PathBuf {
    root.join("sys/class/net").join(name)
}
