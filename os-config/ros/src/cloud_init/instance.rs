//! Which of several answers is this machine's, by the instance-id that cloud-init's sources give a machine. Pure.
//!
//! The answer with the id of the saved answer is the machine's own, whichever disk is looked at first: a disk that was
//! attached for its data, with another machine's seed on it, configures nothing. Another id says that this is a new
//! machine, as after cloning its disk. It counts if no source has the saved id.

/// The answers of this boot that have another instance-id than the saved answer, in the order of their sources.
#[derive(Debug)]
pub(super) struct Answers<T> {
    saved_id: Option<String>,
    others: Vec<(String, T)>,
    looks: u32,
}

/// What becomes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<T> {
    /// It is the machine's.
    Taken(T),
    /// Another may be the machine's.
    Waits,
}

impl<T> Answers<T> {
    pub(super) fn new(saved_id: Option<String>) -> Self {
        Self {
            saved_id,
            others: Vec::new(),
            looks: 0,
        }
    }

    /// Judges the answer that was read at `place`.
    pub(super) fn judge(&mut self, place: &str, id: Option<&str>, answer: T) -> Verdict<T> {
        if self.saved_id.is_none() || self.saved_id.as_deref() == id {
            return Verdict::Taken(answer);
        }
        self.others.push((place.to_owned(), answer));
        Verdict::Waits
    }

    /// Ends a look at all sources that has found no answer of this machine. The first other answer counts at the second
    /// look: a disk can appear late.
    pub(super) fn end_look(&mut self) -> Option<(String, T)> {
        self.looks += 1;
        (self.looks > 1 && !self.others.is_empty()).then(|| self.others.remove(0))
    }

    /// The places of the answers that are not used.
    pub(super) fn unused(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(|(place, _)| place.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Answers, Verdict};

    /// The place of the answer that counts after so many looks, of `place id` in the order of the sources.
    fn taken(saved: Option<&str>, found: &[&str], looks: u32) -> Option<String> {
        let mut answers = Answers::new(saved.map(str::to_owned));
        for look in 0..looks {
            for text in found.iter().filter(|_| look == 0) {
                let (place, id) = text.split_once(' ').unwrap();
                let id = Some(id).filter(|id| !id.is_empty());
                if let Verdict::Taken(answer) = answers.judge(place, id, place.to_owned()) {
                    return Some(answer);
                }
            }
            if let Some((place, _)) = answers.end_look() {
                return Some(place);
            }
        }
        None
    }

    #[test]
    fn the_answer_with_the_saved_id_counts() {
        for (saved, found, looks, expected) in [
            // A first boot, and an answer without an id before it.
            (None, &["sr0 a", "vdb b"][..], 1, Some("sr0")),
            (None, &["sr0 "], 1, Some("sr0")),
            (Some("a"), &["sr0 a"], 1, Some("sr0")),
            // The machine's own comes late in the order.
            (Some("b"), &["sr0 a", "vdb b"], 1, Some("vdb")),
            (Some("b"), &["sr0 ", "vdb b"], 1, Some("vdb")),
            // A new instance, once every source had its time.
            (Some("b"), &["sr0 a", "vdb c"], 1, None),
            (Some("b"), &["sr0 a", "vdb c"], 2, Some("sr0")),
            (Some("b"), &["sr0 "], 2, Some("sr0")),
            (Some("b"), &[], 2, None),
        ] {
            let place = taken(saved, found, looks);
            assert_eq!(place.as_deref(), expected, "{saved:?} {found:?} {looks}");
        }
    }

    #[test]
    fn answers_that_are_not_used_are_named() {
        let mut answers = Answers::new(Some("b".to_owned()));
        for (place, id) in [("sr0", "a"), ("vdb", "c"), ("vdc", "b")] {
            answers.judge(place, Some(id), ());
        }
        assert_eq!(answers.unused().collect::<Vec<_>>(), ["sr0", "vdb"]);
    }
}
