//! RancherOS's volume containers: services that only held folders of the machine for the `volumes_from` of others. On
//! this system their names stand for the folders; the containers do not exist.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::compose::service::Service;
use crate::reader::findings::Findings;
use crate::switchable::Switchable;

const ALL: &str = "all-volumes";
/// Name → folders, without RancherOS's folders that this system lacks.
const KINDS: [(&str, &[&str]); 5] = [
    (
        "command-volumes",
        &[
            "/usr/bin/ros:/usr/bin/ros:ro",
            "/usr/bin/system-docker:/usr/bin/system-docker:ro",
        ],
    ),
    (
        "system-volumes",
        &[
            "/dev:/host/dev",
            "/etc/docker:/etc/docker",
            "/etc/hosts:/etc/hosts",
            "/etc/resolv.conf:/etc/resolv.conf",
            "/etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt.rancher",
            "/lib/modules:/lib/modules",
            "/run:/run",
            "/run:/var/run",
            "/usr/share/ros:/usr/share/ros",
            "/var/lib/rancher:/var/lib/rancher",
            "/var/log:/var/log",
        ],
    ),
    (
        "container-data-volumes",
        &[
            "/var/lib/docker:/var/lib/docker",
            "/var/lib/m-user-docker:/var/lib/m-user-docker",
        ],
    ),
    (
        "user-volumes",
        &[
            "/home:/home",
            "/opt:/opt",
            "/var/lib/kubelet:/var/lib/kubelet",
        ],
    ),
    (
        "media-volumes",
        &["/media:/media:rshared", "/mnt:/mnt:rshared"],
    ),
];
/// Folders in which Docker can make a missing folder: the root itself is read-only.
const WRITABLE: [&str; 7] = [
    "/etc/", "/home/", "/media/", "/mnt/", "/opt/", "/run/", "/var/",
];

/// Replaces the names by the folders. Volumes that a user added to a volume container count too; console and engine get
/// them as well, because in RancherOS they had all volumes.
pub(crate) fn expand(services: &mut BTreeMap<String, Service>, findings: &mut Findings) {
    let mut folders: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut added = Vec::new();
    let names = KINDS.iter().map(|(name, known)| (*name, *known));
    for (name, known) in names.chain([(ALL, [].as_slice())]) {
        let user_volumes = services.remove(name).unwrap_or_default().volumes;
        let user_volumes = user_volumes.into_iter().filter(|volume| {
            let source = volume.split(':').next().unwrap_or(volume);
            let folder = format!("{source}/");
            let is_writable = !source.starts_with('/')
                || WRITABLE.iter().any(|writable| folder.starts_with(writable));
            if !is_writable {
                let path = format!("rancher.services.{name}.volumes");
                let expected = "a folder below /var, /home, /opt, /mnt or /media";
                findings.mismatch::<()>(&path, expected, &Value::String(volume.clone()));
            }
            is_writable
        });
        // In RancherOS, a volume without a colon was the machine's folder at the same path.
        let user_volumes: Vec<String> = user_volumes
            .map(|volume| match volume.contains(':') {
                true => volume,
                false => format!("{volume}:{volume}"),
            })
            .collect();
        let known = known.iter().map(|volume| (*volume).to_owned());
        folders.insert(name, known.chain(user_volumes.clone()).collect());
        added.extend(user_volumes);
    }
    let all = folders.values().flatten().cloned().collect();
    folders.insert(ALL, all);
    for service in services.values_mut() {
        let mut taken = Vec::new();
        service.volumes_from.retain(|from| {
            let (name, mode) = from.split_once(':').unwrap_or((from, ""));
            let found = folders.get(name);
            let volumes = found.into_iter().flatten();
            taken.extend(volumes.map(|volume| match mode {
                "ro" => read_only(volume),
                _ => volume.clone(),
            }));
            found.is_none()
        });
        add_volumes(service, taken);
    }
    for switchable in Switchable::ALL {
        if let Some(service) = services.get_mut(switchable.service()) {
            add_volumes(service, added.clone());
        }
    }
}

/// The volume without the right to write.
fn read_only(volume: &str) -> String {
    let mut parts = volume.splitn(3, ':');
    let places: Vec<&str> = parts.by_ref().take(2).collect();
    let modes = parts.next().unwrap_or_default().split(',');
    let kept = modes.filter(|mode| !["", "ro", "rw"].contains(mode));
    let modes: Vec<&str> = kept.chain(["ro"]).collect();
    format!("{}:{}", places.join(":"), modes.join(","))
}

/// Adds volumes whose targets the service does not use yet.
fn add_volumes(service: &mut Service, volumes: Vec<String>) {
    let target = |volume: &str| volume.split(':').nth(1).unwrap_or(volume).to_owned();
    for volume in volumes {
        let place = target(&volume);
        if service.volumes.iter().all(|there| target(there) != place) {
            service.volumes.push(volume);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::expand;
    use crate::compose::service::Service;
    use crate::reader::findings::Findings;

    fn expanded(text: &str) -> (BTreeMap<String, Service>, Vec<String>) {
        let config = crate::load::document(text.as_bytes()).unwrap();
        let mut services = config.rancher.services;
        let mut findings = Findings::default();
        expand(&mut services, &mut findings);
        let said = findings.list.into_iter();
        (
            services,
            said.map(|finding| format!("{}: {}", finding.key_path, finding.message))
                .collect(),
        )
    }

    #[test]
    fn names_become_folders() {
        let (services, said) = expanded(
            "rancher: {services: {\
             a: {image: x, volumes: ['/mine:/opt'], volumes_from: [user-volumes, other]},\
             b: {image: x, volumes_from: ['all-volumes:ro']}}}",
        );
        assert_eq!(said, Vec::<String>::new());
        let a = &services["a"];
        let kubelet = "/var/lib/kubelet:/var/lib/kubelet";
        assert_eq!(a.volumes, ["/mine:/opt", "/home:/home", kubelet]);
        assert_eq!(a.volumes_from, ["other"]);
        let b = &services["b"];
        for volume in [
            "/home:/home:ro",
            "/run:/var/run:ro",
            "/mnt:/mnt:rshared,ro",
            "/usr/bin/ros:/usr/bin/ros:ro",
        ] {
            assert!(b.volumes.iter().any(|known| known == volume), "{volume}");
        }
    }

    #[test]
    fn volumes_of_a_user_are_expanded_too() {
        let (services, said) = expanded(
            "rancher: {services: {user-volumes: {volumes: [/var/lib/data, '/home:/home', '/data:/data']},\
             console: {image: c}, docker: {image: d}, a: {image: x, volumes_from: [user-volumes]}}}",
        );
        assert_eq!(
            said,
            [
                "rancher.services.user-volumes.volumes: expected a folder below /var, /home, /opt, /mnt or /media, found \"/data:/data\""
            ]
        );
        assert!(!services.contains_key("user-volumes"));
        let data = "/var/lib/data:/var/lib/data";
        let kubelet = "/var/lib/kubelet:/var/lib/kubelet";
        assert_eq!(
            services["a"].volumes,
            ["/home:/home", "/opt:/opt", kubelet, data]
        );
        for name in ["console", "docker"] {
            assert!(
                services[name].volumes.iter().any(|volume| volume == data),
                "{name}"
            );
        }
    }
}
