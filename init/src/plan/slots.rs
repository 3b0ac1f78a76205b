//! The problems of a start from a slot: another slot than the first runs, starts are not counted, the disk has a copy.
//! Pure: the environment's table and the kernel line in, problems out.

use std::path::PathBuf;

use disk::slots::{Health, SlotTable};
use host::problems::ProblemRecord;
use host::slot::start::SlotStart;

const SOURCE: &str = "slots";

/// What was found on the disk that the machine has started from.
#[derive(Clone, Debug)]
pub(crate) struct SlotFacts<'a> {
    pub(crate) start: &'a SlotStart,
    pub(crate) table: &'a SlotTable,
    /// GRUB's last write is on the disk.
    pub(crate) is_seen: bool,
    /// GRUB could not use a copy of the block, or the copies differed.
    pub(crate) is_damaged: bool,
    /// The file of a copy is missing or has another size.
    pub(crate) is_incomplete: bool,
    pub(crate) twins: &'a [PathBuf],
    /// Recovery boots are not counted.
    pub(crate) is_recovery: bool,
}

/// The problems to report, at most one of a kind.
pub(crate) fn problems(facts: &SlotFacts<'_>) -> Vec<ProblemRecord> {
    let mut problems = Vec::new();
    problems.extend((!facts.is_recovery).then(|| other_slot(facts)).flatten());
    problems.extend((!facts.is_recovery).then(|| uncounted(facts)).flatten());
    problems.extend(facts.is_seen.then(|| damaged_copy(facts)).flatten());
    if !facts.twins.is_empty() {
        let twins: Vec<String> = facts
            .twins
            .iter()
            .map(|disk| disk.display().to_string())
            .collect();
        let text = format!(
            "{} has the same identifiers as the disk that the machine has started from (hint: a copy of a disk belongs \
             into another machine; take it out)",
            twins.join(" and ")
        );
        problems.push(ProblemRecord::warning("slot.copy", SOURCE, text));
    }
    problems
}

fn other_slot(facts: &SlotFacts<'_>) -> Option<ProblemRecord> {
    let (first, running) = (facts.table.first, facts.start.slot);
    if first == running {
        return None;
    }
    let record = facts.table.record(first);
    let why = match record.health {
        Health::Bad => "its starts did not come up",
        _ if record.left == 0 => "its last starts did not come up",
        _ => {
            "a person chose the other in the boot menu, or files of the slot are missing or damaged"
        }
    };
    let text = format!(
        "slot {running} runs, though slot {first} is first: {why} (hint: `ros os status` shows both slots)"
    );
    Some(ProblemRecord::warning("slot.skipped", SOURCE, text))
}

/// Without a copy that counts, `uncounted` says it.
fn damaged_copy(facts: &SlotFacts<'_>) -> Option<ProblemRecord> {
    let text = match (facts.is_incomplete, facts.is_damaged) {
        (true, _) => {
            "a copy of the block that counts starts is missing or has another size, and the other counts alone (hint: \
             `ros install -t noformat` from the ISO writes both anew)"
        }
        (false, true) => {
            "a copy of the block that counts starts was damaged and has been written anew"
        }
        (false, false) => return None,
    };
    Some(ProblemRecord::warning(
        "slot.environment",
        SOURCE,
        text.to_owned(),
    ))
}

fn uncounted(facts: &SlotFacts<'_>) -> Option<ProblemRecord> {
    if facts.is_seen {
        return None;
    }
    let text = "the boot loader could not count this start, so a slot that does not come up would be started again and \
                again (hint: see whether the disk is write-protected; the next start shows whether it counts again)";
    Some(ProblemRecord::warning(
        "slot.uncounted",
        SOURCE,
        text.to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::{SlotFacts, problems};
    use disk::slots::{Health, Slot, SlotRecord, SlotTable};
    use host::slot::start::SlotStart;
    use std::path::PathBuf;

    #[test]
    fn problems_name_the_cause() {
        let twin = [PathBuf::from("/dev/sdb")];
        for (slot, a, is_seen, twins, expected) in [
            (Slot::A, (Health::Good, 4), true, &[][..], vec![]),
            (
                Slot::B,
                (Health::Bad, 0),
                true,
                &[],
                vec!["its starts did not come up"],
            ),
            (
                Slot::B,
                (Health::Good, 0),
                true,
                &[],
                vec!["its last starts"],
            ),
            (
                Slot::B,
                (Health::Good, 4),
                true,
                &[],
                vec!["missing or damaged"],
            ),
            (
                Slot::A,
                (Health::Good, 4),
                false,
                &[],
                vec!["could not count"],
            ),
            (
                Slot::A,
                (Health::Good, 4),
                true,
                &twin,
                vec!["/dev/sdb has the same"],
            ),
        ] {
            let mut table = SlotTable::new();
            table.a = SlotRecord {
                health: a.0,
                left: a.1,
            };
            let start = SlotStart {
                slot,
                sequence: Some(1),
                esp: String::new(),
            };
            let mut facts = SlotFacts {
                start: &start,
                table: &table,
                is_seen,
                is_damaged: false,
                is_incomplete: false,
                twins,
                is_recovery: false,
            };
            let texts: Vec<String> = problems(&facts).into_iter().map(|p| p.text).collect();
            assert_eq!(texts.len(), expected.len(), "{texts:?}");
            for (text, expected) in texts.iter().zip(expected) {
                assert!(text.contains(expected), "{text}");
            }
            facts.is_recovery = true;
            assert_eq!(problems(&facts).len(), twins.len());
        }
    }

    #[test]
    fn a_copy_that_cannot_be_made_anew_is_said() {
        let table = SlotTable::new();
        let start = SlotStart {
            slot: Slot::A,
            sequence: Some(1),
            esp: String::new(),
        };
        for (is_seen, is_damaged, is_incomplete, expected) in [
            (true, true, false, Some("has been written anew")),
            (true, false, true, Some("the other counts alone")),
            (true, true, true, Some("the other counts alone")),
            (false, true, true, Some("could not count")),
            (true, false, false, None),
        ] {
            let facts = SlotFacts {
                start: &start,
                table: &table,
                is_seen,
                is_damaged,
                is_incomplete,
                twins: &[],
                is_recovery: false,
            };
            let texts: Vec<String> = problems(&facts).into_iter().map(|p| p.text).collect();
            assert_eq!(texts.len(), usize::from(expected.is_some()), "{texts:?}");
            let is_said = expected.is_none_or(|expected| texts[0].contains(expected));
            assert!(is_said, "{texts:?}");
        }
    }
}
