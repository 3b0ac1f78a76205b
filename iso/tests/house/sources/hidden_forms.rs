//! Forms of code that hide modules or names from this test: it does not follow them.

use syn::buffer::{Cursor, TokenBuffer};
use syn::{Attribute, Item, ItemUse, Macro, Meta};

use crate::sources::use_tree::list_imports;

pub(crate) fn find_in_item(item: &Item) -> Option<String> {
    let form = "`extern crate`: `use` imports from other crates";
    matches!(item, Item::ExternCrate(_)).then(|| form.to_owned())
}

pub(crate) fn find_in_import(import: &ItemUse) -> Option<String> {
    let imports = list_imports(import);
    let glob = imports.iter().find(|i| i.is_public && i.is_glob)?;
    let path = glob.path.join("::");
    Some(format!("`pub use {path}::*`: name the re-exported items"))
}

pub(crate) fn find_in_macro(call: &Macro) -> Option<String> {
    let name = call.path.segments.last()?;
    let form = "`include!`: declare the file with `mod`";
    (name.ident == "include").then(|| form.to_owned())
}

pub(crate) fn find_in_attribute(attribute: &Attribute) -> Option<String> {
    let path = attribute.path();
    let is = |name: &str| path.is_ident(name);
    match &attribute.meta {
        _ if is("macro_use") => Some(String::from("`#[macro_use]`: import the macro by its path")),
        _ if is("path") => Some(String::from("`#[path]`: name the file after its module")),
        Meta::List(list) if is("cfg_attr") || is("serde") => {
            let tokens = TokenBuffer::new2(list.tokens.clone());
            find_in_tokens(tokens.begin(), is("serde"))
        }
        _ => None,
    }
}

/// `#[path]` and `serde` in the tokens of `#[cfg_attr]`, and paths in the strings of `serde`.
fn find_in_tokens(mut cursor: Cursor<'_>, mut is_serde: bool) -> Option<String> {
    while !cursor.eof() {
        if let Some((inside, _, _, after)) = cursor.any_group() {
            if let Some(form) = find_in_tokens(inside, is_serde) {
                return Some(form);
            }
            cursor = after;
        } else if let Some((literal, after)) = cursor.literal() {
            let text = literal.to_string();
            if is_serde && text.contains("::") {
                return Some(format!(
                    "serde's path in the string {text}: import the function"
                ));
            }
            cursor = after;
        } else {
            let (tree, after) = cursor.token_tree()?;
            let word = tree.to_string();
            if !is_serde && (word == "path" || word == "macro_use") {
                return Some(format!("`{word}` in `#[cfg_attr]`"));
            }
            is_serde |= word == "serde";
            cursor = after;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::sources::reader;

    fn forms(text: &str) -> Vec<String> {
        reader::read(text).unwrap().hidden_forms
    }

    #[test]
    fn every_form_is_a_fault() {
        for text in [
            "include!(\"other.rs\");",
            "fn f() { std::include!(\"other.rs\") }",
            "extern crate alloc;",
            "#[macro_use] mod macros { }",
            "#[path = \"other.rs\"] mod module;",
            "#[cfg_attr(unix, path = \"unix.rs\")] mod module;",
            "pub use child::*;",
            "pub(crate) use child::{A, b::*};",
            "struct A { #[serde(with = \"crate::b\")] b: u8 }",
            "#[cfg_attr(unix, serde(default = \"a::b\"))] struct A;",
        ] {
            assert_eq!(forms(text).len(), 1, "{text}: {:?}", forms(text));
        }
    }

    #[test]
    fn forms_that_hide_nothing_are_no_faults() {
        let text = "const A: &str = include_str!(\"a\"); use super::child::*; pub use child::B;
            struct C { #[serde(default = \"d\")] e: u8 } #[doc = \"f::g\"] struct H;
            #[cfg(test)] mod tests { include!(\"other.rs\"); pub use a::*; }
            #[cfg(test)] #[path = \"t.rs\"] mod t;";
        assert_eq!(forms(text), [""; 0]);
    }
}
