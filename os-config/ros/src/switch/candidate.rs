//! Choosing another console or engine: its definition is found, its image pulled and tried, before anything of
//! what runs is touched.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use os_config::Switchable;
use os_config::compose::service::Service;
use os_config::{Config, Loaded};

use crate::config::Store;
use crate::docker::progress;
use crate::docker::{self, Client};
use crate::services::container;
use crate::switch::definition_backup::{self, DefinitionBackup};
use crate::switch::{list, transaction, worker};
use crate::{service, subprocess};

/// A program that only has to say its version.
const TRIAL: Duration = Duration::from_secs(60);

/// What somebody wants instead.
#[derive(Debug)]
pub(crate) struct Candidate {
    switchable: Switchable,
    name: String,
    config: Config,
    /// None for the console that is none.
    service: Option<Service>,
    /// Of the OS image: there is nothing to pull.
    is_own: bool,
    fetched: Option<DefinitionBackup>,
}

impl Candidate {
    /// Finds the definition of `name`; nothing is changed if there is none.
    pub(crate) fn of(switchable: Switchable, name: &str) -> Result<Self> {
        let root = Path::new("/");
        service::ensure_persistent(name)?;
        let config = os_config::load::load(root).config;
        let mut fetched = None;
        if service::is_address(name) {
            let file = DefinitionBackup::begin(root.join(switchable.definition_file(root, name)));
            service::fetch(root, &config, name, file.file())?;
            fetched = Some(file);
        } else if switchable.canonical_name(name, "") == name
            && name != switchable.default_name(&config)
            && !switchable.is_none(name)
        {
            service::fetch_from_repositories(root, &config, switchable.catalogue(), name)?;
        }
        let choices = BTreeMap::from([(switchable, name.to_owned())]);
        let loaded = os_config::load::load_choosing(root, &choices);
        Self::from_loaded(switchable, name, loaded, fetched)
    }

    fn from_loaded(
        switchable: Switchable,
        name: &str,
        loaded: Loaded,
        fetched: Option<DefinitionBackup>,
    ) -> Result<Self> {
        let own = switchable.default_name(&loaded.config).to_owned();
        let name = switchable.canonical_name(name, &own).to_owned();
        let services = &loaded.config.rancher.services;
        let service = services.get(switchable.service()).cloned();
        let found = service
            .as_ref()
            .and_then(|service| service.labels.get(switchable.label()));
        if !switchable.is_none(&name) && found != Some(&name) {
            let problem = loaded
                .problems
                .iter()
                .find(|problem| problem.key_path == switchable.key());
            let said = problem.map(|problem| problem.message.as_str());
            let said = said.unwrap_or("there is no definition of it");
            bail!("{}", said.trim_end_matches("; the image's own is used"));
        }
        Ok(Self {
            switchable,
            is_own: name == own,
            name,
            config: loaded.config,
            service,
            fetched,
        })
    }

    /// It is chosen: its definition stays.
    fn keep(&self) {
        if let Some(fetched) = &self.fetched {
            definition_backup::keep(fetched.file());
        }
    }

    /// The configuration with it.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The name of its image.
    pub(crate) fn image(&self) -> Option<&str> {
        self.service.as_ref().map(|service| service.image.as_str())
    }

    /// Pulls its image, if `pull`, and tries it.
    pub(crate) async fn prepare(&self, system: &Client, pull: bool) -> Result<()> {
        let Some(service) = &self.service else {
            return Ok(());
        };
        let image = &service.image;
        if pull
            && !self.is_own
            && let Err(error) = system.pull(image).await
        {
            // One that was loaded from an archive is in no registry.
            if system.image_id(image).await?.is_none() {
                return Err(error);
            }
            eprintln!("ros: {error:#}\nros: the image that is here is used");
        }
        ensure!(
            system.image_id(image).await?.is_some(),
            "image {image} is not here\nhint: {}",
            match docker::is_nowhere(image) {
                true => docker::HOW_TO_GET,
                false => "leave out --no-pull",
            }
        );
        self.try_out(system, service)
            .await
            .with_context(|| format!("{} {} cannot be used", self.switchable.word(), self.name))
    }

