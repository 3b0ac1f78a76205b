//! Finds all problems of one document.

use crate::diagnostic::Diagnostic;
use crate::document::{self, Document};
use crate::substitute::{self, Addresses};
use crate::validate::misplaced;
use crate::yaml::scalar::Dialect;

/// Checks a document as loading does; the problems name it `file_name`.
pub fn validate(bytes: &[u8], file_name: &str) -> Vec<Diagnostic> {
    match document::parse(bytes) {
        Err(unusable) => vec![unusable.in_file(file_name)],
        Ok(document) => validate_document(&document, file_name),
    }
}

/// The number of problems that are listed: a file that is no cloud-config has a problem in each line.
const MOST: usize = 50;

/// All problems of a parsed document, in the order of its lines.
pub fn validate_document(document: &Document, file_name: &str) -> Vec<Diagnostic> {
    // The machine's addresses are unknown here; addresses of documentation stand for them.
    let machine = Addresses {
        public_ipv4: "192.0.2.1".to_owned(),
        private_ipv4: "192.0.2.2".to_owned(),
        public_ipv6: "2001:db8::1".to_owned(),
        private_ipv6: "2001:db8::2".to_owned(),
    };
    let mut tree = document.tree.clone();
    tree.map_scalars(&mut |text| substitute::addresses(text, &machine));
    let findings = misplaced::problems(&tree.to_value(Dialect::Text));
    let of_text = document.diagnostics.iter().cloned();
    let mut problems: Vec<Diagnostic> = of_text
        .chain(findings)
        .map(|found| located(found, document).in_file(file_name))
        .collect();
    problems.sort_by_key(|problem| problem.position);
    if problems.len() > MOST {
        let rest = problems.len() - MOST;
        problems.truncate(MOST);
        let message = format!("there are {rest} more problems");
        problems.push(Diagnostic::warning("", message).in_file(file_name));
    }
    problems
}

/// A diagnostic with the position of its key, or of the nearest key above it.
pub fn located(found: Diagnostic, document: &Document) -> Diagnostic {
    let mut path = found.key_path.as_str();
    let position = loop {
        if found.position.is_some() {
            break found.position;
        }
        if let Some(position) = document.positions.get(path) {
            break Some(*position);
        }
        match path.rfind(['.', '[']) {
            Some(cut) => path = path.get(..cut).unwrap_or_default(),
            None => break None,
        }
    };
    Diagnostic { position, ..found }
}

#[cfg(test)]
mod tests {
    use super::validate;

    #[test]
    fn problems_say_where_what_and_what_instead() {
        let text = "hostname: box\nrancher:\n  debug: maybe\n  docker:\n    tlss: true\n    insecure_registry: {a: b}\nssh_authorized_keys: key\npackages: []\n";
        let found: Vec<String> = validate(text.as_bytes(), "my.yml")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "my.yml:3:3: rancher.debug: expected true or false, found \"maybe\"",
                "my.yml:5:5: warning: rancher.docker.tlss: unknown key, it has no effect; did you mean `tls`?",
                "my.yml:6:5: rancher.docker.insecure_registry: expected a list of texts, found keys with values",
                "my.yml:7:1: warning: ssh_authorized_keys: expected a list, found \"key\"; taken as a list of one",
                "my.yml:7:1: warning: ssh_authorized_keys[0]: sshd does not take this key: expected a type such as \
                 ssh-ed25519 or ssh-rsa first, found \"key\"",
                "my.yml:8:1: warning: packages: PaddockOS does not do this, it has no effect; containers and consoles bring their own packages",
            ]
        );
        let problem = &validate(text.as_bytes(), "my.yml")[0];
        assert!(
            problem
                .render(text)
                .ends_with("  |\n3 |   debug: maybe\n  |   ^"),
            "{}",
            problem.render(text)
        );
    }

    #[test]
    fn good_documents_have_none() {
        for text in [
            "",
            "#cloud-config\n",
            "hostname: a-b.c\nwrite_files:\n- {path: /a, content: x, permissions: \"0644\"}\nruncmd:\n- [ls, -l]\n- echo hi\n",
        ] {
            assert_eq!(validate(text.as_bytes(), "f"), [], "{text}");
        }
    }
}
