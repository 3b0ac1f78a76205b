//! Every field of the typed configuration is read by a program, or its key gives a warning: a setting that lands in a
//! type and goes no further is a setting that a user believes in. `os-config` shows of every key that it reaches the types
//! or gives a warning.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, ExprAssign, ExprField, FieldPat, FnArg, Item, Macro, Member, Signature, Token};

use crate::sources::test_only::{get_attributes, is_test_only};
use crate::sources::workspace::{get_root, read_below};

/// The files and folders with the types.
const TYPES: [&str; 5] = [
    "os-config/src/config.rs",
    "os-config/src/rancher.rs",
    "os-config/src/keys",
    "os-config/src/compose/service",
    "os-config/src/compose/build.rs",
];
/// The folders with the programs of the OS.
const PROGRAMS: [&str; 2] = ["init", "os-config"];
/// The page with all keys, which is generated from the types, and its marks of a key that gives a warning.
const KEYS: &str = "docs/cloud-config.md";
const MARKS: [&str; 2] = ["*No effect yet.*", "known, and without effect"];
/// A reader and a check have a parameter of this type. They do not use what they read.
const FINDINGS: &str = "Findings";

/// Fields that need no use, with the reason.
const LISTED: &[(&str, &str)] = &[
    (
        "debug",
        "the layers are changed by it before they are typed",
    ),
    ("hypervisor_service", "as `debug`"),
    ("recovery", "PID 1 reads the kernel line itself"),
    ("upgrade", "none of its keys has an effect yet"),
    ("texts", "`wifi_networks` has no effect yet"),
    ("lists", "`wifi_networks` has no effect yet"),
    ("apn", "`modem_networks` has no effect yet"),
];

#[test]
fn every_setting_is_read() {
    let mut types = Source::default();
    let mut programs = Source::default();
    for place in TYPES {
        let path = get_root().join(place);
        if path.is_file() {
            types.add(&fs::read_to_string(path).unwrap(), true);
        } else {
            read_below(&path, &["rs"], &mut |_, text| types.add(text, true));
        }
    }
    let is_of_types = |path: &Path| {
        let mut places = TYPES.iter().map(|place| get_root().join(place));
        places.any(|place| path.starts_with(place))
    };
    for folder in PROGRAMS {
        read_below(&get_root().join(folder), &["rs"], &mut |path, text| {
            let is_test = path.iter().any(|part| part == "tests") || path.ends_with("tests.rs");
            if !is_test && !is_of_types(path) {
                programs.add(text, false);
            }
        });
    }
    assert!(types.fields.len() > 150, "{}", types.fields.len());
    programs.uses.extend(types.uses);
    let page = fs::read_to_string(get_root().join(KEYS)).unwrap();
    crate::assert_none(
        &list_dead(&types.fields, &programs.uses, &page),
        "use the setting where a program does its work, or declare its key with `later`, `legacy` or `obsolete`, which warn",
    );
}

/// The fields that no program reads and whose keys give no warning. A field of another type with the same name counts
/// as read.
fn list_dead(fields: &BTreeSet<String>, uses: &BTreeSet<String>, page: &str) -> Vec<String> {
    let marked: BTreeSet<&str> = page
        .lines()
        .filter(|line| MARKS.iter().any(|mark| line.contains(mark)))
        .filter_map(|line| line.split('`').nth(1))
        .collect();
    let is_listed = |field: &str| LISTED.iter().any(|(listed, _)| *listed == field);
    let dead = fields
        .difference(uses)
        .map(|field| field.trim_end_matches('_'));
    dead.filter(|field| !marked.contains(field) && !is_listed(field))
        .map(|field| format!("no program reads the field `{field}`"))
        .collect()
}

/// The public fields of structs, and the names of fields that code reads.
#[derive(Default)]
struct Source {
    fields: BTreeSet<String>,
    uses: BTreeSet<String>,
    /// Whether readers and checks are left out.
    without_readers: bool,
}

impl Source {
    fn add(&mut self, text: &str, without_readers: bool) {
        self.without_readers = without_readers;
        self.visit_file(&syn::parse_file(text).unwrap());
    }

    fn is_reader(&self, signature: &Signature) -> bool {
        let has_findings = |input: &FnArg| match input {
            FnArg::Receiver(_) => false,
            FnArg::Typed(typed) => TypeNames::of(&typed.ty).contains(FINDINGS),
        };
        self.without_readers && signature.inputs.iter().any(has_findings)
    }
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(get_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !self.is_reader(&function.sig) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !self.is_reader(&function.sig) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let public = item.fields.iter().filter(|field| {
            matches!(field.vis, syn::Visibility::Public(_))
                && matches!(item.vis, syn::Visibility::Public(_))
        });
        let names = public.filter_map(|field| field.ident.as_ref());
        self.fields.extend(names.map(ToString::to_string));
    }

    fn visit_expr_assign(&mut self, assignment: &'ast ExprAssign) {
        // What is written is not read.
        match &*assignment.left {
            Expr::Field(field) => self.visit_expr(&field.base),
            left => self.visit_expr(left),
        }
        self.visit_expr(&assignment.right);
    }

    fn visit_expr_field(&mut self, field: &'ast ExprField) {
        if let Member::Named(name) = &field.member {
            self.uses.insert(name.to_string());
        }
        visit::visit_expr_field(self, field);
    }

    /// The arguments of `format!` and the like.
    fn visit_macro(&mut self, call: &'ast Macro) {
        let arguments = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
        for argument in arguments.iter().flatten() {
            Visit::visit_expr(self, argument);
        }
    }

    fn visit_field_pat(&mut self, field: &'ast FieldPat) {
        if let Member::Named(name) = &field.member {
            self.uses.insert(name.to_string());
        }
        visit::visit_field_pat(self, field);
    }
}

/// The identifiers of a type.
#[derive(Default)]
struct TypeNames(BTreeSet<String>);

impl TypeNames {
    fn of(of: &syn::Type) -> BTreeSet<String> {
        let mut names = Self::default();
        names.visit_type(of);
        names.0
    }
}

impl<'ast> Visit<'ast> for TypeNames {
    fn visit_ident(&mut self, name: &'ast syn::Ident) {
        self.0.insert(name.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, list_dead};

    #[test]
    fn a_field_is_read_by_code_and_not_by_its_reader() {
        let mut source = Source::default();
        source.add(
            "pub struct A { pub read: u8, pub checked: u8, pub written: u8, pub matched: u8, pub tested: u8, pub marked: u8,
                pub unknown: u8, own: u8 }
            impl A { fn check(&self, findings: &mut Findings) { self.checked; } }
            fn read(reader: &mut Reader<'_>, findings: &mut Findings) -> A { A { read: 1 }; a.checked }
            fn f(a: &mut A) { g(a.read); a.written = 1; let A { matched, .. } = a; }
            #[cfg(test)] mod tests { fn f() { a.tested } }",
            true,
        );
        let page = "| `marked` | text | | Says it. *No effect yet.* |\n| `unknown` | text | | |\n";
        assert_eq!(
            list_dead(&source.fields, &source.uses, page),
            ["checked", "tested", "unknown", "written"]
                .map(|field| format!("no program reads the field `{field}`"))
        );
    }
}
