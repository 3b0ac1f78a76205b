//! A kernel line, whatever it is.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    let (value, _) = os_config::kernel_line::parse(line);
    // What it says can be written down, and read again.
    let text = serde_yaml::to_string(&value).unwrap();
    let _ = os_config::load::document(text.as_bytes());
    let _ = os_config::kernel_line::typed_value(line);
});
