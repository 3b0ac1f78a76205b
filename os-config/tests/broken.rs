//! Wrong documents of every known kind: each is reported, and the rest of the configuration stays in force.
//! `golden/broken.txt` holds the messages; `UPDATE_GOLDEN=1` writes it.

mod tree;

use os_config::load::{load, save_last_good};
use tree::Tree;

const FILE: &str = "var/lib/rancher/conf/cloud-config.d/boot.yml";

fn documents() -> Vec<(&'static str, Vec<u8>)> {
    let bomb: String = std::iter::once("a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned())
        .chain(('b'..='k').map(|name| {
            let before = (name as u8 - 1) as char;
            format!("{name}: &{name} [{}]\n", format!("*{before},").repeat(9))
        }))
        .collect();
    let binary: Vec<u8> = (0..4096u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (
            "truncated",
            text("#cloud-config\nrancher:\n  docker:\n    insecure_registry: [\"a:5000\", \"b"),
        ),
        (
            "truncated list",
            text("#cloud-config\nssh_authorized_keys: [a, b\nhostname: x\n"),
        ),
        ("binary", binary),
        ("tabs", text("#cloud-config\nrancher:\n\tdebug: true\n")),
        (
            "wrong types",
            text(
                "#cloud-config\nhostname: [a]\nrancher:\n  debug: maybe\n  shutdown_timeout: soon\n  docker:\n    host: {a: b}\n    tls: 7\n\
                 \x20 network: none\n  services: [a]\n  sysctl: {vm.swappiness: [1]}\nruncmd: {a: b}\nmounts: [[a, b]]\n",
            ),
        ),
        ("NULs", text("#cloud-config\nhostname: a\0b\n")),
        (
            "10 MB",
            format!("#cloud-config\nhostname: x\n{}", "#".repeat(10 << 20)).into_bytes(),
        ),
        ("a YAML bomb", bomb.into_bytes()),
        (
            "invalid UTF-8",
            b"#cloud-config\nhostname: caf\xe9\n".to_vec(),
        ),
        (
            "duplicate keys",
            text(
                "#cloud-config\nhostname: a\nrancher:\n  debug: false\n  debug: true\nhostname: b\n",
            ),
        ),
        (
            "a scalar where a list belongs",
            text(
                "#cloud-config\nssh_authorized_keys: ssh-ed25519 AAAA me\nrancher: {modules: btrfs}\n",
            ),
        ),
        (
            "unknown keys",
            text(
                "#cloud-config\nhostnam: a\nusers: []\nrancher: {dockr: {}, docker: {tlss: true}, services: {a: {image: x, comand: y}}}\n",
            ),
        ),
        ("empty", Vec::new()),
        ("only a comment", text("#cloud-config\n")),
        ("a list", text("- a\n- b\n")),
        ("a text", text("hello\n")),
        ("deep", format!("a: {}", "[".repeat(10_000)).into_bytes()),
        (
            "deep blocks",
            format!("a:\n  {}x", "- ".repeat(10_000)).into_bytes(),
        ),
        ("an alias inside of itself", text("a: &a [*a]\n")),
        ("an alias of nothing", text("a: *nobody\n")),
        ("UTF-16", b"\xff\xfeh\0o\0s\0t\0".to_vec()),
        ("two documents", text("hostname: a\n---\nhostname: b\n")),
        (
            "no space after the colon",
            text("hostname:a\nrancher:\n  debug: true\n"),
        ),
        (
            "wrong indentation",
            text("rancher:\n  debug: true\n log: true\n"),
        ),
        (
            "an open quote",
            text("hostname: \"a\nrancher:\n  debug: true\n"),
        ),
        ("a kernel line", text("rancher.debug: true\n")),
    ]
}

#[test]
fn every_broken_document_is_reported_and_costs_itself_only() {
    let mut report = String::new();
    for (name, bytes) in documents() {
        let tree = Tree::new(&[
            (FILE, &bytes),
            (
                "var/lib/rancher/conf/cloud-config.yml",
                b"rancher: {modules: [kept]}\n",
            ),
            ("proc/cmdline", b"quiet console=ttyS0"),
        ]);
        let loaded = load(tree.path());
        let config = &loaded.config.rancher;
        assert_eq!(config.modules, ["kept"], "{name}");
        assert_eq!(
            config.docker.host.len(),
            2,
            "{name}: the defaults are in force"
        );
        report.push_str(&format!("== {name}\n"));
        let text = String::from_utf8_lossy(&bytes);
        for problem in &loaded.problems {
            report.push_str(&format!("{}\n", problem.render(&text)));
        }
        report.push('\n');
    }
    compare("broken.txt", &report);
}

fn compare(file: &str, found: &str) {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{path} differs from:\n{found}");
}

#[test]
fn a_file_that_became_unreadable_is_replaced_by_its_last_good_copy() {
    for (name, bytes) in documents() {
        let tree = Tree::new(&[(FILE, b"hostname: good\n")]);
        save_last_good(tree.path());
        tree.write(FILE, &bytes);
        save_last_good(tree.path());
        let loaded = load(tree.path());
        let is_unreadable = loaded
            .problems
            .iter()
            .any(|problem| problem.message.ends_with("its last good copy is used"));
        assert_eq!(
            is_unreadable,
            loaded.config.hostname.as_deref() == Some("good"),
            "{name}: {:?}",
            loaded.problems
        );
    }
}

/// No damaged file may stop PID 1.
#[test]
fn damaged_files_are_survived() {
    let good = include_str!("../defaults/os-config.yml").as_bytes();
    let mut seed = 1u64;
    let mut random = |limit: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % limit as u64) as usize
    };
    const PIECES: [&[u8]; 24] = [
        b"\n",
        b"  ",
        b"- ",
        b": ",
        b"? ",
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b"&a ",
        b"*a ",
        b"'",
        b"\"",
        b"|\n",
        b">-\n",
        b"\t",
        b"#",
        b"---\n",
        b"...\n",
        b"<<: ",
        b"!!str ",
        b"%YAML 1.1\n",
        b"\r",
    ];
    for _ in 0..3000 {
        let start = random(good.len());
        let length = random(good.len() - start).min(300);
        let mut bytes = good[start..start + length].to_vec();
        for _ in 0..random(12) {
            let at = random(bytes.len() + 1);
            match random(3) {
                0 if at < bytes.len() => bytes[at] = random(256) as u8,
                1 => bytes.truncate(at),
                _ => {
                    let piece = PIECES[random(PIECES.len())];
                    bytes.splice(at..at, piece.iter().copied());
                }
            }
        }
        drop(os_config::validate::validate(&bytes, "f"));
        drop(os_config::kernel_line::parse(&String::from_utf8_lossy(
            &bytes,
        )));
    }
}
