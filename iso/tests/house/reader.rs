//! Reads the facts of a source file. Code that only tests compile is left out.

use std::collections::BTreeSet;

use syn::buffer::TokenBuffer;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, PatIdent, TraitItem, UseTree, Visibility};

use crate::facts::{Declared, Facts, Import, ItemKind, Scope};
use crate::test_only::{attributes, is_test_only};
use crate::tokens;

/// Reads the text of a file.
pub(crate) fn read(text: &str) -> syn::Result<Facts> {
    let file = syn::parse_file(text)?;
    let mut reader = Reader {
        facts: Facts {
            scopes: vec![Scope::default()],
            declared: Vec::new(),
        },
        scope: 0,
        locals: Vec::new(),
    };
    reader.visit_file(&file);
    Ok(reader.facts)
}

struct Reader {
    facts: Facts,
    /// Index of the scope that is read now.
    scope: usize,
    /// Variables of the functions around the code that is read now.
    locals: Vec<BTreeSet<String>>,
}

impl Reader {
    fn scope(&mut self) -> &mut Scope {
        &mut self.facts.scopes[self.scope]
    }

    fn declare(&mut self, kind: ItemKind, visibility: &Visibility, name: &syn::Ident) {
        if !matches!(visibility, Visibility::Inherited) {
            self.facts.declared.push(Declared {
                kind,
                name: name.to_string(),
            });
        }
    }

    fn item(&mut self, kind: ItemKind, visibility: &Visibility, name: &syn::Ident) {
        self.declare(kind, visibility, name);
        self.scope().items.insert(name.to_string());
    }

    fn module(&mut self, module: &syn::ItemMod) {
        let name = module.ident.to_string();
        let Some((_, items)) = &module.content else {
            self.scope().files.push(name);
            return;
        };
        self.facts.declared.push(Declared {
            kind: ItemKind::Module,
            name: name.clone(),
        });
        let outer = self.scope;
        let mut inline = self.scope().inline.clone();
        inline.push(name);
        self.facts.scopes.push(Scope {
            inline,
            ..Scope::default()
        });
        self.scope = self.facts.scopes.len() - 1;
        for item in items {
            self.visit_item(item);
        }
        self.scope = outer;
    }

    fn name(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.scope().paths.insert(path);
            return;
        }
        for name in path {
            if !self.locals.iter().any(|locals| locals.contains(&name)) {
                self.scope().plain.insert(name);
            }
        }
    }

    fn names_in(&mut self, buffer: &TokenBuffer) {
        for path in tokens::paths(buffer.begin()) {
            self.name(path);
        }
    }

    fn enter(&mut self, collect: impl FnOnce(&mut Locals)) {
        let mut locals = Locals::default();
        collect(&mut locals);
        self.locals.push(locals.0);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test_only(attributes(item)) {
            return;
        }
        match item {
            Item::Mod(module) => return self.module(module),
            Item::Use(import) => {
                let is_public = !matches!(import.vis, Visibility::Inherited);
                let mut path = Vec::new();
                if import.leading_colon.is_some() {
                    path.push(String::new());
                }
                flatten(&import.tree, &path, is_public, &mut self.scope().imports);
                return;
            }
            Item::Struct(i) => self.item(ItemKind::Type, &i.vis, &i.ident),
            Item::Enum(i) => self.item(ItemKind::Type, &i.vis, &i.ident),
            Item::Union(i) => self.item(ItemKind::Type, &i.vis, &i.ident),
            Item::Type(i) => self.item(ItemKind::Type, &i.vis, &i.ident),
            Item::Fn(i) => self.item(ItemKind::Function, &i.vis, &i.sig.ident),
            Item::Const(i) => self.item(ItemKind::Constant, &i.vis, &i.ident),
            Item::Static(i) => self.item(ItemKind::Constant, &i.vis, &i.ident),
            Item::Trait(i) => {
                self.item(ItemKind::Type, &i.vis, &i.ident);
                for part in &i.items {
                    if let TraitItem::Fn(function) = part {
                        self.declare(ItemKind::Function, &i.vis, &function.sig.ident);
                    }
                }
            }
            Item::Macro(i) => {
                if let Some(name) = &i.ident {
                    self.scope().items.insert(name.to_string());
                }
            }
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        match item {
            ImplItem::Fn(i) if is_test_only(&i.attrs) => return,
            ImplItem::Fn(i) => self.declare(ItemKind::Function, &i.vis, &i.sig.ident),
            ImplItem::Const(i) => self.declare(ItemKind::Constant, &i.vis, &i.ident),
            _ => {}
        }
        visit::visit_impl_item(self, item);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.enter(|locals| locals.visit_item_fn(function));
        visit::visit_item_fn(self, function);
        self.locals.pop();
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.enter(|locals| locals.visit_impl_item_fn(function));
        visit::visit_impl_item_fn(self, function);
        self.locals.pop();
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        self.enter(|locals| locals.visit_trait_item_fn(function));
        visit::visit_trait_item_fn(self, function);
        self.locals.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let leading = path.leading_colon.as_ref().map(|_| String::new());
        let segments = path.segments.iter().map(|s| s.ident.to_string());
        self.name(leading.into_iter().chain(segments).collect());
        visit::visit_path(self, path);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        if !is_variable(pattern) {
            self.name(vec![pattern.ident.to_string()]);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.names_in(&TokenBuffer::new2(call.tokens.clone()));
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            Meta::List(list) => self.names_in(&TokenBuffer::new2(list.tokens.clone())),
            Meta::NameValue(pair) => self.visit_expr(&pair.value),
            Meta::Path(_) => {}
        }
    }

    /// `pub(in crate::a)` uses nothing of `a`.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// The variables that a function binds.
#[derive(Default)]
struct Locals(BTreeSet<String>);

impl<'ast> Visit<'ast> for Locals {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        if is_variable(pattern) {
            self.0.insert(pattern.ident.to_string());
        }
        visit::visit_pat_ident(self, pattern);
    }
}

