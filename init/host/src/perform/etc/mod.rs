//! The files of `/etc` that a boot brings up to date: the machine's names, the system's accounts, the time zone.

pub(super) mod hosts;
pub(super) mod system_accounts;
pub(super) mod time_zone;
