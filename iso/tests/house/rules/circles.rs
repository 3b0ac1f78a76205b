//! No circle of modules: a file can be understood without the files that use it.

use crate::sources::graph::{Arrows, draw_arrows, find_circles};
use crate::sources::workspace::Workspace;

#[test]
fn no_crate_has_a_circle_of_modules() {
    let mut faults = Vec::new();
    for member in &Workspace::get().crates {
        faults.extend(describe_circles(
            &member.folder,
            &draw_arrows(&member.trees()),
        ));
    }
    crate::assert_none(
        &faults,
        "move the names that both sides need to a file of their own, and import them from there",
    );
}

/// Describes the circles of the crate in `folder`, with the arrows and names that tie each circle.
fn describe_circles(folder: &str, arrows: &Arrows) -> Vec<String> {
    let src = format!("{folder}/src/");
    let short = |file: &str| file.strip_prefix(&src).unwrap_or(file).to_owned();
    let mut texts = Vec::new();
    for circle in find_circles(arrows) {
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
    use super::describe_circles;
    use crate::sources::graph::{Arrows, draw_arrows};
    use crate::sources::workspace::Member;

    /// Draws the arrows of a crate that has a library and may have a program.
    fn draw_crate(texts: &[(&str, &str)]) -> Arrows {
        let paths = texts.iter().map(|(path, _)| format!("made-up/src/{path}"));
        let paths: Vec<String> = paths.collect();
        let texts: Vec<_> = paths
            .iter()
            .zip(texts)
            .map(|(p, t)| (p.as_str(), t.1))
            .collect();
        draw_arrows(&Member::new("made-up", &texts).trees())
    }

    fn describe(texts: &[(&str, &str)]) -> String {
        describe_circles("made-up", &draw_crate(texts)).join("\n")
    }

    #[test]
    fn a_circle_of_three_is_found_with_its_names() {
        let text = describe(&[
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
        let text = describe(&[
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
    fn a_facade_that_uses_its_re_export_has_an_arrow() {
        let text = describe(&[
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
        assert_eq!(describe(&texts), "");
        let arrows = draw_crate(&texts);
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
    fn tests_may_use_the_tested_code() {
        let text = describe(&[
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

    const METHOD_FILES: [(&str, &str); 3] = [
        ("lib.rs", "mod client; mod images; mod user;"),
        (
            "client.rs",
            "pub struct Client; impl Client { fn new() {} }",
        ),
        (
            "images.rs",
            "use crate::client::Client; use crate::user; impl Client { pub fn pull(&self) { user::f() } }",
        ),
    ];

    #[test]
    fn a_call_of_a_method_leads_to_the_file_of_its_impl() {
        for call in ["c.pull()", "g!(\"{}\", c.pull())", "Client::pull(c)"] {
            let user = format!("use crate::client::Client; pub fn f(c: &Client) {{ {call} }}");
            let text = describe(&[&METHOD_FILES[..], &[("user.rs", &user)]].concat());
            assert!(
                text.starts_with("made-up/src/: circle of 2: images.rs, user.rs"),
                "{call}: {text}"
            );
        }
    }

    #[test]
    fn a_method_beside_its_type_gives_no_arrow() {
        let user = "pub fn f(c: C) { c.new(); c.push() }";
        let text = describe(&[&METHOD_FILES[..], &[("user.rs", user)]].concat());
        assert_eq!(text, "");
    }
}