/// A pattern with a capital letter names a constant or a variant.
fn is_variable(pattern: &PatIdent) -> bool {
    !pattern.ident.to_string().starts_with(char::is_uppercase)
}

fn flatten(tree: &UseTree, path: &[String], is_public: bool, into: &mut Vec<Import>) {
    let extended = |name: &syn::Ident| {
        let mut path = path.to_vec();
        // `a::{self}` imports `a`.
        if path.is_empty() || name != "self" {
            path.push(name.to_string());
        }
        path
    };
    let import = |path: Vec<String>, alias: String, is_glob| Import {
        path,
        alias,
        is_glob,
        is_public,
    };
    match tree {
        UseTree::Path(p) => flatten(&p.tree, &extended(&p.ident), is_public, into),
        UseTree::Name(n) => {
            let path = extended(&n.ident);
            let alias = path.last().cloned().unwrap_or_default();
            into.push(import(path, alias, false));
        }
        UseTree::Rename(r) => {
            into.push(import(extended(&r.ident), r.rename.to_string(), false));
        }
        UseTree::Glob(_) => into.push(import(path.to_vec(), String::from("*"), true)),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path, is_public, into);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn imports_are_listed_by_their_names() {
        let facts = super::read("use a::{self, b as c, d::*}; pub(crate) use ::e::f;").unwrap();
        let imports = facts.scopes[0].imports.iter();
        let shown: Vec<_> = imports
            .map(|i| (i.path.join("::"), i.alias.as_str(), i.is_glob, i.is_public))
            .collect();
        assert_eq!(
            shown,
            [
                (String::from("a"), "a", false, false),
                (String::from("a::b"), "c", false, false),
                (String::from("a::d"), "*", true, false),
                (String::from("::e::f"), "f", false, true),
            ]
        );
    }

    #[test]
    fn variables_are_no_names() {
        let text =
            "fn f(a: u8) { let b = a; match b { LIMIT => c(b), _ => d!(b, e) } } fn g() { b }";
        let facts = super::read(text).unwrap();
        let plain: Vec<_> = facts.scopes[0].plain.iter().map(String::as_str).collect();
        assert_eq!(plain, ["LIMIT", "b", "c", "d", "e", "u8"]);
    }
}
