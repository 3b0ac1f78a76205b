//! Properties of every document: layers merge in any grouping, an export can be imported, `get` finds the value of
//! `set`.

mod tree;

use os_config::document;
use os_config::kernel_line;
use os_config::load::{export, load};
use os_config::yaml::dotted;
use proptest::prelude::*;
use serde_yaml::{Mapping, Value};
use tree::Tree;

const STORED: &str = "var/lib/rancher/conf/cloud-config.yml";

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        Just(Value::Null),
    ]
}

/// Documents in which keys that start with `m` are sections and other keys are not: if a layer replaces a section by a
/// value, the lower layer is hidden for good, and the grouping counts (MG-07).
fn layer() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        scalar(),
        prop::collection::vec(scalar(), 0..3).prop_map(Value::from)
    ];
    let entries = prop::collection::btree_map("[a-c]", leaf.clone(), 0..4)
        .prop_map(|entries| entries.into_iter().map(|(k, v)| (k.into(), v)).collect());
    entries
        .prop_map(Value::Mapping)
        .prop_recursive(3, 24, 4, move |inner| {
            let values = prop::collection::btree_map("[a-c]", leaf.clone(), 0..3);
            let sections = prop::collection::btree_map("m[a-c]", inner, 0..3);
            (values, sections).prop_map(|(values, sections)| {
                let both = values.into_iter().chain(sections);
                Value::Mapping(both.map(|(key, value)| (key.into(), value)).collect())
            })
        })
}

/// A key whose value may be any text.
fn text_key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "rancher.environment.COW",
        "rancher.docker.log_driver",
        "rancher.network.http_proxy",
        "rancher.console",
        "timezone",
        "final_message",
    ])
}

/// A cloud-config without a problem.
fn good_document() -> impl Strategy<Value = Value> {
    let names = prop::collection::vec("[a-z]{1,8}", 0..4);
    let environment = prop::collection::btree_map("[A-Z]{1,4}", "[ -#%-~]{0,12}", 0..4);
    (
        "[a-z][a-z0-9-]{0,20}",
        names,
        environment,
        any::<bool>(),
        1_u32..10_000,
    )
        .prop_map(|(hostname, modules, environment, debug, seconds)| {
            let text = serde_yaml::to_string(&environment).unwrap();
            let environment: Value = serde_yaml::from_str(&text).unwrap();
            let rancher = Mapping::from_iter([
                ("modules".into(), modules.into()),
                ("environment".into(), environment),
                ("debug".into(), debug.into()),
                ("shutdown_timeout".into(), seconds.into()),
            ]);
            Value::Mapping(Mapping::from_iter([
                ("hostname".into(), hostname.into()),
                ("rancher".into(), rancher.into()),
            ]))
        })
}

/// Merges as the layers of a boot are merged.
fn merge(below: &Value, above: &Value) -> Value {
    let read = |value| {
        let text = serde_yaml::to_string(value).unwrap();
        document::parse(text.as_bytes()).unwrap()
    };
    document::merge(&read(below), &read(above))
}

fn stored(value: &Value) -> Tree {
    let text = serde_yaml::to_string(value).unwrap();
    Tree::new(&[(STORED, text.as_bytes())])
}

proptest! {
    // A failure prints its document, which becomes a test case then.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn layers_can_be_merged_in_any_grouping(a in layer(), b in layer(), c in layer()) {
        let left = merge(&merge(&a, &b), &c);
        let right = merge(&a, &merge(&b, &c));
        prop_assert_eq!(left, right);
    }

    #[test]
    fn a_layer_over_itself_changes_nothing(a in layer()) {
        prop_assert_eq!(merge(&a, &a), a);
    }

    #[test]
    fn an_export_can_be_imported(document in good_document()) {
        let first = export(stored(&document).path(), false, true).value;
        let second = export(stored(&first).path(), false, true).value;
        prop_assert_eq!(&first, &second);
        let (before, after) = (stored(&document), stored(&first));
        let (before, after) = (load(before.path()), load(after.path()));
        // The export always has a list of keys, which may be empty.
        prop_assert_eq!(format!("{:?}", before.config), format!("{:?}", after.config));
        prop_assert_eq!(after.problems, vec![]);
    }

    #[test]
    fn a_set_value_can_be_read(key in text_key(), text in "[ -#%-~]{0,20}") {
        let mut document = Value::Mapping(Mapping::new());
        let typed = kernel_line::typed_value(&text);
        dotted::set(&mut document, key, typed.clone()).unwrap();
        prop_assert_eq!(dotted::get(&document, key), Some(&typed));
        // The value survives a file too.
        let read: Value = serde_yaml::from_str(&serde_yaml::to_string(&document).unwrap()).unwrap();
        prop_assert_eq!(&read, &document);
    }

    #[test]
    fn the_kernel_line_says_what_set_says(text in "[a-z0-9./-]{1,20}") {
        let line = format!("quiet rancher.environment.COW={text}");
        let (parsed, _) = kernel_line::parse(&line);
        let mut document = Value::Mapping(Mapping::new());
        dotted::set(&mut document, "rancher.environment.COW", kernel_line::typed_value(&text)).unwrap();
        prop_assert_eq!(parsed, document);
    }
}
