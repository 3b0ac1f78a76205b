//! Reads and checks any text as a cloud-config, and prints every problem with its line.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for problem in os_config::validate::validate(bytes, "fuzz.yml") {
        assert!(!problem.render(&text).is_empty());
    }
    // If the document can be parsed, the steps after loading must not fail either.
    if let Ok(config) = os_config::load::document(bytes) {
        let _ = os_config::compose::order::order(&config.rancher.services);
        let _ = os_config::keys::docker_daemon::dockerd_args(&config.rancher.docker);
        for file in &config.write_files {
            let _ = (file.decode(), file.mode());
        }
    }
});
