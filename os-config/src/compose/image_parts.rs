//! What a service of the image needs to work, though another layer changes the service: a list of that layer replaces
//! the image's list, and the console or an engine would lose the machine's folders.

use crate::compose::service::Service;

impl Service {
    /// Adds the parts of the image's own definition that a changed definition has left out. A volume of the changed
    /// definition takes the place of the image's volume at the same target.
    pub(crate) fn add_image_parts(&mut self, own: &Service) {
        let target = |volume: &str| volume.split(':').nth(1).unwrap_or(volume).to_owned();
        let taken: Vec<String> = self.volumes.iter().map(|volume| target(volume)).collect();
        let missing = own
            .volumes
            .iter()
            .filter(|volume| !taken.contains(&target(volume)));
        self.volumes.extend(missing.cloned());
        for (list, own) in [
            (&mut self.tmpfs, &own.tmpfs),
            (&mut self.cap_add, &own.cap_add),
            (&mut self.device_cgroup_rules, &own.device_cgroup_rules),
        ] {
            let missing: Vec<String> = own
                .iter()
                .filter(|entry| !list.contains(entry))
                .cloned()
                .collect();
            list.extend(missing);
        }
        for (label, value) in &own.labels {
            self.labels
                .entry(label.clone())
                .or_insert_with(|| value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::load::load;

    #[test]
    fn a_changed_service_of_the_image_keeps_what_the_machine_needs() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "usr/share/ros/os-config.yml",
            "rancher: {services: {console: {image: paddock/console, volumes: ['/run:/run:rshared', '/home:/home'],\
             tmpfs: [/tmp], cap_add: [A], labels: {io.rancher.os.scope: system}}}}",
        );
        write(
            "var/lib/rancher/conf/cloud-config.yml",
            "rancher: {services: {console: {volumes: ['/data:/data', '/mnt/home:/home'], tmpfs: [/x], cap_add: [B],\
             labels: ['a=b']}, mine: {image: x, volumes: ['/a:/b']}}}",
        );
        let services = load(folder.path()).config.rancher.services;
        let console = &services["console"];
        assert_eq!(
            console.volumes,
            ["/data:/data", "/mnt/home:/home", "/run:/run:rshared"]
        );
        assert_eq!(
            (console.tmpfs.join(" "), console.cap_add.join(" ")),
            ("/x /tmp".into(), "B A".into())
        );
        assert_eq!(console.labels["io.rancher.os.scope"], "system");
        assert_eq!(console.labels["a"], "b");
        assert_eq!(services["mine"].volumes, ["/a:/b"]);
    }
}
