//! Follows System Docker's events and applies the restart policies of its services.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use os_config::compose::service::Service;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;

use crate::docker::Client;
use crate::docker::container::is_retired;
use crate::service_engine::container_body::LABEL_SERVICE;
use crate::service_engine::effective_config;
use crate::service_engine::marks;
use crate::service_engine::restart_policy::{self, Event, History, Next, Policy};
use crate::service_engine::scope::Services;

/// A bound for the sleep, longer than any restart pause.
const IDLE: Duration = Duration::from_secs(3600);

/// Begins to collect events, so that no event is missed while services are brought up.
pub(crate) fn subscribe(engine: &Client) -> UnboundedReceiver<EventMessage> {
    let (sender, receiver) = unbounded_channel();
    let filters = HashMap::from([("type".to_owned(), vec!["container".to_owned()])]);
    let options = EventsOptionsBuilder::default().filters(&filters).build();
    let docker = engine.api().clone();
    tokio::spawn(async move {
        let mut events = docker.events(Some(options));
        while let Some(Ok(event)) = events.next().await {
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Applies restart policies until the engine goes away. `services` may change meanwhile.
pub(crate) async fn follow(
    engine: &Client,
    services: Receiver<Services>,
    mut events: UnboundedReceiver<EventMessage>,
) {
    let began = Instant::now();
    let mut histories: BTreeMap<String, History> = BTreeMap::new();
    let mut due: BTreeMap<String, Instant> = BTreeMap::new();
    // A start can hang for minutes, for example on a volume of a server that is gone: it must not hold up the others.
    let mut starts: JoinSet<(String, Start)> = JoinSet::new();
    loop {
        let next_due = due
            .values()
            .min()
            .copied()
            .unwrap_or_else(|| Instant::now() + IDLE);
        let (name, event, policy) = tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { return };
                let Some(read) = read(&event, |name| find_service(&services, name), began.elapsed()) else { continue };
                read
            }
            Some(Ok((name, start))) = starts.join_next() => {
                let Start::Failed(error) = start else { continue };
                eprintln!("ros sysinit: {error:#}");
                let Some(service) = find_service(&services, &name) else { continue };
                let policy = Policy::parse(service.restart.as_deref());
                (name, Event::StartFailed { at: began.elapsed() }, policy)
            }
            () = tokio::time::sleep_until(next_due.into()) => {
                let now = Instant::now();
                let overdue: Vec<String> = due.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
                for name in overdue {
                    due.remove(&name);
                    eprintln!("ros sysinit: starting {name} again");
                    let container = find_service(&services, &name).map_or(name.clone(), |service| service.container(&name).to_owned());
                    let engine = engine.clone();
                    starts.spawn(async move { (name, start(&engine, &container).await) });
                }
                continue;
            }
        };
        let history = histories.get(&name).copied().unwrap_or_default();
        let (history, what) = restart_policy::next(policy, history, event);
        histories.insert(name.clone(), history);
        match what {
            Next::StartAfter(pause) => drop(due.insert(name, Instant::now() + pause)),
            Next::StayDown => marks::set_stopped(&name, true),
            Next::Nothing if matches!(event, Event::Started { .. }) => {
                marks::set_stopped(&name, false);
                due.remove(&name);
            }
            Next::Nothing => {}
        }
    }
}

/// The outcome of a start.
#[derive(Debug)]
enum Start {
    Done,
    Failed(anyhow::Error),
}

async fn start(engine: &Client, container: &str) -> Start {
    match engine.start(container).await {
        Ok(()) => Start::Done,
        // An operator has removed the container meanwhile: that is a stop.
        Err(_) if matches!(engine.container(container).await, Ok(None)) => Start::Done,
        Err(error) => Start::Failed(error),
    }
}

/// The service of a name: started at the boot, or added since.
fn find_service(services: &Receiver<Services>, name: &str) -> Option<Service> {
    let started = services.borrow().get(name).cloned();
    started.or_else(|| {
        // The configuration has changed since: it had no service of this name.
        let mut now = effective_config::load_with_choices(&BTreeMap::new()).config;
        now.rancher.services.remove(name)
    })
}

/// Translates an engine's event about a service, with the service's restart policy; `None` for other events.
fn read(
    event: &EventMessage,
    find: impl Fn(&str) -> Option<Service>,
    at: Duration,
) -> Option<(String, Event, Policy)> {
    let attributes = event.actor.as_ref()?.attributes.as_ref()?;
    if attributes.get("name").is_some_and(|name| is_retired(name)) {
        return None;
    }
    let name = attributes.get(LABEL_SERVICE)?;
    // Finding a service that was added since loads the configuration: events of health checks must not.
    let action = event.action.as_deref()?;
    if !matches!(action, "start" | "kill" | "die") {
        return None;
    }
    let service = find(name)?;
    let event = match action {
        "start" => Event::Started { at },
        "kill" if is_stop(attributes.get("signal")?, &service) => Event::Stopped,
        "die" => Event::Died {
            at,
            code: attributes
                .get("exitCode")
                .and_then(|code| code.parse().ok())
                .unwrap_or(1),
        },
        _ => return None,
    };
    Some((
        name.clone(),
        event,
        Policy::parse(service.restart.as_deref()),
    ))
}

/// Whether a signal stops a service: SIGKILL, SIGTERM or its own stop signal. SIGHUP and the like are messages.
fn is_stop(signal: &str, service: &Service) -> bool {
    let wanted = service
        .stop_signal
        .as_deref()
        .unwrap_or("SIGTERM")
        .trim_start_matches("SIG");
    let number = match wanted {
        "HUP" => "1",
        "INT" => "2",
        "QUIT" => "3",
        "USR1" => "10",
        "USR2" => "12",
        "TERM" => "15",
        other => other,
    };
    matches!(signal, "9" | "15") || signal == number
}

#[cfg(test)]
mod tests {
    use super::{follow, read};
    use crate::docker::{self, Client};
    use crate::service_engine::restart_policy::Event;
    use bollard::models::{EventActor, EventMessage};
    use os_config::compose::service::Service;
    use std::collections::BTreeMap;
    use std::time::Duration;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::UnixListener;
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    /// An engine that never answers the start of `hangs`, as with a volume of a server that is gone, and tells `started` of
    /// each start that it is asked for.
    async fn serve(listener: UnixListener, started: UnboundedSender<String>) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            let started = started.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut request = String::new();
                while stream
                    .read_line(&mut request)
                    .await
                    .is_ok_and(|read| read > 2)
                {}
                let path = request.split(' ').nth(1).unwrap_or_default();
                if let Some((rest, "start")) = path.trim_end_matches('?').rsplit_once('/') {
                    let name = rest.rsplit('/').next().unwrap_or_default().to_owned();
                    let hangs = name == "hangs";
                    let _ = started.send(name);
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                }
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK";
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    }

    #[test]
    fn a_start_that_hangs_holds_up_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let services = ["hangs", "other"].map(|name| {
            let service = Service {
                restart: Some("always".to_owned()),
                ..Service::default()
            };
            (name.to_owned(), service)
        });
        let died = |name: &str| {
            let attributes = [
                (super::LABEL_SERVICE, name),
                ("name", name),
                ("exitCode", "1"),
            ];
            let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned()));
            EventMessage {
                action: Some("die".to_owned()),
                actor: Some(EventActor {
                    attributes: Some(attributes.into()),
                    ..EventActor::default()
                }),
                ..EventMessage::default()
            }
        };
        docker::runtime().unwrap().block_on(async {
            let (sender, mut started) = unbounded_channel();
            tokio::spawn(serve(UnixListener::bind(&socket).unwrap(), sender));
            let engine = Client::connect(socket.to_str().unwrap()).await.unwrap();
            let (_services, services) = tokio::sync::watch::channel(services.into());
            let (events, receiver) = unbounded_channel();
            tokio::spawn(async move { follow(&engine, services, receiver).await });
            let mut next = async || {
                let started = tokio::time::timeout(Duration::from_secs(30), started.recv());
                started.await.expect("nothing is started").unwrap()
            };
            events.send(died("hangs")).unwrap();
            assert_eq!(next().await, "hangs");
            for _ in 0..2 {
                events.send(died("other")).unwrap();
                assert_eq!(next().await, "other");
            }
        });
    }

    #[test]
    fn events() {
        let services = BTreeMap::from([(
            "s".to_owned(),
            Service {
                stop_signal: Some("SIGINT".into()),
                ..Service::default()
            },
        )]);
        let event = |action: &str, pairs: &[(&str, &str)]| EventMessage {
            action: Some(action.into()),
            actor: Some(EventActor {
                attributes: Some(
                    pairs
                        .iter()
                        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                        .collect(),
                ),
                ..EventActor::default()
            }),
            ..EventMessage::default()
        };
        let label = (super::LABEL_SERVICE, "s");
        let at = Duration::from_secs(1);
        for (event, expected) in [
            (event("start", &[label]), Some(Event::Started { at })),
            (
                event("kill", &[label, ("signal", "15")]),
                Some(Event::Stopped),
            ),
            (
                event("kill", &[label, ("signal", "2")]),
                Some(Event::Stopped),
            ),
            (event("kill", &[label, ("signal", "1")]), None),
            (
                event("die", &[label, ("exitCode", "137")]),
                Some(Event::Died { at, code: 137 }),
            ),
            (event("die", &[("io.rancher.os.service", "other")]), None),
            (event("die", &[]), None),
            (event("die", &[label, ("name", "s.failed")]), None),
        ] {
            assert_eq!(
                read(&event, |name| services.get(name).cloned(), at).map(|(_, event, _)| event),
                expected,
                "{event:?}"
            );
        }
    }

    #[test]
    fn an_event_of_another_kind_loads_nothing() {
        for action in [
            "exec_create: test",
            "health_status: healthy",
            "create",
            "attach",
        ] {
            let labels = [(super::LABEL_SERVICE, "s")].map(|(k, v)| (k.to_owned(), v.to_owned()));
            let event = EventMessage {
                action: Some(action.into()),
                actor: Some(EventActor {
                    attributes: Some(labels.into()),
                    ..EventActor::default()
                }),
                ..EventMessage::default()
            };
            let find = |_: &str| panic!("{action} looks for the service");
            assert_eq!(read(&event, find, Duration::ZERO), None);
        }
    }
}
