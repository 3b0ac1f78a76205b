//! The days on which passwords were changed, in `/etc/shadow`: without a fixed day, two builds differ.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Says below `root` that all passwords were changed at `date`, in seconds since 1970.
pub(crate) fn set_date(root: &Path, date: u64) -> Result<()> {
    let shadow = root.join("etc/shadow");
    if !shadow.exists() {
        return Ok(());
    }
    let text = fs::read_to_string(&shadow).context("reading etc/shadow")?;
    fs::write(&shadow, dated(&text, date)).context("writing etc/shadow")
}

/// The text of a shadow file in which all passwords were changed at `date`.
fn dated(shadow: &str, date: u64) -> String {
    let day = (date / 86400).to_string();
    let mut text = String::new();
    for line in shadow.lines() {
        let mut fields: Vec<&str> = line.split(':').collect();
        if let Some(changed) = fields.get_mut(2).filter(|field| !field.is_empty()) {
            *changed = &day;
        }
        text += &fields.join(":");
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::dated;

    #[test]
    fn the_days_of_passwords_do_not_depend_on_the_day_of_the_build() {
        let shadow = "root:!*:20783:0:99999:7:::\nnew:*::0:99999:7:::\n";
        let expected = "root:!*:20000:0:99999:7:::\nnew:*::0:99999:7:::\n";
        assert_eq!(dated(shadow, 20000 * 86400 + 5), expected);
    }
}
