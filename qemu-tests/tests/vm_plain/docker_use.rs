//! Docker as people use it: ports, DNS, outgoing connections, compose, build and volumes.

use anyhow::{Result, ensure};
use qemu_tests::Vm;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::{host_services, http};

use crate::{VM, pull_images};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_published_port_answers() -> Result<()> {
    VM.with(|vm| {
        pull_images(vm)?;
        check_published_port(vm)
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn containers_have_dns_and_a_way_out() -> Result<()> {
    VM.with(|vm| {
        pull_images(vm)?;
        check_dns_and_way_out(vm)
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn compose_services_find_each_other() -> Result<()> {
    VM.with(|vm| {
        pull_images(vm)?;
        check_compose(vm)
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn an_image_is_built() -> Result<()> {
    VM.with(|vm| {
        pull_images(vm)?;
        check_build(vm)
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn volumes_and_bind_mounts_hold_data() -> Result<()> {
    VM.with(|vm| {
        pull_images(vm)?;
        check_volumes(vm)
    })
}

fn check_published_port(vm: &Vm) -> Result<()> {
    vm.ssh.ok("docker run -d --name page -p 8080:80 web")?;
    let answer = vm.wait_until("the page through the forward", Deadline::secs(60), || {
        http::get(vm.web_port, "/")
    })?;
    assert_eq!(
        String::from_utf8_lossy(&answer.body),
        "the page of the web image\n"
    );
    vm.ssh.ok("docker rm -f page").map(drop)
}

fn check_dns_and_way_out(vm: &Vm) -> Result<()> {
    let port = host_services::start_web()?;
    let by_address = vm.ssh.ok(&format!(
        "docker run --rm busybox wget -qO- http://10.0.2.2:{port}/"
    ))?;
    assert_eq!(by_address, host_services::WEB_PAGE.trim_end());
    host_services::start_dns()?;
    let url = format!("http://{}:{port}/", host_services::DNS_NAME);
    let by_name = vm.ssh.ok(&format!(
        "docker run --rm --dns 10.0.2.2 busybox wget -qO- {url}"
    ))?;
    assert_eq!(by_name, host_services::WEB_PAGE.trim_end());
    // Without --dns a container asks the name server that DHCP gave.
    let servers = vm.ssh.ok("docker run --rm busybox cat /etc/resolv.conf")?;
    ensure!(
        servers.contains("10.0.2.3"),
        "DHCP's name server is not in the container: {servers}"
    );
    Ok(())
}

fn check_compose(vm: &Vm) -> Result<()> {
    let file = "services:\n  shop:\n    image: web\n  client:\n    image: busybox\n    depends_on: [shop]\n    \
                command: sh -c 'until wget -qO- http://shop/; do sleep 1; done'\n";
    vm.ssh.ok(&format!(
        "mkdir -p ~/shop && cat > ~/shop/compose.yml <<'END'\n{file}END"
    ))?;
    vm.ssh.ok("cd ~/shop && docker compose up -d")?;
    let log = vm.wait_until(
        "one service to find the other by name",
        Deadline::secs(60),
        || {
            let log = vm.ssh.ok("cd ~/shop && docker compose logs client")?;
            ensure!(log.contains("the page of the web image"), "{log}");
            Ok(log)
        },
    )?;
    ensure!(log.contains("client"), "{log}");
    vm.ssh.ok("cd ~/shop && docker compose down -t 1").map(drop)
}

fn check_build(vm: &Vm) -> Result<()> {
    let file = "FROM busybox\nRUN echo built > /result\nCOPY note /note\nCMD [\"cat\", \"/result\", \"/note\"]\n";
    vm.ssh.ok(&format!(
        "mkdir -p ~/build && cd ~/build && echo noted > note && cat > Dockerfile <<'END'\n{file}END"
    ))?;
    vm.ssh.ok_for(240, "cd ~/build && docker build -t made .")?;
    assert_eq!(vm.ssh.ok("docker run --rm made")?, "built\nnoted");
    Ok(())
}

fn check_volumes(vm: &Vm) -> Result<()> {
    vm.ssh.ok("docker volume create cow")?;
    vm.ssh
        .ok("docker run --rm -v cow:/cow busybox sh -c 'echo kept > /cow/file'")?;
    assert_eq!(
        vm.ssh
            .ok("docker run --rm -v cow:/cow busybox cat /cow/file")?,
        "kept"
    );
    // The source of a bind mount is the path as the console shows it.
    for dir in ["/home/rancher/bind", "/opt/bind", "/mnt/bind"] {
        vm.ssh.ok(&format!(
            "sudo mkdir -p {dir} && echo seen | sudo tee {dir}/file >/dev/null"
        ))?;
        assert_eq!(
            vm.ssh
                .ok(&format!("docker run --rm -v {dir}:/b busybox cat /b/file"))?,
            "seen",
            "{dir}"
        );
        vm.ssh.ok(&format!(
            "docker run --rm -v {dir}:/b busybox sh -c 'echo back > /b/answer'"
        ))?;
        assert_eq!(vm.ssh.ok(&format!("cat {dir}/answer"))?, "back", "{dir}");
    }
    // A container that asked for propagation sees a later mount of the console.
    vm.ssh.ok("sudo mkdir -p /mnt/disk && docker run -d --name looker -v /mnt:/mnt:rslave busybox sleep 600")?;
    vm.ssh
        .ok("sudo mount -t tmpfs none /mnt/disk && sudo touch /mnt/disk/late")?;
    vm.ssh.ok("docker exec looker ls /mnt/disk/late; s=$?; docker rm -f looker; sudo umount /mnt/disk; exit $s").map(drop)
}
