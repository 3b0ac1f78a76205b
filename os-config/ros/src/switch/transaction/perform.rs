//! Performs the steps of a switch, one after another, and announces each in the worker's log.

use std::path::Path;

use anyhow::{Context, Error, Result};
use os_config::{LoadedConfig, Switchable};

use crate::config::Store;
use crate::docker::retire::retire;
use crate::docker::{Client, USER, progress};
use crate::service_engine::marks;
use crate::service_engine::service_container::ServiceContainer;
use crate::switch::containers::{old_name, trial_name, worker_name};
use crate::switch::health::HEALTH_TIMEOUT;
use crate::switch::transaction::cut_point;
use crate::switch::transaction::plan::{Stage, Step};
use crate::switch::{definition_backup, failure, health};
use crate::user_docker::user_containers::{self, RestartSelection};

/// The subject of the steps.
#[derive(Debug)]
pub(super) struct Performer<'a> {
    pub(super) system: &'a Client,
    pub(super) switchable: Switchable,
    /// The name of the console or engine that is switched to; in a recovery, the chosen name.
    pub(super) name: &'a str,
    /// The configuration with that console or engine.
    pub(super) loaded: &'a LoadedConfig,
}

/// The failure of a step, after a number of steps.
#[derive(Debug)]
pub(super) struct FailedStep {
    pub(super) done: usize,
    pub(super) error: Error,
}

impl Performer<'_> {
    /// Performs `steps`, which follow `before` other steps of the stage.
    pub(super) async fn perform_all(
        &self,
        stage: Stage,
        before: usize,
        steps: &[Step],
    ) -> Result<(), FailedStep> {
        cut_point::pass(stage, before);
        for (done, step) in steps.iter().enumerate() {
            println!("ros: switch: {step}");
            if let Err(error) = self.perform(*step).await {
                return Err(FailedStep { done, error });
            }
            cut_point::pass(stage, before + done + 1);
        }
        Ok(())
    }

    async fn perform(&self, step: Step) -> Result<()> {
        let (system, service) = (self.system, self.switchable.service());
        let old = old_name(self.switchable);
        match step {
            Step::StopUserContainers => user_containers::stop(RestartSelection::All).await,
            Step::RemoveOld => system.remove(&old).await?,
            Step::Stop => system.stop(service, None).await?,
            Step::RenameOld => system.rename(service, &old).await?,
            Step::ClearMarks => marks::clear_marks(service),
            Step::Create => self.create().await?,
            Step::Start => system.start(service).await?,
            Step::WaitHealthy => self.wait_healthy().await?,
            Step::SetConfiguration => {
                Store::new(Path::new("/")).set_texts(&[(self.switchable.key(), self.name)])?;
            }
            Step::ClearFailure => self.clear_failure(),
            Step::KeepDefinition => self.keep_definition(),
            Step::StartUserContainers => start_user_containers().await,
            Step::RetireOld => retire(system, &old, service).await?,
            Step::NoteFailure => failure::note(self.switchable, self.name),
            Step::RemoveNew => system.remove(service).await?,
            Step::RenameBack => system.rename(&old, service).await?,
            Step::RemoveTrial => system.remove(&trial_name(self.switchable)).await?,
            Step::RemoveWorker => system.remove(&worker_name(self.switchable)).await?,
        }
        Ok(())
    }

    async fn create(&self) -> Result<()> {
        let name = self.switchable.service();
        let service = self.loaded.config.rancher.services.get(name);
        let service = service.with_context(|| format!("there is no service {name}"))?;
        let container = ServiceContainer {
            engine: self.system,
            name,
            service,
            environment: &self.loaded.config.rancher.environment,
        };
        container.ensure_created(false).await
    }

    async fn wait_healthy(&self) -> Result<()> {
        let config = &self.loaded.config;
        let what = format!(
            "waiting for the {} to answer",
            self.switchable.display_name()
        );
        let answer = health::wait_healthy(self.system, self.switchable, config, false);
        progress::with_progress(&what, answer).await
    }

    /// The console or engine that runs may not be the chosen one, after a switch that leaves the configuration as it is.
    fn clear_failure(&self) {
        // The switch has just written the configuration, and `loaded` names the candidate in any case.
        let config = os_config::load::load(Path::new("/")).config;
        if self.switchable.chosen_name(&config) == self.name {
            failure::clear_after_success(self.switchable);
        }
    }

    /// The command that began the switch may have ended with the console, before it could keep the definition.
    fn keep_definition(&self) {
        let root = Path::new("/");
        definition_backup::keep(&root.join(self.switchable.definition_file(root, self.name)));
    }
}

/// Starts the user's containers again in the engine that runs now.
async fn start_user_containers() {
    if let Ok(engine) = Client::wait_for(USER, HEALTH_TIMEOUT).await {
        user_containers::start_again(&engine).await;
    }
}
