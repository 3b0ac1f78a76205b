//! Every definition that the image ships can be used.

use std::path::Path;
use std::process::Command;

#[test]
fn the_catalogue_has_no_problem() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
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
        // The file's name is the service's.
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(text.contains(&format!("\n{name}:\n")), "{}", file.display());
        count += 1;
    }
    assert!(count > 0);
}
