//! The text files that `depmod` writes beside a kernel's modules: modules.dep, modules.alias, modules.softdep (formats:
//! modules.dep(5), depmod(8)).

use std::collections::BTreeMap;

/// `kernel/fs/nls/nls-cp437.ko.xz` and `nls-cp437` are both the module `nls_cp437`.
pub(super) fn canonical_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

pub(super) fn parse_dependencies(text: &str) -> BTreeMap<String, (String, Vec<String>)> {
    text.lines()
        .filter_map(|line| {
            let (path, needs) = line.split_once(':')?;
            let needs = needs.split_ascii_whitespace().map(str::to_owned).collect();
            Some((canonical_name(path), (path.to_owned(), needs)))
        })
        .collect()
}

pub(super) fn parse_aliases(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| {
            // A pattern may hold blanks, a module name never does.
            let (pattern, module) = line.strip_prefix("alias ")?.rsplit_once(' ')?;
            Some((pattern.to_owned(), canonical_name(module)))
        })
        .collect()
}

pub(super) fn parse_soft(text: &str) -> BTreeMap<String, Vec<String>> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.strip_prefix("softdep ")?.split_ascii_whitespace();
            let module = canonical_name(words.next()?);
            let before = words
                .skip_while(|word| *word != "pre:")
                .skip(1)
                .take_while(|word| *word != "post:")
                .map(str::to_owned)
                .collect();
            Some((module, before))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{canonical_name, parse_aliases, parse_dependencies, parse_soft};

    #[test]
    fn index_files() {
        assert_eq!(
            canonical_name("kernel/fs/nls/nls_iso8859-1.ko.xz"),
            "nls_iso8859_1"
        );
        let needs =
            parse_dependencies("kernel/a-b.ko: kernel/c.ko kernel/d.ko\nkernel/c.ko:\nbroken\n");
        assert_eq!(needs["a_b"].1, ["kernel/c.ko", "kernel/d.ko"]);
        assert_eq!(needs.len(), 2);
        assert_eq!(
            parse_aliases("# comment\nalias char-major-10-* virtio-x\nalias odd pattern mod\n"),
            [
                ("char-major-10-*".into(), "virtio_x".into()),
                ("odd pattern".into(), "mod".to_owned())
            ]
        );
        let soft = parse_soft("softdep ext4 pre: crc32c x post: y\nsoftdep z post: q\n");
        assert_eq!(soft["ext4"], ["crc32c", "x"]);
        assert!(soft["z"].is_empty());
    }
}
