//! The table of slots: which is started first, and how many starts each has left. GRUB counts down, PID 1 and `ros` give
//! counts back.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::grub_env::Block;
use crate::layout::Role;

/// The starts of a good slot that may fail in a row.
pub const GOOD_BOOTS: u8 = 5;
/// The starts of a slot on trial.
pub const TRIAL_BOOTS: u8 = 3;
/// The size of the block on the EFI system partition, in bytes.
pub const BLOCK_BYTES: usize = 1024;
/// All variables lie in the first sector, so that a write is whole or not there.
const SECTOR_BYTES: usize = 512;
/// Sequence numbers are digits: GRUB's script cannot add.
const SEQUENCES: u8 = 10;

/// A slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    A,
    B,
}

impl Slot {
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The partition of the slot.
    pub fn role(self) -> Role {
        match self {
            Self::A => Role::SlotA,
            Self::B => Role::SlotB,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
        })
    }
}

/// A text that names no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected the slot a or b")]
pub struct UnknownSlot;

impl FromStr for Slot {
    type Err = UnknownSlot;

    fn from_str(text: &str) -> Result<Self, UnknownSlot> {
        match text {
            "a" => Ok(Self::A),
            "b" => Ok(Self::B),
            _ => Err(UnknownSlot),
        }
    }
}

/// What is known of the system in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has come up.
    Good,
    /// It is new, and has not come up yet.
    Trial,
    /// It has not come up in all its starts.
    Bad,
}

impl Health {
    const ALL: [Self; 3] = [Self::Good, Self::Trial, Self::Bad];

    /// The starts that a slot begins with.
    fn boots(self) -> u8 {
        match self {
            Self::Good => GOOD_BOOTS,
            Self::Trial => TRIAL_BOOTS,
            Self::Bad => 0,
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Trial => "try",
            Self::Bad => "bad",
        })
    }
}

/// The record of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRecord {
    pub health: Health,
    /// The starts that are left before the other slot is taken.
    pub left: u8,
}

impl SlotRecord {
    fn full(health: Health) -> Self {
        let left = health.boots();
        Self { health, left }
    }
}

/// The table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotTable {
    pub first: Slot,
    pub a: SlotRecord,
    pub b: SlotRecord,
    /// The number of GRUB's last write, 0 to 9.
    pub sequence: u8,
}

/// A bad slot cannot be first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("slot {0} is bad: it did not come up")]
pub struct IsBad(pub Slot);

impl Default for SlotTable {
    fn default() -> Self {
        Self::new()
    }
}

impl SlotTable {
    /// The table of a new machine.
    pub fn new() -> Self {
        Self {
            first: Slot::A,
            a: SlotRecord::full(Health::Good),
            b: SlotRecord::full(Health::Good),
            sequence: 0,
        }
    }

    /// Reads a block; `None` if it is damaged or a variable is missing or wrong.
    pub fn parse(block: &[u8]) -> Option<Self> {
        if block.len() != BLOCK_BYTES {
            return None;
        }
        let block = Block::parse(block)?;
        let number = |name: &str, limit: u8| {
            let number: u8 = block.get(name)?.parse().ok()?;
            (number <= limit).then_some(number)
        };
        let record = |health: &str, left: &str| {
            let text = block.get(health)?;
            Some(SlotRecord {
                health: Health::ALL
                    .into_iter()
                    .find(|known| known.to_string() == text)?,
                left: number(left, GOOD_BOOTS)?,
            })
        };
        (block.get("ok")? == "1").then_some(())?;
        Some(Self {
            first: block.get("first")?.parse().ok()?,
            a: record("sa", "la")?,
            b: record("sb", "lb")?,
            sequence: number("seq", SEQUENCES - 1)?,
        })
    }

    /// The block of the table.
    pub fn render(&self) -> Vec<u8> {
        let mut block = Block::default();
        for (name, value) in [
            ("first", self.first.to_string()),
            ("sa", self.a.health.to_string()),
            ("la", self.a.left.to_string()),
            ("sb", self.b.health.to_string()),
            ("lb", self.b.left.to_string()),
            ("seq", self.sequence.to_string()),
            ("ok", "1".to_owned()),
        ] {
            block.set(name, &value);
        }
        // It always fits: the variables are short.
        let mut bytes = block.render(SECTOR_BYTES).unwrap_or_default();
        bytes.resize(BLOCK_BYTES, b'#');
        bytes
    }

    pub fn record(&self, slot: Slot) -> &SlotRecord {
        match slot {
            Slot::A => &self.a,
            Slot::B => &self.b,
        }
    }

    fn with(mut self, slot: Slot, record: SlotRecord) -> Self {
        match slot {
            Slot::A => self.a = record,
            Slot::B => self.b = record,
        }
        self
    }

    /// The slot has its starts back; what is known of it stays.
    #[must_use]
    pub fn count_back(self, slot: Slot) -> Self {
        let health = self.record(slot).health;
        self.with(slot, SlotRecord::full(health))
    }

    /// The slot has come up.
    #[must_use]
    pub fn confirm(self, slot: Slot) -> Self {
        self.with(slot, SlotRecord::full(Health::Good))
    }

