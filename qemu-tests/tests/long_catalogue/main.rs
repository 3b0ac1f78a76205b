//! What the catalogue has, over reboots, power cuts and whatever else cuts a switch off.

mod consoles;
mod cut_off;
mod engines;
