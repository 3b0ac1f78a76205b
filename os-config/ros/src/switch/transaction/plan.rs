//! The steps of a switch, of its undoing, and of the recovery from a cut-off switch. Pure: facts in, steps out.
//!
//! The old container is renamed, the new container is created, started and asked; if it does not answer, the old
//! container comes back. The configuration is changed last, so that a machine whose power is cut in between comes up
//! with its former console or engine.

use std::fmt;

use os_config::Switchable;

/// A step. The container of the service is the new container after [`Step::Create`], and the old container before
/// [`Step::RenameOld`] and after [`Step::RenameBack`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    StopUserContainers,
    /// An old container of a former switch.
    RemoveOld,
    Stop,
    RenameOld,
    /// The service's marks of this boot: it has not ended, and no operator stopped it.
    ClearMarks,
    Create,
    Start,
    WaitHealthy,
    SetConfiguration,
    ClearFailure,
    KeepDefinition,
    StartUserContainers,
    RetireOld,
    NoteFailure,
    RemoveNew,
    RenameBack,
    RemoveTrial,
    RemoveWorker,
}

/// A list of steps that are performed one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Replace,
    Undo,
    Recover,
}

/// The properties of a switch and of the machine before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SwitchFacts {
    pub(super) switchable: Switchable,
    /// There is a container of the console or engine.
    pub(super) has_container: bool,
    /// The console or engine that runs has the wanted name: its definition may have changed.
    pub(super) is_same: bool,
    /// There is a console or engine of the wanted name; for the console `none` there is none.
    pub(super) has_service: bool,
    /// The configuration stays as it is.
    pub(super) for_now: bool,
}

/// The steps of a switch. A step that fails before the commit leads to [`undo`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SwitchPlan {
    pub(super) to_commit: Vec<Step>,
    pub(super) after_commit: Vec<Step>,
}

/// Plans a switch.
pub(super) fn replace(facts: SwitchFacts) -> SwitchPlan {
    let is_engine = facts.switchable == Switchable::Engine;
    let mut to_commit = Vec::new();
    if facts.has_container {
        // The engine's own shutdown leaves each user container a few seconds only.
        to_commit.extend(is_engine.then_some(Step::StopUserContainers));
        to_commit.extend([Step::RemoveOld, Step::Stop, Step::RenameOld]);
    }
    if facts.has_service {
        to_commit.extend([
            Step::ClearMarks,
            Step::Create,
            Step::Start,
            Step::WaitHealthy,
        ]);
    }
    to_commit.extend((!facts.for_now).then_some(Step::SetConfiguration));
    let mut after_commit = vec![Step::ClearFailure, Step::KeepDefinition];
    after_commit.extend(is_engine.then_some(Step::StartUserContainers));
    // After a switch that leaves the configuration as it is, a console may hold what its user installed.
    after_commit.push(match facts.for_now && !is_engine {
        true => Step::RetireOld,
        false => Step::RemoveOld,
    });
    SwitchPlan {
        to_commit,
        after_commit,
    }
}

/// Plans the way back, after the steps `done` and the failure of the step `failed`.
pub(super) fn undo(facts: SwitchFacts, done: &[Step], failed: Step) -> Vec<Step> {
    let is_engine = facts.switchable == Switchable::Engine;
    let mut steps = Vec::new();
    let is_candidates = matches!(failed, Step::Create | Step::Start | Step::WaitHealthy);
    // A failed restart of the same console or engine says nothing about it: it has answered before.
    steps.extend((is_candidates && !facts.is_same).then_some(Step::NoteFailure));
    let is_renamed = done.contains(&Step::RenameOld);
    steps.extend((is_renamed || !facts.has_container).then_some(Step::RemoveNew));
    steps.extend(is_renamed.then_some(Step::RenameBack));
    if facts.has_container {
        steps.extend([Step::ClearMarks, Step::Start]);
        steps.extend(is_engine.then_some(Step::StartUserContainers));
    }
    steps
}

/// A container that a cut-off switch left.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundContainer {
    /// It is the console or engine that the configuration chooses.
    pub(super) is_chosen: bool,
    pub(super) is_running: bool,
}

/// The properties of a cut-off switch.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecoveryFacts {
    pub(super) switchable: Switchable,
    /// The container of the console or engine.
    pub(super) container: Option<FoundContainer>,
    /// The container that the switch renamed.
    pub(super) old: Option<FoundContainer>,
    pub(super) has_trial: bool,
    pub(super) has_worker: bool,
    /// The configuration wants no console.
    pub(super) wants_none: bool,
}

