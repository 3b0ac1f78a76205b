//! Names explain themselves: files, folders, modules and what other modules can see.

use std::collections::BTreeSet;

use crate::facts::ItemKind;
use crate::workspace::Workspace;

/// No name consists of one of these words, in any spelling: `set_by` stands for `SetBy` too.
const WORDS: &[&str] = &[
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

/// Words that say too little as the name of a file or module.
const FILE_WORDS: &[&str] = &["read"];

/// Names that are right in a crate.
const EXCEPTIONS: &[(&str, &str)] = &[
    // Swap space.
    ("os-config", "Swap"),
    ("os-config", "swap"),
];

#[test]
fn names_explain_themselves() {
    let mut faults = BTreeSet::new();
    for member in &Workspace::get().crates {
        let is_fault = |kind, name: &str| {
            is_barred(kind, name) && !EXCEPTIONS.contains(&(member.name.as_str(), name))
        };
        for (file, facts) in &member.files {
            let mut path = member.folder.clone();
            for part in file[path.len()..].split('/').skip(1) {
                path += &format!("/{part}");
                let name = part.trim_end_matches(".rs");
                if is_fault(ItemKind::Module, name) {
                    faults.insert(format!("{path}: `{name}`"));
                }
            }
            for item in facts.declared.iter().filter(|i| is_fault(i.kind, &i.name)) {
                let kind = format!("{:?}", item.kind).to_lowercase();
                faults.insert(format!("{file}: {kind} `{}`", item.name));
            }
        }
    }
    let faults: Vec<String> = faults.into_iter().collect();
    crate::assert_none(
        &faults,
        "take the field's term, a noun that a newcomer guesses, or see EXCEPTIONS in this test",
    );
}

fn is_barred(kind: ItemKind, name: &str) -> bool {
    let is_in = |words: &[&str]| words.iter().any(|word| folded(word) == folded(name));
    is_in(WORDS)
        || kind == ItemKind::Type && is_in(TYPE_WORDS)
        || kind == ItemKind::Module && is_in(FILE_WORDS)
}

/// Without the difference between `snake_case`, `CamelCase` and `CONSTANTS`.
fn folded(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::is_barred;
    use crate::facts::ItemKind;
    use crate::reader;

    #[test]
    fn whole_names_are_compared_in_every_spelling() {
        assert!(is_barred(ItemKind::Type, "SetBy"));
        assert!(is_barred(ItemKind::Constant, "LOOK_AGAIN"));
        assert!(!is_barred(ItemKind::Function, "wait_one"));
        assert!(is_barred(ItemKind::Type, "Kind") && !is_barred(ItemKind::Function, "kind"));
        assert!(is_barred(ItemKind::Module, "read") && !is_barred(ItemKind::Function, "read"));
    }

    #[test]
    fn what_other_modules_see_is_declared() {
        let text = "mod a { pub(super) enum B {} } struct C; impl C { pub fn d() {} fn e() {} }
            pub trait F { fn g(); } trait H { fn i(); } const J: u8 = 0; pub(crate) const K: u8 = 0;
            #[cfg(test)] mod l { pub struct M; }";
        let declared = reader::read(text).unwrap().declared;
        let names: Vec<&str> = declared.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names, ["a", "B", "d", "F", "g", "K"]);
    }
}
