//! The buildah command.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};

use crate::build::command::{Log, argv};
use crate::debian::lists::PackageLists;
use crate::debian::privileges;

/// buildah with its storage in the build folder, apart from any other storage of the host.
#[derive(Debug)]
pub(crate) struct Buildah<'a> {
    build: &'a Path,
    log: &'a Log,
}

impl<'a> Buildah<'a> {
    pub(crate) fn new(build: &'a Path, log: &'a Log) -> Self {
        Self { build, log }
    }

    pub(crate) fn run(&self, arguments: Vec<OsString>) -> Result<()> {
        self.log.run(&self.command(arguments))
    }

    /// Runs buildah and returns its output.
    pub(crate) fn output(&self, arguments: Vec<OsString>) -> Result<String> {
        self.log.output(&self.command(arguments))
    }

    /// Builds the Dockerfile of the folder `source` as the image `tag`, with packages of `lists`.
    pub(crate) fn build(&self, tag: &str, source: &Path, lists: &PackageLists) -> Result<()> {
        let mut mounted = lists.folder().into_os_string();
        mounted.push(":/var/lib/apt/lists:ro");
        self.run(argv![
            "build",
            "--isolation=chroot",
            "--network=host",
            "--pull=never",
            "--layers=false",
            "--format=docker",
            "--volume",
            mounted,
            "--tag",
            tag,
            source,
        ])
        .with_context(|| lists.hint())
    }

    /// Takes the rights of setuid programs that nobody needs out of the image `tag`.
    pub(crate) fn restrict(&self, tag: &str) -> Result<()> {
        let container = self.output(argv!["from", "--pull-never", tag])?;
        let mounted = self.output(argv!["mount", &container])?;
        if !privileges::restrict(Path::new(&mounted))? {
            return self.run(argv!["rm", &container]);
        }
        self.run(argv!["umount", &container])?;
        self.run(argv![
            "commit",
            "--quiet",
            "--rm",
            "--format=docker",
            &container,
            tag
        ])
    }

    /// Writes the image `tag` to `target`, e.g. `docker-archive:FILE`.
    pub(crate) fn push(&self, tag: &str, target: String) -> Result<()> {
        self.run(argv!["push", "--quiet", tag, target])
    }

    fn command(&self, arguments: Vec<OsString>) -> Vec<OsString> {
        let mut argv = argv![
            "buildah",
            "--root",
            self.build.join("containers/storage"),
            "--runroot",
            self.build.join("containers/run"),
            "--storage-driver=overlay",
        ];
        argv.extend(arguments);
        argv
    }
}