/// Plans the recovery from a cut-off switch. The worker's container is removed last: it says that there was a switch,
/// for a recovery that is cut off too.
pub(super) fn recover(facts: RecoveryFacts) -> Vec<Step> {
    let is_engine = facts.switchable == Switchable::Engine;
    let is_chosen = |found: Option<FoundContainer>| found.is_some_and(|found| found.is_chosen);
    let is_committed = match facts.container {
        None => facts.wants_none,
        Some(_) => is_chosen(facts.container) && !is_chosen(facts.old),
    };
    let mut steps = Vec::new();
    let is_down = facts.container.is_some_and(|found| !found.is_running);
    match facts.old {
        Some(_) if is_committed => {
            if is_down {
                steps.extend([Step::ClearMarks, Step::Start]);
            }
            steps.extend([Step::ClearFailure, Step::KeepDefinition]);
            steps.extend(is_engine.then_some(Step::StartUserContainers));
            steps.push(Step::RemoveOld);
        }
        Some(_) => {
            steps.extend(facts.container.is_some().then_some(Step::RemoveNew));
            steps.extend([Step::RenameBack, Step::ClearMarks, Step::Start]);
            steps.extend(is_engine.then_some(Step::StartUserContainers));
        }
        // The switch was cut off before the container was renamed, or after it was renamed back.
        None if facts.has_worker && facts.container.is_some() => {
            if is_down {
                steps.extend([Step::ClearMarks, Step::Start]);
            }
            steps.extend(is_engine.then_some(Step::StartUserContainers));
        }
        None => {}
    }
    steps.extend(facts.has_trial.then_some(Step::RemoveTrial));
    steps.extend(facts.has_worker.then_some(Step::RemoveWorker));
    steps
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StopUserContainers => "stop the user's containers",
            Self::RemoveOld => "remove the old container",
            Self::Stop => "stop the container",
            Self::RenameOld => "rename the container to .old",
            Self::ClearMarks => "clear the marks of the service",
            Self::Create => "create the new container",
            Self::Start => "start the container",
            Self::WaitHealthy => "wait for its answer",
            Self::SetConfiguration => "write the configuration",
            Self::ClearFailure => "clear the note of a failure",
            Self::KeepDefinition => "keep the new definition",
            Self::StartUserContainers => "start the user's containers",
            Self::RetireOld => "retire the old container",
            Self::NoteFailure => "note the failure",
            Self::RemoveNew => "remove the new container",
            Self::RenameBack => "rename the old container back",
            Self::RemoveTrial => "remove the trial's container",
            Self::RemoveWorker => "remove the worker's container",
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replace => "replace",
            Self::Undo => "undo",
            Self::Recover => "recover",
        })
    }
}

#[cfg(test)]
mod tests {
    use os_config::Switchable::{Console, Engine};

    use super::Step::{
        ClearFailure, ClearMarks, Create, KeepDefinition, NoteFailure, RemoveNew, RemoveOld,
        RemoveTrial, RemoveWorker, RenameBack, RenameOld, RetireOld, SetConfiguration, Start,
        StartUserContainers, Stop, StopUserContainers, WaitHealthy,
    };
    use super::{FoundContainer, RecoveryFacts, SwitchFacts, recover, replace, undo};

    const FACTS: SwitchFacts = SwitchFacts {
        switchable: Console,
        has_container: true,
        is_same: false,
        has_service: true,
        for_now: false,
    };

    #[test]
    fn switches() {
        let renamed = [RemoveOld, Stop, RenameOld];
        let new = [ClearMarks, Create, Start, WaitHealthy];
        let engine = SwitchFacts {
            switchable: Engine,
            ..FACTS
        };
        let for_now = true;
        for (name, facts, to_commit, after_commit) in [
            (
                "console",
                FACTS,
                [&renamed[..], &new, &[SetConfiguration]].concat(),
                vec![ClearFailure, KeepDefinition, RemoveOld],
            ),
            (
                "console for now",
                SwitchFacts { for_now, ..FACTS },
                [&renamed[..], &new].concat(),
                vec![ClearFailure, KeepDefinition, RetireOld],
            ),
            (
                "no console any more",
                SwitchFacts {
                    has_service: false,
                    ..FACTS
                },
                [&renamed[..], &[SetConfiguration]].concat(),
                vec![ClearFailure, KeepDefinition, RemoveOld],
            ),
            (
                "a console where none is",
                SwitchFacts {
                    has_container: false,
                    ..FACTS
                },
                [&new[..], &[SetConfiguration]].concat(),
                vec![ClearFailure, KeepDefinition, RemoveOld],
            ),
            (
                "engine",
                engine,
                [
                    &[StopUserContainers][..],
                    &renamed,
                    &new,
                    &[SetConfiguration],
                ]
                .concat(),
                vec![ClearFailure, KeepDefinition, StartUserContainers, RemoveOld],
            ),
            (
                "engine for now",
                SwitchFacts { for_now, ..engine },
                [&[StopUserContainers][..], &renamed, &new].concat(),
                vec![ClearFailure, KeepDefinition, StartUserContainers, RemoveOld],
            ),
        ] {
            let plan = replace(facts);
            assert_eq!(plan.to_commit, to_commit, "{name}");
            assert_eq!(plan.after_commit, after_commit, "{name}");
        }
    }

