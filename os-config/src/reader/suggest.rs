//! Finds the known word that a typing error most likely stands for.

/// The nearest of `known`, if it is near enough.
pub(crate) fn suggestion<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // A long text is no typing error in a short key, and a comparison of long texts takes long.
    if word.len() > 64 {
        return None;
    }
    let limit = 1 + word.chars().count() / 4;
    let word = word.to_ascii_lowercase();
    known
        .iter()
        // A swap of neighbours is one edit.
        .map(|candidate| (strsim::osa_distance(&word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
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
