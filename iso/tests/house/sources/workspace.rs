//! The crates of the workspace, as cargo names them, with every source file read once for all tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{fs, thread};

use serde_json::Value;

use crate::sources::modules::{Files, Trees, build_tree, list_reached_files};
use crate::sources::reader;

#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) crates: Vec<Member>,
}

/// A crate of the workspace. Its paths start at the root of the repository.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) folder: String,
    /// The linked crates, and the crates of the workspace that the tests need too.
    pub(crate) dependencies: Vec<String>,
    /// The files below src/ and tests/.
    pub(crate) files: Files,
    library: Option<(String, String)>,
    programs: Vec<String>,
}

/// Reads each file below `folder` whose name has one of the `endings`.
pub(crate) fn read_below(folder: &Path, endings: &[&str], note: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        // A workspace of its own, such as the fuzz targets, builds into its folder.
        if path.is_dir() && !path.ends_with("target") {
            read_below(&path, endings, note);
        } else if path.is_file() && ending.is_some_and(|ending| endings.contains(&ending)) {
            note(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The root of the repository.
pub(crate) fn get_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

static WORKSPACE: LazyLock<Workspace> = LazyLock::new(load_workspace);

impl Workspace {
    pub(crate) fn get() -> &'static Self {
        &WORKSPACE
    }
}

impl Member {
    /// A made-up crate with the texts of its files; `lib.rs` and `main.rs` below its src/ are roots.
    pub(crate) fn new(folder: &str, texts: &[(&str, &str)]) -> Self {
        let texts = texts.iter();
        let files: Files = texts
            .map(|(path, text)| ((*path).to_owned(), reader::read(text).unwrap()))
            .collect();
        let library = format!("{folder}/src/lib.rs");
        let program = format!("{folder}/src/main.rs");
        Self {
            name: folder.rsplit('/').next().unwrap().to_owned(),
            folder: folder.to_owned(),
            dependencies: Vec::new(),
            library: files
                .contains_key(&library)
                .then(|| (String::from("made_up"), library)),
            programs: Vec::from_iter(files.contains_key(&program).then_some(program)),
            files,
        }
    }

    pub(crate) fn trees(&self) -> Trees<'_> {
        let library = self.library.as_ref();
        Trees {
            library: library.map(|(name, _)| name.as_str()),
            all: self
                .roots()
                .map(|root| build_tree(root, &self.files))
                .collect(),
        }
    }

    /// The first files of the library and the programs.
    fn roots(&self) -> impl Iterator<Item = &String> {
        let library = self.library.as_ref().map(|(_, root)| root);
        library.into_iter().chain(&self.programs)
    }

    /// The files below src/ that no `mod` line leads to: other tests do not see their code.
    pub(crate) fn list_unreached_files(&self) -> Vec<&String> {
        let src = format!("{}/src/", self.folder);
        let reached: BTreeSet<&str> = self
            .roots()
            .flat_map(|root| list_reached_files(root, &self.files))
            .collect();
        let files = self.files.keys().filter(|file| file.starts_with(&src));
        files
            .filter(|file| !reached.contains(file.as_str()))
            .collect()
    }
}

fn load_workspace() -> Workspace {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(get_root())
        .output()
        .expect("starting cargo");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {message}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("reading cargo's answer");
    let packages = get_list(&metadata, "packages");
    Workspace {
        crates: thread::scope(|scope| {
            let threads: Vec<_> = packages
                .iter()
                .map(|package| scope.spawn(|| load_member(package)))
                .collect();
            let members = threads.into_iter().map(|thread| thread.join());
            members
                .map(|member| member.expect("reading a crate"))
                .collect()
        }),
    }
}

fn load_member(package: &Value) -> Member {
    let folder = strip_root(
        Path::new(get_text(package, "manifest_path"))
            .parent()
            .unwrap(),
    );
    let mut files = Files::new();
    for part in ["src", "tests"] {
        for path in list_sources(&get_root().join(&folder).join(part)) {
            let name = strip_root(&path);
            let text = fs::read_to_string(&path).unwrap();
            let facts = reader::read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            files.insert(name, facts);
        }
    }
    let roots = |kind: &str| -> Vec<(String, String)> {
        let targets = get_list(package, "targets").iter();
        targets
            .filter(|target| get_list(target, "kind").iter().any(|k| k == kind))
            .map(|target| {
                let file = strip_root(Path::new(get_text(target, "src_path")));
                (get_text(target, "name").replace('-', "_"), file)
            })
            .collect()
    };
    Member {
        name: get_text(package, "name").to_owned(),
        folder,
        dependencies: get_list(package, "dependencies")
            .iter()
            .filter(|d| d["kind"] != "dev" || !d["path"].is_null())
            .map(|d| get_text(d, "name").to_owned())
            .collect(),
        files,
        library: roots("lib").pop(),
        programs: roots("bin").into_iter().map(|(_, file)| file).collect(),
    }
}

/// The `.rs` files in and below `folder`, which may be missing.
fn list_sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                list_sources(&path)
            } else if path.extension().is_some_and(|end| end == "rs") {
                vec![path]
            } else {
                Vec::new()
            }
        })
        .collect()
}

fn strip_root(path: &Path) -> String {
    let path = path.strip_prefix(get_root()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn get_text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}"))
}

fn get_list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}
