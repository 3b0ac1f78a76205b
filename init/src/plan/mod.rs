//! What boot does, as lists of steps. Pure: configuration, facts and devices in, plans out.

pub(crate) mod mounts;
pub(crate) mod state;
