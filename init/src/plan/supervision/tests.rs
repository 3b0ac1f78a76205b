//! Tests of the supervisor's decisions, by tables and on a simulated machine.

use std::time::{Duration, Instant};

use super::{Action, Daemon, Event, ShutdownSignal, Supervision};
use crate::plan::engine_health::{Answers, Remedy};
use crate::plan::shutdown::Stage;
use host::control::{Power, Request};

const GRACE: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(60);

/// The parts of a simulated machine that do not end when they are asked to.
#[derive(Clone, Copy, Debug, Default)]
struct Hanging {
    sysinit: bool,
    stopper: bool,
    dockerd: bool,
    containerd: bool,
    strays: bool,
}

impl Hanging {
    /// Every combination.
    fn all() -> impl Iterator<Item = Self> {
        (0..32_u8).map(|bits| Self {
            sysinit: bits & 1 != 0,
            stopper: bits & 2 != 0,
            dockerd: bits & 4 != 0,
            containerd: bits & 8 != 0,
            strays: bits & 16 != 0,
        })
    }

    fn has(self, daemon: Daemon) -> bool {
        match daemon {
            Daemon::Sysinit => self.sysinit,
            Daemon::Dockerd => self.dockerd,
            Daemon::Containerd => self.containerd,
        }
    }
}

/// A machine below the supervisor. Its clock moves to the next event or to the time for which the supervisor asks.
#[derive(Debug)]
struct Simulation {
    state: Supervision,
    began: Instant,
    now: Instant,
    hanging: Hanging,
    limit: Duration,
    can_start: bool,
    /// The daemons that do not answer.
    silent: Vec<Daemon>,
    /// The daemons that end as soon as they are started.
    dying: Vec<Daemon>,
    has_hanging_probes: bool,
    /// The last sign of life of `ros sysinit`.
    beat: Duration,
    /// The remedy that helps a System Docker that does not start; the remedies before it fail.
    cure: Option<Remedy>,
    failing_remedies: Vec<Remedy>,
    coming: Vec<(Instant, Event)>,
    taken: Vec<(Duration, Action)>,
}

