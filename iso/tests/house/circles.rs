//! No circle of modules: a file can be understood without the files that use it.

use crate::graph::{Arrows, arrows, circles};
use crate::workspace::Workspace;

#[test]
fn no_crate_has_a_circle_of_modules() {
    let mut faults = Vec::new();
    for member in &Workspace::get().crates {
        faults.extend(described(&member.folder, &arrows(&member.trees())));
    }
    crate::assert_none(
        &faults,
        "move the names that both sides need to a file of their own, and import them from there",
    );
}

/// The circles of the crate in `folder`, with the arrows and the names that tie each.
fn described(folder: &str, arrows: &Arrows) -> Vec<String> {
    let src = format!("{folder}/src/");
    let short = |file: &str| file.strip_prefix(&src).unwrap_or(file).to_owned();
    let mut texts = Vec::new();
    for circle in circles(arrows) {
        let files: Vec<String> = circle.iter().map(|file| short(file)).collect();
        let mut text = format!("{src}: circle of {}: {}", files.len(), files.join(", "));
        for (from, to) in circle.iter().filter_map(|file| arrows.get_key_value(*file)) {
            for (to, names) in to.iter().filter(|(to, _)| circle.contains(to.as_str())) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let names = names.join(", ");
                text += &format!("\n      {} -> {}: {names}", short(from), short(to));
            }
        }
        texts.push(text);
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::described;
    use crate::graph::{Arrows, arrows};
    use crate::modules::{Files, Trees, tree};
    use crate::reader;

    /// The arrows of a crate `made_up` with a library and, where there is one, a program.
    fn crate_of(texts: &[(&str, &str)]) -> Arrows {
        let files: Files = texts
            .iter()
            .map(|(path, text)| (format!("made-up/src/{path}"), reader::read(text).unwrap()))
            .collect();
        let roots = ["made-up/src/lib.rs", "made-up/src/main.rs"];
        arrows(&Trees {
            library: Some("made_up"),
            all: roots
                .iter()
                .filter(|root| files.contains_key(**root))
                .map(|root| tree(root, &files))
                .collect(),
        })
    }

    fn shown(texts: &[(&str, &str)]) -> String {
        described("made-up", &crate_of(texts)).join("\n")
    }

    #[test]
    fn a_circle_of_three_is_found_with_its_names() {
        let text = shown(&[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b::{self, Bee}; pub struct A;"),
            ("b.rs", "pub struct Bee(super::c::C);"),
            (
                "c.rs",
                "use super::a; pub struct C; fn f() { println!(\"{:?}\", a::A) }",
            ),
            ("d.rs", "use crate::a::A;"),
        ]);
        assert_eq!(
            text,
            "made-up/src/: circle of 3: a.rs, b.rs, c.rs\n      \
             a.rs -> b.rs: Bee\n      \
             b.rs -> c.rs: C\n      \
             c.rs -> a.rs: A"
        );
    }

    #[test]
    fn a_circle_of_parent_and_child_is_found() {
        let text = shown(&[
            ("lib.rs", "pub mod outer;"),
            (
                "outer/mod.rs",
                "mod inner; pub struct Thing; pub fn f() { inner::g(&Thing) }",
            ),
            (
                "outer/inner.rs",
                "use super::Thing; pub(super) fn g(_: &Thing) {}",
            ),
        ]);
        assert_eq!(
            text,
            "made-up/src/: circle of 2: outer/inner.rs, outer/mod.rs\n      \
             outer/inner.rs -> outer/mod.rs: Thing\n      \
             outer/mod.rs -> outer/inner.rs: g"
        );
    }

    #[test]
    fn a_facade_that_uses_what_it_re_exports_has_an_arrow() {
        let text = shown(&[
            ("lib.rs", "mod child; pub use child::f; fn g() { f() }"),
            ("child.rs", "pub fn f() -> crate::T { todo() }"),
        ]);
        assert!(text.starts_with("made-up/src/: circle of 2: child.rs, lib.rs"));
    }

    #[test]
    fn re_exports_lead_to_the_file_that_defines() {
        let texts = [
            (
                "lib.rs",
                "mod facade; mod user; pub use facade::{Renamed, order};",
            ),
            (
                "facade/mod.rs",
                "mod one; mod order; mod two; pub use one::One as Renamed; pub use order::order; pub use two::*;",
            ),
            ("facade/one.rs", "pub struct One;"),
            (
                "facade/order.rs",
                "use super::Renamed; use super::two::Two; pub fn order(_: Renamed, _: Two) {}",
            ),
            ("facade/two.rs", "pub struct Two;"),
            (
                "user.rs",
                "use crate::{facade, order}; pub fn f() { order(facade::Renamed, facade::Two) }",
            ),
            (
                "main.rs",
                "use made_up::order; mod only; fn main() { let only = 1; made_up::user::f(); }",
            ),
            ("only.rs", "pub fn g() { super::main() }"),
        ];
        assert_eq!(shown(&texts), "");
        let arrows = crate_of(&texts);
        let used_by = |file: &str| {
            let used = arrows[&format!("made-up/src/{file}")].keys();
            used.map(|file| file.trim_start_matches("made-up/src/"))
                .collect::<Vec<_>>()
        };
        assert_eq!(used_by("facade/mod.rs"), [""; 0]);
        assert_eq!(
            used_by("facade/order.rs"),
            ["facade/one.rs", "facade/two.rs"]
        );
        assert_eq!(
            used_by("user.rs"),
            ["facade/one.rs", "facade/order.rs", "facade/two.rs"]
        );
        assert_eq!(used_by("main.rs"), ["facade/order.rs", "user.rs"]);
    }

    #[test]
    fn tests_may_use_what_they_test() {
        let text = shown(&[
            (
                "lib.rs",
                "mod a; #[cfg(test)] mod tests; pub struct T; fn f() { a::f() }",
            ),
            (
                "a.rs",
                "pub fn f() {} #[cfg(test)] mod tests { use crate::T; } #[test] fn t() { crate::f() }",
            ),
            ("tests.rs", "use super::*;"),
        ]);
        assert_eq!(text, "");
    }
}
