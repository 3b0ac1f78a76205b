//! dockerd as System Docker and User Docker run it: the settings of the configuration and of daemon.json, without what
//! would keep dockerd from starting, and with what the machine relies on.

mod command_line;
mod conflicts;
mod setting;

pub use command_line::{CommandLine, Engine, LeftOut};
pub use setting::Origin;
