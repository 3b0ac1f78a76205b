//! Texts without the values of a configuration that not everybody may read.

use std::collections::BTreeSet;

use os_config::kernel_line;

const PLACEHOLDER: &str = "[removed]";
/// Shorter values are kept: they occur in harmless words too.
const SHORTEST_VALUE: usize = 4;
/// Shorter words of values are kept.
const SHORTEST_WORD: usize = 6;

/// The texts to remove: hidden values, their lines and their words, the longest first. Words that the image's own
/// defaults have are kept, because a report without `docker` or `console` says nothing.
pub(crate) fn secrets(hidden: &[String]) -> Vec<String> {
    let separators = |c: char| !c.is_alphanumeric() && c != '-' && c != '_';
    let harmless: BTreeSet<&str> = os_config::DEFAULTS.split(separators).collect();
    let is_secret = |text: &&str, shortest: usize| {
        // Paths and options are in every log.
        let is_name = text.starts_with(['/', '-']) && !text.contains([' ', '=']);
        text.len() >= shortest && !is_name && !harmless.contains(text)
    };
    let mut secrets = BTreeSet::new();
    for value in hidden {
        let lines = value.lines().map(str::trim);
        secrets.extend(lines.filter(|line| is_secret(line, SHORTEST_VALUE)));
        let words = value.split(|c: char| c.is_whitespace() || "\"'=,;@:(){}[]<>|&".contains(c));
        secrets.extend(words.filter(|word| is_secret(word, SHORTEST_WORD)));
    }
    let mut secrets: Vec<String> = secrets.into_iter().map(str::to_owned).collect();
    // A shorter text may be part of a longer text.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

/// A text without these secrets, and without the logins in addresses.
pub(crate) fn redact(text: &str, secrets: &[String]) -> String {
    let text = secrets.iter().fold(text.to_owned(), |text, secret| {
        text.replace(secret.as_str(), PLACEHOLDER)
    });
    redact_logins(&text)
}

/// A log without the words of the kernel line that not everybody may read: the kernel prints its line.
pub(crate) fn mask_kernel_line(text: &str, line: &str) -> String {
    let words = line.split_ascii_whitespace();
    // A word without a value may stand in any line.
    let words = words.filter(|word| word.contains('=') && word.len() >= SHORTEST_WORD);
    words.fold(text.to_owned(), |text, word| {
        let masked = kernel_line::mask_secrets(word);
        if masked == word {
            text
        } else {
            text.replace(word, &masked)
        }
    })
}

/// A text without the names and passwords in addresses: `http://name:password@host`.
fn redact_logins(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("://");
        let host = part.find(|c: char| c == '/' || c == '"' || c == '\'' || c.is_whitespace());
        let (host, rest) = part.split_at(host.unwrap_or(part.len()));
        match host.rsplit_once('@') {
            Some((_, host)) => out.extend([PLACEHOLDER, "@", host]),
            None => out.push_str(host),
        }
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{mask_kernel_line, redact, redact_logins, secrets};

    #[test]
    fn the_kernels_log_has_no_secret_of_its_line() {
        let line = "console=ttyS0 token=s3cret5 x=1 rancher.password=moo";
        let log = format!("[    0.0] Command line: {line}\n[    0.1] moo token=s3cret5\n");
        assert_eq!(
            mask_kernel_line(&log, line),
            "[    0.0] Command line: console=ttyS0 token=*** x=1 rancher.password=***\n[    0.1] moo token=***\n"
        );
    }

    #[test]
    fn logins_are_removed_from_addresses() {
        for (text, expected) in [
            (
                "http_proxy: 'http://u:p@h:3128'",
                "http_proxy: 'http://[removed]@h:3128'",
            ),
            (
                "a https://u:p@x@h/y b@c http://h/u@v",
                "a https://[removed]@h/y b@c http://h/u@v",
            ),
            ("none://", "none://"),
        ] {
            assert_eq!(redact_logins(text), expected);
        }
    }

    #[test]
    fn values_their_lines_and_their_words_are_removed() {
        let hidden = [
            "moo1",
            "cow",
            "docker",
            "docker run --token t0ken-5 -p /data",
            "first line\nherd=swordfish",
        ]
        .map(str::to_owned);
        let secrets = secrets(&hidden);
        for (text, expected) in [
            ("moo1 cow docker", "[removed] cow docker"),
            ("t0ken-5 --token /data", "[removed] --token /data"),
            ("it said: first line", "it said: [removed]"),
            ("swordfish of a herd", "[removed] of a herd"),
        ] {
            assert_eq!(redact(text, &secrets), expected, "{text}");
        }
    }
}
