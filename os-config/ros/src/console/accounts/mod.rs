//! Accounts of the console: who can log in, and with what.

mod authorized_keys;
pub(crate) mod built_in;
mod passwd;
pub(crate) mod passwords;
pub(crate) mod users;
