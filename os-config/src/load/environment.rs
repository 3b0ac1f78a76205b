//! The variables of services: `rancher.environment`, and below it what RancherOS derived for its definitions.

use std::collections::BTreeMap;
use std::path::Path;

use crate::bounded_file;
use crate::rancher::Rancher;

/// The release of the running kernel.
const KERNEL_RELEASE: &str = "proc/sys/kernel/osrelease";

/// The variables by their names. What the user sets counts before a derived variable of the same name. The kernel's
/// release is read below `root`.
pub(super) fn environment(rancher: &Rancher, root: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("VERSION".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        // The architecture in RancherOS's names of images; it is empty for x86-64.
        ("SUFFIX".to_owned(), String::new()),
    ]);
    if let Some(Ok(release)) = bounded_file::read(&root.join(KERNEL_RELEASE)) {
        let release = String::from_utf8_lossy(&release).trim().to_owned();
        all.insert("KERNEL_VERSION".to_owned(), release);
    }
    for (name, proxy) in rancher.network.proxy_variables() {
        // Programs differ in the spelling that they read.
        all.insert(name.to_lowercase(), proxy.to_owned());
        all.insert(name.to_owned(), proxy.to_owned());
    }
    all.extend(rancher.environment.clone());
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::environment;
    use crate::config::read;

    #[test]
    fn variables_that_rancheros_derives() {
        let folder = tempfile::tempdir().unwrap();
        let kernel = folder.path().join("proc/sys/kernel");
        std::fs::create_dir_all(&kernel).unwrap();
        std::fs::write(kernel.join("osrelease"), "6.12.1-amd64\n").unwrap();
        let (config, _) = read(
            "rancher: {network: {http_proxy: 'http://h:3128', no_proxy: localhost}, environment: {no_proxy: own, A: b}}",
        );
        let found = environment(&config.rancher, folder.path());
        let found: Vec<String> = found
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let version = format!("VERSION={}", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            found,
            [
                "A=b",
                "HTTP_PROXY=http://h:3128",
                "KERNEL_VERSION=6.12.1-amd64",
                "NO_PROXY=localhost",
                "SUFFIX=",
                &version,
                "http_proxy=http://h:3128",
                "no_proxy=own",
            ]
        );
        let found = environment(&config.rancher, Path::new("/nowhere"));
        assert!(!found.contains_key("KERNEL_VERSION"));
    }
}
