//! Shell patterns in aliases of kernel modules and names of network links: `*`, `?` and `[…]`, as in fnmatch(3) without
//! flags.
//!
//! Written by hand, because no library has just these: in `fast-glob` a `*` ends at a slash, and dates in aliases have
//! slashes; `globset` brings an engine for regular expressions; `glob` keeps a list of tokens for each of the kernel's
//! 12,000 patterns; `wildmatch` and `wildcard` have no classes.

/// Whether a text matches a pattern. A `?` stands for a byte: names of hardware and links are ASCII. The time grows with
/// the length of the pattern times the length of the text, whatever the number of stars.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // The last star, and the place in the text where the rest of the pattern was tried.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let advanced = match (pattern.get(p), text.get(t)) {
            (Some(b'*'), _) => {
                retry = Some((p, t));
                p += 1;
                continue;
            }
            (None, None) => return true,
            (_, None) => return false,
            (Some(b'['), Some(byte)) => {
                in_class(pattern.get(p + 1..).unwrap_or_default(), *byte).map(|width| p + 1 + width)
            }
            (Some(want), Some(byte)) => (*want == b'?' || want == byte).then_some(p + 1),
            (None, Some(_)) => None,
        };
        match (advanced, retry) {
            (Some(next), _) => {
                p = next;
                t += 1;
            }
            (None, Some((star, from))) => {
                retry = Some((star, from + 1));
                p = star + 1;
                t = from + 1;
            }
            (None, None) => return false,
        }
    }
}

/// The width of the class with its closing bracket if `byte` is in the class; `class` begins behind the `[`. A `!` at
/// its beginning stands for all bytes but the members.
fn in_class(class: &[u8], byte: u8) -> Option<usize> {
    let end = class.iter().position(|c| *c == b']')?;
    let members = class.get(..end)?;
    let is_wanted = match members.strip_prefix(b"!") {
        Some(others) => !has_member(others, byte),
        None => has_member(members, byte),
    };
    is_wanted.then_some(end + 1)
}

fn has_member(members: &[u8], byte: u8) -> bool {
    let mut i = 0;
    while let Some(low) = members.get(i) {
        if members.get(i + 1) == Some(&b'-')
            && let Some(high) = members.get(i + 2)
        {
            if (*low..=*high).contains(&byte) {
                return true;
            }
            i += 3;
        } else if *low == byte {
            return true;
        } else {
            i += 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            (
                "pci:v00001AF4d*sv*sd*bc*sc*i*",
                "pci:v00001AF4d00001041sv00001AF4sd00001100bc02sc00i00",
                true,
            ),
            (
                "pci:v*d*sv*sd*bc01sc06i01*",
                "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01",
                true,
            ),
            (
                "pci:v*d*sv*sd*bc01sc06i01*",
                "pci:v00008086d00002922sv00001AF4sd00001100bc01sc07i01",
                false,
            ),
            (
                "usb:v*p*d*dc*dsc*dp*ic08isc06ip50in*",
                "usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00",
                true,
            ),
            ("acpi*:PNP0[AB]03:*", "acpi:PNP0A03:", true),
            ("acpi*:PNP0[AB]03:*", "acpi:PNP0C03:", false),
            ("of:N*T*C[a-c]x", "of:NfooTbarCbx", true),
            ("a[", "a[", false),
            ("eth[!0]", "eth1", true),
            ("eth[!0]", "eth0", false),
            ("eth[!0]", "eth", false),
            ("br[!-a]*", "br-0", false),
            ("**", "", true),
            ("", "", true),
            ("?", "", false),
            ("dmi*:svnVMware*:", "dmi:bvnPhoenix:svnVMware,Inc.:", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} ~ {text}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let text = "a".repeat(2000) + "c";
        for end in ["b", "[b]", "?b"] {
            let pattern = "*a".repeat(50) + end;
            assert!(!matches(&pattern, &text), "{end}");
        }
        assert!(matches(&("*a".repeat(50) + "*c"), &text));
    }
}
