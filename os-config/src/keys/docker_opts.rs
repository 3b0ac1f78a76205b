//! `/var/lib/rancher/conf/docker`: RancherOS's shell read it before it started dockerd. Assignments are read here and no
//! command runs.

use std::collections::BTreeMap;

const OPTIONS_NAME: &str = "DOCKER_OPTS";

/// What the file gives dockerd.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DockerOpts {
    /// The words of `DOCKER_OPTS`.
    pub words: Vec<String>,
    /// The exported variables, as `KEY=value`.
    pub environment: Vec<String>,
}

impl DockerOpts {
    /// Reads the text of the file. A line that is no assignment counts for nothing.
    pub fn read(text: &str) -> Self {
        let mut variables: BTreeMap<&str, String> = BTreeMap::new();
        let mut exported: Vec<&str> = Vec::new();
        for line in text.lines().map(str::trim) {
            let (line, is_exported) = match line.strip_prefix("export ") {
                Some(line) => (line.trim_start(), true),
                None => (line, false),
            };
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            let is_name = |name: &str| {
                let mut characters = name.chars();
                let is_start = |first: char| first.is_ascii_alphabetic() || first == '_';
                characters.next().is_some_and(is_start)
                    && characters.all(|it| it.is_ascii_alphanumeric() || it == '_')
            };
            if !is_name(name) || (!is_exported && !line.contains('=')) {
                continue;
            }
            if line.contains('=') {
                let value = with_values(value, &variables);
                // The shell removes the quotes; what stands behind a blank is a command.
                let words = shell_words::split(&value).unwrap_or_default();
                let value = words.into_iter().next().unwrap_or_default();
                variables.insert(name, value);
            }
            if is_exported && !exported.contains(&name) {
                exported.push(name);
            }
        }
        let words = variables
            .get(OPTIONS_NAME)
            .map(String::as_str)
            .unwrap_or_default();
        let value = |name: &&str| Some(format!("{name}={}", variables.get(name)?));
        Self {
            words: words.split_whitespace().map(str::to_owned).collect(),
            environment: exported
                .iter()
                .filter(|name| **name != OPTIONS_NAME)
                .filter_map(value)
                .collect(),
        }
    }
}

/// The text with `$NAME` and `${NAME}` replaced by the values so far.
fn with_values(text: &str, variables: &BTreeMap<&str, String>) -> String {
    // A longer name first: `$ABC` is no `$AB`.
    let mut names: Vec<&&str> = variables.keys().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.into_iter().fold(text.to_owned(), |text, name| {
        let value = variables.get(name).map(String::as_str).unwrap_or_default();
        let text = text.replace(&format!("${{{name}}}"), value);
        text.replace(&format!("${name}"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::DockerOpts;

    #[test]
    fn assignments_as_a_shell_reads_them() {
        for (text, words, environment) in [
            (
                "DOCKER_OPTS=\"--debug --label a=b\"",
                "--debug --label a=b",
                "",
            ),
            ("DOCKER_OPTS=--debug", "--debug", ""),
            ("# DOCKER_OPTS=--debug", "", ""),
            ("export DOCKER_OPTS='--debug'\n", "--debug", ""),
            ("DOCKER_OPTS=--a\nDOCKER_OPTS=--b\n", "--b", ""),
            (
                "DOCKER_OPTS=\"--a\"\nDOCKER_OPTS=\"$DOCKER_OPTS --b\"\nDOCKER_OPTS=\"${DOCKER_OPTS} --c\"\n",
                "--a --b --c",
                "",
            ),
            (
                "HOST=proxy\nexport HTTP_PROXY=\"http://$HOST:3128\"\nexport HOST\nLOCAL=x\n",
                "",
                "HTTP_PROXY=http://proxy:3128 HOST=proxy",
            ),
            (
                "exec something\nif [ a = b ]; then\n  DOCKER_OPTS=--x\nfi\n",
                "--x",
                "",
            ),
            ("", "", ""),
        ] {
            let found = DockerOpts::read(text);
            assert_eq!(found.words.join(" "), words, "{text}");
            assert_eq!(found.environment.join(" "), environment, "{text}");
        }
    }
}
