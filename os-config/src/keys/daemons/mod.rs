//! cloud-init's keys of the daemons for time and logs.

pub(crate) mod ntp;
pub(crate) mod rsyslog;
