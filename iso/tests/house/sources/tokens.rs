//! Names in the tokens of macros and attributes, which `syn` does not parse.

use syn::buffer::Cursor;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenNames {
    /// Every path, a plain name being a path of one segment. A path that starts with `::` has an empty first segment.
    pub(crate) paths: Vec<Vec<String>>,
    /// Names of the called methods, after a dot.
    pub(crate) calls: Vec<String>,
}

pub(crate) fn find_names(cursor: Cursor<'_>) -> TokenNames {
    let mut names = TokenNames::default();
    collect_names(cursor, &mut names);
    names
}

fn collect_names(mut cursor: Cursor<'_>, names: &mut TokenNames) {
    let mut after_dot = false;
    while !cursor.eof() {
        if let Some((inside, _, _, after)) = cursor.any_group() {
            collect_names(inside, names);
            cursor = after;
            after_dot = false;
        } else if let Some((path, after)) = read_path(cursor) {
            if !after_dot {
                names.paths.push(path);
            } else if is_call(after) {
                names.calls.extend(path.into_iter().next());
            }
            cursor = after;
            after_dot = false;
        } else {
            // The dots of a range come in pairs: a name after them is no field.
            let dot = is_punct(cursor, '.');
            let Some((_, after)) = cursor.token_tree() else {
                break;
            };
            after_dot = dot && !after_dot;
            cursor = after;
        }
    }
}

fn read_path(start: Cursor<'_>) -> Option<(Vec<String>, Cursor<'_>)> {
    let mut segments = Vec::new();
    let mut cursor = start;
    if let Some(after) = skip_colons(cursor) {
        segments.push(String::new());
        cursor = after;
    }
    let (name, after) = cursor.ident()?;
    segments.push(name.to_string());
    cursor = after;
    while let Some(after) = skip_colons(cursor) {
        let Some((name, after)) = after.ident() else {
            break;
        };
        segments.push(name.to_string());
        cursor = after;
    }
    Some((segments, cursor))
}

/// Arguments in parentheses, or `::<T>` before them.
fn is_call(after_name: Cursor<'_>) -> bool {
    let next = after_name.token_tree();
    let is_parenthesis = next.is_some_and(|(tree, _)| tree.to_string().starts_with('('));
    is_parenthesis || skip_colons(after_name).is_some()
}

fn skip_colons(cursor: Cursor<'_>) -> Option<Cursor<'_>> {
    let (first, rest) = cursor.punct()?;
    let (second, rest) = rest.punct()?;
    (first.as_char() == ':' && second.as_char() == ':').then_some(rest)
}

fn is_punct(cursor: Cursor<'_>, sign: char) -> bool {
    cursor.punct().is_some_and(|(p, _)| p.as_char() == sign)
}

#[cfg(test)]
mod tests {
    use super::{TokenNames, find_names};
    use syn::buffer::TokenBuffer;

    fn names(text: &str) -> TokenNames {
        find_names(TokenBuffer::new2(syn::parse_str(text).unwrap()).begin())
    }

    fn paths(text: &str) -> Vec<String> {
        let paths = names(text).paths;
        paths.iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn paths_are_found_in_groups_and_fields_are_none() {
        assert_eq!(
            paths(r#""{}", f(crate::a::b(x.y.z), [c::D::<u8>::new()])"#),
            ["f", "crate::a::b", "x", "c::D", "u8", "::new"]
        );
        assert_eq!(paths("0..end, ::std::fs::read"), ["end", "::std::fs::read"]);
    }

    #[test]
    fn calls_are_told_from_fields() {
        let calls = names(r#""{}", x.field, x.f(y.g::<u8>()).h().await"#).calls;
        assert_eq!(calls, ["f", "g", "h"]);
    }
}