    /// The slot is started first from now on.
    ///
    /// # Errors
    ///
    /// The slot is bad.
    pub fn prefer(self, slot: Slot) -> Result<Self, IsBad> {
        if self.record(slot).health == Health::Bad {
            return Err(IsBad(slot));
        }
        let mut table = self.count_back(slot);
        table.first = slot;
        Ok(table)
    }

    /// Whether GRUB starts the slot and counts the start.
    pub fn boots(&self, slot: Slot) -> bool {
        let record = self.record(slot);
        record.health != Health::Bad && record.left > 0
    }

    /// The table to trust, of two copies, and for each copy whether it must be written anew. `sequence` is what GRUB has
    /// written last: the copy with it is the newer one.
    pub fn choose(blocks: [Option<&[u8]>; 2], sequence: Option<u8>) -> (Self, [bool; 2]) {
        let tables = blocks.map(|block| block.and_then(Self::parse));
        let has_sequence = |table: &&Self| Some(table.sequence) == sequence;
        let newest = tables.iter().flatten().find(has_sequence);
        let table = match newest.or_else(|| tables.iter().flatten().next()) {
            Some(table) => *table,
            None => Self {
                sequence: sequence.filter(|number| *number < SEQUENCES).unwrap_or(0),
                ..Self::new()
            },
        };
        (table, tables.map(|found| found != Some(table)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, IsBad, Slot, SlotRecord, SlotTable};

    fn record(health: Health, left: u8) -> SlotRecord {
        SlotRecord { health, left }
    }

    #[test]
    fn the_first_sector_holds_all_variables() {
        let mut table = SlotTable::new();
        table.b = record(Health::Trial, 2);
        table.sequence = 7;
        let block = table.render();
        assert_eq!(block.len(), 1024);
        assert!(block[512..].iter().all(|byte| *byte == b'#'));
        assert!(block.starts_with(
            b"# GRUB Environment Block\nfirst=a\nla=5\nlb=2\nok=1\nsa=good\nsb=try\nseq=7\n#"
        ));
        assert_eq!(SlotTable::parse(&block), Some(table));
    }

    #[test]
    fn a_wrong_variable_makes_the_block_unusable() {
        let block = String::from_utf8(SlotTable::new().render()).unwrap();
        for (from, to) in [
            ("first=a", "first=c"),
            ("la=5", "la=6"),
            ("sa=good", "sa=well"),
            ("seq=0", "seq=x"),
            ("ok=1", "ok=0"),
            ("lb=5", "xx=5"),
        ] {
            let wrong = block.replace(from, to);
            let wrong = &wrong.as_bytes()[..1024.min(wrong.len())];
            let mut wrong = wrong.to_vec();
            wrong.resize(1024, b'#');
            assert_eq!(SlotTable::parse(&wrong), None, "{to}");
        }
        assert_eq!(SlotTable::parse(&block.as_bytes()[..512]), None);
    }

    #[test]
    fn counts_and_preferences() {
        let mut table = SlotTable::new();
        table.a = record(Health::Good, 1);
        table.b = record(Health::Trial, 0);
        assert!(table.boots(Slot::A) && !table.boots(Slot::B));
        assert_eq!(table.count_back(Slot::A).a, record(Health::Good, 5));
        assert_eq!(table.count_back(Slot::B).b, record(Health::Trial, 3));
        assert_eq!(table.confirm(Slot::B).b, record(Health::Good, 5));
        let preferred = table.prefer(Slot::B).unwrap();
        assert_eq!(
            (preferred.first, preferred.b),
            (Slot::B, record(Health::Trial, 3))
        );
        table.b = record(Health::Bad, 0);
        assert_eq!(table.prefer(Slot::B), Err(IsBad(Slot::B)));
        assert_eq!(table.count_back(Slot::B).b, record(Health::Bad, 0));
    }

    #[test]
    fn the_newer_copy_is_trusted() {
        let table = |sequence, left| {
            let mut table = SlotTable::new();
            table.sequence = sequence;
            table.a.left = left;
            table
        };
        let (new, old) = (table(4, 3), table(3, 4));
        let (new_block, old_block) = (new.render(), old.render());
        let garbage = vec![0; 1024];
        for (blocks, sequence, expected, stale) in [
            (
                [Some(&new_block), Some(&new_block)],
                Some(4),
                new,
                [false, false],
            ),
            (
                [Some(&old_block), Some(&new_block)],
                Some(4),
                new,
                [true, false],
            ),
            (
                [Some(&new_block), Some(&garbage)],
                Some(4),
                new,
                [false, true],
            ),
            ([None, Some(&old_block)], Some(4), old, [true, false]),
            // GRUB has not counted.
            (
                [Some(&old_block), Some(&new_block)],
                None,
                old,
                [false, true],
            ),
            ([Some(&garbage), None], Some(4), table(4, 5), [true, true]),
            ([None, None], None, table(0, 5), [true, true]),
        ] {
            let found = SlotTable::choose(blocks.map(|block| block.map(Vec::as_slice)), sequence);
            assert_eq!(found, (expected, stale), "{sequence:?}");
        }
    }
}
