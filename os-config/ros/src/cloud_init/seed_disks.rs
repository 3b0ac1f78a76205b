//! The disks with data for this machine, by the labels of their filesystems: which are read, and in which order. Pure.

use host::block::{self, Device};
use os_config::Config;

/// A disk with the label of a data source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seed<S> {
    pub(super) source: S,
    pub(super) device: Device,
    /// Whether people carry it: a USB disk or a card, unless the machine itself runs from it.
    pub(super) is_removable: bool,
}

/// The disks to read, the machine's own first, and a text for each disk that is not read.
pub(super) fn choose<S>(
    seeds: Vec<Seed<S>>,
    config: &Config,
    is_first_boot: bool,
) -> (Vec<Seed<S>>, Vec<String>) {
    let settings = &config.rancher.cloud_init;
    let mut refused = Vec::new();
    let mut chosen: Vec<Seed<S>> = Vec::new();
    for seed in seeds {
        let (label, fstype) = (&seed.device.superblock.label, seed.device.superblock.fstype);
        match block::refusal(fstype, seed.is_removable, is_first_boot, settings) {
            Some(why) => {
                let node = seed.device.node.display();
                refused.push(format!("{label} on {node} is not read: {why}"));
            }
            None => chosen.push(seed),
        }
    }
    chosen.sort_by_key(|seed| seed.is_removable);
    (chosen, refused)
}

#[cfg(test)]
mod tests {
    use host::block::Device;
    use os_config::load::document;

    use super::{Seed, choose};

    /// `name filesystem`; a name with `usb` is a stick.
    fn seeds(list: &[&'static str]) -> Vec<Seed<usize>> {
        let seeds = list.iter().enumerate().map(|(source, text)| {
            let (name, fstype) = text.split_once(' ').unwrap();
            let superblock = disk::superblock::Superblock {
                fstype,
                label: "cidata".into(),
                uuid: String::new(),
            };
            Seed {
                source,
                device: Device {
                    node: format!("/dev/{name}").into(),
                    superblock,
                },
                is_removable: name.contains("usb"),
            }
        });
        seeds.collect()
    }

    #[test]
    fn own_disks_come_first_and_sticks_count_on_the_first_boot() {
        for (text, is_first_boot, list, expected) in [
            (
                "",
                true,
                &["usb vfat", "vdb iso9660", "sr0 iso9660"][..],
                &["vdb", "sr0", "usb"][..],
            ),
            ("", false, &["usb vfat", "sr0 iso9660"], &["sr0"]),
            (
                "removable: true",
                false,
                &["usb vfat", "sr0 iso9660"],
                &["sr0", "usb"],
            ),
            ("", true, &["vda ext4", "vdb vfat", "vdc xfs"], &["vdb"]),
            // A folder that the host shares.
            ("", false, &["config-2 9p"], &["config-2"]),
            ("filesystems: [iso9660]", true, &["config-2 9p"], &[]),
            (
                "filesystems: [ext4]",
                true,
                &["vda ext4", "vdb vfat"],
                &["vda"],
            ),
        ] {
            let text = format!("rancher: {{cloud_init: {{{text}}}}}\n");
            let config = document(text.as_bytes()).unwrap();
            let (chosen, refused) = choose(seeds(list), &config, is_first_boot);
            let found: Vec<String> = chosen
                .iter()
                .map(|seed| seed.device.node.display().to_string())
                .collect();
            let expected: Vec<String> =
                expected.iter().map(|name| format!("/dev/{name}")).collect();
            assert_eq!(found, expected, "{text} {list:?}");
            assert_eq!(refused.len(), list.len() - expected.len(), "{refused:?}");
        }
    }
}
