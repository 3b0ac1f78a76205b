//! Reads any text as a kernel line.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    let (value, _) = os_config::kernel_line::parse(line);
    // Its configuration can be written to a file and read again.
    let text = serde_yaml::to_string(&value).unwrap();
    let _ = os_config::load::document(text.as_bytes());
    let _ = os_config::kernel_line::typed_value(line);
});
