//! Choosing another console or engine: its definition is found, its image pulled and tried, before anything of
//! what runs is touched.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use os_config::compose::services::Service;
use os_config::load::Variant;
use os_config::{Config, Loaded};

use crate::config::Store;
use crate::docker::progress;
use crate::docker::{self, Engine};
use crate::services::container;
use crate::switch::fetched::{self, Fetched};
use crate::switch::{helper, list, swap};
use crate::{service, tool};

/// A program that only has to say its version.
const TRIAL: Duration = Duration::from_secs(60);

/// What somebody wants instead.
#[derive(Debug)]
pub(crate) struct Choice {
    variant: Variant,
    name: String,
    config: Config,
    /// None for the console that is none.
    service: Option<Service>,
    /// Of the OS image: there is nothing to pull.
    is_own: bool,
    fetched: Option<Fetched>,
}

impl Choice {
    /// Finds the definition of `name`; nothing is changed if there is none.
    pub(crate) fn of(variant: Variant, name: &str) -> Result<Self> {
        let root = Path::new("/");
        service::is_there_at_a_boot(name)?;
        let config = os_config::load::load(root).config;
        let mut fetched = None;
        if service::is_address(name) {
            let file = Fetched::over(root.join(variant.definition_file(root, name)));
            service::fetch(root, &config, name, file.file())?;
            fetched = Some(file);
        } else if variant.meant(name, "") == name
            && name != variant.own(&config)
            && !variant.is_none(name)
        {
            service::obtain(root, &config, variant.catalogue(), name)?;
        }
        let choices = BTreeMap::from([(variant, name.to_owned())]);
        let loaded = os_config::load::load_choosing(root, &choices);
        Self::from_loaded(variant, name, loaded, fetched)
    }

    fn from_loaded(
        variant: Variant,
        name: &str,
        loaded: Loaded,
        fetched: Option<Fetched>,
    ) -> Result<Self> {
        let own = variant.own(&loaded.config).to_owned();
        let name = variant.meant(name, &own).to_owned();
        let services = &loaded.config.rancher.services;
        let service = services.get(variant.service()).cloned();
        let found = service
            .as_ref()
            .and_then(|service| service.labels.get(variant.label()));
        if !variant.is_none(&name) && found != Some(&name) {
            let problem = loaded
                .problems
                .iter()
                .find(|problem| problem.key_path == variant.key());
            let said = problem.map(|problem| problem.message.as_str());
            let said = said.unwrap_or("there is no definition of it");
            bail!("{}", said.trim_end_matches("; the image's own is used"));
        }
        Ok(Self {
            variant,
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
            fetched::keep(fetched.file());
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
    pub(crate) async fn prepare(&self, system: &Engine, pull: bool) -> Result<()> {
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
            .with_context(|| format!("{} {} cannot be used", self.variant.word(), self.name))
    }

    /// Starts its programs beside those that run, in a container of their own, only to see that they start.
    async fn try_out(&self, system: &Engine, service: &Service) -> Result<()> {
        // A command of the user's own may do anything when it is started twice.
        let is_ours = service
            .command
            .iter()
            .map(String::as_str)
            .eq(command(self.variant));
        if !is_ours || !service.entrypoint.is_empty() {
            return Ok(());
        }
        let mut trial = service.clone();
        trial.command.push("--trial".to_owned());
        trial.restart = None;
        let name = swap::trial_name(self.variant);
        system.remove(&name).await?;
        let environment = &self.config.rancher.environment;
        let mut body = container::body(&name, &trial, "", environment);
        // It is nobody's service.
        body.labels = None;
        system.create(&name, body).await?;
        let result = async {
            system.start(&name).await?;
            let end = tokio::time::timeout(TRIAL, system.wait_for_end(&name));
            let end = progress::during(&format!("trying {}", service.image), end).await;
            let code = end.context("its trial does not end")??;
            let said = system.printed(&name).await?;
            let why = tool::last_line(said.trim_end());
            ensure!(code == 0, "{}", why.trim_start_matches("ros: "));
            Ok(())
        }
        .await;
        let removed = system.remove(&name).await;
        result.and(removed)
    }
}

/// What the containers of both run, unless a definition says otherwise.
fn command(variant: Variant) -> [&'static str; 2] {
    match variant {
        Variant::Console => ["/usr/bin/ros", "console-init"],
        Variant::Engine => ["/usr/bin/ros", "user-docker"],
    }
}

pub(crate) fn enable(variant: Variant, name: &str) -> Result<ExitCode> {
    let choice = Choice::of(variant, name)?;
    docker::runtime()?.block_on(async {
        let system = Engine::connect(docker::SYSTEM).await?;
        choice
            .prepare(&system.with_logins(&choice.config), true)
            .await
    })?;
    store(&choice)?;
    choice.keep();
    swap::note_failed(variant, None);
    println!("{} {} starts at the next boot", variant.word(), choice.name);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn switch(variant: Variant, name: &str, pull: bool, ask: bool) -> Result<ExitCode> {
    let choice = Choice::of(variant, name)?;
    docker::runtime()?.block_on(async {
        let system = Engine::connect(docker::SYSTEM).await?;
        let system = system.with_logins(&choice.config);
        let containers = system.containers(true).await?;
        let runs = list::running(variant, &containers) == Some(choice.name.as_str());
        // What is at an address or in a file may have changed.
        if runs && !choice.name.contains('/') {
            store(&choice)?;
            swap::settled(variant);
            println!("{} {} runs already", variant.word(), choice.name);
            return Ok(ExitCode::SUCCESS);
        }
        if ask && !is_confirmed(&choice)? {
            println!("nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
        Store::of(Path::new("/")).check()?;
        choice.prepare(&system, pull).await?;
        helper::run_in_one(&system, variant, &choice.name, false).await
    })
}

/// Switches to what the configuration names as soon as its image can be pulled; whether there is nothing left to
/// do about it.
pub(crate) async fn switch_when_pulled(
    system: &Engine,
    variant: Variant,
    name: &str,
) -> Result<()> {
    let chosen = name.to_owned();
    // It asks over the network, and waits for that.
    let choice = tokio::task::spawn_blocking(move || Choice::of(variant, &chosen));
    let choice = choice.await.context("looking for its definition")??;
    // It is what the configuration names, whatever becomes of it now.
    choice.keep();
    let Some(service) = &choice.service else {
        return Ok(());
    };
    system.pull(&service.image).await?;
    let containers = system.containers(true).await?;
    let now = os_config::load::load(Path::new("/")).config;
    let is_current = list::running(variant, &containers) == Some(name);
    if is_current || variant.chosen(&now) != name || swap::has_failed(variant, name) {
        return Ok(());
    }
    let ready = choice.prepare(system, false).await;
    if let Err(error) = ready {
        // Trying again makes it no better.
        swap::note_failed(variant, Some(name));
        host::problems::say(&format!("{error:#}"));
        return Ok(());
    }
    // What went wrong it says itself.
    helper::run_in_one(system, variant, name, true)
        .await
        .map(drop)
}

fn store(choice: &Choice) -> Result<()> {
    Store::of(Path::new("/")).set_texts(&[(choice.variant.key(), &choice.name)])
}

fn is_confirmed(choice: &Choice) -> Result<bool> {
    eprintln!(
        "Switching consoles logs everybody out. What is not below /home, /opt, /etc, /var/lib, /var/log, /mnt or /media is lost with the console."
    );
    if choice.service.is_none() {
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
