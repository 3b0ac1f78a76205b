//! Options of a bridge under the names of `ip link`. Version 1 has ifupdown's names, version 2 netplan's.

use serde_yaml::Value;

use super::builder::NetworkBuilder;
use super::yaml::text;

/// The names in a document, the name of `ip link`, and the factor from the document's unit, a second for times.
const OPTIONS: [(&[&str], &str, u32); 6] = [
    (&["stp", "bridge_stp"], "stp_state", 1),
    (&["priority", "bridge_bridgeprio"], "priority", 1),
    (&["forward-delay", "bridge_fd"], "forward_delay", 100),
    (&["hello-time", "bridge_hello"], "hello_time", 100),
    (&["max-age", "bridge_maxage"], "max_age", 100),
    (
        &["ageing-time", "aging-time", "bridge_ageing"],
        "ageing_time",
        100,
    ),
];
/// Options that ask for what happens anyway: nothing waits for a bridge.
const WITHOUT_NEED: [&str; 3] = ["bridge_maxwait", "bridge_waitport", "bridge_gcint"];

/// The options of the bridge `name`. Each option that has no effect is named.
pub(super) fn read(
    name: &str,
    options: Option<&Value>,
    builder: &mut NetworkBuilder<'_>,
) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, value) in options.and_then(Value::as_mapping).into_iter().flatten() {
        let Some(key) = text(key) else { continue };
        let key = key.replace("bridge-", "bridge_");
        if WITHOUT_NEED.contains(&key.as_str()) {
            continue;
        }
        let known = OPTIONS
            .iter()
            .find(|(names, ..)| names.contains(&key.as_str()));
        let Some((_, option, factor)) = known else {
            builder.add_problem(format!(
                "{name}: {key}: PaddockOS does not do this; it has no effect"
            ));
            continue;
        };
        match text(value).as_deref().and_then(number) {
            Some(number) => {
                let number = number.saturating_mul(*factor);
                found.push(((*option).to_owned(), number.to_string()));
            }
            None => builder.add_problem(format!("{name}: {key}: expected a number")),
        }
    }
    found
}

/// A number; a flag is 0 or 1.
fn number(text: &str) -> Option<u32> {
    match text {
        "true" | "yes" | "on" => Some(1),
        "false" | "no" | "off" => Some(0),
        _ => text.parse().ok(),
    }
}
