//! Warnings about settings that exclude each other, or name what does not exist, by the rules that dockerd's start and the
//! network's plan have.

use std::path::Path;

use host::dockerd::{CommandLine, Engine};
use os_config::{Config, Diagnostic};

const ENGINES: [Engine; 2] = [Engine::System, Engine::User];

/// The warnings about a document, which may become a part of the machine below `root`.
pub(super) fn of_document(config: &Config, root: &Path) -> Vec<Diagnostic> {
    let lines = ENGINES.map(|engine| CommandLine::of_document(engine, config, root));
    all(config, &lines)
}

/// The warnings about the configuration of the machine below `root`.
pub(super) fn of_machine(config: &Config, root: &Path) -> Vec<Diagnostic> {
    let lines = ENGINES.map(|engine| CommandLine::read(engine, config, root));
    all(config, &lines)
}

fn all(config: &Config, lines: &[CommandLine]) -> Vec<Diagnostic> {
    let of_engines = lines.iter().flat_map(|line| line.left_out()).map(|left| {
        let place = left.origin.place.as_str();
        let part = left.origin.part.as_ref();
        let what = part.map_or_else(|| "it".to_owned(), Clone::clone);
        let text = format!("{what} is left out: {}", left.why);
        // A file has no key; the list of files does.
        match place.starts_with('/') {
            true => Diagnostic::warning("write_files", format!("{place}: {text}")),
            false => Diagnostic::warning(place, text),
        }
    });
    let of_network = network::conflicts(&config.rancher.network)
        .into_iter()
        .map(|conflict| Diagnostic::warning(conflict.path(), conflict.why));
    of_engines.chain(of_network).collect()
}
