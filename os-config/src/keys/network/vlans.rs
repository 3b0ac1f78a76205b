//! The list of VLANs of a link: `100,200:name`.

use serde_yaml::Value;

use super::values;
use crate::reader::findings::Findings;

/// A VLAN: its id, and its name where that is not the link's with the id.
pub type Vlan = (u16, Option<String>);

/// Reads a list; the error is the first part without a valid id.
pub fn parse(list: &str) -> Result<Vec<Vlan>, String> {
    if list.trim().is_empty() {
        return Ok(Vec::new());
    }
    list.split(',')
        .map(|item| {
            let (id, name) = match item.trim().split_once(':') {
                Some((id, name)) => (id, Some(name.to_owned()).filter(|name| !name.is_empty())),
                None => (item.trim(), None),
            };
            let id = id.parse().ok().filter(|id| (0..4095).contains(id));
            id.map(|id| (id, name)).ok_or_else(|| item.to_owned())
        })
        .collect()
}

/// The list if all of it is valid, as in RancherOS.
pub(super) fn check(path: &str, list: String, findings: &mut Findings) -> Option<String> {
    let is_valid = parse(&list).is_ok_and(|vlans| {
        let mut names = vlans.iter().filter_map(|(_, name)| name.as_deref());
        names.all(values::is_link_name)
    });
    if is_valid {
        return Some(list);
    }
    let expected = "`ID` or `ID:NAME` with commas between, and ids from 0 to 4094";
    findings.mismatch(path, expected, &Value::String(list))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lists_of_vlans_by_the_references_ids() {
        let named = |id, name: &str| (id, Some(name.to_owned()));
        for (id, list, expected) in [
            ("NV-01", "100", Ok(vec![(100, None)])),
            (
                "NV-02",
                "100,200:foobar",
                Ok(vec![(100, None), named(200, "foobar")]),
            ),
            ("NV-03", " 100 , 200 ", Ok(vec![(100, None), (200, None)])),
            ("NV-04", "100:", Ok(vec![(100, None)])),
            ("NV-04", "100:a:b", Ok(vec![named(100, "a:b")])),
            ("NV-05", "", Ok(vec![])),
            ("NV-06", "abc", Err("abc")),
            ("NV-06", "100,abc", Err("abc")),
            ("NV-06", ",", Err("")),
            ("NV-06", "100,", Err("")),
            ("", "5000", Err("5000")),
        ] {
            assert_eq!(
                parse(list),
                expected.map_err(str::to_owned),
                "{id} {list:?}"
            );
        }
    }
}
