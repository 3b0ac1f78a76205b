//! Substitutes variables: the machine's addresses in every file, `rancher.environment` in services.
//!
//! Written by hand: `shellexpand` knows neither `:?` nor `:+`, `subst` writes defaults in another way, and neither lists the
//! missing names.

use std::collections::{BTreeMap, BTreeSet};

/// The machine's addresses, from a data source or from the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// `$public_ipv4`
    pub(crate) public_ipv4: String,
    /// `$private_ipv4`
    pub(crate) private_ipv4: String,
    /// `$public_ipv6`
    pub(crate) public_ipv6: String,
    /// `$private_ipv6`
    pub(crate) private_ipv6: String,
}

impl Addresses {
    /// Fills empty addresses from the variables `COREOS_PUBLIC_IPV4` and so on.
    pub(crate) fn with_environment(mut self, lookup: impl Fn(&str) -> Option<String>) -> Self {
        for (field, name) in [
            (&mut self.public_ipv4, "COREOS_PUBLIC_IPV4"),
            (&mut self.private_ipv4, "COREOS_PRIVATE_IPV4"),
            (&mut self.public_ipv6, "COREOS_PUBLIC_IPV6"),
            (&mut self.private_ipv6, "COREOS_PRIVATE_IPV6"),
        ] {
            if field.is_empty() {
                *field = lookup(name).unwrap_or_default();
            }
        }
        self
    }

    fn get(&self, name: &str) -> &str {
        match name {
            "public_ipv4" => &self.public_ipv4,
            "private_ipv4" => &self.private_ipv4,
            "public_ipv6" => &self.public_ipv6,
            _ => &self.private_ipv6,
        }
    }
}

const ADDRESS_VARIABLES: [&str; 4] = ["public_ipv4", "private_ipv4", "public_ipv6", "private_ipv6"];

/// Replaces the four address variables; a backslash before a variable keeps it. `None` if `text` has no variable.
pub(crate) fn addresses(text: &str, known: &Addresses) -> Option<String> {
    if !text.contains('$') {
        return None;
    }
    let mut out = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        let Some((name, after)) = ADDRESS_VARIABLES
            .iter()
            .find_map(|name| Some((name, after.strip_prefix(name)?)))
        else {
            out.push('$');
            continue;
        };
        found = true;
        if out.ends_with('\\') {
            out.pop();
            out.push('$');
        } else {
            out.push_str(known.get(name));
            rest = after;
        }
    }
    out.push_str(rest);
    found.then_some(out)
}

/// Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:?why}` and `${NAME:+instead}`; `$$` is a dollar. Unknown
/// names become empty texts and are added to `missing`. `None` if `text` has no dollar.
pub(crate) fn variables(
    text: &str,
    known: &BTreeMap<String, String>,
    missing: &mut BTreeSet<String>,
) -> Option<String> {
    if !text.contains('$') {
        return None;
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let Some((variable, after)) = variable(after) else {
            out.push('$');
            rest = after.strip_prefix('$').unwrap_or(after);
            continue;
        };
        rest = after;
        let value = known.get(variable.name);
        match (
            value.filter(|value| !(value.is_empty() && variable.or_empty)),
            variable.form,
        ) {
            (Some(_), Expansion::Instead(text)) | (None, Expansion::Default(text)) => {
                out.push_str(text)
            }
            (Some(value), _) => out.push_str(value),
            (None, Expansion::Instead(_)) => {}
            (None, Expansion::Value) => {
                missing.insert(variable.name.to_owned());
            }
        }
    }
    out.push_str(rest);
    Some(out)
}

struct Variable<'a> {
    name: &'a str,
    form: Expansion<'a>,
    /// Whether an empty value counts as missing.
    or_empty: bool,
}

