//! Sizes and times of a service, as compose writes them: `64m`, `1m30s`.
//!
//! `humantime` is left out: it reads days and months, which compose does not have, and no sizes.

use std::time::Duration;

use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::scalar;

pub(crate) fn duration(
    reader: &mut Reader<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> Option<Duration> {
    let value = reader.value(key)?;
    scalar::text(value)
        .and_then(|text| parse_duration(&text))
        .or_else(|| findings.mismatch(&reader.path_of(key), "a time such as 10s or 1m30s", value))
}

/// `1m30s`, `10s`, `500ms`, or plain seconds.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let number: u64 = number.parse().ok()?;
        let part = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = tail;
    }
    Some(total)
}

pub(crate) fn bytes(
    reader: &mut Reader<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> Option<i64> {
    let value = reader.value(key)?;
    scalar::text(value)
        .and_then(|text| parse_bytes(&text))
        .or_else(|| findings.mismatch(&reader.path_of(key), "a size such as 64m", value))
}

pub(crate) fn parse_bytes(text: &str) -> Option<i64> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.trim_end_matches('b').trim_end_matches('i');
    let (digits, factor) = match number.chars().last()? {
        'k' => (number.get(..number.len() - 1)?, 1 << 10),
        'm' => (number.get(..number.len() - 1)?, 1 << 20),
        'g' => (number.get(..number.len() - 1)?, 1 << 30),
        _ => (number, 1),
    };
    digits.trim().parse::<i64>().ok()?.checked_mul(factor)
}
