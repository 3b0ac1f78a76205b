//! The user's part of a boot: User Docker, the containers of before, the user's services, and the line that the machine
//! is up.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use host::paths::{FIRST_BOOT_DONE, RESCUE_REBOOTS, UP};
use host::problems::{self, ProblemRecord};
use host::{console, timeline};
use os_config::compose::service::Scope;
use os_config::{LoadedConfig, Switchable, atomic_file};

use crate::docker::preload::{self, TargetEngine};
use crate::service_engine::bring_up::{self, USER_DOCKER};
use crate::service_engine::scope::services_of;
use crate::service_engine::slot_count;
use crate::user_docker::{notices, user_containers};

use super::retries::retry_failed;
use super::waits::{wait_for_commands, wait_for_user_docker};

pub(super) async fn mark_user_docker() {
    if wait_for_user_docker().await.is_ok() {
        timeline::record("User Docker", None);
    }
}

/// Waits for User Docker, brings the user's services up and prints that the machine is up.
pub(super) async fn run(mut loaded: LoadedConfig, changed: bool) -> Result<()> {
    if loaded.config.rancher.services.contains_key(USER_DOCKER) {
        let engine = wait_for_user_docker()
            .await
            .context("User Docker does not answer (see /var/log/docker.log)")?
            .with_logins(&loaded.config);
        notices::report();
        user_containers::start_again(&engine).await;
        preload::load_and_report(TargetEngine::User, &loaded.config.rancher.preload_images).await;
        if let Err(error) = bring_up::remove_surplus(&engine, &loaded).await {
            let text = format!("{error:#}");
            problems::report(&ProblemRecord::error(
                "service.surplus",
                "ros sysinit",
                text,
            ));
        }
        let services = services_of(&loaded, Scope::User);
        if !services.is_empty() {
            let console = Switchable::Console.service();
            if loaded.config.rancher.services.contains_key(console) {
                wait_for_commands().await;
            }
            let outcome =
                bring_up::start_scope(&engine, Scope::User, &mut loaded, |_| BTreeSet::new()).await;
            for problem in &outcome.problems {
                problems::report(problem);
            }
            tokio::spawn(retry_failed(engine.clone(), Scope::User, outcome.failed));
        }
    }
    if changed {
        timeline::record("up", None);
        problems::flush_pending();
        console::print_line(&format!("ros: up in {:.1} s", timeline::uptime_secs()));
        if let Some(text) = &loaded.config.final_message {
            console::print_line(&final_message(text));
        }
        let _ = std::fs::remove_file(RESCUE_REBOOTS);
        mark_first_boot();
        std::fs::write(UP, "").with_context(|| format!("writing {UP}"))?;
        tokio::task::spawn_blocking(slot_count::give_back);
    }
    Ok(())
}

fn mark_first_boot() {
    let mark = Path::new(FIRST_BOOT_DONE);
    if !mark.exists()
        && let Err(error) = atomic_file::replace(mark, b"", 0o644)
    {
        eprintln!("ros sysinit: writing {FIRST_BOOT_DONE}: {error}");
    }
}

/// cloud-init's variables in `final_message`.
fn final_message(text: &str) -> String {
    text.replace("$UPTIME", &format!("{:.2}", timeline::uptime_secs()))
        .replace("$uptime", &format!("{:.2}", timeline::uptime_secs()))
        .replace("$VERSION", env!("CARGO_PKG_VERSION"))
        .replace("$version", env!("CARGO_PKG_VERSION"))
        .trim_end()
        .replace('\n', "\r\n")
}