/// The text that replaces a variable.
enum Expansion<'a> {
    /// Its value.
    Value,
    /// Its value, or this text.
    Default(&'a str),
    /// This text, if it has a value.
    Instead(&'a str),
}

/// The variable at the start of `text`, which follows the dollar, and the text behind it.
fn variable(text: &str) -> Option<(Variable<'_>, &str)> {
    let end_of_name = |text: &str| {
        let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
        text.starts_with(is_first).then(|| {
            text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(text.len())
        })
    };
    let Some(inside) = text.strip_prefix('{') else {
        let (name, rest) = text.split_at(end_of_name(text)?);
        return Some((
            Variable {
                name,
                form: Expansion::Value,
                or_empty: false,
            },
            rest,
        ));
    };
    let (inside, rest) = inside.split_once('}')?;
    let (name, form) = inside.split_at(end_of_name(inside)?);
    let (form, or_empty) = match form.strip_prefix(':') {
        Some(form) => (form, true),
        None => (form, false),
    };
    let form = match form.split_at_checked(1) {
        Some(("-", text)) => Expansion::Default(text),
        Some(("+", text)) => Expansion::Instead(text),
        Some(("?", _)) => Expansion::Value,
        None if !or_empty => Expansion::Value,
        _ => return None,
    };
    Some((
        Variable {
            name,
            form,
            or_empty,
        },
        rest,
    ))
}

#[cfg(test)]
mod tests {
    use super::{Addresses, addresses, variables};
    use std::collections::{BTreeMap, BTreeSet};

    fn machine() -> Addresses {
        Addresses {
            public_ipv4: "192.0.2.3".into(),
            private_ipv4: "192.0.2.203".into(),
            public_ipv6: "fe00:1234::".into(),
            private_ipv6: "fe00:5678::".into(),
        }
    }

    #[test]
    fn addresses_are_put_in() {
        let private = |address: &str| Addresses {
            private_ipv4: address.into(),
            ..Addresses::default()
        };
        for (id, known, text, expected) in [
            (
                "SV-01",
                machine(),
                "$public_ipv4:8001:8001",
                "192.0.2.3:8001:8001",
            ),
            (
                "SV-01",
                machine(),
                "$public_ipv6:8001:8001",
                "fe00:1234:::8001:8001",
            ),
            (
                "SV-02",
                machine(),
                "PRIVATE_IPV6=$private_ipv6\nPUBLIC_IPV6=$public_ipv6",
                "PRIVATE_IPV6=fe00:5678::\nPUBLIC_IPV6=fe00:1234::",
            ),
            ("SV-02", machine(), "$private_ipv4/16", "192.0.2.203/16"),
            (
                "SV-02",
                machine(),
                "-H=$public_ipv4:2376",
                "-H=192.0.2.3:2376",
            ),
            (
                "SV-03",
                Addresses::default(),
                "address: $private_ipv4",
                "address: ",
            ),
            (
                "SV-04",
                machine(),
                "$public_ipv4 $unknown",
                "192.0.2.3 $unknown",
            ),
            (
                "SV-08",
                private("127.0.0.1"),
                "\\$private_ipv4\n$private_ipv4\naddr: \\$private_ipv4\n\\\\$private_ipv4",
                "$private_ipv4\n127.0.0.1\naddr: $private_ipv4\n\\$private_ipv4",
            ),
        ] {
            assert_eq!(addresses(text, &known).as_deref(), Some(expected), "{id}");
        }
        assert_eq!(
            addresses("\\$test\n$test", &Addresses::default()),
            None,
            "SV-09"
        );
    }

    #[test]
    fn the_environment_fills_gaps() {
        let lookup = |name: &str| match name {
            "COREOS_PUBLIC_IPV4" => Some("1.2.3.4".to_owned()),
            "COREOS_PRIVATE_IPV4" => Some("5.6.7.8".to_owned()),
            _ => None,
        };
        for (id, private, text, expected) in [
            (
                "SV-05",
                "127.0.0.1",
                "$private_ipv4\n$public_ipv4",
                "127.0.0.1\n1.2.3.4",
            ),
            (
                "SV-06",
                "",
                "$private_ipv4\n$public_ipv4",
                "5.6.7.8\n1.2.3.4",
            ),
            ("SV-07", "", "$private_ipv4\nfoobar", "5.6.7.8\nfoobar"),
        ] {
            let known = Addresses {
                private_ipv4: private.into(),
                ..Addresses::default()
            }
            .with_environment(lookup);
            assert_eq!(addresses(text, &known).as_deref(), Some(expected), "{id}");
        }
    }

    #[test]
    fn variables_of_services() {
        let known = BTreeMap::from([
            ("A".to_owned(), "1".to_owned()),
            ("E".to_owned(), String::new()),
        ]);
        for (text, expected, missing) in [
            ("x$A-${A}", "x1-1", ""),
            ("$$A $", "$A $", ""),
            (
                "${B:-two} ${B-three} ${E:-four} ${E-five}",
                "two three four ",
                "",
            ),
            ("$B!", "!", "B"),
            ("${", "${", ""),
            ("${A", "${A", ""),
            ("${A?x}${E?x}${E:?x}${C:?why}", "1", "C,E"),
            ("${A+x}${E+y}${E:+z}${C+z}${A:+}", "xy", ""),
            ("${A:} ${A/x} $1", "${A:} ${A/x} $1", ""),
        ] {
            let mut unknown = BTreeSet::new();
            assert_eq!(
                variables(text, &known, &mut unknown).as_deref(),
                Some(expected),
                "{text}"
            );
            assert_eq!(
                unknown.into_iter().collect::<Vec<_>>().join(","),
                missing,
                "{text}"
            );
        }
        assert_eq!(variables("none", &known, &mut BTreeSet::new()), None);
    }
}