    /// Starts its programs beside those that run, in a container of their own, only to see that they start.
    async fn try_out(&self, system: &Client, service: &Service) -> Result<()> {
        // A command of the user's own may do anything when it is started twice.
        let is_ours = service
            .command
            .iter()
            .map(String::as_str)
            .eq(command(self.switchable));
        if !is_ours || !service.entrypoint.is_empty() {
            return Ok(());
        }
        let mut trial = service.clone();
        trial.command.push("--trial".to_owned());
        trial.restart = None;
        let name = transaction::trial_name(self.switchable);
        system.remove(&name).await?;
        let environment = &self.config.rancher.environment;
        let mut body = container::body(&name, &trial, "", environment);
        // It is nobody's service.
        body.labels = None;
        system.create(&name, body).await?;
        let result = async {
            system.start(&name).await?;
            let end = tokio::time::timeout(TRIAL, system.wait_for_end(&name));
            let end = progress::with_progress(&format!("trying {}", service.image), end).await;
            let code = end.context("its trial does not end")??;
            let said = system.printed(&name).await?;
            let why = subprocess::last_line(said.trim_end());
            ensure!(code == 0, "{}", why.trim_start_matches("ros: "));
            Ok(())
        }
        .await;
        let removed = system.remove(&name).await;
        result.and(removed)
    }
}

/// What the containers of both run, unless a definition says otherwise.
fn command(switchable: Switchable) -> [&'static str; 2] {
    match switchable {
        Switchable::Console => ["/usr/bin/ros", "console-init"],
        Switchable::Engine => ["/usr/bin/ros", "user-docker"],
    }
}

pub(crate) fn enable(switchable: Switchable, name: &str) -> Result<ExitCode> {
    let candidate = Candidate::of(switchable, name)?;
    docker::runtime()?.block_on(async {
        let system = Client::connect(docker::SYSTEM).await?;
        candidate
            .prepare(&system.with_logins(&candidate.config), true)
            .await
    })?;
    store(&candidate)?;
    candidate.keep();
    transaction::note_failed(switchable, None);
    println!(
        "{} {} starts at the next boot",
        switchable.word(),
        candidate.name
    );
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn switch(
    switchable: Switchable,
    name: &str,
    pull: bool,
    ask: bool,
) -> Result<ExitCode> {
    let candidate = Candidate::of(switchable, name)?;
    docker::runtime()?.block_on(async {
        let system = Client::connect(docker::SYSTEM).await?;
        let system = system.with_logins(&candidate.config);
        let containers = system.containers(true).await?;
        let runs = list::running(switchable, &containers) == Some(candidate.name.as_str());
        // What is at an address or in a file may have changed.
        if runs && !candidate.name.contains('/') {
            store(&candidate)?;
            transaction::mark_settled(switchable);
            println!("{} {} runs already", switchable.word(), candidate.name);
            return Ok(ExitCode::SUCCESS);
        }
        if ask && !is_confirmed(&candidate)? {
            println!("nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
        Store::new(Path::new("/")).check()?;
        candidate.prepare(&system, pull).await?;
        worker::run_in_one(&system, switchable, &candidate.name, false).await
    })
}

/// Switches to what the configuration names as soon as its image can be pulled; whether there is nothing left to
/// do about it.
pub(crate) async fn switch_when_pulled(
    system: &Client,
    switchable: Switchable,
    name: &str,
) -> Result<()> {
    let chosen = name.to_owned();
    // It asks over the network, and waits for that.
    let candidate = tokio::task::spawn_blocking(move || Candidate::of(switchable, &chosen));
    let candidate = candidate.await.context("looking for its definition")??;
    // It is what the configuration names, whatever becomes of it now.
    candidate.keep();
    let Some(service) = &candidate.service else {
        return Ok(());
    };
    system.pull(&service.image).await?;
    let containers = system.containers(true).await?;
    let now = os_config::load::load(Path::new("/")).config;
    let is_current = list::running(switchable, &containers) == Some(name);
    if is_current || switchable.chosen(&now) != name || transaction::has_failed(switchable, name) {
        return Ok(());
    }
    let ready = candidate.prepare(system, false).await;
    if let Err(error) = ready {
        // Trying again makes it no better.
        transaction::note_failed(switchable, Some(name));
        host::problems::report(&format!("{error:#}"));
        return Ok(());
    }
    // What went wrong it says itself.
    worker::run_in_one(system, switchable, name, true)
        .await
        .map(drop)
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
    goes_on()
}

/// Only an answer that begins with y goes on, as in RancherOS.
pub(crate) fn goes_on() -> Result<bool> {
    eprint!("Continue [y/N]: ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("reading the answer")?;
    Ok(answer.trim_start().starts_with(['y', 'Y']))
}
