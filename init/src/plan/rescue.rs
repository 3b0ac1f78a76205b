//! How long the rescue console waits for a person. Pure.

use std::time::Duration;

/// Nobody is there if no key is pressed for so long.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(300);
/// The machine reboots by itself so often, one time after the other. Then it waits for a person.
const MAX_REBOOTS: u32 = 3;
/// The same on a machine whose boot loader counts the starts: after five of a slot it takes the other.
const MAX_COUNTED_REBOOTS: u32 = 2 * disk::slots::GOOD_BOOTS as u32;

/// Whether to ask for the number of earlier reboots: the time of waiting for a first key is over. After it, a person is
/// at work, who may wait for a long command.
pub(crate) fn is_idle(waited: Duration, has_key: bool) -> bool {
    !has_key && waited >= IDLE_LIMIT
}

/// Whether the machine reboots by itself after `earlier` such reboots in a row. Without a disk nobody counts them, and a
/// machine that stays dark is worse.
pub(crate) fn reboots(earlier: Option<u32>, limit: u32) -> bool {
    earlier.is_none_or(|earlier| earlier < limit)
}

/// How often the machine reboots by itself. `is_counted_start`: its boot loader has counted the start.
pub(crate) fn reboot_limit(is_counted_start: bool) -> u32 {
    if is_counted_start {
        MAX_COUNTED_REBOOTS
    } else {
        MAX_REBOOTS
    }
}

/// The number in the text of `host::paths::RESCUE_REBOOTS`.
pub(crate) fn parse_count(text: &str) -> u32 {
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{is_idle, parse_count, reboot_limit, reboots};
    use std::time::Duration;

    #[test]
    fn nobody_is_waited_for_longer_than_five_minutes() {
        for (seconds, has_key, expected) in [
            (299, false, false),
            (300, false, true),
            (300, true, false),
            (86_400, true, false),
        ] {
            assert_eq!(is_idle(Duration::from_secs(seconds), has_key), expected);
        }
    }

    #[test]
    fn three_reboots_in_a_row_are_enough() {
        for (text, expected) in [("", true), ("2\n", true), ("3\n", false), ("damaged", true)] {
            assert_eq!(
                reboots(Some(parse_count(text)), reboot_limit(false)),
                expected,
                "{text}"
            );
        }
        assert!(reboots(None, reboot_limit(false)));
    }

    #[test]
    fn both_slots_are_tried_before_a_person_is_waited_for() {
        assert!(reboots(Some(9), reboot_limit(true)));
        assert!(!reboots(Some(10), reboot_limit(true)));
    }
}
