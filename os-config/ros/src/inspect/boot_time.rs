//! `ros boot-time`: the phases and services of the boot with their times.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use host::timeline::{self, TimelineEntry};

use crate::output::Format;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ros boot-time --format json")]
pub(crate) struct Args {
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let marks = timeline::read(Path::new(host::paths::TIMELINE));
    anyhow::ensure!(
        !marks.is_empty(),
        "reading {}: there is no timeline of this boot",
        host::paths::TIMELINE
    );
    if args.format == Format::Json {
        println!(
            "{}",
            serde_json::to_string_pretty(&marks).context("printing the timeline")?
        );
    } else {
        print!("{}", table(&marks));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(marks: &[TimelineEntry]) -> String {
    let mut text = String::from("seconds   took  reached\n");
    for mark in marks {
        let took = mark
            .took
            .map_or_else(String::new, |took| format!("{took:.2}"));
        text.push_str(&format!("{:7.2} {took:>6}  {}\n", mark.at, mark.name));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;
    use host::timeline::TimelineEntry;

    #[test]
    fn columns() {
        let marks = [
            TimelineEntry {
                name: "mount state".into(),
                at: 2.5,
                took: Some(0.25),
            },
            TimelineEntry {
                name: "up".into(),
                at: 13.0,
                took: None,
            },
        ];
        assert_eq!(
            table(&marks),
            "seconds   took  reached\n   2.50   0.25  mount state\n  13.00         up\n"
        );
    }
}
