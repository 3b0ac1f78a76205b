//! GRUB's environment block: a file of a fixed size with variables, which `load_env` reads and `save_env` writes in
//! place (GRUB manual, "The GRUB environment block"; lib/envblk.c).

use std::collections::BTreeMap;

const SIGNATURE: &[u8] = b"# GRUB Environment Block\n";
const FILLER: u8 = b'#';

/// The variables of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block(BTreeMap<String, String>);

impl Block {
    /// Reads a block; `None` if GRUB would refuse to load it or to save to it.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(SIGNATURE)?;
        let mut variables = BTreeMap::new();
        while let Some(first) = rest.first() {
            let end = rest.iter().position(|byte| *byte == b'\n');
            if *first == FILLER {
                // Comments of GRUB's own tool end with their line, and the filler with the block.
                match end {
                    Some(end) => rest = rest.get(end + 1..)?,
                    None => {
                        return rest
                            .iter()
                            .all(|byte| *byte == FILLER)
                            .then_some(Self(variables));
                    }
                }
                continue;
            }
            // A value may hold an escaped line break; this project writes none.
            let line = std::str::from_utf8(rest.get(..end?)?).ok()?;
            let (name, value) = line.split_once('=')?;
            variables.insert(name.to_owned(), unescape(value));
            rest = rest.get(end? + 1..)?;
        }
        Some(Self(variables))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// The block in `size` bytes; `None` if the variables do not fit.
    pub fn render(&self, size: usize) -> Option<Vec<u8>> {
        let mut bytes = SIGNATURE.to_vec();
        for (name, value) in &self.0 {
            bytes.extend(format!("{name}={}\n", escape(value)).into_bytes());
        }
        if bytes.len() > size {
            return None;
        }
        bytes.resize(size, FILLER);
        Some(bytes)
    }
}

/// GRUB writes a backslash before a backslash and before a line break.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\\n")
}

fn unescape(value: &str) -> String {
    let mut plain = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::Block;

    #[test]
    fn a_block_is_written_as_grub_writes_it() {
        let mut block = Block::default();
        block.set("sa", "good");
        block.set("first", "a");
        block.set("path", "a\\b");
        let bytes = block.render(128).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.starts_with("# GRUB Environment Block\nfirst=a\npath=a\\\\b\nsa=good\n###"));
        assert_eq!(bytes.len(), 128);
        assert_eq!(Block::parse(&bytes), Some(block.clone()));
        assert_eq!(block.render(50), None);
    }

    #[test]
    fn a_damaged_block_is_none() {
        let whole = Block::default().render(1024).unwrap();
        assert_eq!(Block::parse(&whole), Some(Block::default()));
        let mut half = whole.clone();
        half[512..].fill(0);
        let mut cut = whole.clone();
        cut[..512].fill(0);
        let mut torn = whole.clone();
        torn[30] = b'x';
        for bytes in [vec![], vec![0; 1024], half, cut, torn, whole[..10].to_vec()] {
            assert_eq!(Block::parse(&bytes), None, "{bytes:?}");
        }
    }
}
