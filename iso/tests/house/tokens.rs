//! Paths in the tokens of macros and attributes, which `syn` does not parse.

use syn::buffer::Cursor;

/// Every path in the tokens, a plain name being a path of one segment. A path that starts with `::` has an empty
/// first segment.
pub(crate) fn paths(mut cursor: Cursor<'_>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut after_dot = false;
    while !cursor.eof() {
        if let Some((inside, _, _, after)) = cursor.any_group() {
            found.extend(paths(inside));
            cursor = after;
            after_dot = false;
        } else if let Some((path, after)) = path(cursor) {
            if !after_dot {
                found.push(path);
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
    found
}

fn path(start: Cursor<'_>) -> Option<(Vec<String>, Cursor<'_>)> {
    let mut segments = Vec::new();
    let mut cursor = start;
    if let Some(after) = colons(cursor) {
        segments.push(String::new());
        cursor = after;
    }
    let (name, after) = cursor.ident()?;
    segments.push(name.to_string());
    cursor = after;
    while let Some(after) = colons(cursor) {
        let Some((name, after)) = after.ident() else {
            break;
        };
        segments.push(name.to_string());
        cursor = after;
    }
    Some((segments, cursor))
}

fn colons(cursor: Cursor<'_>) -> Option<Cursor<'_>> {
    let (first, rest) = cursor.punct()?;
    let (second, rest) = rest.punct()?;
    (first.as_char() == ':' && second.as_char() == ':').then_some(rest)
}

fn is_punct(cursor: Cursor<'_>, sign: char) -> bool {
    cursor.punct().is_some_and(|(p, _)| p.as_char() == sign)
}

#[cfg(test)]
mod tests {
    use syn::buffer::TokenBuffer;

    fn paths(text: &str) -> Vec<String> {
        let buffer = TokenBuffer::new2(syn::parse_str(text).unwrap());
        super::paths(buffer.begin())
            .iter()
            .map(|path| path.join("::"))
            .collect()
    }

    #[test]
    fn paths_are_found_in_groups_and_fields_are_none() {
        assert_eq!(
            paths(r#""{}", f(crate::a::b(x.y.z), [c::D::<u8>::new()])"#),
            ["f", "crate::a::b", "x", "c::D", "u8", "::new"]
        );
        assert_eq!(paths("0..end, ::std::fs::read"), ["end", "::std::fs::read"]);
    }
}
