//! A cloud-config, whatever it is: read, checked, and every problem printed with its line.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for problem in os_config::validate::validate(bytes, "fuzz.yml") {
        assert!(!problem.render(&text).is_empty());
    }
    // A document is usable as a whole or not at all; what is in it is used with what it cannot be left out.
    if let Ok(config) = os_config::load::document(bytes) {
        let _ = os_config::compose::order::order(&config.rancher.services);
        let _ = os_config::keys::docker_daemon::dockerd_args(&config.rancher.docker);
        for file in &config.write_files {
            let _ = (file.decode(), file.mode());
        }
    }
});
