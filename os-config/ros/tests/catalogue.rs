//! The definitions that the image ships can be used.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders, and the name of the definitions in each; `None` stands for the name of the file.
const FOLDERS: [(&str, Option<&str>); 3] = [
    ("images/catalogue/services", None),
    ("images/catalogue/consoles", Some("console")),
    ("images/catalogue/engines", Some("docker")),
];

fn definitions(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(folder);
    let entries = std::fs::read_dir(folder).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).collect()
}

#[test]
fn the_catalogue_has_no_problem() {
    for (folder, name) in FOLDERS {
        let files = definitions(folder);
        assert!(!files.is_empty(), "{folder}");
        for file in files {
            let output = Command::new(env!("CARGO_BIN_EXE_ros"))
                .args(["service", "validate"])
                .arg(&file)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                output.status.success() && said.is_empty(),
                "{}: {said}",
                file.display()
            );
            let text = std::fs::read_to_string(&file).unwrap();
            let name = name.unwrap_or_else(|| file.file_stem().unwrap().to_str().unwrap());
            assert!(text.contains(&format!("\n{name}:\n")), "{}", file.display());
        }
    }
}

/// The folders of `/run/ros` that a service of the image may have. The folder itself, and a file of PID 1 in it, would
/// give a service that faces the network the machine.
const SHARED: [(&str, &[&str]); 4] = [
    ("acpid", &["/run/ros/control:/run/ros/control:ro"]),
    ("cloud-init", &["/run/ros/cloud-init:/run/ros/cloud-init"]),
    ("network", &["/run/ros/network:/run/ros/network"]),
    ("ntp", &["/run/ros/ntp:/run/ros/ntp:ro"]),
];

#[test]
fn a_service_has_its_own_folder_of_run_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images/system");
    let mut seen = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let folder = entry.unwrap();
        let name = folder.file_name().into_string().unwrap();
        let text = std::fs::read_to_string(folder.path().join("service.yml")).unwrap();
        let definition: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        let volumes = definition[name.as_str()]["volumes"].as_sequence().unwrap();
        let of_run: Vec<&str> = volumes
            .iter()
            .filter_map(|volume| volume.as_str())
            .filter(|volume| volume.starts_with("/run/ros") || volume.starts_with("/run:"))
            .collect();
        let shared = SHARED.iter().find(|(service, _)| *service == name);
        let expected = match name.as_str() {
            // The console is the machine's root.
            "console" => &["/run:/run:rshared"][..],
            _ => shared.map_or(&[][..], |(_, volumes)| volumes),
        };
        assert_eq!(of_run, expected, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 8);
}
