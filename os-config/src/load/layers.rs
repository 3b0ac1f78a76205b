//! The layers of the configuration: the image's defaults, its vendor's, the user's files, and the kernel line.

use std::fs;
use std::path::Path;

use crate::bounded_file;
use crate::defaults;
use crate::diagnostic::Diagnostic;
use crate::document;
use crate::kernel_line;
use crate::load::files::{CONF, is_vendor_data, user_files};
use crate::load::last_good_copies;
use crate::load::metadata::Metadata;
use crate::load::type_check::{usable_part, with_current_names, wrong_paths};
use crate::substitute;
use crate::validate::misplaced;
use crate::yaml::scalar::Dialect;
use crate::yaml::tree::Node;

const OS_CONFIG: &str = "usr/share/ros/os-config.yml";
const OEM: &str = "usr/share/ros/oem/oem-config.yml";
const CMDLINE: &str = "proc/cmdline";
const KERNEL_LINE: &str = "kernel command line";

/// The layers of the image and its vendor. The built-in defaults are the lowest layer, so that a damaged file costs
/// services and not the machine.
pub(crate) fn image_layers(root: &Path, problems: &mut Vec<Diagnostic>) -> Node {
    merge_files(root, &[OS_CONFIG, OEM], problems)
}

/// The layers of the image alone.
pub(crate) fn own_layers(root: &Path, problems: &mut Vec<Diagnostic>) -> Node {
    merge_files(root, &[OS_CONFIG], problems)
}

fn merge_files(root: &Path, files: &[&str], problems: &mut Vec<Diagnostic>) -> Node {
    let mut tree = document::parse(defaults::DEFAULTS.as_bytes())
        .map_or_else(|_| Node::empty_map(), |known| known.tree);
    for file in files {
        let Some(bytes) = bounded_file::read(&root.join(file)) else {
            continue;
        };
        let name = format!("/{file}");
        match bytes.and_then(|bytes| document::parse(&bytes)) {
            Ok(document) => tree.merge(usable_part(document, &name, problems)),
            Err(unusable) => {
                problems.push(unusable.in_file(&name).with_note("it is left out"));
            }
        }
    }
    tree
}

/// The user's layers: files, then the kernel line.
pub(crate) fn user_layers(
    root: &Path,
    metadata: &Metadata,
    problems: &mut Vec<Diagnostic>,
) -> Node {
    let conf = root.join(CONF);
    let mut tree = Node::empty_map();
    for file in user_files(&conf) {
        if let Some(layer) = user_layer(&conf, &file, metadata, problems) {
            tree.merge(layer);
        }
    }
    tree.merge(kernel_line(root, problems));
    tree
}

fn user_layer(
    conf: &Path,
    file: &Path,
    metadata: &Metadata,
    problems: &mut Vec<Diagnostic>,
) -> Option<Node> {
    let name = format!("/{CONF}/{}", file.display());
    let read = |bytes: Vec<u8>| {
        document::parse(&bytes).map(|mut document| {
            document
                .tree
                .map_scalars(&mut |text| substitute::addresses(text, &metadata.addresses));
            document
        })
    };
    match bounded_file::read(&conf.join(file))?.and_then(read) {
        Ok(document) => {
            let mut found = Vec::new();
            let layer = usable_part(document, &name, &mut found);
            // The user cannot mend a vendor's document.
            let is_vendors = is_vendor_data(file);
            problems.extend(found.into_iter().filter(|it| !is_vendors || it.is_error()));
            Some(layer)
        }
        Err(unusable) => {
            let good = last_good_copies::read(conf, file).and_then(|bytes| read(bytes).ok());
            let instead = if good.is_some() {
                "its last good copy is used"
            } else {
                "it is left out"
            };
            problems.push(unusable.in_file(&name).with_note(instead));
            good.map(|document| usable_part(document, &name, &mut Vec::new()))
        }
    }
}

fn kernel_line(root: &Path, problems: &mut Vec<Diagnostic>) -> Node {
    let line = fs::read(root.join(CMDLINE)).unwrap_or_default();
    let (tree, refused) = kernel_line::parse_tree(String::from_utf8_lossy(&line).trim_end());
    problems.extend(
        refused
            .into_iter()
            .map(|message| Diagnostic::error("", message).in_file(KERNEL_LINE)),
    );
    let findings = misplaced::problems_of_kernel_line(&tree.to_value(Dialect::Text));
    let wrong = wrong_paths(&findings);
    problems.extend(findings.into_iter().map(|found| found.in_file(KERNEL_LINE)));
    with_current_names(tree.without(&wrong))
}
