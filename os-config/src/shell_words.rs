//! Splits a command that is one text into words.

/// Splits as a shell does, with both kinds of quotes and backslash. `None` if a quote stays open.
pub(crate) fn split_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some('\''), letter) => word.get_or_insert_default().push(letter),
            (_, '\\') => word.get_or_insert_default().push(letters.next()?),
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '"' | '\'') => {
                word.get_or_insert_default();
                quote = Some(letter);
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (None, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::split_words;

    #[test]
    fn words() {
        for (text, expected) in [
            ("a  b", Some(vec!["a", "b"])),
            ("sh -c 'a \"b\" \\'", Some(vec!["sh", "-c", "a \"b\" \\"])),
            ("a\\ b \"c\\\"d\" ''", Some(vec!["a b", "c\"d", ""])),
            ("'open", None),
            ("", Some(vec![])),
        ] {
            assert_eq!(
                split_words(text),
                expected.map(|w| w.into_iter().map(str::to_owned).collect()),
                "{text}"
            );
        }
    }
}
