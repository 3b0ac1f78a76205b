//! A cloud-config whose mounts, files and options all concern the engines: Docker's data on a disk of `mounts`,
//! `daemon.json` in `write_files`, a TCP socket, and options of System Docker that RancherOS's documents have.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::daemons::check_system_containers;
use qemu_tests::fixtures::guest::{problems, reboot, trust_registry};
use qemu_tests::harness::artifacts;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

const CONFIG: &str = "
write_files:
- path: /etc/docker/daemon.json
  content: '{\"log-driver\": \"local\", \"exec-opts\": [\"native.cgroupdriver=systemd\"]}'
- {path: /shared/file, content: of-write-files}
mounts:
- [LABEL=DATA, /mnt/data, ext4, noatime]
- [tmpfs, /home/rancher/volumes, tmpfs, '']
- [tmpfs, /opt/volumes, tmpfs, '']
- [tmpfs, /var/lib/docker/mine, tmpfs, '']
- [/shared/file, /home/rancher/file, '', bind]
- ['10.0.2.2:/nowhere', /media/share, nfs, '']
rancher:
  docker:
    data_root: /mnt/data/docker
    host: ['unix:///var/run/docker.sock', 'tcp://0.0.0.0:2375']
  system_docker:
    bip: 172.19.0.1/16
    storage_driver: overlay
    graph: /var/lib/system-docker
";

const LEFT_OUT_OF_USER_DOCKER: &str =
    "/etc/docker/daemon.json: exec-opts is left out: this machine has no systemd";
const LEFT_OUT_OF_SYSTEM_DOCKER: [&str; 2] = [
    "rancher.system_docker.bip is left out: System Docker has no network",
    "rancher.system_docker.storage_driver is left out: System Docker needs",
];

#[test]
#[ignore = "long: make test-long"]
fn engines_have_the_settings_and_the_disks_of_the_cloud_config() -> Result<()> {
    let scratch = artifacts::fresh_dir("cloud-config-registry")?;
    let registry = Registry::with_images(&scratch)?;
    let spec = VmSpec {
        state_disk_mb: Some(1024),
        disks: vec![make_data_disk()?],
        ..VmSpec::default()
    };
    run("cloud-config", &spec, &UserData::config(CONFIG), |vm| {
        let mut checks = Checks::default();
        // System Docker runs before the first answer of the data source.
        check_boot(vm, &mut checks, "first boot", &[LEFT_OUT_OF_USER_DOCKER]);
        let images = trust_registry(vm, &registry)?;
        let image = format!("{images}/busybox");
        vm.ssh.ok(&format!("docker pull {image}"))?;
        checks.run("volumes", || check_volumes(vm, &image));
        for number in ["second boot", "third boot"] {
            reboot(vm)?;
            let left_out = [&[LEFT_OUT_OF_USER_DOCKER][..], &LEFT_OUT_OF_SYSTEM_DOCKER].concat();
            check_boot(vm, &mut checks, number, &left_out);
            // Its data is on the disk: the image needs no pull.
            checks.run(number, || check_volumes(vm, &image));
        }
        checks.finish()
    })
}

fn make_data_disk() -> Result<PathBuf> {
    let disk = artifacts::fresh_dir("cloud-config-disk")?.join("data.img");
    for argv in [
        ["truncate", "--size", "512M"].as_slice(),
        &["mkfs.ext4", "-q", "-L", "DATA"],
    ] {
        let (program, arguments) = argv.split_first().context("a program")?;
        let status = Command::new(program).args(arguments).arg(&disk).status();
        ensure!(status.context(*program)?.success(), "{program} fails");
    }
    Ok(disk)
}

fn check_boot(vm: &Vm, checks: &mut Checks, boot: &str, left_out: &[&str]) {
    checks.run(&format!("{boot}: settings"), || {
        for (command, expected) in [
            (
                "docker info -f '{{.DockerRootDir}} {{.LoggingDriver}}'",
                "/mnt/data/docker local",
            ),
            (
                "docker -H tcp://127.0.0.1:2375 info -f '{{.DockerRootDir}}'",
                "/mnt/data/docker",
            ),
            (
                "sudo system-docker info -f '{{.DockerRootDir}} {{.Driver}}'",
                "/var/lib/system-docker overlay2",
            ),
            ("findmnt -no FSTYPE -T /mnt/data/docker", "ext4"),
            ("cat /home/rancher/file", "of-write-files"),
        ] {
            let found = vm.ssh.ok(command)?;
            ensure!(found.trim() == expected, "{command}: {found}");
        }
        Ok(())
    });
    checks.run(&format!("{boot}: problems"), || {
        let told = problems(vm)?.join("\n");
        for text in left_out {
            ensure!(told.contains(text), "{text}: {told}");
        }
        Ok(())
    });
    checks.run(&format!("{boot}: system containers"), || {
        check_system_containers(vm)
    });
}

/// Containers have the mounts as volumes.
fn check_volumes(vm: &Vm, image: &str) -> Result<()> {
    for folder in [
        "/home/rancher/volumes",
        "/opt/volumes",
        "/var/lib/docker/mine",
        "/mnt/data/mine",
    ] {
        let script = format!(
            "sudo mkdir -p {folder} && echo seen | sudo tee {folder}/file >/dev/null && \
             docker run --rm -v {folder}:/v {image} cat /v/file"
        );
        let found = vm.ssh.ok(&script)?;
        ensure!(found.trim() == "seen", "{folder}: {found}");
    }
    Ok(())
}
