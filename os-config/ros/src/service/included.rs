//! The definition of a service that the configuration includes: fetched from its address, or from a repository.

use std::path::Path;

use anyhow::{Result, ensure};
use os_config::Config;
use os_config::load::include::{CATALOGUE, definition_file, find_definition, is_address};

use crate::service::catalogue::fetch_from_repositories;
use crate::service::fetch::fetch;

/// Fetches the definition of an included service and keeps it. Fails if it cannot be fetched, used or trusted.
pub(crate) fn fetch_definition(root: &Path, config: &Config, name: &str) -> Result<()> {
    if is_address(name) {
        return fetch(root, config, name, &definition_file(name));
    }
    fetch_from_repositories(root, config, CATALOGUE, name)?;
    ensure!(
        root.join(find_definition(root, CATALOGUE, name)).is_file(),
        "no repository has a service of this name"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use os_config::load::include::{CATALOGUE, find_definition};
    use os_config::load::{document, load};

    use super::fetch_definition;
    use crate::service::index::index_file;

    const SYSTEM: &str = "mine: {image: x, labels: {io.rancher.os.scope: system}}\n";

    /// Answers every request with `body`. Returns the address.
    fn serve(body: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut line = String::new();
                let mut reader = BufReader::new(&stream);
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {}
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        format!("http://{address}")
    }

    #[test]
    fn the_first_repository_that_lists_a_name_has_it() {
        let root = tempfile::tempdir().unwrap();
        let image = root.path().join(CATALOGUE);
        std::fs::create_dir_all(&image).unwrap();
        std::fs::write(image.join("goat.yml"), "goat: {image: own}\n").unwrap();
        // The machine has asked for the indexes before.
        let repository = |index: &str, definition| {
            let url = serve(definition);
            let file = index_file(root.path(), &url);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, index).unwrap();
            url
        };
        let without = repository("services: [hen]", "cow: {image: without}\n");
        let first = repository("services: [cow, goat]", "cow: {image: first}\n");
        let second = repository("services: [cow]", "cow: {image: second}\n");
        let text = format!(
            "rancher: {{services_include: {{cow: true}}, repositories: {{c: {{url: '{second}'}}, b: {{url: '{first}'}}, a: {{url: '{without}'}}}}}}\n"
        );
        let config = document(text.as_bytes()).unwrap();
        // A cloud-config that includes a service of a repository waits for the definition.
        let conf = root.path().join("var/lib/rancher/conf");
        std::fs::create_dir_all(&conf).unwrap();
        std::fs::write(conf.join("cloud-config.yml"), &text).unwrap();
        assert_eq!(load(root.path()).absent_definitions, ["cow"]);
        for (name, image) in [("cow", "first"), ("goat", "own")] {
            fetch_definition(root.path(), &config, name).unwrap();
            let file = root
                .path()
                .join(find_definition(root.path(), CATALOGUE, name));
            let definition = std::fs::read_to_string(file).unwrap();
            assert_eq!(definition, format!("{name}: {{image: {image}}}\n"));
        }
        let loaded = load(root.path());
        assert_eq!(loaded.absent_definitions, [""; 0]);
        assert_eq!(loaded.config.rancher.services["cow"].image, "first");
        let unknown = fetch_definition(root.path(), &config, "pig").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "no repository has a service of this name"
        );
    }

    #[test]
    fn an_absent_definition_is_fetched_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let server = serve(SYSTEM);
        let name = format!("{server}/mine.yml");
        let text = |insecure: bool| {
            format!(
                "rancher: {{repositories: {{lan: {{url: '{server}', insecure: {insecure}}}}}, services_include: {{'{name}': true}}}}\n"
            )
        };
        let file = root.path().join("var/lib/rancher/conf/cloud-config.yml");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text(true)).unwrap();
        assert_eq!(
            load(root.path()).absent_definitions,
            std::slice::from_ref(&name)
        );
        // Nobody vouches for a definition of System Docker that comes by http.
        let refusing = document(text(false).as_bytes()).unwrap();
        assert!(fetch_definition(root.path(), &refusing, &name).is_err());
        assert_eq!(
            load(root.path()).absent_definitions,
            std::slice::from_ref(&name)
        );
        let config = document(text(true).as_bytes()).unwrap();
        fetch_definition(root.path(), &config, &name).unwrap();
        let loaded = load(root.path());
        assert_eq!(loaded.absent_definitions, [""; 0]);
        assert_eq!(loaded.config.rancher.services["mine"].image, "x");
    }
}
