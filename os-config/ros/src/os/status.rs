//! `ros os status`: the slots for people and for programs.

use std::process::ExitCode;

use anyhow::{Context, Result};
use disk::slots::{Health, Slot};
use serde_json::{Value, json};

use crate::os::machine_slots::MachineSlots;
use crate::output::Format;

/// What is shown of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SlotView {
    slot: Slot,
    health: Health,
    left: u8,
    version: Option<String>,
    is_running: bool,
    is_first: bool,
}

/// Prints the slots; without slots, that there are none.
pub(super) fn print(slots: Option<&MachineSlots>, format: Format) -> Result<ExitCode> {
    let Some(slots) = slots else {
        match format {
            Format::Text => println!(
                "this machine is not installed: it runs from a medium or from memory, and has no slots\n\
                 hint: `ros install` installs it"
            ),
            Format::Json => print_json(&json!({"installed": false}))?,
        }
        return Ok(ExitCode::SUCCESS);
    };
    let views = Slot::ALL.map(|slot| view(slots, slot));
    let (disk, is_seen) = (slots.environment.disk(), slots.environment.is_seen());
    match format {
        Format::Text => {
            println!("{:<10} {}", "disk", disk.display());
            for view in &views {
                println!("{:<10} {}", format!("slot {}", view.slot), describe(view));
            }
            println!("{:<10} {}", "counting", counting(is_seen));
        }
        Format::Json => print_json(&json!({
            "installed": true,
            "disk": disk,
            "running": slots.start.slot.to_string(),
            "first": slots.environment.table().first.to_string(),
            "seen": is_seen,
            "slots": slots_json(&views),
        }))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn view(slots: &MachineSlots, slot: Slot) -> SlotView {
    let table = slots.environment.table();
    let record = table.record(slot);
    SlotView {
        slot,
        health: record.health,
        left: record.left,
        version: slots.version(slot).map(str::to_owned),
        is_running: slots.start.slot == slot,
        is_first: table.first == slot,
    }
}

fn describe(view: &SlotView) -> String {
    let version = view.version.as_deref();
    let version = version.map_or_else(
        || "no system in it".to_owned(),
        |version| format!("PaddockOS {version}"),
    );
    let starts = match view.left {
        1 => "1 start left".to_owned(),
        left => format!("{left} starts left"),
    };
    let health = match view.health {
        Health::Trial => "on trial",
        other => health_name(other),
    };
    let mut parts = vec![health.to_owned(), starts, version];
    parts.extend(view.is_running.then(|| "runs".to_owned()));
    parts.extend(view.is_first.then(|| "first at the next boot".to_owned()));
    parts.join(", ")
}

fn counting(is_seen: bool) -> &'static str {
    match is_seen {
        true => "this start was counted on the disk",
        false => {
            "this start was not counted on the disk: a recovery boot, or a disk that the boot loader cannot write to"
        }
    }
}

fn slots_json(views: &[SlotView]) -> Value {
    let entries = views.iter().map(|view| {
        let fact = json!({
            "health": health_name(view.health),
            "left": view.left,
            "version": view.version,
        });
        (view.slot.to_string(), fact)
    });
    Value::Object(entries.collect())
}

fn health_name(health: Health) -> &'static str {
    match health {
        Health::Good => "good",
        Health::Trial => "trial",
        Health::Bad => "bad",
    }
}

fn print_json(value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("printing the status")?;
    println!("{text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use disk::slots::{Health, Slot};

    use super::{SlotView, describe, slots_json};

    #[test]
    fn slots_are_described() {
        let a = SlotView {
            slot: Slot::A,
            health: Health::Good,
            left: 5,
            version: Some("1.0".to_owned()),
            is_running: true,
            is_first: true,
        };
        let b = SlotView {
            slot: Slot::B,
            health: Health::Trial,
            left: 1,
            version: None,
            is_running: false,
            is_first: false,
        };
        assert_eq!(
            describe(&a),
            "good, 5 starts left, PaddockOS 1.0, runs, first at the next boot"
        );
        assert_eq!(describe(&b), "on trial, 1 start left, no system in it");
        let json = slots_json(&[a, b]);
        assert_eq!(json["a"]["left"], 5);
        assert_eq!(json["a"]["version"], "1.0");
        assert_eq!(json["b"]["health"], "trial");
    }
}
