//! The guest tools of the machine's hypervisor: a service that the machine includes by itself, unless the configuration
//! says otherwise.

use std::path::Path;

use crate::bounded_file;
use crate::paths::{self, below_root};
use crate::yaml::scalar;
use crate::yaml::tree::Node;

/// Includes the service with the guest tools in the layers of the image, so that the user's layers count more.
pub(crate) fn include(root: &Path, image: &mut Node, user: &Node) {
    let file = root.join(below_root(paths::GUEST_TOOLS));
    let Ok(name) = bounded_file::text(&file) else {
        return;
    };
    let setting = [user, &*image].into_iter().find_map(|layer| {
        let node = layer.get_path(&["rancher", "hypervisor_service"])?;
        node.scalar().and_then(scalar::boolean)
    });
    if setting != Some(false) {
        let path = ["rancher", "services_include", name.trim()];
        image.insert_path(&path, Node::plain("true"));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::load::include::CATALOGUE;
    use crate::load::pipeline::load;
    use crate::paths::{CLOUD_CONFIG, GUEST_TOOLS, below_root};

    #[test]
    fn the_machine_includes_guest_tools_unless_the_configuration_says_otherwise() {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let has_tools = |text: &str| {
            write(below_root(CLOUD_CONFIG), text);
            let loaded = load(root.path());
            assert_eq!(loaded.problems, [], "{text}");
            loaded.config.rancher.services.contains_key("tools")
        };
        write(&format!("{CATALOGUE}/tools.yml"), "tools: {image: x}\n");
        assert!(!has_tools("{}"));
        write(below_root(GUEST_TOOLS), "tools\n");
        for (text, expected) in [
            ("{}", true),
            ("rancher: {hypervisor_service: true}", true),
            ("rancher: {hypervisor_service: false}", false),
            ("rancher: {services_include: {tools: false}}", false),
            ("rancher: {services_include: {other: false}}", true),
        ] {
            assert_eq!(has_tools(text), expected, "{text}");
        }
    }
}
