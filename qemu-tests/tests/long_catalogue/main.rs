//! What the catalogue has, over reboots, power cuts and whatever else cuts a switch off.

mod chosen;
mod consoles;
mod cut_off;
mod engines;
