//! What a data source is asked with.

use crate::firmware::Firmware;
use crate::http::Client;

/// Where most clouds answer.
pub(crate) const LINK_LOCAL: &str = "http://169.254.169.254";

/// The client, the machine and the address for a question.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub http: &'a Client,
    pub firmware: &'a Firmware,
    /// What stands behind the colon of `name:root`, in place of the service's own address.
    pub root: Option<&'a str>,
}

impl Query<'_> {
    /// The root without a slash at its end, or `usual`.
    pub(crate) fn root_or<'a>(&'a self, usual: &'a str) -> &'a str {
        self.root.unwrap_or(usual).trim_end_matches('/')
    }
}
