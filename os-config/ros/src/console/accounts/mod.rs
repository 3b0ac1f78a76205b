//! Accounts of the console: users, keys, passwords.

pub(crate) mod authorized_keys;
pub(crate) mod default_users;
pub(crate) mod passwd;
pub(crate) mod passwords;
pub(crate) mod revocation;
pub(crate) mod users;
