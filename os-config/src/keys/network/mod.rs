//! `rancher.network`: its settings, and the values that are checked as what they are.

mod bond_options;
mod settings;
mod values;
mod vlans;

pub use settings::{Interface, Network};
pub use vlans::{Vlan, parse as parse_vlans};
