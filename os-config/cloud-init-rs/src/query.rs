//! A query to a data source: the client, the firmware's strings, and the address.

use crate::firmware::Firmware;
use crate::http::Client;

/// The address of the metadata service in most clouds.
pub(crate) const LINK_LOCAL: &str = "http://169.254.169.254";

/// The means of a data source to ask its service.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub http: &'a Client,
    pub firmware: &'a Firmware,
    /// The part of `name:root` behind the colon, which replaces the address of the service.
    pub root: Option<&'a str>,
}

impl Query<'_> {
    /// The root, or else `usual`; never with a slash at the end.
    pub(crate) fn root_or<'a>(&'a self, usual: &'a str) -> &'a str {
        self.root.unwrap_or(usual).trim_end_matches('/')
    }
}
