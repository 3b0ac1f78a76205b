//! Compose's short form of a published port: `[[address:]published:]port[/protocol]`, where ports may be ranges.

/// One port of a container and where it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Empty for all addresses of the machine.
    pub address: String,
    /// A port, or a range that the engine chooses from; empty for a port that the engine chooses.
    pub published: String,
    pub target: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// The ports of a text; `None` if it has another form.
pub fn parse(text: &str) -> Option<Vec<Port>> {
    let (text, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    // An IPv6 address has colons and stands in brackets.
    let (address, text) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?,
        None => match text.rmatch_indices(':').nth(1) {
            Some((at, _)) => (text.get(..at)?, text.get(at + 1..)?),
            None => ("", text),
        },
    };
    let (published, target) = text.split_once(':').unwrap_or(("", text));
    let targets = range(target)?;
    let is_one = targets.len() == 1;
    let published: Vec<String> = match published {
        "" => vec![String::new(); targets.len()],
        several if is_one && range(several)?.len() > 1 => vec![several.to_owned()],
        several => range(several)?.iter().map(u16::to_string).collect(),
    };
    let is_protocol = matches!(protocol, "tcp" | "udp" | "sctp");
    (is_protocol && published.len() == targets.len()).then(|| {
        let both = published.into_iter().zip(targets);
        both.map(|(published, target)| Port {
            address: address.to_owned(),
            published,
            target,
            protocol: protocol.to_owned(),
        })
        .collect()
    })
}

/// `80` or `8000-8010`.
fn range(text: &str) -> Option<Vec<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then(|| (first..=last).collect())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn spellings() {
        for (text, expected) in [
            ("80", ":>80/tcp"),
            ("8080:80", ":8080>80/tcp"),
            ("53:53/udp", ":53>53/udp"),
            ("127.0.0.1:8080:80", "127.0.0.1:8080>80/tcp"),
            ("127.0.0.1::80", "127.0.0.1:>80/tcp"),
            ("[::1]:8080:80", "::1:8080>80/tcp"),
            ("3000-3001", ":>3000/tcp :>3001/tcp"),
            ("8000-8001:9000-9001", ":8000>9000/tcp :8001>9001/tcp"),
            ("8000-8005:80", ":8000-8005>80/tcp"),
            ("8000-8001:9000-9002", "none"),
            ("8000:9000-9001", "none"),
            ("http", "none"),
            ("5-1", "none"),
            ("70000", "none"),
            ("80/xyz", "none"),
            ("", "none"),
        ] {
            let found = parse(text).map(|ports| {
                let show = |port: &super::Port| {
                    let super::Port {
                        address,
                        published,
                        target,
                        protocol,
                    } = port;
                    format!("{address}:{published}>{target}/{protocol}")
                };
                ports.iter().map(show).collect::<Vec<_>>().join(" ")
            });
            assert_eq!(found.as_deref().unwrap_or("none"), expected, "{text}");
        }
    }
}
