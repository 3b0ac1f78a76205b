//! Swap space in the memory of a machine with little memory, compressed by the kernel's zram. Pure: configuration and
//! facts in, plan out. PID 1 makes it; User Docker keeps containers out of it.
//!
//! Engines and services hold memory that they have not used since their start. Without swap space the kernel can take the
//! pages of programs alone, and a page of a program that is read again costs the unpacking of a block of 1 MiB.

use os_config::{Config, Mount};

use crate::facts::HostFacts;
use crate::step::{Planned, Step, may};

/// A machine with as much memory keeps the programs of both engines in it.
const ENOUGH_MEMORY_MIB: u64 = 640;
const MODULE: &str = "zram";
const DEVICE: &str = "/dev/zram0";
const ALGORITHM_FILE: &str = "/sys/block/zram0/comp_algorithm";
const SIZE_FILE: &str = "/sys/block/zram0/disksize";
/// It unpacks in the fewest instructions. zstd packs smaller.
const ALGORITHM: &str = "lz4";
/// How much rather the kernel takes memory of programs than pages of files, of 200: the kernel's own formula for swap
/// space that is ten times as fast as the filesystem.
const SWAPPINESS: &str = "180";

/// The size of the swap space in MiB: half the memory. `None` for a machine with enough memory, and for a configuration
/// with swap space or a zram device of its own.
pub fn size_mib(config: &Config, memory_mib: u64) -> Option<u64> {
    let is_little = (1..ENOUGH_MEMORY_MIB).contains(&memory_mib);
    (is_little && !has_swap_space(config)).then_some(memory_mib / 2)
}

/// Plans the swap space, and how a machine with little memory chooses the pages that it gives up.
pub fn plan(config: &Config, machine: &HostFacts) -> Vec<Planned> {
    let Some(size) = size_mib(config, machine.memory_mib) else {
        return Vec::new();
    };
    vec![
        may(Step::Module {
            name: MODULE.to_owned(),
            parameters: String::new(),
        }),
        tell(ALGORITHM_FILE, ALGORITHM),
        tell(SIZE_FILE, &format!("{size}M")),
        may(Step::SwapSpace(DEVICE.into())),
        tell("/proc/sys/vm/swappiness", SWAPPINESS),
        // Pages beside a page that is needed are not unpacked with it: there is no disk whose way they would save.
        tell("/proc/sys/vm/page-cluster", "0"),
        // The kernel's other choice of pages keeps a program's used pages, and drops those that only came with them.
        may(Step::TellIfPresent {
            path: "/sys/kernel/mm/lru_gen/enabled".into(),
            content: "y".to_owned(),
        }),
    ]
}

fn tell(path: &str, content: &str) -> Planned {
    may(Step::Tell {
        path: path.into(),
        content: content.to_owned(),
    })
}

/// Whether the configuration has swap space, or sets up zram by a module's parameters or by the service of the catalogue.
fn has_swap_space(config: &Config) -> bool {
    let rancher = &config.rancher;
    let names_module = |entry: &String| entry.split_ascii_whitespace().next() == Some(MODULE);
    config.swap.is_some()
        || config.mounts.iter().any(Mount::is_swap)
        || rancher.modules.iter().any(names_module)
        || rancher.services_include.get(MODULE) == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::{plan, size_mib};
    use crate::facts::HostFacts;
    use os_config::{Config, Mount, Swap};

    #[test]
    fn a_machine_with_little_memory_has_half_of_it_as_swap_space() {
        let config = Config::default();
        for (memory_mib, expected) in [
            (0, None),
            (215, Some(107)),
            (343, Some(171)),
            (467, Some(233)),
            (639, Some(319)),
            (640, None),
            (960, None),
            (64_000, None),
        ] {
            assert_eq!(size_mib(&config, memory_mib), expected, "{memory_mib}");
        }
    }

    #[test]
    fn a_configuration_with_swap_space_keeps_its_choice() {
        let with = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            size_mib(&config, 343)
        };
        let choices: [fn(&mut Config); 4] = [
            |config| {
                config.swap = Some(Swap {
                    file: "/var/lib/swapfile".into(),
                    size: None,
                    largest: None,
                });
            },
            |config| {
                config.mounts = vec![Mount {
                    device: "LABEL=RANCHER_SWAP".into(),
                    fstype: "swap".into(),
                    ..Mount::default()
                }];
            },
            |config| config.rancher.modules = vec!["zram num_devices=2".into()],
            |config| {
                let enabled = ("zram".to_owned(), true);
                config.rancher.services_include = [enabled].into();
            },
        ];
        for (number, change) in choices.into_iter().enumerate() {
            assert_eq!(with(change), None, "{number}");
        }
        let unchanged = with(|config| {
            config.rancher.modules = vec!["zramfs".into()];
            config.rancher.services_include = [("zram".to_owned(), false)].into();
        });
        assert_eq!(unchanged, Some(171));
    }

    #[test]
    fn the_size_is_set_before_the_device_is_used() {
        let machine = |memory_mib| HostFacts {
            memory_mib,
            ..HostFacts::default()
        };
        let lines: Vec<String> = plan(&Config::default(), &machine(343))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "may  module zram",
                "may  tell /sys/block/zram0/comp_algorithm \"lz4\"",
                "may  tell /sys/block/zram0/disksize \"171M\"",
                "may  swap space on /dev/zram0",
                "may  tell /proc/sys/vm/swappiness \"180\"",
                "may  tell /proc/sys/vm/page-cluster \"0\"",
                "may  tell /sys/kernel/mm/lru_gen/enabled \"y\" if present",
            ]
        );
        assert!(plan(&Config::default(), &machine(960)).is_empty());
    }
}
