//! One configuration document: bounded, parsed, with the position of every key.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};
use serde_yaml::Value;

/// Larger documents are refused whole: nobody writes them, and PID 1 has to hold them in memory.
pub const LARGEST: usize = 1 << 20;
/// Deeper nesting is refused before any parser recurses.
const DEEPEST: usize = 64;
/// More nodes than this in a document of [`LARGEST`] bytes come from aliases only.
const MOST_NODES: usize = 200_000;

/// Why a document cannot be used at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    pub message: String,
    /// Line and column, from 1.
    pub position: Option<(usize, usize)>,
}

/// A document that could be read.
#[derive(Clone, Debug)]
pub struct Document {
    pub value: Value,
    /// Line and column of what stands at a dotted key.
    pub positions: BTreeMap<String, (usize, usize)>,
}

/// Reads a document. An empty one is an empty mapping.
pub fn parse(bytes: &[u8]) -> Result<Document, Unusable> {
    let unusable = |message: String| Unusable {
        message,
        position: None,
    };
    if bytes.len() > LARGEST {
        return Err(unusable(format!(
            "expected a document of at most {} KiB, found {} KiB",
            LARGEST / 1024,
            bytes.len() / 1024
        )));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let position = position_of(bytes, error.valid_up_to());
        Unusable {
            message: "expected UTF-8 text, found other bytes".to_owned(),
            position: Some(position),
        }
    })?;
    if let Some(at) = text.find('\0') {
        let position = Some(position_of(bytes, at));
        return Err(Unusable {
            message: "expected text, found a NUL character".to_owned(),
            position,
        });
    }
    // Files that were edited on Windows are as good as others.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let positions = positions(text)?;
    let value: Value = serde_yaml::from_str(text).map_err(|error| Unusable {
        message: plain(&error.to_string()),
        position: error.location().map(|at| (at.line(), at.column())),
    })?;
    match value {
        Value::Null => Ok(Document {
            value: Value::Mapping(serde_yaml::Mapping::new()),
            positions,
        }),
        Value::Mapping(_) => Ok(Document { value, positions }),
        other => Err(Unusable {
            message: format!(
                "expected keys with values, found {}",
                if other.is_sequence() {
                    "a list"
                } else {
                    "a single text"
                }
            ),
            position: Some((1, 1)),
        }),
    }
}

/// The parser's message without its own copy of the position.
fn plain(message: &str) -> String {
    let cut = message.find(" at line ").unwrap_or(message.len());
    message.get(..cut).unwrap_or(message).to_owned()
}

fn position_of(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count()
        + 1;
    (line, column)
}

/// Where a collection is in being read.
enum Open {
    Mapping { path: String, key: Option<String> },
    Sequence { path: String, next: usize },
}

/// Walks the document's events once: finds syntax errors with their place, bounds depth and size,
/// and remembers where each key stands.
fn positions(text: &str) -> Result<BTreeMap<String, (usize, usize)>, Unusable> {
    let mut found = BTreeMap::new();
    let mut open: Vec<Open> = Vec::new();
    let mut documents = 0;
    for (nodes, event) in Parser::new_from_str(text).enumerate() {
        let (event, span) = event.map_err(|error| Unusable {
            message: error.info().to_owned(),
            position: Some((error.marker().line(), error.marker().col() + 1)),
        })?;
        let at = (span.start.line(), span.start.col() + 1);
        let refuse = |message: &str| {
            Err(Unusable {
                message: message.to_owned(),
                position: Some(at),
            })
        };
        if nodes > MOST_NODES {
            return refuse("the document has too many values");
        }
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return refuse("expected one document, found a second one after `---`");
                }
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if open.len() >= DEEPEST {
                    return refuse("the document is nested too deeply");
                }
                let path = place(&mut open, None);
                found.entry(path.clone()).or_insert(at);
                open.push(match event {
                    Event::MappingStart(..) => Open::Mapping { path, key: None },
                    _ => Open::Sequence { path, next: 0 },
                });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
            }
            Event::Scalar(text, ..) => {
                let path = place(&mut open, Some(&text));
                found.entry(path).or_insert(at);
            }
            Event::Alias(_) => {
                place(&mut open, None);
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The dotted path of the node that comes next; a scalar in a mapping's key position becomes the key.
fn place(open: &mut [Open], scalar: Option<&str>) -> String {
    match open.last_mut() {
        None => String::new(),
        Some(Open::Sequence { path, next }) => {
            let full = format!("{path}[{next}]");
            *next += 1;
            full
        }
        Some(Open::Mapping { path, key }) => {
            let join = |name: &str| {
                if path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{path}.{name}")
                }
            };
            match key.take() {
                Some(name) => join(&name),
                None => {
                    let name = scalar.unwrap_or("?").to_owned();
                    let full = join(&name);
                    *key = Some(name);
                    full
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LARGEST, parse};

    #[test]
    fn positions_of_keys() {
        let document = parse(b"a: 1\nb:\n  c:\n    - x\n    - y: 2\n").unwrap();
        for (path, at) in [
            ("a", (1, 1)),
            ("b", (2, 1)),
            ("b.c", (3, 3)),
            ("b.c[1].y", (5, 7)),
        ] {
            assert_eq!(document.positions.get(path), Some(&at), "{path}");
        }
    }

    #[test]
    fn unusable_documents_say_why() {
        let deep = "[".repeat(500);
        let bomb = format!(
            "a: &a [x,x,x,x,x,x,x,x,x]\n{}",
            ('b'..='j')
                .map(|c| {
                    let p = (c as u8 - 1) as char;
                    format!("{c}: &{c} [*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p}]\n")
                })
                .collect::<String>()
        );
        for (name, bytes, piece) in [
            ("truncated", &b"rancher:\n  docker: {a: [1,"[..], ""),
            ("tabs", b"rancher:\n\tdebug: true\n", ""),
            ("nul", b"a: b\0c", "NUL"),
            ("not utf-8", b"a: \xff\xfe", "UTF-8"),
            ("scalar", b"just words", "single text"),
            ("list", b"- a", "a list"),
            ("deep", deep.as_bytes(), "limit"),
            ("bomb", bomb.as_bytes(), ""),
            ("two keys alike", b"a: 1\na: 2\n", "duplicate"),
            ("large", &vec![b'#'; LARGEST + 1], "at most"),
        ] {
            let error = parse(bytes).err().unwrap_or_else(|| panic!("{name}"));
            assert!(error.message.contains(piece), "{name}: {}", error.message);
        }
        assert!(parse(b"").unwrap().value.as_mapping().unwrap().is_empty());
        assert!(
            parse(b"# only a comment\n")
                .unwrap()
                .value
                .as_mapping()
                .unwrap()
                .is_empty()
        );
    }
}
