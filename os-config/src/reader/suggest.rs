//! Finds the known word that a typing error most likely stands for.

/// The nearest of `known`, if it is near enough.
pub(crate) fn suggestion<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // A long text is no typing error in a short key, and a comparison of long texts takes long.
    if word.len() > 64 {
        return None;
    }
    let limit = 1 + word.chars().count() / 4;
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// The number of edits (insert, delete, replace, swap of neighbours) between two words.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_ascii_lowercase().chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at =
                |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, j) + usize::from(x != y);
            let mut best = replaced.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::suggestion;

    #[test]
    fn suggestions_for_typing_errors() {
        let known = [
            "hostname",
            "ssh_authorized_keys",
            "write_files",
            "runcmd",
            "rancher",
        ];
        for (word, expected) in [
            ("hostnam", Some("hostname")),
            ("hostanme", Some("hostname")),
            ("ssh_authorised_keys", Some("ssh_authorized_keys")),
            ("Rancher", Some("rancher")),
            ("writefiles", Some("write_files")),
            ("packages", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(suggestion(word, &known), expected, "{word}");
        }
    }
}
