//! `/usr/share/ros/os-config.yml`: the defaults of the source tree, with the entry of each system image
//! under `rancher.services`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_yaml::{Mapping, Value};

use crate::build::files::sorted_entries;

const DEFAULTS: &str = "os-config/defaults/os-config.yml";

/// The defaults with the services of `images/system/*/service.yml` and the name of the image's own engine, as YAML.
pub(crate) fn load(repository: &Path, engine: &str) -> Result<String> {
    let file = repository.join(DEFAULTS);
    let defaults = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    };
    let mut services = Vec::new();
    for image in sorted_entries(&repository.join("images/system"))? {
        let file = image.join("service.yml");
        if file.exists() {
            let text =
                fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            services.push((file.display().to_string(), text));
        }
    }
    merge(&defaults, &services, engine)
}

fn merge(defaults: &str, files: &[(String, String)], engine: &str) -> Result<String> {
    let mut config: Value =
        serde_yaml::from_str(defaults).with_context(|| format!("reading {DEFAULTS}"))?;
    let services =
        folder_in(&mut config, "rancher").and_then(|rancher| folder_in(rancher, "services"));
    let services = services.with_context(|| format!("finding rancher.services in {DEFAULTS}"))?;
    for (file, text) in files {
        let entries: Mapping =
            serde_yaml::from_str(text).with_context(|| format!("reading {file}"))?;
        for (name, definition) in entries {
            ensure!(
                definition.is_mapping(),
                "reading {file}: expecting a service under its name"
            );
            if let Value::Mapping(map) = &mut *services {
                map.insert(name, definition);
            }
        }
    }
    let own = folder_in(&mut config, "rancher")
        .and_then(|rancher| folder_in(rancher, "defaults"))
        .and_then(|defaults| folder_in(defaults, "docker"))
        .and_then(Value::as_mapping_mut)
        .with_context(|| format!("finding rancher.defaults.docker in {DEFAULTS}"))?;
    own.insert("engine".into(), engine.into());
    serde_yaml::to_string(&config).context("writing the defaults with the services")
}

/// The mapping under `name`, new if there is no value; `None` if the value is no mapping.
fn folder_in<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    if value.is_null() {
        *value = Value::Mapping(Mapping::new());
    }
    let Value::Mapping(map) = value else {
        return None;
    };
    let inner = map.entry(Value::from(name)).or_insert(Value::Null);
    if inner.is_null() {
        *inner = Value::Mapping(Mapping::new());
    }
    inner.is_mapping().then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::merge;

    #[test]
    fn services_come_under_rancher_services() {
        let files = [(
            "udev".to_owned(),
            "udev:\n  image: paddock/udev\n".to_owned(),
        )];
        for (defaults, expected) in [
            (
                "rancher:\n  a: 1\n",
                "rancher:\n  a: 1\n  services:\n    udev:\n      image: paddock/udev\n  defaults:\n    docker:\n      engine: docker-1\n",
            ),
            (
                "rancher:\n  services: {}\n",
                "rancher:\n  services:\n    udev:\n      image: paddock/udev\n  defaults:\n    docker:\n      engine: docker-1\n",
            ),
            (
                "",
                "rancher:\n  services:\n    udev:\n      image: paddock/udev\n  defaults:\n    docker:\n      engine: docker-1\n",
            ),
        ] {
            assert_eq!(merge(defaults, &files, "docker-1").unwrap(), expected);
        }
        assert!(merge("rancher: [1]\n", &files, "x").is_err());
        assert!(merge("", &[("x".to_owned(), "image: y\n".to_owned())], "x").is_err());
    }
}
