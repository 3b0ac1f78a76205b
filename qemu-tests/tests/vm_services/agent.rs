//! A Rancher agent at boot, by `rancher.agent`: the server speaks the registration of version 1, and the agent runs
//! the server's script. The agent's whole life is in long_agent.rs.

use std::sync::OnceLock;

use anyhow::{Result, bail};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::cloud::Cloud;

use crate::VM;

/// Like the real agent's program: it fetches the script from the given address and runs it, or fails.
pub(crate) const PROGRAM: &str = "#!/bin/sh\nwget -qO /tmp/script \"$1\" && exec sh /tmp/script\n";

const SCRIPT: &str = "/v1/scripts/T0KEN:1483142400000:abc";
const REGISTER: &str = "/v1/register";

/// The Rancher server. It lives to the end of the program, like the machine.
fn server() -> Result<&'static Cloud> {
    static SERVER: OnceLock<Result<Cloud>> = OnceLock::new();
    let start = || {
        let server = Cloud::listen(0)?;
        let port = server.port();
        server.respond_with(move |request| match request.path.as_str() {
            SCRIPT => Some(format!(
                "wget -qO- --post-data=\"ip=$CATTLE_AGENT_IP labels=$CATTLE_HOST_LABELS\" \
                 http://10.0.2.2:{port}{REGISTER} && exec sleep 100000\n"
            )),
            REGISTER => Some("welcome\n".to_owned()),
            _ => None,
        });
        Ok(server)
    };
    match SERVER.get_or_init(start) {
        Ok(server) => Ok(server),
        Err(error) => bail!("{error:#}"),
    }
}

/// The agent in the cloud-config, below `rancher`.
pub(crate) fn keys(registry: &str) -> Result<String> {
    let port = server()?.port();
    Ok(format!(
        "  agent:\n    url: http://10.0.2.2:{port}{SCRIPT}\n    image: {registry}/agent\n    ip: 10.0.2.15\n    \
         labels: {{zone: meadow}}\n"
    ))
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn an_agent_registers_at_boot() -> Result<()> {
    VM.with(|_| {
        let asked = server()?.wait_for(REGISTER, Deadline::secs(120))?;
        assert_eq!(asked.body, "ip=10.0.2.15 labels=zone=meadow");
        Ok(())
    })
}
