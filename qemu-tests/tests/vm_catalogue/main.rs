//! The catalogue: consoles, engines and services that are not in the OS image.

mod consoles;
mod engines;
mod services;
