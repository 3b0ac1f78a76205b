//! Tells whether only tests compile an item.

use syn::punctuated::Punctuated;
use syn::{Attribute, Item, Meta, Token};

/// `#[test]`, `#[cfg(test)]` and `#[cfg(all(test, …))]`.
pub(crate) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|segment| segment.ident == "test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args().is_ok_and(|m: Meta| needs_test(&m))
    })
}

fn needs_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|all| all.iter().any(needs_test)),
        _ => false,
    }
}

pub(crate) fn get_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::ExternCrate(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Union(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::{get_attributes, is_test_only};

    #[test]
    fn items_for_tests_are_told_from_the_others() {
        let is_test = |text: &str| is_test_only(get_attributes(&syn::parse_str(text).unwrap()));
        assert!(is_test("#[cfg(test)] mod tests;"));
        assert!(is_test("#[cfg(all(unix, test))] use a::b;"));
        assert!(is_test("#[tokio::test] async fn f() {}"));
        assert!(!is_test("#[cfg(not(test))] fn f() {}"));
        assert!(!is_test(
            "#[cfg(any(test, feature = \"manual\"))] mod manual;"
        ));
    }
}
