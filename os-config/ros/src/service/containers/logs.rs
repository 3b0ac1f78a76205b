//! `ros service logs`: the output of containers, each line behind the name of its service.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use futures_util::stream::select_all;

use crate::service::containers::target::Target;

/// The lines of the past to print.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lines<'a> {
    /// A number of lines from the end, or `all`.
    Last(&'a str),
    /// The lines since a moment.
    Since(SystemTime),
}

/// Prints these lines of each service, and with `follow` the lines to come until all containers have ended.
pub(super) async fn print(targets: &[Target], lines: Lines<'_>, follow: bool) -> Result<()> {
    let width = targets.iter().map(|target| target.name.len()).max();
    let width = width.unwrap_or_default();
    let streams = targets.iter().map(|target| {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .follow(follow);
        let options = match lines {
            Lines::Last(count) => options.tail(count),
            Lines::Since(moment) => options.since(seconds(moment)),
        };
        let options = options.build();
        let name = target.name.clone();
        let lines = target.engine.api().logs(target.container(), Some(options));
        lines.map(move |line| (name.clone(), line)).boxed()
    });
    let mut all = select_all(streams);
    let mut unfinished: std::collections::BTreeMap<String, String> = Default::default();
    while let Some((name, output)) = all.next().await {
        let output = output.with_context(|| format!("reading what {name} prints"))?;
        let (LogOutput::StdOut { message }
        | LogOutput::StdErr { message }
        | LogOutput::Console { message }
        | LogOutput::StdIn { message }) = output;
        let text = unfinished.entry(name.clone()).or_default();
        text.push_str(&String::from_utf8_lossy(&message));
        // A line may come in pieces.
        while let Some(end) = text.find('\n') {
            let line: String = text.drain(..=end).collect();
            println!("{name:<width$} | {}", line.trim_end());
        }
    }
    for (name, rest) in unfinished {
        if !rest.is_empty() {
            println!("{name:<width$} | {rest}");
        }
    }
    Ok(())
}

/// Seconds since 1970.
fn seconds(moment: SystemTime) -> i32 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    i32::try_from(since.as_secs()).unwrap_or(i32::MAX)
}
