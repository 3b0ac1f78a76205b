//! The crates of the workspace, as cargo names them, with every source file read once for all tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{fs, thread};

use serde_json::Value;

use crate::modules::{Files, Trees, tree};
use crate::reader;

#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) crates: Vec<Member>,
}

/// One crate. Its paths start at the root of the repository.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) folder: String,
    /// What it links, and the crates of the workspace that its tests need too.
    pub(crate) dependencies: Vec<String>,
    /// The files below src/ and tests/.
    pub(crate) files: Files,
    library: Option<(String, String)>,
    programs: Vec<String>,
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

static WORKSPACE: LazyLock<Workspace> = LazyLock::new(load);

impl Workspace {
    pub(crate) fn get() -> &'static Self {
        &WORKSPACE
    }
}

impl Member {
    pub(crate) fn trees(&self) -> Trees<'_> {
        let library = self.library.as_ref();
        let roots = library.map(|(_, root)| root).into_iter();
        Trees {
            library: library.map(|(name, _)| name.as_str()),
            all: roots
                .chain(&self.programs)
                .map(|root| tree(root, &self.files))
                .collect(),
        }
    }
}

fn load() -> Workspace {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root())
        .output()
        .expect("starting cargo");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {message}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("reading cargo's answer");
    let packages = list(&metadata, "packages");
    Workspace {
        crates: thread::scope(|scope| {
            let threads: Vec<_> = packages
                .iter()
                .map(|package| scope.spawn(|| member(package)))
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined
                .map(|member| member.expect("reading a crate"))
                .collect()
        }),
    }
}

fn member(package: &Value) -> Member {
    let folder = below_root(Path::new(text(package, "manifest_path")).parent().unwrap());
    let mut files = Files::new();
    for part in ["src", "tests"] {
        for path in sources(&root().join(&folder).join(part)) {
            let name = below_root(&path);
            let text = fs::read_to_string(&path).unwrap();
            let facts = reader::read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            files.insert(name, facts);
        }
    }
    let roots = |kind: &str| -> Vec<(String, String)> {
        let targets = list(package, "targets").iter();
        targets
            .filter(|target| list(target, "kind").iter().any(|k| k == kind))
            .map(|target| {
                let file = below_root(Path::new(text(target, "src_path")));
                (text(target, "name").replace('-', "_"), file)
            })
            .collect()
    };
    Member {
        name: text(package, "name").to_owned(),
        folder,
        dependencies: list(package, "dependencies")
            .iter()
            .filter(|d| d["kind"] != "dev" || !d["path"].is_null())
            .map(|d| text(d, "name").to_owned())
            .collect(),
        files,
        library: roots("lib").pop(),
        programs: roots("bin").into_iter().map(|(_, file)| file).collect(),
    }
}

/// The `.rs` files in and below `folder`, which may be missing.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else if path.extension().is_some_and(|end| end == "rs") {
                vec![path]
            } else {
                Vec::new()
            }
        })
        .collect()
}

fn below_root(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}
