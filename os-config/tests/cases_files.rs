//! RancherOS's cases of `write_files`, by their ids (docs/compatibility-cases.md): encodings, permissions, and their errors.
//! Scenarios on a machine test owners, folders and atomicity.

use os_config::load::document;
use os_config::validate::validate;

/// The bytes and the mode of the one file of a document.
fn file(entry: &str) -> Result<(Vec<u8>, u32), String> {
    let text = format!("write_files:\n- {{path: /a, {entry}}}\n");
    let config = document(text.as_bytes()).map_err(|error| error.message)?;
    let file = config.write_files.first().ok_or_else(|| {
        let problems = validate(text.as_bytes(), "f");
        problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default()
    })?;
    let bytes = file.decode().map_err(|error| error.to_string())?;
    let mode = file.mode().map_err(|error| error.to_string())?;
    Ok((bytes, mode))
}

#[test]
fn contents() {
    const BAR: &str = "H4sIABMVh1QAA0tKLAIAqoz/dgMAAAA=";
    let gzip = format!("content: \"{BAR}\\n\"");
    for (id, entry, expected) in [
        (
            "WD-01",
            "encoding: base64, content: \"YmFy\\n\"",
            &b"bar"[..],
        ),
        ("WD-02 WE-02", "encoding: b64, content: \"YmFy\\n\"", b"bar"),
        (
            "WD-03 WE-05",
            &format!("encoding: gz+base64, {gzip}"),
            b"bar",
        ),
        (
            "WD-04 WE-06",
            &format!("encoding: gzip+base64, {gzip}"),
            b"bar",
        ),
        ("WD-05 WE-07", &format!("encoding: gz+b64, {gzip}"), b"bar"),
        (
            "WD-06 WE-08",
            &format!("encoding: gzip+b64, {gzip}"),
            b"bar",
        ),
        ("WD-07", "content: bar", b"bar"),
        (
            "WD-08 WE-01",
            "encoding: base64, content: \"Ym\\nFy\\n\"",
            b"bar",
        ),
        ("WD-11", "encoding: b64, content: \"\"", b""),
        ("WX-10", "owner: root", b""),
        ("WX-13", "content: \"two\\nlines\\n\"", b"two\nlines\n"),
        ("VC-18", "encoding: base64, content: aGVsbG8K", b"hello\n"),
        ("VC-19", "content: !!binary aGVsbG8K", b"hello\n"),
        (
            "VC-21",
            "encoding: base64, content: !!binary YUdWc2JHOEsK",
            b"hello\n",
        ),
        (
            "VC-22 WE-03 WE-04",
            "encoding: gzip, content: !!binary H4sIAOC3tVQAA8tIzcnJ5wIAIDA6NgYAAAA=",
            b"hello\n",
        ),
        (
            "VC-23",
            "encoding: gzip+base64, content: H4sIAOC3tVQAA8tIzcnJ5wIAIDA6NgYAAAA=",
            b"hello\n",
        ),
        // A blank before the text was an error; it does not belong to the content.
        ("WD-09", "encoding: b64, content: \" YmFy\"", b"bar"),
    ] {
        assert_eq!(
            file(entry).map(|(bytes, _)| bytes),
            Ok(expected.to_vec()),
            "{id}"
        );
    }
}

#[test]
fn contents_that_cannot_be_understood() {
    for (id, entry, expected) in [
        (
            "WD-10",
            "encoding: b64, content: \"YmFy=\"",
            "content: it is not base64",
        ),
        (
            "WD-12 WF-05",
            "encoding: gz, content: \"\"",
            "content: it is not gzip",
        ),
        (
            "WD-13",
            "encoding: gzip, content: \"@\"",
            "content: it is not base64",
        ),
        (
            "WD-14",
            "encoding: gz+b64, content: H4sIABMVh1QAA0tK",
            "content: it is not gzip",
        ),
        (
            "WD-15 VC-24",
            "encoding: custom, content: x",
            "encoding: expected b64, gzip or gz+b64, found \"custom\"",
        ),
        (
            "WD-15",
            "encoding: BASE64, content: x",
            "encoding: expected b64",
        ),
        (
            "WE-09",
            "encoding: gzzzzbase64, content: x",
            "encoding: expected b64",
        ),
        (
            "WE-10",
            "encoding: gzipppbase64, content: x",
            "encoding: expected b64",
        ),
        (
            "WE-11 WF-06",
            "encoding: unknown, content: \"\"",
            "encoding: expected b64",
        ),
        (
            "VC-20",
            "encoding: base64, content: !!binary aGVsbG8K",
            "content: it is not base64",
        ),
        (
            "WF-05",
            "encoding: base64, content: \"@\"",
            "content: it is not base64",
        ),
        (
            "WF-05",
            "encoding: gz+base64, content: \"@\"",
            "content: it is not base64",
        ),
        (
            "WF-04 WX-06",
            "permissions: pants",
            "permissions: expected an octal mode",
        ),
        (
            "WP-05",
            "permissions: 11744",
            "permissions: expected an octal mode",
        ),
        (
            "WP-06",
            "permissions: rwxr--r--",
            "permissions: expected an octal mode",
        ),
        (
            "WP-07",
            "permissions: 800",
            "permissions: expected an octal mode",
        ),
    ] {
        let error = file(entry).unwrap_err();
        assert!(error.contains(expected), "{id}: {error}");
    }
}

#[test]
fn permissions() {
    for (id, entry, expected) in [
        ("WX-01", "content: x", 0o644),
        ("WP-01 WF-03 WX-04 VC-09 NC-07", "permissions: 744", 0o744),
        ("WP-02 WX-03 VC-09 NC-06", "permissions: 0744", 0o744),
        ("VC-09 NC-08", "permissions: '0744'", 0o744),
        ("VC-09 NC-09", "permissions: '744'", 0o744),
        ("WP-03", "permissions: 1744", 0o1744),
        ("WP-04", "permissions: 01744", 0o1744),
        ("WX-02", "permissions: \"644\"", 0o644),
        ("WX-02 WF-01", "permissions: \"0755\"", 0o755),
        ("WX-05", "permissions: \"4755\"", 0o4755),
    ] {
        assert_eq!(file(entry).map(|(_, mode)| mode), Ok(expected), "{id}");
    }
}

#[test]
fn one_bad_file_costs_itself_alone() {
    let text = "write_files:\n- {path: /a, permissions: pants}\n- {path: /b}\n- {path: /c, encoding: b64, content: \"%\"}\n";
    let config = document(text.as_bytes()).unwrap();
    let paths: Vec<&str> = config
        .write_files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(paths, ["/b"], "WX-06");
    let found: Vec<String> = validate(text.as_bytes(), "f")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "f:2:3: write_files[0]: permissions: expected an octal mode such as 0644, found \"pants\"",
            "f:4:3: write_files[2]: content: it is not base64",
        ],
        "WX-06"
    );
}
