//! A cloud-config whose mounts, files and options all concern the engines: Docker's data on a disk of `mounts`,
//! `daemon.json` in `write_files`, a TCP socket, and options of System Docker that RancherOS's documents have. Another has
//! a share of a server in its `mounts`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::daemons::check_system_containers;
use qemu_tests::fixtures::guest::{problems, reboot, trust_registry};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
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

/// A share in `mounts`, whose server is a container of the machine: it comes after the first attempts to mount it. The
/// console has no NFS program, so that the options are the kernel's own.
const SHARE: &str = "
mounts:
- ['127.0.0.1:/herd', /media/share, nfs4, 'addr=127.0.0.1,vers=4.2,soft,timeo=20,retrans=1']
";
const SHARE_PROBLEM: &str = "mounts: 127.0.0.1:/herd: ";

#[test]
#[ignore = "long: make test-long"]
fn a_share_is_mounted_when_its_server_is_there() -> Result<()> {
    let scratch = artifacts::fresh_dir("share-registry")?;
    let registry = Registry::with_images(&scratch)?;
    registry.push_test_image("nfs-server")?;
    let spec = VmSpec {
        state_disk_mb: Some(2048),
        ..VmSpec::default()
    };
    run("share", &spec, &UserData::config(SHARE), |vm| {
        let mut checks = Checks::default();
        let images = trust_registry(vm, &registry)?;
        let image = format!("{images}/busybox");
        checks.run("without its server", || {
            vm.wait_until("the problem", Deadline::secs(120), || {
                let told = problems(vm)?.join("\n");
                ensure!(told.contains(SHARE_PROBLEM), "{told}");
                Ok(())
            })
        });
        let server = format!("{images}/paddock/nfs-server");
        vm.ssh.ok_for(
            300,
            &format!("docker run -d --restart always --name server -p 2049:2049 {server}"),
        )?;
        checks.run("with its server", || check_share(vm, &image));
        // The console starts again while the server runs.
        checks.run("in the next console", || {
            vm.ssh.ok("sudo umount /media/share")?;
            vm.ssh
                .run_for(60, "sudo system-docker restart console")
                .ok();
            check_share(vm, &image)
        });
        // The server ends before the console: a dead server does not hold the machine up.
        reboot(vm)?;
        checks.run("after a reboot", || check_share(vm, &image));
        checks.finish()
    })
}

/// The console has the share, a container has it as a volume, and the problem is solved.
fn check_share(vm: &Vm, image: &str) -> Result<()> {
    vm.wait_until("the share", Deadline::secs(180), || {
        let found = vm.ssh.ok("findmnt -no FSTYPE,SOURCE /media/share")?;
        ensure!(
            found.contains("nfs4") && found.contains(":/herd"),
            "{found}"
        );
        Ok(())
    })?;
    let script = format!(
        "echo moo | sudo tee /media/share/cow >/dev/null && \
         docker run --rm -v /media/share:/v {image} sh -c 'cat /v/cow; grep \" /v \" /proc/mounts'"
    );
    let found = vm.ssh.ok_for(120, &script)?;
    ensure!(
        found.starts_with("moo") && found.contains(" nfs4 "),
        "{found}"
    );
    let told = problems(vm)?.join("\n");
    ensure!(!told.contains(SHARE_PROBLEM), "{told}");
    Ok(())
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
