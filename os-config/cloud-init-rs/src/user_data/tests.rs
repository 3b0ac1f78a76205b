//! User-data documents of every kind, with the parts that are read from them.

use super::{Parts, UserData, UserDataError, parts, parts_with_includes};

/// Parses user-data of a single document.
fn parse(bytes: &[u8]) -> Result<UserData, UserDataError> {
    let Parts {
        mut usable,
        mut refused,
    } = parts(bytes);
    assert!(usable.len() + refused.len() <= 1);
    match refused.pop() {
        Some(error) => Err(error),
        None => Ok(usable.pop().unwrap_or(UserData::Empty)),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn kinds() {
    for (bytes, expected) in [
        (
            &b"#cloud-config\nhostname: a\n"[..],
            Ok(UserData::CloudConfig(
                b"#cloud-config\nhostname: a\n".to_vec(),
            )),
        ),
        (
            b"#cloud-config\r\na: b",
            Ok(UserData::CloudConfig(b"#cloud-config\r\na: b".to_vec())),
        ),
        (
            b"#!/bin/sh\n",
            Ok(UserData::Script(b"#!/bin/sh\n".to_vec())),
        ),
        (
            b"#compose\nweb: {image: x}\n",
            Ok(UserData::Compose(
                "rancher:\n  services:\n    web:\n      image: x\n".into(),
            )),
        ),
        (
            b"#compose\nservices: {web: {image: x}}\n",
            Ok(UserData::Compose(
                "rancher:\n  services:\n    web:\n      image: x\n".into(),
            )),
        ),
        (b"", Ok(UserData::Empty)),
        (b" \n\t", Ok(UserData::Empty)),
        (b"hello", Err(UserDataError::Unknown("hello".into()))),
        (b"\xff\xfe\x00", Err(UserDataError::Binary)),
        (b"\x1f\x8bxx", Err(UserDataError::Gzip)),
        (b"#compose\n- a", Err(UserDataError::Compose)),
        (
            b"#include\nhttp://x",
            Ok(UserData::Include(vec!["http://x".into()])),
        ),
    ] {
        assert_eq!(
            parse(bytes),
            expected,
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn the_reference_by_its_ids() {
    let config = |text: &str| Ok(UserData::CloudConfig(text.as_bytes().to_vec()));
    let script = |text: &str| Ok(UserData::Script(text.as_bytes().to_vec()));
    for (id, text, expected) in [
        (
            "UD-01",
            "#cloud-config\nhostname: a",
            config("#cloud-config\nhostname: a"),
        ),
        (
            "UD-02",
            "#cloud-config\r\nhostname: a\r\n",
            config("#cloud-config\r\nhostname: a\r\n"),
        ),
        (
            "UD-02",
            "#cloud-config \r\na: b",
            config("#cloud-config \r\na: b"),
        ),
        (
            "UD-03",
            "#!bin/bash\necho foo",
            script("#!bin/bash\necho foo"),
        ),
        ("UD-04", "#!/bin/sh\r\n", script("#!/bin/sh\r\n")),
        ("UD-05", "", Ok(UserData::Empty)),
        (
            "UD-07",
            "#compose\r\nn: {image: x}\r\n",
            Ok(UserData::Compose(
                "rancher:\n  services:\n    n:\n      image: x\n".into(),
            )),
        ),
        (
            "UD-06",
            "#compose\nnginx: {image: nginx}",
            Ok(UserData::Compose(
                "rancher:\n  services:\n    nginx:\n      image: nginx\n".into(),
            )),
        ),
        ("UD-08", "#compose\na: [", Err(UserDataError::Compose)),
        (
            "UD-12",
            "\u{feff}#cloud-config\n",
            config("#cloud-config\n"),
        ),
        ("UD-12", "\n\n#cloud-config\n", config("#cloud-config\n")),
        (
            "UD-12",
            "#Cloud-Config\n",
            Err(UserDataError::Unknown("#Cloud-Config".into())),
        ),
        ("UD-12", "# !\n", Err(UserDataError::Unknown("# !".into()))),
        (
            "UD-12",
            "#include\nhttp://x",
            Ok(UserData::Include(vec!["http://x".into()])),
        ),
        (
            "UD-12",
            "#cloud-config-archive\n- '#cloud-config'",
            config("#cloud-config"),
        ),
        (
            "UD-13",
            "{\"ignition\":{}}",
            Err(UserDataError::Unsupported("an Ignition configuration")),
        ),
        (
            "UD-15",
            "#cloud-config\nunknown: 1",
            config("#cloud-config\nunknown: 1"),
        ),
    ] {
        assert_eq!(parse(text.as_bytes()), expected, "{id}: {text:?}");
    }
}

#[test]
fn documents_have_a_limit_of_size_together() {
    use base64::Engine as _;
    let mut document = b"#!/bin/sh\n".to_vec();
    document.resize(1 << 20, b'#');
    let packed = gzip(&document);
    let mut mime = b"Content-Type: multipart/mixed; boundary=b\n\n".to_vec();
    for _ in 0..100 {
        mime.extend(
            b"--b\nContent-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\n",
        );
        mime.extend(
            base64::engine::general_purpose::STANDARD
                .encode(&packed)
                .bytes(),
        );
        mime.push(b'\n');
    }
    mime.extend(b"--b--\n");
    let parts = parts(&mime);
    assert_eq!((parts.usable.len(), parts.refused.len()), (16, 84));
    assert!(
        parts
            .refused
            .iter()
            .all(|error| *error == UserDataError::TooLarge)
    );
}

#[test]
fn gzip_is_unpacked() {
    assert_eq!(
        parse(&gzip(b"#!/bin/sh\n")),
        Ok(UserData::Script(b"#!/bin/sh\n".to_vec()))
    );
}

#[test]
fn base64_is_unpacked_where_user_data_comes_out() {
    for (text, expected) in [
        (
            "I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogcmFuY2hlcjE=",
            Ok(UserData::CloudConfig(
                b"#cloud-config\nhostname: rancher1".to_vec(),
            )),
        ),
        (
            "I2Nsb3VkLWNv\r\nbmZpZwpob3N0bmFtZTogcmFuY2hlcjE=\r\n",
            Ok(UserData::CloudConfig(
                b"#cloud-config\nhostname: rancher1".to_vec(),
            )),
        ),
        (
            "thisisjustalongwordxx",
            Err(UserDataError::Unknown("thisisjustalongwordxx".into())),
        ),
        (
            "aaaabbbbccccddddeeee",
            Err(UserDataError::Unknown("aaaabbbbccccddddeeee".into())),
        ),
    ] {
        assert_eq!(parse(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn archives_are_their_documents() {
    let text = "#cloud-config-archive\n- type: text/cloud-config\n  content: |\n    hostname: a\n- |\n  #!/bin/sh\n  true\n\
        - {content: '## template: jinja'}\n";
    let found = parts(text.as_bytes());
    assert_eq!(
        found.usable,
        [
            UserData::CloudConfig(b"hostname: a\n".to_vec()),
            UserData::Script(b"#!/bin/sh\ntrue\n".to_vec()),
        ]
    );
    assert_eq!(
        found.refused,
        [UserDataError::Unsupported(
            "a template (## template: jinja)"
        )]
    );
    for wrong in [
        "#cloud-config-archive\na: b",
        "#cloud-config-archive\n- [a]\n",
        "#cloud-config-archive\n- [",
    ] {
        assert_eq!(
            parse(wrong.as_bytes()),
            Err(UserDataError::Archive),
            "{wrong}"
        );
    }
}

#[test]
fn includes_are_fetched_where_they_stand() {
    let mut fetch = |url: &str| match url {
        "http://h/a" => Ok(b"#cloud-config\nhostname: a\n".to_vec()),
        "http://h/list" => Ok(b"#include\nhttp://h/a\n".to_vec()),
        "http://h/loop" => Ok(b"#include http://h/loop\n".to_vec()),
        _ => Err("404".to_owned()),
    };
    let config = || UserData::CloudConfig(b"#cloud-config\nhostname: a\n".to_vec());
    let found = parts_with_includes(
        b"#include\n# comment\nhttp://h/a\n\nhttp://h/list\nhttp://h/none\n",
        &mut fetch,
    );
    assert_eq!(found.usable, [config(), config()]);
    assert_eq!(
        found.refused,
        [UserDataError::Include {
            url: "http://h/none".into(),
            reason: "404".into()
        }]
    );
    let found = parts_with_includes(b"#include\nhttp://h/loop\n", &mut fetch);
    assert_eq!(found.usable, []);
    assert!(found.refused[0].to_string().contains("nested deeply"));
}

#[test]
fn gzip_by_the_references_ids() {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let packed = engine
        .decode("H4sIAJWV/VUAA1NOzskvTdFNzs9Ly0wHABt6mQENAAAA")
        .unwrap();
    assert_eq!(
        parse(&packed),
        Ok(UserData::CloudConfig(b"#cloud-config".to_vec())),
        "UD-09 UD-10"
    );
    assert_eq!(parse(b""), Ok(UserData::Empty), "UD-09");
    assert_eq!(
        parse(&packed[..10]),
        Err(UserDataError::Gzip),
        "UD-09 UD-11"
    );
}

#[test]
fn a_wrong_document_is_kept_so_that_it_can_be_explained() {
    let text = "#cloud-config\nhostname: [";
    assert_eq!(
        parse(text.as_bytes()),
        Ok(UserData::CloudConfig(text.as_bytes().to_vec())),
        "UD-14"
    );
}
