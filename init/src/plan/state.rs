//! Which filesystem becomes `/state`: the state disk if the machine has one, else memory.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use os_config::State;

use host::block::{self, Device, DeviceName};
use host::modules::Modules;

/// Labels that are used without being asked for: RancherOS's, and boot2docker's of docker-machine.
const KNOWN_LABELS: [&str; 2] = ["LABEL=RANCHER_STATE", "LABEL=B2D_STATE"];
/// `rancher.state.wait`: as long as RancherOS waited for the device to resolve.
const WAIT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The outcome of the search.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A filesystem to be mounted.
    Disk(Device),
    /// The machine runs from memory; the text says why where a disk had been asked for.
    Memory { asked_for: Option<String> },
}

/// Looks for the state disk that the configuration asks for, or for a known label.
pub(crate) fn find(state: &State, modules: &mut Modules) -> Found {
    let wanted: Vec<DeviceName> = match state.dev.as_deref() {
        Some(dev) if !dev.is_empty() => vec![DeviceName::parse(dev)],
        _ => KNOWN_LABELS.into_iter().map(DeviceName::parse).collect(),
    };
    let asked_for = state.dev.clone().filter(|dev| !dev.is_empty());
    let started = Instant::now();
    loop {
        for one in &wanted {
            if let Some(device) = block::find(Path::new("/"), one).into_iter().next() {
                return Found::Disk(device);
            }
        }
        if !state.wait || started.elapsed() > WAIT {
            return Found::Memory { asked_for };
        }
        modules.load_for_hardware(Path::new("/"), |_| true);
        sleep(POLL_INTERVAL);
    }
}

/// The filesystem type to mount with: the configured one unless it is `auto`.
pub(crate) fn fstype(state: &State, device: &Device) -> String {
    match state.fstype.as_deref() {
        None | Some("" | "auto") => device.superblock.fstype.to_owned(),
        Some(named) => named.to_owned(),
    }
}
