//! Which links rest on which: no link rests on itself.

use std::collections::{BTreeMap, BTreeSet};

/// The links that links rest on: the members of a bond or bridge, and the parent of a VLAN.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers(BTreeMap<String, BTreeSet<String>>);

impl Layers {
    /// Notes that `upper` rests on `lower`. Returns `false`, and notes nothing, if that would be a circle.
    pub(crate) fn add(&mut self, upper: &str, lower: &str) -> bool {
        let is_free = upper != lower && !self.rests_on(lower, upper);
        if is_free {
            let below = self.0.entry(upper.to_owned()).or_default();
            below.insert(lower.to_owned());
        }
        is_free
    }

    fn rests_on(&self, upper: &str, lower: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![upper];
        while let Some(link) = open.pop() {
            if link == lower {
                return true;
            }
            if seen.insert(link) {
                open.extend(self.0.get(link).into_iter().flatten().map(String::as_str));
            }
        }
        false
    }
}
