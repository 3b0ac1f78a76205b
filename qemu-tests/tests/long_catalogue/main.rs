//! Consoles and engines of the catalogue over reboots, power cuts and other interruptions.

mod configured_choice;
mod consoles;
mod engines;
mod interruptions;
