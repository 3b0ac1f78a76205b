//! A path that programs of the OS share is spelt in one of the two `paths.rs`, beside its writers, its readers and its
//! life; other sources name the constant.

use std::fs;

use crate::sources::workspace::{Workspace, get_root};

/// The files with the shared paths. `host` re-exports the configuration's own.
const PATH_FILES: [&str; 2] = ["init/host/src/paths.rs", "os-config/src/paths.rs"];

/// The crates that run on a machine.
const CRATES: [&str; 5] = ["init", "host", "os-config", "network", "ros"];

#[test]
fn shared_paths_are_spelt_once() {
    let shared: Vec<String> = PATH_FILES
        .iter()
        .flat_map(|file| literals(&read(file)))
        .filter(|text| text.starts_with('/'))
        .collect();
    assert!(shared.len() > 40, "the constants were not found");
    let members = Workspace::get().crates.iter();
    let faults: Vec<String> = members
        .filter(|member| CRATES.contains(&member.name.as_str()))
        .flat_map(|member| {
            let src = format!("{}/src/", member.folder);
            let files = member.files.keys().filter(move |file| {
                file.starts_with(&src)
                    && !file.ends_with("/tests.rs")
                    && !PATH_FILES.contains(&file.as_str())
            });
            files.flat_map(|file| {
                list_faults(&read(file), &shared)
                    .into_iter()
                    .map(move |path| format!("{file}: {path}"))
            })
        })
        .collect();
    crate::assert_none(
        &faults,
        "use the constant of host::paths or os_config::paths",
    );
}

fn read(file: &str) -> String {
    fs::read_to_string(get_root().join(file)).unwrap()
}

/// The shared paths that a source spells, outside its tests.
fn list_faults(source: &str, shared: &[String]) -> Vec<String> {
    literals(source)
        .into_iter()
        .filter(|text| shared.contains(text))
        .collect()
}

/// The plain string literals of a source, without its tests and comments.
fn literals(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::list_faults;

    #[test]
    fn a_spelt_path_is_found_outside_tests_and_comments() {
        let shared = ["/run/ros/up".to_owned()];
        for (source, count) in [
            ("const UP: &str = \"/run/ros/up\";", 1),
            ("f(\"a\", \"/run/ros/up\")", 1),
            ("f(\"/run/ros/upper\")", 0),
            ("// \"/run/ros/up\"", 0),
            (
                "fn f() {}\n#[cfg(test)]\nmod tests { f(\"/run/ros/up\") }",
                0,
            ),
        ] {
            assert_eq!(list_faults(source, &shared).len(), count, "{source}");
        }
    }
}
