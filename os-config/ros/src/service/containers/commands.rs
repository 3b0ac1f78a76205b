//! The actions of `ros service` on containers, each in the engine of its service's scope.

use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use os_config::Config;

use crate::docker::container_lock::ContainerLock;
use crate::docker::{build, progress};
use crate::service::arguments::{ContainerAction, RecreateOptions};
use crate::service::containers::logs::{self, Lines};
use crate::service::containers::target::{Engines, Target, for_each};
use crate::service::containers::{create, ps, pull};

pub(in crate::service) async fn run(config: Config, action: &ContainerAction) -> Result<ExitCode> {
    let engines = &Engines::connect(config).await;
    match action {
        ContainerAction::Up {
            names,
            options,
            foreground,
        } => up(engines, &names.names, *options, *foreground).await?,
        ContainerAction::Build {
            names,
            no_cache,
            force_rm,
            pull,
        } => {
            let options = build::Options {
                no_cache: *no_cache,
                force_rm: *force_rm,
                pull: *pull,
            };
            build(engines, &names.names, options).await?;
        }
        ContainerAction::Create { names, options } => {
            create(engines, &names.names, *options).await?;
        }
        ContainerAction::Start { names, foreground } => {
            start(engines, &names.names, *foreground).await?;
        }
        ContainerAction::Stop { names, timeout } => stop(engines, &names.names, *timeout).await?,
        ContainerAction::Down { names, timeout } => {
            stop(engines, &names.names, *timeout).await?;
            let targets = engines.targets(&names.names)?;
            let remove = async |target: &Target| {
                let _lock = lock_for_change(target).await?;
                target.engine.remove(target.container()).await
            };
            for_each(&targets, remove).await?;
        }
        ContainerAction::Restart { names, timeout } => {
            restart(engines, &names.names, *timeout).await?;
        }
        ContainerAction::Kill { names, signal } => {
            let targets = engines.targets(&names.names)?;
            let kill = async |target: &Target| target.engine.kill(target.container(), signal).await;
            for_each(&targets, kill).await?;
        }
        ContainerAction::Rm {
            names,
            force,
            volumes,
        } => {
            let remove = async |target: &Target| remove(target, *force, *volumes).await;
            for_each(&engines.targets(&names.names)?, remove).await?;
        }
        ContainerAction::Pull {
            names,
            ignore_pull_failures,
        } => return pull::pull(engines, &names.names, *ignore_pull_failures).await,
        ContainerAction::Ps {
            names,
            quiet,
            format,
        } => return ps::list(engines, names, *quiet, *format).await,
        ContainerAction::Logs {
            names,
            follow,
            tail,
        } => logs::print(&engines.targets(&names.names)?, Lines::Last(tail), *follow).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn up(
    engines: &Engines,
    names: &[String],
    options: RecreateOptions,
    foreground: bool,
) -> Result<()> {
    let targets = engines.targets_to_create(names, options).await?;
    let environment = &engines.config.rancher.environment;
    let began = SystemTime::now();
    for_each(&targets, async |target| {
        create::up(target, environment, options).await
    })
    .await?;
    if foreground {
        logs::print(&targets, Lines::Since(began), true).await?;
    }
    Ok(())
}

async fn build(engines: &Engines, names: &[String], options: build::Options) -> Result<()> {
    for_each(&engines.targets(names)?, async |target| {
        let how = target.service.build.as_ref();
        let how = how.context("its definition has no `build`: its image is pulled")?;
        build::image(&target.engine, &target.service.image, how, options).await
    })
    .await
}

async fn create(engines: &Engines, names: &[String], options: RecreateOptions) -> Result<()> {
    let targets = engines.targets_to_create(names, options).await?;
    let environment = &engines.config.rancher.environment;
    for_each(&targets, async |target| {
        create::create(target, environment, options).await
    })
    .await
}

async fn start(engines: &Engines, names: &[String], foreground: bool) -> Result<()> {
    let targets = engines.targets(names)?;
    let began = SystemTime::now();
    for_each(&targets, async |target| {
        let _lock = lock_for_change(target).await?;
        target.engine.start(target.container()).await
    })
    .await?;
    if foreground {
        logs::print(&targets, Lines::Since(began), true).await?;
    }
    Ok(())
}

/// Stops services, dependants before the services that they need.
async fn stop(engines: &Engines, names: &[String], timeout_secs: i32) -> Result<()> {
    let mut targets = engines.targets(names)?;
    targets.reverse();
    for_each(&targets, async |target| {
        let _lock = lock_for_change(target).await?;
        let work = target.engine.stop(target.container(), Some(timeout_secs));
        progress::with_progress(&format!("stopping {}", target.name), work).await
    })
    .await
}

async fn restart(engines: &Engines, names: &[String], timeout_secs: i32) -> Result<()> {
    for_each(&engines.targets(names)?, async |target| {
        let _lock = lock_for_change(target).await?;
        let work = target.engine.restart(target.container(), timeout_secs);
        progress::with_progress(&format!("restarting {}", target.name), work).await
    })
    .await
}

/// Waits until nobody else works on the container, and notes the change.
async fn lock_for_change(target: &Target) -> Result<ContainerLock> {
    let mut lock = ContainerLock::wait(&target.engine, target.container()).await?;
    lock.note_change()?;
    Ok(lock)
}

async fn remove(target: &Target, force: bool, volumes: bool) -> Result<()> {
    let container = target.container();
    let _lock = lock_for_change(target).await?;
    let found = target.engine.container(container).await?;
    if found.is_some_and(|found| found.running) && !force {
        bail!("{container} runs\nhint: stop it first, or rm --force");
    }
    target.engine.remove_with(container, volumes).await
}
