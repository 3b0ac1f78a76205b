//! The list of sources: names, order, and the firmware that names a source.

use crate::mock::Mock;
use crate::query::ask;
use cloud_init_rs::Firmware;
use cloud_init_rs::sources::ALL;

#[test]
fn firmware_says_where_a_machine_runs() {
    let firmware = |vendor: &str, product: &str, chassis: &str| Firmware {
        vendor: vendor.into(),
        product: product.into(),
        chassis_tag: chassis.into(),
        ..Firmware::default()
    };
    for (expected, firmware) in [
        (vec!["ec2"], firmware("Amazon EC2", "t3.micro", "")),
        (vec!["gce"], firmware("Google", "Google Compute Engine", "")),
        (
            vec!["azure"],
            firmware(
                "Microsoft Corporation",
                "Virtual Machine",
                "7783-7084-3265-9085-8269-3286-77",
            ),
        ),
        // Hyper-V outside Azure is not a cloud.
        (
            vec![],
            firmware("Microsoft Corporation", "Virtual Machine", "1"),
        ),
        (
            vec!["digitalocean"],
            firmware("DigitalOcean", "Droplet", ""),
        ),
        (vec!["hetzner"], firmware("Hetzner", "vServer", "")),
        (vec!["vultr"], firmware("Vultr", "VC2", "")),
        (vec!["scaleway"], firmware("Scaleway", "SCW-DEV1-S", "")),
        (
            vec!["exoscale"],
            firmware("Exoscale", "Exoscale Compute Platform", ""),
        ),
        (
            vec!["aliyun"],
            firmware("Alibaba Cloud", "Alibaba Cloud ECS", ""),
        ),
        (
            vec!["oracle"],
            firmware("QEMU", "Standard PC", "OracleCloud.com"),
        ),
        (
            vec!["openstack"],
            firmware("OpenStack Foundation", "OpenStack Nova", ""),
        ),
        (
            vec!["cloudstack"],
            firmware(
                "Apache Software Foundation",
                "CloudStack KVM Hypervisor",
                "",
            ),
        ),
        (
            vec!["vmware"],
            firmware("VMware, Inc.", "VMware Virtual Platform", "No Asset Tag"),
        ),
        (
            vec![],
            firmware("QEMU", "Standard PC (Q35 + ICH9, 2009)", ""),
        ),
        (vec![], firmware("innotek GmbH", "VirtualBox", "")),
        (vec![], firmware("Xen", "HVM domU", "")),
    ] {
        let found: Vec<&str> = ALL
            .into_iter()
            .filter(|service| service.detect(&firmware))
            .map(|service| service.name())
            .collect();
        assert_eq!(found, expected, "{firmware:?}");
    }
}

#[test]
fn names_and_roots() {
    let names: Vec<&str> = ALL.into_iter().map(|service| service.name()).collect();
    for name in [
        "aliyun",
        "azure",
        "cloudstack",
        "digitalocean",
        "ec2",
        "exoscale",
        "gce",
        "packet",
        "vmware",
        "tftp",
        "url",
        "file",
        "cmdline",
    ] {
        assert!(
            names.contains(&name),
            "CM-01 CM-02 CM-03 CM-04 CM-05 CM-06 CM-07 DS-07 {name}"
        );
    }
    // A root may have a slash at its end.
    for slash in ["", "/"] {
        let mock = Mock::table(&[("/latest/meta-data/", ""), ("/latest/user-data", "hello")]);
        let data = ask("ec2", &format!("{}{slash}", mock.root))
            .unwrap()
            .unwrap();
        assert_eq!(data.user_data, b"hello", "MS-03 MS-04 MS-05");
    }
}

#[test]
fn disks_come_before_the_sources_that_are_asked() {
    let names: Vec<&str> = ALL.into_iter().map(|source| source.name()).collect();
    assert_eq!(
        names.join(" "),
        "nocloud configdrive ovf azure-ovf file vmware nocloud-net cmdline ec2 gce azure digitalocean hetzner \
         vultr scaleway exoscale aliyun oracle packet openstack cloudstack url tftp"
    );
    assert!(ALL.into_iter().take(4).all(|source| source.is_disk()));
    assert!(!ALL.into_iter().skip(4).any(|source| source.is_disk()));
}
