//! RancherOS's cases for the kernel line, by their ids (docs/compatibility-cases.md).

use crate::kernel_line::{mask_secrets, parse, typed_value};
use serde_yaml::Value;

fn json(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

#[test]
fn one_value() {
    for (id, input, expected) in [
        ("CV-01", "ab", r#""ab""#),
        ("CV-02", "a\nb", r#""a\nb""#),
        ("CV-03", "a\n", r#""a\n""#),
        ("CV-04", "\nb", r#""\nb""#),
        ("CV-05", "a,b", r#""a,b""#),
        ("CV-06", "a,", r#""a,""#),
        ("CV-07", ",b", r#"",b""#),
        ("CV-08", "10", "10"),
        ("CV-09", "true", "true"),
        ("CV-10", "false", "false"),
        ("CV-11", "[a]", r#"["a"]"#),
        ("CV-12", r#"["a"]"#, r#"["a"]"#),
        ("CV-13", r#"["a,"]"#, r#"["a,"]"#),
        ("CV-14", r#"[" a, "]"#, r#"[" a, "]"#),
        ("CV-15", r#"[",a"]"#, r#"[",a"]"#),
        ("CV-16", r#"[" ,a "]"#, r#"[" ,a "]"#),
        ("CV-17", "[\"a\n\"]", r#"["a\n"]"#),
        ("CV-18", "[\" a\n \"]", r#"[" a\n "]"#),
        ("CV-19", "[\"\na\"]", r#"["\na"]"#),
        ("CV-20", "[\" \na \"]", r#"[" \na "]"#),
        ("CV-21", "[a,b]", r#"["a","b"]"#),
        ("CV-22", r#"["a","b"]"#, r#"["a","b"]"#),
        ("CV-23", r#"["a,",b]"#, r#"["a,","b"]"#),
        ("CV-24", r#"[a,",b"]"#, r#"["a",",b"]"#),
        ("CV-25", r#"[" a, "," ,b "]"#, r#"[" a, "," ,b "]"#),
        ("CV-26", "[\"a\n\",b]", r#"["a\n","b"]"#),
        ("CV-27", "[a,\"\nb\"]", r#"["a","\nb"]"#),
        ("CV-28", "[\" a\n \",\" \nb \"]", r#"[" a\n "," \nb "]"#),
        ("CV-29", "[a,10]", r#"["a",10]"#),
        ("CV-30", "[10,a]", r#"[10,"a"]"#),
        ("CV-31", "[a,true]", r#"["a",true]"#),
        ("CV-32", "[false,a]", r#"[false,"a"]"#),
        ("CV-33", "", r#""""#),
        ("CV-42", "[]", "[]"),
        ("CV-42", "{}", "{}"),
        ("CV-43", "[[a,b],c]", r#"[["a","b"],"c"]"#),
        (
            "CV-44",
            "[url:http://a/b?c=d,file:/x]",
            r#"["url:http://a/b?c=d","file:/x"]"#,
        ),
        ("CV-45", "[a, b: c]", r#"["a","b: c"]"#),
        ("CV-46", "a: b", r#""a: b""#),
        ("CV-47", "- a", r#"["a"]"#),
        ("CV-48", "'quoted'", r#""quoted""#),
        ("CV-48", "\"dq\"", r#""dq""#),
        ("CV-49", " a ", r#""a""#),
        ("CV-50", "a #b", r#""a""#),
        ("CV-50", "#x", r##""#x""##),
        ("CV-54", "{a: b}", r#"{"a":"b"}"#),
    ] {
        assert_eq!(typed_value(input), json(expected), "{id}: {input:?}");
    }
}

#[test]
fn words_that_mean_something_in_old_yaml() {
    let number = |value: f64| Value::Number(value.into());
    for (id, inputs, expected) in [
        (
            "CV-34",
            &["yes", "on", "y", "Yes", "TRUE"][..],
            Value::Bool(true),
        ),
        ("CV-35", &["no", "off", "n"], Value::Bool(false)),
        ("CV-36", &["~", "null"], Value::Null),
        ("CV-37", &["0644"], json("420")),
        ("CV-38", &["0x1f"], json("31")),
        ("CV-38", &["0o17"], json("15")),
        ("CV-38", &["1_000"], json("1000")),
        ("CV-38", &["-3"], json("-3")),
        ("CV-39", &["1.5"], number(1.5)),
        ("CV-39", &["1e3"], number(1000.0)),
        ("CV-39", &["08"], number(8.0)),
    ] {
        for input in inputs {
            assert_eq!(typed_value(input), expected, "{id}: {input}");
        }
    }
    for (id, inputs) in [
        ("CV-40", &["1:30"][..]),
        ("CV-41", &["LABEL=RANCHER_STATE"]),
        ("CV-51", &["[a", "a]", "*a", "@a", "%a"]),
        ("CV-52", &["&a", "!x", "|", ">"]),
        ("CV-53", &["2018-01-01"]),
    ] {
        for input in inputs {
            assert_eq!(
                typed_value(input),
                Value::String((*input).into()),
                "{id}: {input}"
            );
        }
    }
}

#[test]
fn whole_lines() {
    for (id, line, expected) in [
        (
            "CL-01",
            "a b rancher.key1=value1 c rancher.key2=value2",
            "rancher: {key1: value1, key2: value2}",
        ),
        ("CL-02", "rancher.key=a,b", "rancher: {key: 'a,b'}"),
        ("CL-03", "rancher.key=a\nb", "rancher: {key: \"a\\nb\"}"),
        ("CL-04", "rancher.key='a b'", "rancher: {key: a b}"),
        ("CL-05", "rancher.key=a:b", "rancher: {key: 'a:b'}"),
        ("CL-06", "rancher.key=5", "rancher: {key: 5}"),
        ("CL-07", "rancher.rescue", "rancher: {rescue: true}"),
        (
            "CL-08",
            "rancher.keyArray=[1,2]",
            "rancher: {keyArray: [1, 2]}",
        ),
        (
            "CL-09",
            "rancher.strArray=[\"url:http://192.168.1.100/cloud-config?a=b\"]",
            "rancher: {strArray: ['url:http://192.168.1.100/cloud-config?a=b']}",
        ),
        (
            "CL-10",
            "rancher.strArray=[url:http://192.168.1.100/cloud-config?a=b]",
            "rancher: {strArray: ['url:http://192.168.1.100/cloud-config?a=b']}",
        ),
        (
            "CL-11",
            "rancher.strArray=['part1 part2',part3]",
            "rancher: {strArray: [part1 part2, part3]}",
        ),
        (
            "CL-12",
            "rancher.strArray=[\"part1 part2\",part3]",
            "rancher: {strArray: [part1 part2, part3]}",
        ),
        (
            "CL-13",
            "rancher.strArray=[ \"part1 part2\", part3 ]",
            "rancher: {strArray: [part1 part2, part3]}",
        ),
        ("CL-14", "cc.hostname=foo", "hostname: foo"),
        ("CL-15", "cc.rancher.debug=true", "rancher: {debug: true}"),
        ("CL-16", "rancher.a=1 rancher.a=2", "rancher: {a: 2}"),
        ("CL-17", "rancher.a.b=1 rancher.a=2", "rancher: {a: 2}"),
        ("CL-18", "rancher.a=2 rancher.a.b=1", "rancher: {a: 2}"),
        ("CL-19", "rancher.a=", "rancher: {a: ''}"),
        ("CL-20", "rancher.a=b=c", "rancher: {a: b=c}"),
        ("CL-21", "rancher.a.b.c", "rancher: {a: {b: {c: true}}}"),
        ("CL-22", "rancher", "{}"),
        ("CL-23", "rancher.a=\"x y\"", "rancher: {a: x y}"),
        ("CL-24", "rancher.a=x\"y z\"w", "rancher: {a: 'x\"y z\"w'}"),
        ("CL-25", "rancher.a=[x y,z]", "rancher: {a: [x y, z]}"),
        ("CL-26", "rancher.a=[[1,2],3]", "rancher: {a: [[1, 2], 3]}"),
        ("CL-27", "rancher.a=[1,2", "rancher: {a: '[1,2'}"),
        (
            "CL-28",
            "rancher.a=it's rancher.b=x",
            "rancher: {a: \"it's rancher.b=x\"}",
        ),
        ("CL-29", "rancher.a={b:c}", "rancher: {a: {b: c}}"),
        (
            "CL-31",
            "cc. rancher. cc.=1 rancher..a=2 rancher.b=3",
            "rancher: {b: 3}",
        ),
        (
            "CE-01",
            "rancher.cloud_init.datasources=[\\'url:http://192.168.1.100/cloud-config\\']",
            "rancher: {cloud_init: {datasources: ['url:http://192.168.1.100/cloud-config']}}",
        ),
        (
            "CE-02",
            "rancher.cloud_init.datasources=[\\\"url:http://192.168.1.100/cloud-config\\\"]",
            "rancher: {cloud_init: {datasources: ['url:http://192.168.1.100/cloud-config']}}",
        ),
        ("CE-03", "rancher.a=\\nb", "rancher: {a: '\\nb'}"),
        (
            "GC-15",
            "rancher.sysctl.net.ipv4.ip_forward=1",
            "rancher: {sysctl: {net.ipv4.ip_forward: 1}}",
        ),
    ] {
        assert_eq!(parse(line).0, json(expected), "{id}: {line}");
    }
}

#[test]
fn terminals_add_up() {
    let line = "console=tty1 rancher.autologin=tty1 console=ttyS0,115200 rancher.autologin=ttyS0";
    assert_eq!(
        parse(line).0,
        json("rancher: {autologin: [tty1, ttyS0]}"),
        "CL-30"
    );
}

#[test]
fn unusable_words_are_reported() {
    for (line, expected) in [
        ("rancher.a=it's b", "never closed"),
        ("rancher.a=[1,2", "never closed"),
        ("rancher.a=2 rancher.a.b=1", "rancher.a has a value already"),
        ("rancher.=1", "expected rancher.KEY=value"),
        ("rancher.a\u{0}b=\u{1}", ""),
    ] {
        let problems = parse(line).1;
        assert!(
            expected.is_empty() == problems.is_empty(),
            "{line}: {problems:?}"
        );
        assert!(
            problems.iter().all(|problem| problem.contains(expected)),
            "{line}: {problems:?}"
        );
    }
}

#[test]
fn secrets_do_not_reach_logs() {
    let line = "quiet rancher.password='a b' rancher.docker.ca_key=x rancher.debug root=/dev/sda hunter2 \
        cc.final_message=hunter2 cc.hostname=box cloud-config-url=http://h/hunter2 rancher.network.interfaces.eth0.mtu=9000";
    assert_eq!(
        mask_secrets(line),
        "quiet rancher.password=*** rancher.docker.ca_key=*** rancher.debug root=/dev/sda *** \
        cc.final_message=*** cc.hostname=box cloud-config-url=*** rancher.network.interfaces.eth0.mtu=9000"
    );
}

#[test]
fn no_line_is_too_odd() {
    let deep = format!("rancher.a={}", "[".repeat(50_000));
    let path = format!("rancher{}=1", ".a".repeat(50_000));
    let braces = format!("rancher.a={}", "{a:".repeat(50_000));
    for line in [
        deep.as_str(),
        &path,
        &braces,
        "\u{feff}rancher.é=ü",
        "rancher.\"=\"",
        "rancher.a='''",
        "=",
        "rancher.a=\"\\",
    ] {
        drop(parse(line));
    }
}

#[test]
fn words_in_quotes() {
    let (value, refused) = parse(
        "quiet \"rancher.cloud_init.datasources=[nocloud, ec2]\" \"cc.hostname=box\" 'rancher.debug' \
         rancher.password=\"a b\" \"rancher.sysctl.x=c\"",
    );
    assert_eq!(
        value,
        json(
            "{rancher: {cloud_init: {datasources: [nocloud, ec2]}, debug: true, password: a b, sysctl: {x: c}}, hostname: box}"
        )
    );
    assert_eq!(refused, [""; 0]);
    assert_eq!(
        mask_secrets("\"rancher.password=a b\" quiet"),
        "rancher.password=*** quiet"
    );
}

/// GRUB puts a word with blanks into quotes, and a backslash before each quote in it.
#[test]
fn words_as_grub_writes_them() {
    for (line, expected) in [
        (r#""rancher.sysctl.x=a b""#, "a b"),
        (r#""rancher.sysctl.x=\"a b\"""#, "a b"),
        (r#""rancher.sysctl.x=it's b""#, "it's b"),
        (r#""rancher.sysctl.x=it\'s b""#, "it's b"),
        (r#""rancher.sysctl.x=a \"b\" c""#, "a \"b\" c"),
        (r#"rancher.sysctl.x=\"a b\""#, "a b"),
        (r#"rancher.sysctl.x="a b""#, "a b"),
        (r#"'rancher.sysctl.x=a b'"#, "a b"),
        (r#"rancher.sysctl.x='a "b" c'"#, "a \"b\" c"),
    ] {
        let (value, refused) = parse(&format!("quiet {line} cc.hostname=box"));
        assert_eq!(refused, [""; 0], "{line}");
        assert_eq!(value["rancher"]["sysctl"]["x"], expected, "{line}");
        assert_eq!(value["hostname"], "box", "{line}");
    }
    let lists = r#""rancher.network.dns.nameservers=[\"1.1.1.1\", \"9.9.9.9\"]" rancher.modules=['a b', "c"]"#;
    let (value, refused) = parse(lists);
    assert_eq!(refused, [""; 0]);
    assert_eq!(
        value,
        json("{rancher: {network: {dns: {nameservers: [1.1.1.1, 9.9.9.9]}}, modules: [a b, c]}}")
    );
}
