//! Consoles and engines of the catalogue over reboots, power cuts and other interruptions.

mod chosen;
mod consoles;
mod cut_off;
mod engines;
