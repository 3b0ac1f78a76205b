//! Limits and unusual forms of YAML.

use crate::diagnostic::Diagnostic;
use crate::yaml::parse::parse;
use crate::yaml::scalar::Dialect;
use crate::yaml::tree::Node;

fn yaml(text: &str) -> Result<(String, Vec<String>), String> {
    let print = |node: &Node| serde_yaml::to_string(&node.to_value(Dialect::Core)).unwrap();
    let say = |found: &Diagnostic| {
        let (line, _) = found.position.unwrap();
        format!("{line}: {}: {}", found.key_path, found.message)
    };
    match parse(text) {
        Ok((node, diagnostics)) => Ok((print(&node), diagnostics.iter().map(say).collect())),
        Err(unusable) => Err(unusable.message),
    }
}

#[test]
fn anchors_and_merge_keys() {
    let (text, problems) =
        yaml("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: {q: 4, <<: [*x]}\nd: *x\n").unwrap();
    assert_eq!(
        text,
        "a:\n  p: 1\n  q: 2\nb:\n  p: 1\n  q: 3\nc:\n  q: 4\n  p: 1\nd:\n  p: 1\n  q: 2\n"
    );
    assert_eq!(problems, [""; 0]);
}

#[test]
fn the_last_of_equal_keys_counts() {
    let (text, problems) = yaml("b: 2\nc: [{a: 1}, {d: {a: 1,\n a: 3}}]\n").unwrap();
    assert_eq!(text, "b: 2\nc:\n- a: 1\n- d:\n    a: 3\n");
    assert_eq!(
        problems,
        ["3: c[1].d.a: the key is there twice, first in line 2; the last one counts"]
    );
}

#[test]
fn expansion_is_bounded() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..10 {
        let before = format!("*a{},", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    let long = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(100_000),
        "*a,".repeat(1000)
    );
    let deep = format!("a: {}", "[".repeat(100_000));
    let maps = format!("a: {}", "{a: ".repeat(100_000));
    let block = "- ".repeat(100_000);
    for (name, text) in [
        ("bomb", bomb),
        ("long", long),
        ("deep", deep),
        ("maps", maps),
        ("block", block),
    ] {
        let error = yaml(&text).unwrap_err();
        assert!(
            error.contains("expected at most") || error.contains("is not YAML"),
            "{name}: {error}"
        );
    }
    assert!(yaml("a: &a [*a]").is_err());
}

#[test]
fn a_second_document_is_not_read() {
    let (text, problems) = yaml("a: 1\n---\nb: 2\n").unwrap();
    assert_eq!((text.as_str(), problems.len()), ("a: 1\n", 1));
}

#[test]
fn errors_that_people_make_are_explained() {
    let at = |text: &str| {
        let unusable = parse(text).err().unwrap();
        format!("{}: {}", unusable.position.unwrap().0, unusable.message)
    };
    let block = "the text of a block (`|` or `>`) must be indented deeper than the key above it";
    for (text, line) in [
        (
            "write_files:\n- path: /a\n  content: |\n  first\n  second\n",
            4,
        ),
        ("write_files:\n- content: |\nfirst\n  path: /a\n", 3),
        ("runcmd:\n- echo\na: >-\ntext\nb: c\n", 4),
    ] {
        assert_eq!(at(text), format!("{line}: {block}"), "{text}");
    }
    assert!(at("a: b: c\n").ends_with("; a text with a colon and a blank in it belongs in quotes"));
    // A block without text is no error.
    assert!(parse("a: |\nb: c\n").is_ok());
}