impl Simulation {
    fn new(hanging: Hanging, limit: Duration) -> Self {
        let now = Instant::now();
        Self {
            state: Supervision::new(now),
            began: now,
            now,
            hanging,
            limit,
            can_start: true,
            silent: Vec::new(),
            has_hanging_probes: false,
            beat: Duration::ZERO,
            dying: Vec::new(),
            cure: None,
            failing_remedies: Vec::new(),
            coming: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// A machine that has started its daemons.
    fn booted() -> Self {
        let mut machine = Self::new(Hanging::default(), LIMIT);
        machine.pass(Duration::ZERO);
        machine.taken.clear();
        machine
    }

    fn handle(&mut self, event: Event) {
        let (state, actions) = self.state.next(event, self.now);
        self.state = state;
        for action in actions {
            self.taken.push((self.now - self.began, action.clone()));
            self.take(action);
        }
    }

    fn take(&mut self, action: Action) {
        match action {
            Action::Start(daemon) if self.can_start => {
                self.handle(Event::Started(daemon));
                if self.dying.contains(&daemon) {
                    self.end(daemon);
                }
            }
            Action::Start(daemon) => self.handle(Event::StartFailed(daemon)),
            Action::ReadTimeLimit => self.handle(Event::TimeLimit(self.limit)),
            Action::Terminate(daemon) if !self.hanging.has(daemon) => self.end(daemon),
            Action::Kill(daemon) => self.end(daemon),
            Action::Probe if !self.has_hanging_probes => {
                let answers = |daemon| {
                    self.state.schedule(daemon).is_running() && !self.silent.contains(&daemon)
                };
                let answers = Answers {
                    containerd: answers(Daemon::Containerd),
                    dockerd: answers(Daemon::Dockerd),
                };
                self.coming
                    .push((self.now + GRACE, Event::ProbeEnded(Some(answers))));
            }
            Action::ReadBeat => {
                if !self.silent.contains(&Daemon::Sysinit) {
                    self.beat += Duration::from_secs(10);
                }
                self.handle(Event::SysinitBeat(Some(self.beat)));
            }
            Action::KillProbe => self.handle(Event::ProbeEnded(None)),
            Action::Remedy(remedy) => {
                let is_done = !self.failing_remedies.contains(&remedy);
                if self.cure == Some(remedy) && is_done {
                    self.silent.clear();
                    self.dying.clear();
                }
                // The person at the rescue console stays.
                if remedy != Remedy::Rescue {
                    self.coming
                        .push((self.now + GRACE, Event::RemedyEnded { is_done }));
                }
            }
            Action::StopContainers { .. } if self.can_start => {
                self.handle(Event::StopperStarted);
                if !self.hanging.stopper {
                    self.coming.push((self.now + GRACE, Event::StopperEnded));
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, daemon: Daemon) {
        let how = "exit code 0".to_owned();
        self.coming
            .push((self.now + GRACE, Event::Ended { daemon, how }));
    }

    /// Lets `time` pass; less, if the machine goes down.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let has_strays = self.hanging.strays && self.state.stage() == Some(Stage::Strays);
            self.handle(Event::Tick { has_strays });
            // The kernel has switched a machine off that has powered down.
            if self.now >= end || self.state.stage() == Some(Stage::PowerDown) {
                return;
            }
            let coming = self.coming.iter().map(|(at, _)| *at);
            self.now = coming.fold(self.state.wake_at(self.now).min(end), Instant::min);
            let due: Vec<Event> = self
                .coming
                .extract_if(.., |(at, _)| *at <= self.now)
                .map(|(_, event)| event)
                .collect();
            for event in due {
                self.handle(event);
            }
        }
    }

    /// The actions in short, each behind its second, without lines of logs.
    fn history(&self) -> Vec<String> {
        self.taken
            .iter()
            .filter(|(_, action)| {
                !matches!(action, Action::Log(..) | Action::Probe | Action::ReadBeat)
            })
            .map(|(at, action)| format!("{:.1} {action:?}", at.as_secs_f64()))
            .collect()
    }

    fn power_downs(&self) -> Vec<(Duration, Power)> {
        self.taken
            .iter()
            .filter_map(|(at, action)| match action {
                Action::PowerDown(power) => Some((*at, *power)),
                _ => None,
            })
            .collect()
    }
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

fn down(power: Power, after: u64) -> Event {
    Event::Request(Request::Down {
        power,
        after: minutes(after),
    })
}

const CANCEL: Event = Event::Request(Request::Cancel);

#[test]
fn a_shutdown_takes_its_stages_in_order() {
    let mut machine = Simulation::booted();
    machine.handle(down(Power::Off, 0));
    machine.pass(minutes(5));
    assert_eq!(
        machine.history(),
        [
            "0.0 Announce(\"ros: power-off (a request)\")",
            "0.0 ReadTimeLimit",
            "0.0 Terminate(Sysinit)",
            "0.1 StopContainers { seconds: 55 }",
            "0.2 Terminate(Dockerd)",
            "0.3 Terminate(Containerd)",
            "0.4 TerminateStrays",
            "0.4 PowerDown(Off)",
        ]
    );
}

#[test]
fn a_shutdown_waits_for_each_stage_no_longer_than_its_time() {
    let hanging = Hanging {
        sysinit: true,
        stopper: true,
        dockerd: true,
        containerd: true,
        strays: true,
    };
    for (limit, expected) in [
        (
            60,
            vec![
                "0.0 Terminate(Sysinit)",
                "3.0 StopContainers { seconds: 55 }",
                "58.0 Terminate(Dockerd)",
                "60.0 PowerDown(Reboot)",
            ],
        ),
        (
            5,
            vec![
                "0.0 Terminate(Sysinit)",
                "3.0 StopContainers { seconds: 1 }",
                "3.0 Terminate(Dockerd)",
                "5.0 PowerDown(Reboot)",
            ],
        ),
    ] {
        let mut machine = Simulation::new(hanging, Duration::from_secs(limit));
        machine.pass(Duration::ZERO);
        machine.handle(Event::Signal(ShutdownSignal::CtrlAltDel));
        machine.pass(minutes(5));
        let history = machine.history();
        let actions = history
            .iter()
            .skip_while(|line| !line.contains("Terminate"));
        assert!(actions.eq(&expected), "{limit} s: {history:?}");
    }
    let only_daemons = Hanging {
        sysinit: false,
        stopper: false,
        ..hanging
    };
    let mut machine = Simulation::new(only_daemons, LIMIT);
    machine.pass(Duration::ZERO);
    machine.taken.clear();
    machine.handle(down(Power::Halt, 0));
    machine.pass(minutes(5));
    assert_eq!(
        machine.history()[4..],
        [
            "0.2 Terminate(Dockerd)",
            "8.2 TerminateStrays",
            "9.7 PowerDown(Halt)",
        ]
    );
}

#[test]
fn requests_and_signals_in_each_state() {
    let begins = |power: &str, why: &str| {
        vec![
            format!("Announce(\"ros: {power} ({why})\")"),
            "ReadTimeLimit".to_owned(),
            "Terminate(Sysinit)".to_owned(),
        ]
    };
    let says = |text: &str| vec![format!("Announce(\"ros: {text}\")")];
    let signal = Event::Signal;
    let soon = || down(Power::Reboot, 5);
    for (name, before, event, expected) in [
        (
            "power-off now",
            vec![],
            down(Power::Off, 0),
            begins("power-off", "a request"),
        ),
        (
            "Ctrl-Alt-Del",
            vec![],
            signal(ShutdownSignal::CtrlAltDel),
            begins("reboot", "Ctrl-Alt-Del"),
        ),
        (
            "SIGTERM",
            vec![],
            signal(ShutdownSignal::Terminate),
            begins("reboot", "SIGTERM"),
        ),
        (
            "SIGPWR",
            vec![],
            signal(ShutdownSignal::PowerFailure),
            begins("power-off", "a power failure"),
        ),
        ("a time", vec![], soon(), says("reboot in 5 min")),
        (
            "a second time",
            vec![soon()],
            down(Power::Halt, 7),
            says("halt in 7 min"),
        ),
        (
            "now after a time",
            vec![soon()],
            down(Power::Off, 0),
            begins("power-off", "a request"),
        ),
        (
            "a signal after a time",
            vec![soon()],
            signal(ShutdownSignal::PowerFailure),
            begins("power-off", "a power failure"),
        ),
        (
            "cancel",
            vec![soon()],
            CANCEL,
            says("scheduled shutdown cancelled"),
        ),
        ("cancel twice", vec![soon(), CANCEL], CANCEL, vec![]),
        ("cancel nothing", vec![], CANCEL, vec![]),
        (
            "a second request",
            vec![down(Power::Reboot, 0)],
            down(Power::Off, 0),
            vec![],
        ),
        (
            "a signal meanwhile",
            vec![down(Power::Reboot, 0)],
            signal(ShutdownSignal::CtrlAltDel),
            vec![],
        ),
        (
            "cancel too late",
            vec![down(Power::Reboot, 0)],
            CANCEL,
            vec![],
        ),
    ] {
        let mut machine = Simulation::booted();
        before.into_iter().for_each(|event| machine.handle(event));
        machine.taken.clear();
        machine.handle(event);
        let actions: Vec<String> = machine
            .taken
            .iter()
            .map(|(_, action)| format!("{action:?}"))
            .collect();
        assert_eq!(actions, expected, "{name}");
    }
}

#[test]
fn replies_to_requests() {
    let request = |power, after| Request::Down {
        power,
        after: minutes(after),
    };
    for (before, request, expected) in [
        (None, request(Power::Off, 0), "power-off begins"),
        (None, request(Power::Reboot, 0), "reboot begins"),
        (None, request(Power::Halt, 3), "halt in 3 min"),
        (None, Request::Cancel, "no shutdown was scheduled"),
        (
            Some(down(Power::Off, 1)),
            Request::Cancel,
            "scheduled shutdown cancelled",
        ),
        (
            Some(down(Power::Off, 0)),
            Request::Cancel,
            "no shutdown was scheduled",
        ),
    ] {
        let mut machine = Simulation::booted();
        before.into_iter().for_each(|event| machine.handle(event));
        assert_eq!(machine.state.reply_to(request), expected);
    }
}

#[test]
fn a_scheduled_shutdown_happens_at_its_time_unless_it_is_cancelled() {
    for (name, events, expected) in [
        (
            "scheduled",
            vec![(0, down(Power::Reboot, 1))],
            vec![(60, Power::Reboot)],
        ),
        (
            "cancelled",
            vec![(0, down(Power::Reboot, 1)), (59, CANCEL)],
            vec![],
        ),
        (
            "put off",
            vec![(0, down(Power::Reboot, 1)), (59, down(Power::Halt, 2))],
            vec![(179, Power::Halt)],
        ),
        (
            "scheduled anew",
            vec![
                (0, down(Power::Reboot, 1)),
                (1, CANCEL),
                (2, down(Power::Off, 1)),
            ],
            vec![(62, Power::Off)],
        ),
        (
            "brought forward",
            vec![(0, down(Power::Reboot, 5)), (9, down(Power::Off, 0))],
            vec![(9, Power::Off)],
        ),
        (
            "cancelled too late",
            vec![(0, down(Power::Off, 1)), (60, CANCEL)],
            vec![(60, Power::Off)],
        ),
    ] {
        let mut machine = Simulation::booted();
        for (second, event) in events {
            let at = machine.began + Duration::from_secs(second);
            machine.pass(at.saturating_duration_since(machine.now));
            machine.handle(event);
        }
        machine.pass(minutes(60));
        let power_downs = machine.power_downs();
        let seconds: Vec<(u64, Power)> = power_downs
            .iter()
            .map(|(at, power)| (at.as_secs(), *power))
            .collect();
        assert_eq!(seconds, expected, "{name}");
        let has_begun = machine.state.stage().is_some();
        assert_eq!(has_begun, !expected.is_empty(), "{name}");
    }
}

#[test]
fn daemons_start_again_after_growing_pauses() {
    let mut machine = Simulation::new(Hanging::default(), LIMIT);
    machine.pass(Duration::ZERO);
    let first = [
        "0.0 Start(Containerd)",
        "0.0 Start(Dockerd)",
        "0.0 Start(Sysinit)",
    ];
    assert_eq!(machine.history(), first);
    machine.taken.clear();
    for _ in 0..3 {
        let how = "SIGKILL".to_owned();
        machine.handle(Event::Ended {
            daemon: Daemon::Dockerd,
            how,
        });
        machine.pass(Duration::from_secs(1));
    }
    let warning = "dockerd ended (SIGKILL); starting it again";
    let warned = |(_, action): &&(Duration, Action)| {
        *action == Action::Log(log::Level::Warn, warning.to_owned())
    };
    assert_eq!(machine.taken.iter().filter(warned).count(), 3);
    assert_eq!(
        machine.history(),
        [
            "0.1 Start(Dockerd)",
            "1.2 Start(Dockerd)",
            "2.4 Start(Dockerd)"
        ]
    );
}

#[test]
fn a_daemon_that_cannot_be_started_is_tried_for_ever() {
    let mut machine = Simulation::new(Hanging::default(), LIMIT);
    // The data is no cause here: the machine has answered before.
    machine.pass(minutes(1));
    for daemon in Daemon::ALL {
        machine.end(daemon);
    }
    machine.can_start = false;
    machine.taken.clear();
    machine.pass(minutes(10));
    let tries = |daemon| {
        let starts = machine.taken.iter();
        starts
            .filter(|(_, action)| *action == Action::Start(daemon))
            .count()
    };
    for daemon in Daemon::ALL {
        // 6 pauses grow from 0.1 s to 3.2 s; behind them there is a try every 5 s.
        assert!((120..=130).contains(&tries(daemon)), "{daemon:?}");
    }
}

#[test]
fn the_watchdog_has_its_interval() {
    for has_watchdog in [false, true] {
        let mut machine = Simulation::booted();
        if has_watchdog {
            machine.handle(Event::WatchdogOpened(None));
        }
        machine.pass(minutes(30));
        let times = |wanted: &Action| {
            let times = machine.taken.iter();
            times
                .filter(|(_, action)| action == wanted)
                .map(|(at, _)| at.as_secs())
                .collect::<Vec<u64>>()
        };
        let fed = times(&Action::FeedWatchdog);
        let expected: Vec<u64> = (1..=180).map(|count| count * 10).collect();
        assert_eq!(fed, if has_watchdog { expected } else { vec![] });
    }
    // A shutdown that hangs does not let the watchdog starve.
    let hanging = Hanging {
        stopper: true,
        ..Hanging::default()
    };
    let mut machine = Simulation::new(hanging, LIMIT);
    machine.handle(Event::WatchdogOpened(None));
    machine.handle(down(Power::Off, 0));
    machine.pass(Duration::from_secs(59));
    let fed = machine
        .taken
        .iter()
        .filter(|(_, action)| *action == Action::FeedWatchdog);
    assert_eq!(fed.count(), 5);
}

/// What holds for every shutdown: it ends once, in time, and no daemon starts after its beginning.
fn check_shutdown(machine: &Simulation, begun: Duration, what: &str) {
    let [(ended, _)] = machine.power_downs()[..] else {
        panic!("{what}: {:?}", machine.history());
    };
    let poll = super::SHUTDOWN_POLL_INTERVAL;
    assert!(ended - begun <= machine.limit + poll, "{what}: {ended:?}");
    let started_late =
        |(at, action): &&(Duration, Action)| *at > begun && matches!(action, Action::Start(_));
    assert_eq!(machine.taken.iter().find(started_late), None, "{what}");
    let kinds = [
        |action: &Action| matches!(action, Action::StopContainers { .. }),
        |action: &Action| *action == Action::Terminate(Daemon::Dockerd),
        |action: &Action| *action == Action::Terminate(Daemon::Containerd),
        |action: &Action| *action == Action::TerminateStrays,
        |action: &Action| matches!(action, Action::PowerDown(_)),
    ];
    let places: Vec<usize> = kinds
        .iter()
        .filter_map(|is_kind| machine.taken.iter().position(|(_, action)| is_kind(action)))
        .collect();
    assert!(places.is_sorted(), "{what}: {:?}", machine.history());
    let is_terminate = |(_, action): &&(Duration, Action)| matches!(action, Action::Terminate(_));
    assert!(
        machine.taken.iter().filter(is_terminate).count() <= 3,
        "{what}"
    );
}

#[test]
fn a_shutdown_ends_in_time_with_any_part_hanging() {
    for hanging in Hanging::all() {
        for limit in [5, 6, 30, 60, 600] {
            for can_start in [true, false] {
                let mut machine = Simulation::new(hanging, Duration::from_secs(limit));
                machine.pass(Duration::from_secs(1));
                machine.can_start = can_start;
                machine.handle(down(Power::Off, 0));
                machine.pass(minutes(60));
                let what = format!("{hanging:?} {limit} s {can_start}");
                check_shutdown(&machine, Duration::from_secs(1), &what);
            }
        }
    }
}

/// The numbers of a test in the same order every time (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn random_event(numbers: &mut Numbers) -> Event {
    let power = [Power::Off, Power::Reboot, Power::Halt][numbers.below(3) as usize];
    let daemon = Daemon::ALL[numbers.below(3) as usize];
    match numbers.below(12) {
        0 => down(power, 0),
        1 => Event::Signal(ShutdownSignal::PowerFailure),
        2..=4 => down(power, 1 + numbers.below(3)),
        5 | 6 => CANCEL,
        7..=9 => {
            let how = "exit code 1".to_owned();
            Event::Ended { daemon, how }
        }
        10 => Event::StopperEnded,
        _ => Event::WatchdogOpened(None),
    }
}

#[test]
fn no_order_of_events_gives_two_shutdowns_or_none() {
    for seed in 0..500 {
        let mut numbers = Numbers(seed);
        let hanging = Hanging::all().nth(numbers.below(32) as usize).unwrap();
        let mut machine = Simulation::new(hanging, Duration::from_secs(5 + numbers.below(90)));
        let mut events = Vec::new();
        for _ in 0..numbers.below(20) {
            let event = random_event(&mut numbers);
            events.push(format!("{event:?}"));
            machine.pass(Duration::from_millis(numbers.below(40_000)));
            machine.handle(event);
        }
        machine.pass(minutes(10));
        let what = format!("seed {seed}: {events:?}");
        let begun = machine
            .taken
            .iter()
            .find(|(_, action)| *action == Action::ReadTimeLimit);
        match begun {
            Some((at, _)) => check_shutdown(&machine, *at, &what),
            None => {
                assert_eq!(machine.power_downs(), [], "{what}");
                let is_running = |daemon| machine.state.schedule(daemon).is_running();
                assert!(Daemon::ALL.into_iter().all(is_running), "{what}");
            }
        }
    }
}

/// The actions on System Docker, each behind its second; starts and lines of logs are left out.
fn remedies(machine: &Simulation) -> Vec<String> {
    machine
        .taken
        .iter()
        .filter_map(|(at, action)| {
            let text = match action {
                Action::Abort(_) | Action::Kill(_) | Action::Remedy(_) => format!("{action:?}"),
                Action::Report(_, text) => text.split(';').next()?.to_owned(),
                _ => return None,
            };
            Some(format!("{} {text}", at.as_secs()))
        })
        .collect()
}

#[test]
fn a_daemon_that_hangs_is_replaced() {
    for daemon in [Daemon::Containerd, Daemon::Dockerd] {
        let mut machine = Simulation::booted();
        machine.pass(minutes(1));
        machine.silent.push(daemon);
        machine.pass(minutes(2) + Duration::from_secs(5));
        // It does not end by the first signal, as a stopped process.
        assert_eq!(
            remedies(&machine),
            [
                format!("150 Abort({daemon:?})"),
                format!("180 Kill({daemon:?})")
            ],
        );
        assert!(
            machine
                .history()
                .ends_with(&[format!("180.8 Start({daemon:?})")]),
            "{:?}",
            machine.history()
        );
        // The new one hangs too: it gets the time of a start, and the data is never set aside under running containers.
        machine.taken.clear();
        machine.pass(minutes(6));
        assert_eq!(
            remedies(&machine),
            [
                format!("481 Abort({daemon:?})"),
                format!("511 Kill({daemon:?})")
            ],
        );
        // A daemon that answers is left alone.
        machine.silent.clear();
        machine.taken.clear();
        machine.pass(minutes(60));
        assert_eq!(remedies(&machine), [""; 0]);
    }
}

#[test]
fn a_sysinit_that_hangs_is_replaced() {
    let mut machine = Simulation::booted();
    machine.pass(minutes(60));
    assert_eq!(remedies(&machine), [""; 0]);
    machine.taken.clear();
    machine.silent.push(Daemon::Sysinit);
    machine.pass(minutes(7));
    let [kill] = &remedies(&machine)[..] else {
        panic!("{:?}", machine.history());
    };
    assert!(kill.ends_with("Kill(Sysinit)"), "{kill}");
    let history = machine.history();
    assert!(
        history.last().unwrap().ends_with("Start(Sysinit)"),
        "{history:?}"
    );
    // The new one has a sign of life.
    machine.silent.clear();
    machine.taken.clear();
    machine.pass(minutes(60));
    assert_eq!(remedies(&machine), [""; 0]);
    // A shutdown does not wait for one that hangs, and kills none.
    machine.silent.push(Daemon::Sysinit);
    machine.hanging.stopper = true;
    machine.limit = minutes(30);
    machine.handle(down(Power::Off, 0));
    machine.pass(minutes(20));
    assert_eq!(remedies(&machine), [""; 0]);
}

#[test]
fn logs_are_limited_while_no_sysinit_does_it() {
    let looks = |machine: &Simulation| {
        let taken = machine.taken.iter();
        taken
            .filter(|(_, action)| *action == Action::LimitLogs)
            .count()
    };
    let mut machine = Simulation::booted();
    machine.pass(minutes(10));
    assert_eq!(looks(&machine), 0);
    machine.can_start = false;
    machine.end(Daemon::Sysinit);
    machine.pass(minutes(10));
    assert!((19..=20).contains(&looks(&machine)), "{}", looks(&machine));
}

#[test]
fn a_halt_and_a_kexec_alone_disarm_the_watchdog() {
    for power in [Power::Off, Power::Reboot, Power::Kexec, Power::Halt] {
        for has_watchdog in [true, false] {
            let mut machine = Simulation::booted();
            if has_watchdog {
                machine.handle(Event::WatchdogOpened(None));
            }
            machine.handle(down(power, 0));
            machine.pass(minutes(2));
            let actions: Vec<&Action> = machine.taken.iter().map(|(_, action)| action).collect();
            let place = actions
                .iter()
                .position(|action| **action == Action::DisarmWatchdog);
            let is_disarmed = has_watchdog && matches!(power, Power::Kexec | Power::Halt);
            // After the disarming nothing feeds it, which would not arm it but hide a fault.
            assert_eq!(place, is_disarmed.then_some(actions.len() - 2), "{power:?}");
            // It stays known as open, because opening it again would arm it.
            assert_eq!(machine.state.has_watchdog(), has_watchdog);
        }
    }
}

#[test]
fn a_watchdog_with_a_short_timeout_is_fed_in_time() {
    let mut machine = Simulation::booted();
    machine.handle(Event::WatchdogOpened(Some(Duration::from_secs(6))));
    machine.pass(minutes(1));
    let fed = machine.taken.iter();
    let fed = fed.filter(|(_, action)| *action == Action::FeedWatchdog);
    assert_eq!(fed.count(), 30);
}

#[test]
fn a_system_docker_that_cannot_start_gets_remedies_one_after_the_other() {
    let (aside, memory, rescue) = (Remedy::SetAside, Remedy::InMemory, Remedy::Rescue);
    let deaths = "System Docker cannot start: its daemons ended 10 times";
    let silence = "System Docker cannot start: it has not answered in 300 s";
    let cannot = "System Docker cannot start: the state cannot take it";
    for (name, dying, silent, cure, failing, expected) in [
        (
            "damaged data",
            vec![Daemon::Dockerd],
            vec![],
            Some(aside),
            vec![],
            vec![deaths, "Kill(Containerd)", "Remedy(SetAside)"],
        ),
        (
            "both daemons die of it",
            vec![Daemon::Dockerd, Daemon::Containerd],
            vec![],
            Some(aside),
            vec![],
            vec![deaths, "Remedy(SetAside)"],
        ),
        (
            "data on which it hangs",
            vec![],
            vec![Daemon::Containerd],
            Some(aside),
            vec![],
            vec![
                silence,
                "Kill(Dockerd)",
                "Kill(Containerd)",
                "Remedy(SetAside)",
            ],
        ),
        (
            "a full disk",
            vec![Daemon::Dockerd],
            vec![],
            Some(memory),
            vec![aside],
            vec![
                deaths,
                "Kill(Containerd)",
                "Remedy(SetAside)",
                cannot,
                "Remedy(InMemory)",
            ],
        ),
        (
            "a broken disk",
            vec![Daemon::Dockerd, Daemon::Containerd],
            vec![],
            Some(memory),
            vec![],
            vec![deaths, "Remedy(SetAside)", deaths, "Remedy(InMemory)"],
        ),
        (
            "another cause",
            vec![Daemon::Dockerd, Daemon::Containerd],
            vec![],
            None,
            vec![],
            vec![
                deaths,
                "Remedy(SetAside)",
                deaths,
                "Remedy(InMemory)",
                deaths,
                "Remedy(Rescue)",
            ],
        ),
        (
            "nothing can be done",
            vec![Daemon::Dockerd, Daemon::Containerd],
            vec![],
            None,
            vec![aside, memory],
            vec![
                deaths,
                "Remedy(SetAside)",
                cannot,
                "Remedy(InMemory)",
                cannot,
                "Remedy(Rescue)",
            ],
        ),
    ] {
        let mut machine = Simulation::new(Hanging::default(), LIMIT);
        machine.handle(Event::WatchdogOpened(None));
        (machine.dying, machine.silent) = (dying, silent);
        machine.cure = cure;
        machine.failing_remedies = failing;
        machine.pass(minutes(20));
        let taken = remedies(&machine);
        let taken: Vec<&str> = taken
            .iter()
            .filter_map(|line| Some(line.split_once(' ')?.1))
            .collect();
        assert_eq!(taken, expected, "{name}");
        // Nothing starts while its data changes.
        let mut is_changing = false;
        for (_, action) in &machine.taken {
            match action {
                Action::Report(..) if cure != Some(rescue) => is_changing = true,
                Action::Remedy(_) => is_changing = false,
                Action::Start(daemon) => {
                    assert!(!is_changing || *daemon == Daemon::Sysinit, "{name}");
                }
                _ => {}
            }
        }
        // The machine is not reset while remedies or a person are at work.
        let fed = machine.taken.iter();
        let fed = fed.filter(|(_, action)| *action == Action::FeedWatchdog);
        assert!(fed.count() >= 110, "{name}");
        // Where nothing helps, System Docker is tried for ever.
        machine.taken.clear();
        machine.dying.clear();
        machine.pass(minutes(1));
        let is_running = |daemon| machine.state.schedule(daemon).is_running();
        assert!(Daemon::ALL.into_iter().all(is_running), "{name}");
    }
}

#[test]
fn a_remedy_on_a_hung_disk_gives_way_to_the_next() {
    let mut machine = Simulation::new(Hanging::default(), LIMIT);
    machine.dying = vec![Daemon::Dockerd, Daemon::Containerd];
    machine.cure = Some(Remedy::InMemory);
    // Its end does not come.
    while !matches!(machine.taken.last(), Some((_, Action::Remedy(_)))) {
        machine.pass(Duration::from_millis(50));
    }
    machine.coming.clear();
    machine.taken.clear();
    machine.pass(minutes(2));
    let taken = remedies(&machine);
    assert!(taken[0].ends_with("System Docker cannot start: the disk does not answer"));
    assert!(taken[1].ends_with("Remedy(InMemory)"), "{taken:?}");
    let is_running = |daemon| machine.state.schedule(daemon).is_running();
    assert!(Daemon::ALL.into_iter().all(is_running));
}

#[test]
fn the_watchdog_starves_when_system_docker_is_silent_for_minutes() {
    let mut machine = Simulation::booted();
    machine.handle(Event::WatchdogOpened(None));
    machine.pass(minutes(1));
    machine.can_start = false;
    machine.end(Daemon::Dockerd);
    machine.pass(minutes(10));
    let fed = |machine: &Simulation| {
        let times = machine.taken.iter();
        let fed = times.filter(|(_, action)| *action == Action::FeedWatchdog);
        fed.map(|(at, _)| at.as_secs()).collect::<Vec<u64>>()
    };
    // The last answer came at 30 s.
    assert_eq!(fed(&machine).last(), Some(&330), "{:?}", fed(&machine));
    // It is fed again as soon as System Docker answers, and while the machine goes down.
    machine.can_start = true;
    machine.taken.clear();
    machine.pass(minutes(1));
    assert!(!fed(&machine).is_empty());
    let hanging = Hanging {
        stopper: true,
        ..Hanging::default()
    };
    let mut machine = Simulation::new(hanging, LIMIT);
    machine.handle(Event::WatchdogOpened(None));
    machine.silent.push(Daemon::Dockerd);
    machine.pass(minutes(4));
    machine.handle(down(Power::Halt, 0));
    machine.taken.clear();
    machine.pass(Duration::from_secs(59));
    assert_eq!(fed(&machine).len(), 5);
}

#[test]
fn a_probe_that_hangs_says_nothing_about_the_daemons() {
    let mut machine = Simulation::booted();
    machine.pass(minutes(1));
    machine.has_hanging_probes = true;
    machine.pass(minutes(8));
    let history = machine.history();
    let killed = history.iter().filter(|line| line.ends_with("KillProbe"));
    assert_eq!(killed.count(), 10, "{history:?}");
    assert_eq!(remedies(&machine), [""; 0]);
}

#[test]
fn a_machine_at_whose_rescue_console_nobody_is_reboots_unless_it_has_come_up() {
    for (cause_is_gone, expected) in [(false, vec![Power::Reboot]), (true, vec![])] {
        let mut machine = Simulation::new(Hanging::default(), LIMIT);
        machine.dying = vec![Daemon::Dockerd, Daemon::Containerd];
        machine.pass(minutes(5));
        assert!(remedies(&machine).last().unwrap().contains("Rescue"));
        if cause_is_gone {
            machine.dying.clear();
        }
        machine.pass(minutes(5));
        machine.handle(Event::RemedyEnded { is_done: true });
        machine.handle(Event::RescueIdle);
        machine.pass(minutes(2));
        let powers: Vec<Power> = machine.power_downs().iter().map(|(_, p)| *p).collect();
        assert_eq!(powers, expected);
    }
}

#[test]
fn a_machine_whose_medium_is_gone_goes_down_in_order() {
    let mut machine = Simulation::booted();
    machine.handle(Event::MediumGone("/dev/sdb1".to_owned()));
    machine.pass(minutes(1));
    let history = machine.history();
    assert!(
        history[0].contains("the boot medium /dev/sdb1 is gone"),
        "{history:?}"
    );
    assert!(history[1].contains("reboot (the boot medium is gone)"));
    assert!(history.last().unwrap().ends_with("PowerDown(Reboot)"));
}

#[test]
fn system_docker_that_ends_with_the_users_settings_gets_the_images_own() {
    let ended = || Event::Ended {
        daemon: Daemon::Dockerd,
        how: "exit code 1".to_owned(),
    };
    let changes = |actions: &[Action]| actions.contains(&Action::UseImageSettings);
    let now = Instant::now();
    for (has_own_settings, answers, expected) in [
        (true, false, true),
        (true, true, false),
        (false, false, false),
    ] {
        let mut state = Supervision::new(now).with_own_settings(has_own_settings);
        if answers {
            let answers = Answers {
                containerd: true,
                dockerd: true,
            };
            state = state.next(Event::ProbeEnded(Some(answers)), now).0;
        }
        let (state, actions) = state.next(ended(), now);
        assert_eq!(changes(&actions), expected, "{actions:?}");
        let reports =
            |action: &Action| matches!(action, Action::Report("system-docker.settings", _));
        assert_eq!(actions.iter().any(reports), expected);
        // Only once: the fault is not in the settings then.
        assert!(!changes(&state.next(ended(), now).1));
    }
}
