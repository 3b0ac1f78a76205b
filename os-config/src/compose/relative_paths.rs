//! Relative paths of a compose file: they begin at the folder of the file.

use std::path::{Component, Path, PathBuf};

use crate::yaml::tree::{Node, NodeKind};

/// Makes the relative paths of services absolute: sources of mounts, files with variables, and contexts of builds.
/// The file is in `folder`.
pub(crate) fn resolve(services: &mut Node, folder: &Path) {
    let NodeKind::Map(services) = &mut services.kind else {
        return;
    };
    for service in services {
        if let Some(volumes) = service.node.get_mut("volumes")
            && let NodeKind::List(volumes) = &mut volumes.kind
        {
            for volume in volumes {
                let source = match volume.kind {
                    NodeKind::Map(_) => volume.get_mut("source"),
                    _ => Some(volume),
                };
                replace_text(source, |text| absolute_source(text, folder));
            }
        }
        if let Some(files) = service.node.get_mut("env_file") {
            match &mut files.kind {
                NodeKind::List(files) => {
                    for file in files {
                        replace_text(Some(file), |text| Some(absolute_path(text, folder)));
                    }
                }
                _ => replace_text(Some(files), |text| Some(absolute_path(text, folder))),
            }
        }
        if let Some(build) = service.node.get_mut("build") {
            let context = match build.kind {
                NodeKind::Map(_) => build.get_mut("context"),
                _ => Some(build),
            };
            replace_text(context, |text| {
                (!text.contains("://")).then(|| absolute_path(text, folder))
            });
        }
    }
}

fn replace_text(node: Option<&mut Node>, to: impl Fn(&str) -> Option<String>) {
    if let Some(Node {
        kind: NodeKind::Scalar { text, .. },
        ..
    }) = node
        && let Some(changed) = to(text)
    {
        *text = changed;
    }
}

/// `source[:target[:options]]` with an absolute source. `None` if the source does not begin with a dot: it is an
/// absolute path or a volume's name.
fn absolute_source(text: &str, folder: &Path) -> Option<String> {
    let (source, rest) = match text.split_once(':') {
        Some((source, rest)) => (source, format!(":{rest}")),
        None => (text, String::new()),
    };
    source
        .starts_with('.')
        .then(|| absolute_path(source, folder) + &rest)
}

/// `path` below `folder` without `.` and `..`; an absolute path stays outside.
fn absolute_path(path: &str, folder: &Path) -> String {
    let mut whole = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(whole.pop()),
            part => whole.push(part),
        }
    }
    whole.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::load::include;
    use crate::yaml::scalar::Dialect;

    #[test]
    fn paths_begin_at_the_file() {
        for (written, expected) in [
            (
                "volumes: [./data:/data:ro]",
                "volumes: [/opt/herd/data:/data:ro]",
            ),
            (
                "volumes: [../x:/x, .:/y]",
                "volumes: [/opt/x:/x, /opt/herd:/y]",
            ),
            (
                "volumes: [/a:/b, data:/c, /d]",
                "volumes: [/a:/b, data:/c, /d]",
            ),
            (
                "volumes: [{type: bind, source: ./s, target: /t}]",
                "volumes: [{type: bind, source: /opt/herd/s, target: /t}]",
            ),
            ("env_file: web.env", "env_file: /opt/herd/web.env"),
            ("env_file: [./a, /b]", "env_file: [/opt/herd/a, /b]"),
            ("build: .", "build: /opt/herd"),
            ("build: web/../app", "build: /opt/herd/app"),
            ("build: /whole", "build: /whole"),
            ("build: 'https://h/x.git'", "build: 'https://h/x.git'"),
            (
                "build: {context: ./web, dockerfile: D}",
                "build: {context: /opt/herd/web, dockerfile: D}",
            ),
        ] {
            let text = format!("services: {{herd: {{{written}}}}}");
            let found = include::parse(text.as_bytes(), Some(Path::new("/opt/herd"))).unwrap();
            let expected = format!("rancher: {{services: {{herd: {{{expected}}}}}}}");
            let expected: serde_yaml::Value = serde_yaml::from_str(&expected).unwrap();
            assert_eq!(found.tree.to_value(Dialect::Core), expected, "{written}");
        }
    }

    #[test]
    fn only_a_file_has_a_folder() {
        for (name, expected) in [
            ("/opt/herd/docker-compose.yml", Some("/opt/herd")),
            ("crontab", None),
            ("https://h/x/cow.yml", None),
        ] {
            assert_eq!(include::folder(name), expected.map(Path::new), "{name}");
        }
    }
}
