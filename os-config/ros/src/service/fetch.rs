//! Fetching a definition from its address.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use cloud_init_rs::Client;
use cloud_init_rs::http::HttpError;
use os_config::{Config, atomic_file};

use crate::service::definition::{ensure_usable, problems_of_definition};

/// Limit for fetching a definition.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Fetches a definition and keeps it as `file` below the root, if it can be used. Without an answer, the definition
/// that was kept before stays in use, as at boots.
pub(crate) fn fetch(root: &Path, config: &Config, url: &str, file: &Path) -> Result<()> {
    let file = root.join(file);
    let answer = match http_client(config, url).get(url, &[]) {
        Err(error @ HttpError::NoAnswer { .. }) if file.is_file() => {
            eprintln!("ros: {error:#}\nros: the definition that was fetched before is used");
            return Ok(());
        }
        answer => answer?,
    };
    let bytes = answer.with_context(|| format!("{url}: there is nothing (404)"))?;
    ensure_usable(&problems_of_definition(&bytes, url), url)?;
    atomic_file::replace(&file, &bytes, 0o600)
        .with_context(|| format!("writing {}", file.display()))
}

/// A client for an address, through the proxy that the configuration names for the address.
pub(super) fn http_client(config: &Config, url: &str) -> Client {
    Client::with_proxy(REQUEST_TIMEOUT, config.rancher.network.proxy_for(url))
}
