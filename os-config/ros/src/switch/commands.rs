//! `ros console` and `ros engine`: `enable` and `switch`.
//!
//! A switch goes one way: candidate, trial, worker. The worker is a second process: it runs the transaction with the
//! old container, the new container and the health check. Every step calls `docker`; `service` finds the definition.
//!
//! The trial and the worker take the body of their containers from `service_engine`; the worker also takes the
//! effective configuration and the new container from there. `user_docker` stops the user's containers before the engine
//! and starts them after it. The configuration is checked before the switch begins, because a switch that cannot be
//! stored must not begin, and written last.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::config::Store;
use crate::docker::{self, Client};
use crate::switch::candidate::Candidate;
use crate::switch::containers::running_name;
use crate::switch::{failure, trial, worker};

pub(super) fn enable(candidate: &Candidate) -> Result<ExitCode> {
    let switchable = candidate.switchable;
    docker::runtime()?.block_on(async {
        let system = Client::connect(docker::SYSTEM).await?;
        trial::prepare(candidate, &system.with_logins(candidate.config()), true).await
    })?;
    store(candidate)?;
    candidate.keep_definition();
    failure::clear(switchable);
    println!(
        "{} {} starts at the next boot",
        switchable.display_name(),
        candidate.name
    );
    Ok(ExitCode::SUCCESS)
}

pub(super) fn switch(candidate: &Candidate, pull: bool, ask: bool) -> Result<ExitCode> {
    let switchable = candidate.switchable;
    docker::runtime()?.block_on(async {
        let system = Client::connect(docker::SYSTEM).await?;
        let system = system.with_logins(candidate.config());
        let containers = system.containers(true).await?;
        let runs = running_name(switchable, &containers) == Some(candidate.name.as_str());
        // The definition at an address or in a file may have changed.
        if runs && !candidate.name.contains('/') {
            store(candidate)?;
            failure::clear_after_success(switchable);
            println!(
                "{} {} runs already",
                switchable.display_name(),
                candidate.name
            );
            return Ok(ExitCode::SUCCESS);
        }
        if ask && !is_confirmed(candidate)? {
            println!("nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
        Store::new(Path::new("/")).check()?;
        trial::prepare(candidate, &system, pull).await?;
        worker::run_in_container(&system, switchable, &candidate.name, false).await
    })
}

fn store(candidate: &Candidate) -> Result<()> {
    Store::new(Path::new("/")).set_texts(&[(candidate.switchable.key(), &candidate.name)])
}

fn is_confirmed(candidate: &Candidate) -> Result<bool> {
    eprintln!(
        "Switching consoles logs everybody out. What is not below /home, /opt, /etc, /var/lib, /var/log, /mnt or /media is lost with the console."
    );
    if candidate.service.is_none() {
        eprintln!(
            "Without a console nobody can log in; `rancher.console=default` on the kernel line brings it back."
        );
    }
    crate::output::confirm()
}
