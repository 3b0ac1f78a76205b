//! The catalogue: consoles and engines over reboots, power cuts and other interruptions, and its services.

mod configured_choice;
mod consoles;
mod engines;
mod interruptions;
mod services;
