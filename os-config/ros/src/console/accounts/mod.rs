//! Accounts of the console: users, keys, passwords.

mod authorized_keys;
pub(crate) mod default_users;
mod passwd;
pub(crate) mod passwords;
pub(crate) mod users;
