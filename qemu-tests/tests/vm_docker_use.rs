//! Docker as people use it: pull, ports, DNS, outgoing connections, compose, build and volumes, on a machine whose
//! cloud-config only sets an ssh key; and from another machine, with a certificate.

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::spawn::run_tool;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::host_services;
use qemu_tests::servers::http;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn docker_works_with_an_ssh_key_only() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("docker-use-registry")?)?;
    run(
        "docker-use",
        &VmSpec::default(),
        &UserData::key_only(),
        |vm| {
            let prefix = trust_registry(vm, &registry)?;
            let busybox = format!("{prefix}/busybox");
            vm.ssh.ok(&format!(
                "docker pull {busybox} && docker tag {busybox} busybox"
            ))?;
            vm.ssh.ok(&format!(
                "docker pull {prefix}/web && docker tag {prefix}/web web"
            ))?;
            check_published_port(vm)?;
            check_dns_and_way_out(vm)?;
            check_compose(vm)?;
            check_build(vm)?;
            check_volumes(vm)
        },
    )
}

fn check_published_port(vm: &Vm) -> Result<()> {
    vm.ssh.ok("docker run -d --name page -p 8080:80 web")?;
    let answer = vm.wait_until("the page through the forward", Deadline::secs(20), || {
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

/// User Docker on the port that the host forwards.
const TLS: &str = "rancher:\n  docker:\n    tls: true\n    tls_args: [--tlsverify, --tlscacert=/etc/docker/tls/ca.pem, --tlscert=/etc/docker/tls/server-cert.pem, \
                   --tlskey=/etc/docker/tls/server-key.pem, '--host=tcp://0.0.0.0:8080']\n";

#[test]
#[ignore = "boots a VM: make test-vm"]
fn with_a_certificate_over_the_network() -> Result<()> {
    let spec = VmSpec {
        state_disk_mb: Some(1024),
        ..VmSpec::default()
    };
    run("docker-tls", &spec, &UserData::key_only(), |vm| {
        let refused = vm.ssh.run("ros tls generate")?;
        ensure!(refused.stderr.contains("this needs root"), "{refused:?}");
        vm.ssh
            .ok("sudo ros tls generate --server -H localhost -H 10.0.2.15")?;
        vm.ssh.ok("sudo ros tls generate")?;
        vm.ssh
            .ok(&format!("printf %s '{TLS}' | sudo ros config merge"))?;
        let mark = vm.console.mark();
        vm.ssh.run_for(60, "sudo reboot").ok();
        vm.qmp.wait_event("RESET", Deadline::secs(60))?;
        vm.wait_up_after(mark)?;
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            let text = vm.ssh.ok(&format!("cat ~/.docker/{file}"))?;
            std::fs::write(vm.dir.join(file), text).with_context(|| format!("writing {file}"))?;
        }
        let url = format!("https://localhost:{}/version", vm.web_port);
        let path = |file: &str| vm.dir.join(file).to_string_lossy().into_owned();
        let (ca, certificate, key) = (path("ca.pem"), path("cert.pem"), path("key.pem"));
        let with = [
            "-sS",
            "--cacert",
            &ca,
            "--cert",
            &certificate,
            "--key",
            &key,
            &url,
        ];
        let answer = vm.wait_until("the engine over TLS", Deadline::secs(60), || {
            run_tool("curl", &with)
        })?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        ensure!(answer.contains("\"ApiVersion\""), "{answer}");
        let without = run_tool("curl", &["-sS", "--cacert", &ca, &url]);
        ensure!(
            without.is_err(),
            "it lets in who has no certificate: {without:?}"
        );
        // To replace an authority that has expired.
        vm.ssh
            .ok("sudo ros tls generate --new-authority --dir /tmp/another")?;
        ensure!(
            vm.ssh.ok("sudo cat /tmp/another/ca.pem")? != vm.ssh.ok("cat ~/.docker/ca.pem")?,
            "it is the same authority"
        );
        let status = vm.ssh.ok("sudo ros status")?;
        for expected in [
            "healthy    yes",
            "network    eth0 10.0.2.15",
            "console    default",
        ] {
            ensure!(status.contains(expected), "{expected} is missing: {status}");
        }
        let json: serde_json::Value =
            serde_json::from_str(&vm.ssh.ok("sudo ros status --format json")?)?;
        ensure!(
            json["healthy"] == true
                && json["system"]["running"].as_u64() > Some(3)
                && json["engine"].as_str() > Some("docker-")
                && json["boot"].as_array().is_some_and(|marks| marks.len() > 8),
            "{json}"
        );
        vm.ssh.ok("sudo system-docker stop ntp")?;
        let output = vm.ssh.run("sudo ros status")?;
        ensure!(
            output.status == 1 && output.stdout.contains("service ntp does not run"),
            "{output:?}"
        );
        Ok(())
    })
}
