//! Stopping many containers at the same time.

use std::time::Instant;

use host::console;
use tokio::task::JoinSet;

use crate::docker::client::Client;

/// Stops containers at the same time. `grace` gives the seconds of a container; `None` is its own grace period.
pub(crate) async fn stop_all(
    engine: &Client,
    names: Vec<String>,
    grace: impl Fn(&str) -> Option<i32>,
) {
    let mut stops = JoinSet::new();
    for name in names {
        let (engine, seconds) = (engine.clone(), grace(&name));
        stops.spawn(async move {
            let began = Instant::now();
            let result = engine.stop(&name, seconds).await;
            println!(
                "{name} stopped after {:.2} s",
                began.elapsed().as_secs_f64()
            );
            if let Err(error) = result {
                console::print_line(&format!("ros: {error:#}"));
            }
        });
    }
    while stops.join_next().await.is_some() {}
}
