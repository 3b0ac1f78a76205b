//! Fetching a definition from its address, and whether it can be trusted.
//!
//! A definition of System Docker may give its container the whole machine, so it comes by https, with its digest behind
//! the address (`#sha256=…`), or from a repository that the configuration calls insecure.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cloud_init_rs::Client;
use cloud_init_rs::http::HttpError;
use os_config::compose::service::Scope;
use os_config::load::include;
use os_config::{Config, Switchable, atomic_file};
use sha2::{Digest, Sha256};

use crate::service::definition::{ensure_usable, problems_of_definition};

/// Limit for fetching a definition.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
const DIGEST: &str = "#sha256=";

/// Fetches a definition and keeps it as `file` below the root, if it can be used. Without an answer, the definition
/// that was kept before stays in use, as at boots.
pub(crate) fn fetch(root: &Path, config: &Config, address: &str, file: &Path) -> Result<()> {
    let file = root.join(file);
    let (url, digest) = split_digest(address);
    let answer = match http_client(config, url).get(url, &[]) {
        Err(error @ HttpError::NoAnswer { .. }) if file.is_file() => {
            eprintln!("ros: {error:#}\nros: the definition that was fetched before is used");
            return Ok(());
        }
        answer => answer?,
    };
    let bytes = answer.with_context(|| format!("{url}: there is nothing (404)"))?;
    match digest {
        Some(digest) => ensure_digest(&bytes, digest).with_context(|| url.to_owned())?,
        None => ensure_trusted(config, url, &bytes)?,
    }
    ensure_usable(&problems_of_definition(&bytes, url), url)?;
    atomic_file::replace(&file, &bytes, 0o600)
        .with_context(|| format!("writing {}", file.display()))
}

/// A client for an address, through the proxy that the configuration names for the address.
pub(super) fn http_client(config: &Config, url: &str) -> Client {
    Client::with_proxy(REQUEST_TIMEOUT, config.rancher.network.proxy_for(url))
}

/// `URL#sha256=DIGEST` → URL and digest.
fn split_digest(address: &str) -> (&str, Option<&str>) {
    match address.split_once(DIGEST) {
        Some((url, digest)) => (url, Some(digest)),
        None => (address, None),
    }
}

fn ensure_digest(bytes: &[u8], expected: &str) -> Result<()> {
    let found: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    ensure!(
        found.eq_ignore_ascii_case(expected),
        "its SHA-256 is {found}, not {expected}; nothing was changed"
    );
    Ok(())
}

/// Refuses a definition for System Docker that anybody between here and its server could have changed.
fn ensure_trusted(config: &Config, url: &str, bytes: &[u8]) -> Result<()> {
    let is_allowed = url.starts_with("https://") || is_from_insecure_repository(config, url);
    ensure!(
        is_allowed || !is_for_system(config, bytes),
        "{url}: a definition for System Docker comes by https; nothing was changed\n\
         hint: write its digest behind the address ({url}{DIGEST}…), or trust everybody on the way to its server: \
         rancher.repositories.NAME: {{url: …, insecure: true}}"
    );
    Ok(())
}

fn is_from_insecure_repository(config: &Config, url: &str) -> bool {
    let repositories = config.rancher.repositories.values();
    let mut insecure = repositories.filter(|repository| repository.insecure);
    insecure.any(|repository| {
        let rest = url.strip_prefix(repository.url.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.starts_with('/'))
    })
}

/// Whether a definition has a service of System Docker, or replaces one.
fn is_for_system(config: &Config, bytes: &[u8]) -> bool {
    let Ok(document) = include::parse(bytes, None) else {
        // It cannot be used in any case.
        return false;
    };
    let is_system = |name: &str| {
        let known = config.rancher.services.get(name);
        let is_part = Switchable::ALL.iter().any(|part| part.service() == name);
        is_part || known.is_some_and(|service| service.scope() == Scope::System)
    };
    let mut services = document.services().into_iter();
    services.any(|(name, service)| service.scope() == Scope::System || is_system(&name))
}

#[cfg(test)]
mod tests {
    use os_config::load::document;

    use super::{ensure_digest, ensure_trusted, split_digest};

    const SYSTEM: &str = "a: {image: x, labels: {io.rancher.os.scope: system}}\n";

    #[test]
    fn a_definition_of_system_docker_comes_by_https() {
        let config = document(
            b"rancher:\n  services: {network: {image: x, labels: {io.rancher.os.scope: system}}}\n\
              \x20 repositories: {lan: {url: 'http://lan/a/', insecure: true}, b: {url: 'http://b'}}\n",
        )
        .unwrap();
        for (url, text, is_trusted) in [
            ("https://b/a.yml", SYSTEM, true),
            ("http://b/a.yml", SYSTEM, false),
            ("http://lan/a/a.yml", SYSTEM, true),
            ("http://lan/ab/a.yml", SYSTEM, false),
            ("http://b/a.yml", "a: {image: x}\n", true),
            ("http://b/a.yml", "services: {a: {image: x}}\n", true),
            // These would change a service of the image.
            ("http://b/a.yml", "network: {image: x}\n", false),
            ("http://b/a.yml", "services: {network: {image: x}}\n", false),
            ("http://b/a.yml", "console: {image: x}\n", false),
            ("http://b/a.yml", "docker: {image: x}\n", false),
        ] {
            let result = ensure_trusted(&config, url, text.as_bytes());
            assert_eq!(result.is_ok(), is_trusted, "{url} {text}");
        }
    }

    #[test]
    fn a_digest_stands_behind_the_address() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let address = format!("http://b/a.yml#sha256={empty}");
        assert_eq!(split_digest(&address), ("http://b/a.yml", Some(empty)));
        assert_eq!(split_digest("http://b/a.yml"), ("http://b/a.yml", None));
        assert!(ensure_digest(b"", empty).is_ok());
        assert!(ensure_digest(b"x", empty).is_err());
        assert!(ensure_digest(b"", "").is_err());
    }
}
