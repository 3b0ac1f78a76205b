//! Splits any bytes as user-data, with its includes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // An include gives the rest of the document, so that a document can include itself.
    let rest = bytes.get(bytes.len() / 2..).unwrap_or_default().to_vec();
    let mut fetched = 0;
    let parts = cloud_init_rs::user_data::parts_with_includes(bytes, &mut |url| {
        fetched += 1;
        assert!(fetched < 100_000, "no end");
        if url.len() % 2 == 0 { Ok(rest.clone()) } else { Err("no".to_owned()) }
    });
    for refused in &parts.refused {
        assert!(!refused.to_string().is_empty());
    }
});