    #[test]
    fn ways_back() {
        let engine = SwitchFacts {
            switchable: Engine,
            ..FACTS
        };
        let same = SwitchFacts {
            is_same: true,
            ..FACTS
        };
        let first = SwitchFacts {
            has_container: false,
            ..FACTS
        };
        let back = [RemoveNew, RenameBack, ClearMarks, Start];
        let noted = [&[NoteFailure][..], &back].concat();
        for (name, facts, failed, expected) in [
            ("it does not answer", FACTS, WaitHealthy, noted.clone()),
            ("it cannot be created", FACTS, Create, noted),
            ("a restart", same, WaitHealthy, back.to_vec()),
            ("nothing is written", FACTS, SetConfiguration, back.to_vec()),
            ("no name is free", FACTS, RenameOld, vec![ClearMarks, Start]),
            ("it does not stop", FACTS, Stop, vec![ClearMarks, Start]),
            ("no old one", first, Start, vec![NoteFailure, RemoveNew]),
            (
                "engine",
                engine,
                Start,
                [&[NoteFailure][..], &back, &[StartUserContainers]].concat(),
            ),
        ] {
            let plan = replace(facts).to_commit;
            let done = plan.split(|step| *step == failed).next();
            assert_eq!(undo(facts, done.unwrap(), failed), expected, "{name}");
        }
    }

    #[test]
    fn recoveries() {
        let found = |is_chosen, is_running| {
            Some(FoundContainer {
                is_chosen,
                is_running,
            })
        };
        let facts = RecoveryFacts {
            switchable: Console,
            container: found(true, true),
            old: None,
            has_trial: false,
            has_worker: false,
            wants_none: false,
        };
        let engine = RecoveryFacts {
            switchable: Engine,
            has_worker: true,
            ..facts
        };
        let end = vec![ClearFailure, KeepDefinition];
        for (name, facts, expected) in [
            ("no switch", facts, vec![]),
            (
                "trial",
                RecoveryFacts {
                    has_trial: true,
                    ..facts
                },
                vec![RemoveTrial],
            ),
            (
                "cut after the stop",
                RecoveryFacts {
                    container: found(true, false),
                    has_worker: true,
                    ..facts
                },
                vec![ClearMarks, Start, RemoveWorker],
            ),
            (
                "cut after the renaming",
                RecoveryFacts {
                    container: None,
                    old: found(true, false),
                    ..facts
                },
                vec![RenameBack, ClearMarks, Start],
            ),
            (
                "cut before the configuration was written",
                RecoveryFacts {
                    container: found(false, true),
                    old: found(true, false),
                    has_worker: true,
                    ..facts
                },
                vec![RemoveNew, RenameBack, ClearMarks, Start, RemoveWorker],
            ),
            (
                "cut after it",
                RecoveryFacts {
                    old: found(false, false),
                    ..facts
                },
                [&end[..], &[RemoveOld]].concat(),
            ),
            (
                "cut after it, and the power too",
                RecoveryFacts {
                    container: found(true, false),
                    old: found(false, false),
                    ..facts
                },
                [&[ClearMarks, Start][..], &end, &[RemoveOld]].concat(),
            ),
            (
                "a new definition of the same name is not known to answer",
                RecoveryFacts {
                    old: found(true, false),
                    ..facts
                },
                vec![RemoveNew, RenameBack, ClearMarks, Start],
            ),
            (
                "no console any more, cut after the configuration was written",
                RecoveryFacts {
                    container: None,
                    old: found(false, false),
                    wants_none: true,
                    ..facts
                },
                [&end[..], &[RemoveOld]].concat(),
            ),
            (
                "no console any more, cut before it",
                RecoveryFacts {
                    container: None,
                    old: found(true, false),
                    ..facts
                },
                vec![RenameBack, ClearMarks, Start],
            ),
            (
                "engine, cut after the user's containers were stopped",
                engine,
                vec![StartUserContainers, RemoveWorker],
            ),
            (
                "engine, cut after the configuration was written",
                RecoveryFacts {
                    old: found(false, false),
                    ..engine
                },
                [&end[..], &[StartUserContainers, RemoveOld, RemoveWorker]].concat(),
            ),
        ] {
            assert_eq!(recover(facts), expected, "{name}");
        }
    }
}
