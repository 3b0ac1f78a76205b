//! Reads the facts of a source file. Code that only tests compile is left out.

use std::collections::BTreeSet;

use syn::buffer::TokenBuffer;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, PatIdent, TraitItem, Type, Visibility};

use crate::sources::facts::{Declaration, Facts, ItemKind, Method, Scope};
use crate::sources::hidden_forms;
use crate::sources::test_only::{get_attributes, is_test_only};
use crate::sources::tokens::find_names;
use crate::sources::use_tree::list_imports;

/// Reads the text of a file.
pub(crate) fn read(text: &str) -> syn::Result<Facts> {
    let file = syn::parse_file(text)?;
    let mut reader = Reader {
        facts: Facts {
            scopes: vec![Scope::default()],
            ..Facts::default()
        },
        scope: 0,
        locals: Vec::new(),
    };
    reader.visit_file(&file);
    Ok(reader.facts)
}

struct Reader {
    facts: Facts,
    /// Index of the current scope.
    scope: usize,
    /// Variables of the functions around the current code.
    locals: Vec<BTreeSet<String>>,
}

impl Reader {
    fn scope(&mut self) -> &mut Scope {
        &mut self.facts.scopes[self.scope]
    }

    fn add_declaration(&mut self, kind: ItemKind, visibility: &Visibility, name: &syn::Ident) {
        let is_visible = !matches!(visibility, Visibility::Inherited);
        if is_visible || kind != ItemKind::Function {
            self.facts.declarations.push(Declaration {
                kind,
                name: name.to_string(),
            });
        }
    }

    fn add_item(&mut self, kind: ItemKind, visibility: &Visibility, name: &syn::Ident) {
        self.add_declaration(kind, visibility, name);
        self.scope().items.insert(name.to_string());
    }

    fn add_module(&mut self, module: &syn::ItemMod) {
        let name = module.ident.to_string();
        let Some((_, items)) = &module.content else {
            self.scope().files.push(name);
            return;
        };
        self.facts.declarations.push(Declaration {
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

    fn add_methods(&mut self, item: &syn::ItemImpl) {
        let Type::Path(of) = &*item.self_ty else {
            return;
        };
        let of = read_segments(&of.path);
        for part in &item.items {
            if let ImplItem::Fn(function) = part
                && !is_test_only(&function.attrs)
            {
                self.scope().methods.push(Method {
                    of: of.clone(),
                    name: function.sig.ident.to_string(),
                });
            }
        }
    }

    fn add_path(&mut self, path: Vec<String>) {
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

    fn add_tokens(&mut self, buffer: &TokenBuffer) {
        let names = find_names(buffer.begin());
        for path in names.paths {
            self.add_path(path);
        }
        self.scope().calls.extend(names.calls);
    }

    fn enter(&mut self, collect: impl FnOnce(&mut Locals)) {
        let mut locals = Locals::default();
        collect(&mut locals);
        self.locals.push(locals.0);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test_only(get_attributes(item)) {
            if let Item::Mod(module) = item
                && module.content.is_none()
            {
                let name = module.ident.to_string();
                self.scope().test_files.push(name);
            }
            return;
        }
        self.facts
            .hidden_forms
            .extend(hidden_forms::find_in_item(item));
        match item {
            Item::Mod(module) => {
                for attribute in &module.attrs {
                    self.visit_attribute(attribute);
                }
                return self.add_module(module);
            }
            Item::Use(import) => {
                let form = hidden_forms::find_in_import(import);
                self.facts.hidden_forms.extend(form);
                self.scope().imports.extend(list_imports(import));
                return;
            }
            Item::Impl(i) if i.trait_.is_none() => self.add_methods(i),
            Item::Struct(i) => self.add_item(ItemKind::Type, &i.vis, &i.ident),
            Item::Enum(i) => self.add_item(ItemKind::Type, &i.vis, &i.ident),
            Item::Union(i) => self.add_item(ItemKind::Type, &i.vis, &i.ident),
            Item::Type(i) => self.add_item(ItemKind::Type, &i.vis, &i.ident),
            Item::Fn(i) => self.add_item(ItemKind::Function, &i.vis, &i.sig.ident),
            Item::Const(i) => self.add_item(ItemKind::Constant, &i.vis, &i.ident),
            Item::Static(i) => self.add_item(ItemKind::Constant, &i.vis, &i.ident),
            Item::Trait(i) => {
                self.add_item(ItemKind::Type, &i.vis, &i.ident);
                for part in &i.items {
                    if let TraitItem::Fn(function) = part {
                        self.add_declaration(ItemKind::Function, &i.vis, &function.sig.ident);
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
            ImplItem::Fn(i) => self.add_declaration(ItemKind::Function, &i.vis, &i.sig.ident),
            ImplItem::Const(i) => self.add_declaration(ItemKind::Constant, &i.vis, &i.ident),
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

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.scope().calls.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add_path(read_segments(path));
        visit::visit_path(self, path);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        if !is_variable(pattern) {
            self.add_path(vec![pattern.ident.to_string()]);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.facts
            .hidden_forms
            .extend(hidden_forms::find_in_macro(call));
        self.visit_path(&call.path);
        self.add_tokens(&TokenBuffer::new2(call.tokens.clone()));
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let form = hidden_forms::find_in_attribute(attribute);
        self.facts.hidden_forms.extend(form);
        match &attribute.meta {
            Meta::List(list) => self.add_tokens(&TokenBuffer::new2(list.tokens.clone())),
            Meta::NameValue(pair) => self.visit_expr(&pair.value),
            Meta::Path(_) => {}
        }
    }

    /// `pub(in crate::a)` uses nothing of `a`.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn read_segments(path: &syn::Path) -> Vec<String> {
    let leading = path.leading_colon.as_ref().map(|_| String::new());
    let segments = path.segments.iter().map(|s| s.ident.to_string());
    leading.into_iter().chain(segments).collect()
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

#[cfg(test)]
mod tests {
    #[test]
    fn variables_are_no_names() {
        let text =
            "fn f(a: u8) { let b = a; match b { LIMIT => c(b), _ => d!(b, e) } } fn g() { b }";
        let facts = super::read(text).unwrap();
        let plain: Vec<_> = facts.scopes[0].plain.iter().map(String::as_str).collect();
        assert_eq!(plain, ["LIMIT", "b", "c", "d", "e", "u8"]);
    }

    #[test]
    fn methods_and_calls_are_listed() {
        let text = "impl a::B { fn c(&self) { self.d(); e!(f.g()) } #[cfg(test)] fn h() { i.j() } }
            impl K for B { fn l() {} }";
        let facts = super::read(text).unwrap();
        let scope = &facts.scopes[0];
        let methods = scope.methods.iter();
        let methods: Vec<_> = methods.map(|m| (m.of.join("::"), &*m.name)).collect();
        assert_eq!(methods, [(String::from("a::B"), "c")]);
        let calls: Vec<_> = scope.calls.iter().map(String::as_str).collect();
        assert_eq!(calls, ["d", "g"]);
    }
}
