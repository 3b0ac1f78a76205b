//! Reads any text as a network configuration: the result is a cloud-config without a problem.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut problems = Vec::new();
    if let Some(network) = cloud_init_rs::network::parse(bytes, &mut problems) {
        let text = network.to_cloud_config().to_string();
        let found = os_config::validate::validate(text.as_bytes(), "network.yml");
        assert!(found.is_empty(), "{found:?}\n{text}");
    }
});
