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
