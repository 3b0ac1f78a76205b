//! What the machine forwards: a neighbour on the machine's network, and containers behind their bridge.

use crate::sandbox::{Sandbox, text};

/// A machine beside this one, in a network namespace of its own, that takes this machine for its router.
const NEIGHBOUR: &str = "
ip netns add neighbour
ip link add lan type veth peer name eth0 netns neighbour
ip address add 10.9.0.1/24 dev lan
ip link set lan up
ip -n neighbour address add 10.9.0.2/24 dev eth0
ip -n neighbour link set eth0 up
ip -n neighbour link set lo up
ip -n neighbour route add default via 10.9.0.1
";
const IMAGE: &str = "
cd / && tar -c bin lib lib64 usr/lib64 usr/bin/bash usr/bin/sleep usr/lib/x86_64-linux-gnu/libc.so.6 \\
    usr/lib/x86_64-linux-gnu/libtinfo.so.6* usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 | docker import - shell
docker run --detach --name web --publish 8080:80 shell bash -c 'sleep 600'
";

/// Whether a connection gets as far as `address`. Nobody listens there, so the answer of a machine that is reached is
/// a refusal; a packet that is dropped has no answer.
fn reaches(sandbox: &Sandbox, from: &[&str], address: &str) -> bool {
    let connect = format!("exec 3<>/dev/tcp/{address}");
    let argv = [&["timeout", "2"], from, &["bash", "-c", &connect]].concat();
    let output = sandbox.run(&argv);
    text(&output.stderr).contains("refused") || output.status.success()
}

fn policies(sandbox: &Sandbox) -> [String; 2] {
    ["iptables", "ip6tables"].map(|program| {
        let rules = sandbox.succeed(&[program, "--list-rules", "FORWARD"]);
        rules.lines().next().unwrap_or_default().to_owned()
    })
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn neighbours_reach_published_ports_alone_unless_the_machine_is_a_router() {
    let mut sandbox = Sandbox::start("rancher: {sysctl: {net.ipv4.ip_forward: '1'}}\n");
    // As an earlier version left it, before any engine runs.
    sandbox.succeed(&["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]);
    sandbox.bring_up();
    sandbox.succeed(&["sh", "-ec", NEIGHBOUR]);
    sandbox.succeed(&["sh", "-ec", IMAGE]);
    assert_eq!(policies(&sandbox), ["-P FORWARD DROP"; 2]);
    let neighbour = ["ip", "netns", "exec", "neighbour"];
    let container = ["docker", "exec", "web"];
    let address = "{{.NetworkSettings.IPAddress}}";
    let web = sandbox.succeed(&["docker", "inspect", "--format", address, "web"]);
    let unpublished = format!("{}/81", web.trim());
    assert!(reaches(&sandbox, &neighbour, "10.9.0.1/8080"), "published");
    assert!(
        reaches(&sandbox, &container, "10.9.0.2/9"),
        "from a container"
    );
    assert!(reaches(&sandbox, &[], &unpublished), "from the machine");
    assert!(!reaches(&sandbox, &neighbour, &unpublished), "unpublished");

    sandbox.reboot();
    sandbox.configure("rancher: {network: {forward: true}}\n");
    sandbox.bring_up();
    assert_eq!(policies(&sandbox), ["-P FORWARD ACCEPT"; 2]);
}
