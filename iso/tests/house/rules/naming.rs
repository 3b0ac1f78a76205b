//! Names explain themselves: of files, folders, modules, types, constants, and functions that other modules can see.

use std::collections::BTreeSet;

use crate::sources::facts::ItemKind;
use crate::sources::workspace::{Member, Workspace};

/// No name consists of one of these words, in any spelling: `set_by` stands for `SetBy` too.
const BARRED_WORDS: &[&str] = &[
    // Folders without a subject.
    "common",
    "helper",
    "helpers",
    "manager",
    "misc",
    "util",
    "utils",
    // Adverbs, participles and pronouns.
    "again",
    "during",
    "fetched",
    "formerly",
    "further",
    "kept",
    "made",
    "meant",
    "nearest",
    "of",
    "one",
    "one_with",
    "outside",
    "over",
    "own",
    "past",
    "set_by",
    "settled",
    "unfinished",
    "unsaid",
    // Words that say too little, or mean another thing in the field.
    "act",
    "answer",
    "apply",
    "carrier",
    "comparator",
    "complaint",
    "entry",
    "forget",
    "look_again",
    "machine_wide",
    "mend",
    "names",
    "patience",
    "put_in_place",
    "say",
    "say_for_others",
    "swap",
    "take_back",
    "tool",
    "trust",
    "variant",
    "whole_file",
    "words",
];

/// Words that say too little as the name of a type.
const TYPE_WORDS: &[&str] = &[
    "choice", "existing", "finding", "found", "kind", "machine", "making", "problem", "remark",
    "wanted",
];

/// Words that say too little at the start and at the end of a constant's name too.
const CONSTANT_WORDS: &[&str] = &["look_again", "patience"];

/// Words that say too little as the name of a file or module.
const FILE_WORDS: &[&str] = &["read"];

/// Names that stay, with the file or folder that they are in.
const EXCEPTIONS: &[(&str, &str)] = &[
    // Swap space.
    ("os-config/src/keys/mounts.rs", "Swap"),
    ("os-config/src/keys/mounts.rs", "swap"),
];

#[test]
fn names_explain_themselves() {
    let mut faults = list_barred_names(&Workspace::get().crates, EXCEPTIONS);
    faults.sort();
    faults.dedup();
    crate::assert_none(
        &faults,
        "take the field's term, a noun that a newcomer guesses, or see EXCEPTIONS in iso/tests/house/rules/naming.rs",
    );
}

/// Lists the barred names without an exception, and the exceptions without a name.
fn list_barred_names(crates: &[Member], exceptions: &[(&str, &str)]) -> Vec<String> {
    let mut unused: BTreeSet<_> = exceptions.iter().collect();
    let mut faults = Vec::new();
    for member in crates {
        let mut check = |kind, name: &str, place: &str| {
            if is_barred(kind, name) {
                let exception = (place, name);
                unused.retain(|other| **other != exception);
                if !exceptions.contains(&exception) {
                    let kind = format!("{kind:?}").to_lowercase();
                    faults.push(format!("{place}: {kind} `{name}`"));
                }
            }
        };
        for (file, facts) in &member.files {
            let mut path = member.folder.clone();
            for part in file[path.len()..].split('/').skip(1) {
                path += &format!("/{part}");
                check(ItemKind::Module, part.trim_end_matches(".rs"), &path);
            }
            for item in &facts.declarations {
                check(item.kind, &item.name, file);
            }
        }
    }
    let unused = unused.iter();
    faults.extend(unused.map(|(place, name)| format!("{place}: an exception, but no `{name}`")));
    faults
}

fn is_barred(kind: ItemKind, name: &str) -> bool {
    let is_in = |words: &[&str]| words.iter().any(|word| fold_case(word) == fold_case(name));
    let constant = name.to_lowercase();
    is_in(BARRED_WORDS)
        || kind == ItemKind::Type && is_in(TYPE_WORDS)
        || kind == ItemKind::Module && is_in(FILE_WORDS)
        || kind == ItemKind::Constant
            && CONSTANT_WORDS.iter().any(|word| {
                constant.starts_with(&format!("{word}_")) || constant.ends_with(&format!("_{word}"))
            })
}

/// Drops the difference between `snake_case`, `CamelCase` and `CONSTANTS`.
fn fold_case(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{is_barred, list_barred_names};
    use crate::sources::facts::ItemKind;
    use crate::sources::reader;
    use crate::sources::workspace::Member;

    #[test]
    fn whole_names_are_compared_in_every_spelling() {
        assert!(is_barred(ItemKind::Type, "SetBy"));
        assert!(is_barred(ItemKind::Constant, "LOOK_AGAIN"));
        assert!(!is_barred(ItemKind::Function, "wait_one"));
        assert!(is_barred(ItemKind::Type, "Kind") && !is_barred(ItemKind::Function, "kind"));
        assert!(is_barred(ItemKind::Module, "read") && !is_barred(ItemKind::Function, "read"));
    }

    #[test]
    fn the_ends_of_constants_are_compared() {
        assert!(is_barred(ItemKind::Constant, "CONNECT_PATIENCE"));
        assert!(is_barred(ItemKind::Constant, "LOOK_AGAIN_AFTER"));
        assert!(!is_barred(ItemKind::Constant, "IMPATIENCE"));
        assert!(!is_barred(ItemKind::Function, "connect_patience"));
    }

    #[test]
    fn private_types_and_constants_are_checked_but_no_private_functions() {
        let text = "mod a { pub(super) enum B {} } struct C; impl C { pub fn d() {} fn e() {} }
            pub trait F { fn g(); } trait H { fn i(); } const J: u8 = 0; pub(crate) const K: u8 = 0;
            fn n() {} #[cfg(test)] mod l { pub struct M; }";
        let declarations = reader::read(text).unwrap().declarations;
        let names: Vec<&str> = declarations.iter().map(|item| &*item.name).collect();
        assert_eq!(names, ["a", "B", "C", "d", "F", "g", "H", "J", "K"]);
    }

    #[test]
    fn an_exception_names_a_name_that_is_there() {
        let member = Member::new("made-up", &[("made-up/src/swap.rs", "struct Patience;")]);
        let list = |exceptions| list_barred_names(std::slice::from_ref(&member), exceptions);
        assert_eq!(
            list(&[
                ("made-up/src/swap.rs", "swap"),
                ("made-up/src/util.rs", "util")
            ]),
            [
                "made-up/src/swap.rs: type `Patience`",
                "made-up/src/util.rs: an exception, but no `util`"
            ]
        );
    }
}
