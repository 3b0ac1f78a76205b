//! User Docker over the network, with a certificate.

use anyhow::{Context, Result, ensure};
use qemu_tests::Vm;
use qemu_tests::harness::spawn::run_tool;
use qemu_tests::harness::wait::Deadline;

/// User Docker on the port that the host forwards.
const TLS: &str = "rancher:\n  docker:\n    tls: true\n    tls_args: [--tlsverify, --tlscacert=/etc/docker/tls/ca.pem, --tlscert=/etc/docker/tls/server-cert.pem, \
                   --tlskey=/etc/docker/tls/server-key.pem, '--host=tcp://0.0.0.0:8080']\n";

/// Makes the certificates, and has the next boot's User Docker listen on the network.
pub(crate) fn set_up(vm: &Vm) -> Result<()> {
    let refused = vm.ssh.run("ros tls generate")?;
    ensure!(refused.stderr.contains("this needs root"), "{refused:?}");
    vm.ssh
        .ok("sudo ros tls generate --server -H localhost -H 10.0.2.15")?;
    vm.ssh.ok("sudo ros tls generate")?;
    vm.ssh
        .ok(&format!("printf %s '{TLS}' | sudo ros config merge"))?;
    Ok(())
}

/// The engine lets in a client with a certificate, and no other.
pub(crate) fn check(vm: &Vm) -> Result<()> {
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
    Ok(())
}
