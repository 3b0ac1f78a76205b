//! `env_file` of compose: files with variables of a service. Its `environment` overrides them.
//!
//! `dotenvy` is left out: it takes quotes away and replaces variables, and Docker does neither.

use std::collections::BTreeSet;
use std::path::Path;

use crate::bounded_file;
use crate::compose::service::Service;
use crate::reader::findings::Findings;

/// Adds the variables of files, unless the service has a variable of that name. A later file overrides an earlier file.
pub(crate) fn read_into(service: &mut Service, name: &str, root: &Path, findings: &mut Findings) {
    let path = format!("rancher.services.{name}.env_file");
    for file in std::mem::take(&mut service.env_file).iter().rev() {
        let unread = |why: &str, findings: &mut Findings| {
            findings.warning(path.as_str(), format!("{file} cannot be read: {why}"));
        };
        let found = bounded_file::read(&root.join(file.trim_start_matches('/')));
        let text = match found {
            Some(Ok(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Some(Err(unusable)) => {
                unread(&unusable.message, findings);
                continue;
            }
            None => {
                unread("it is not there", findings);
                continue;
            }
        };
        let name_of = |variable: &String| variable.split('=').next().map(str::to_owned);
        let known: BTreeSet<String> = service.environment.iter().filter_map(name_of).collect();
        let new = variables(&text).filter(|variable| {
            let name = variable.split('=').next().unwrap_or_default();
            !known.contains(name)
        });
        service.environment.extend(new.map(str::to_owned));
    }
}

/// Lines with `NAME=value` or `NAME`, as in Docker; `#` begins a comment only at the start of a line.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::read_into;
    use crate::compose::service::Service;
    use crate::reader::findings::Findings;

    #[test]
    fn files_of_variables() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::write(root.join("a"), "# it\nA=1\nB=x=y # z\n\n  C=3\n").unwrap();
        std::fs::write(root.join("b"), "C=4\nD\n").unwrap();
        let mut service = Service {
            environment: vec!["A=own".into()],
            env_file: vec!["/a".into(), "/b".into(), "/c".into()],
            ..Service::default()
        };
        let mut findings = Findings::default();
        read_into(&mut service, "s", root, &mut findings);
        assert_eq!(service.environment, ["A=own", "C=4", "D", "B=x=y # z"]);
        assert_eq!(findings.list.len(), 1);
        assert_eq!(
            findings.list[0].message,
            "/c cannot be read: it is not there"
        );
    }
}
