//! Network configurations as people publish them, each with the whole plan that it gives. A document begins with the
//! machine's links, `#@ NAME MAC`, or `#@ NAME` for a link without hardware, and ends with its expectations: `#> text` for each command after the loopback's, `#!
//! text` for each problem. It is a cloud-config, or version 1 or 2 of cloud-init's network configuration.

use std::fs;
use std::path::Path;

use network::{Link, VirtualLinks};

/// The file of a data source's network.
const NETWORK: &str = "var/lib/rancher/conf/cloud-config.d/network.yml";

#[test]
fn documents_give_their_plans() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        let (plan, problems) = plan(&text);
        let name = file.file_stem().unwrap().to_string_lossy();
        if plan != marked(&text, "#> ") {
            wrong.push(format!("{name}: the plan is\n#> {}", plan.join("\n#> ")));
        }
        let expected = marked(&text, "#! ");
        let matches = expected.len() == problems.len()
            && expected
                .iter()
                .all(|text| problems.iter().any(|problem| problem.contains(text)));
        if !matches {
            wrong.push(format!(
                "{name}: the problems are\n#! {}",
                problems.join("\n#! ")
            ));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 15, "{count} documents");
}

fn marked<'a>(text: &'a str, mark: &'a str) -> Vec<&'a str> {
    text.lines()
        .filter_map(|line| line.strip_prefix(mark))
        .collect()
}

/// The commands of a document's plan, and the problems of its readers.
fn plan(text: &str) -> (Vec<String>, Vec<String>) {
    let mut problems = Vec::new();
    let config = if text.contains("#cloud-config") {
        text.to_owned()
    } else {
        let network = cloud_init_rs::network::parse(text.as_bytes(), &mut problems);
        network.unwrap().to_cloud_config().to_string()
    };
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join(NETWORK);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, config).unwrap();
    let loaded = os_config::load::load(root.path());
    problems.extend(loaded.problems.iter().map(ToString::to_string));
    let links: Vec<Link> = marked(text, "#@ ")
        .into_iter()
        .map(|line| {
            let (name, mac) = line.split_once(' ').unwrap_or((line, ""));
            Link {
                name: name.to_owned(),
                mac: mac.to_owned(),
                master: None,
            }
        })
        .collect();
    let network = &loaded.config.rancher.network;
    let mut hardware = links.clone();
    hardware.retain(|link| !link.mac.is_empty());
    let virtual_links = VirtualLinks::plan(network, &hardware, &links);
    problems.extend(virtual_links.conflicts.iter().map(ToString::to_string));
    let all: Vec<Link> = hardware
        .iter()
        .chain(&virtual_links.links)
        .cloned()
        .collect();
    let absent = network::absent_links(network, &all);
    problems.extend(absent.iter().map(ToString::to_string));
    let mut plan: Vec<String> = network::pre_commands(network)
        .iter()
        .chain(&network::plan(network, &hardware, &virtual_links))
        .chain(&network::post_commands(network))
        .map(ToString::to_string)
        .skip(1)
        .collect();
    let dhcp = network::dhcpcd::links(network, &all);
    plan.extend(dhcp.iter().map(|link| format!("dhcp {}", link.name)));
    let resolv_conf = if dhcp.is_empty() || !network.dns.nameservers.is_empty() {
        network::resolv_conf::text(network).unwrap_or_default()
    } else {
        network::resolv_conf::text_behind_dhcp(network)
    };
    plan.extend(
        resolv_conf
            .lines()
            .map(|line| format!("resolv.conf {line}")),
    );
    (plan, problems)
}
