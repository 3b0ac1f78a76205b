//! Commands in the machine, by the ordinary ssh client: tests use a user's way in. Each machine has a key of its own.
//!
//! Commands share one connection: a new connection costs an emulated machine more than most commands.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::harness::spawn::run_tool;

/// The time limit of a command for which the test gives none.
const COMMAND_TIMEOUT_SECS: u64 = 120;

/// The exit status of the ssh client when it got no session.
const NO_SESSION_STATUS: i32 = 255;

/// A way into one machine.
#[derive(Debug)]
pub struct Ssh {
    port: u16,
    key: PathBuf,
    public_key: String,
    connection: Connection,
}

/// The shared connection: a client in the background, and its socket in the machine's folder.
#[derive(Debug)]
struct Connection {
    dir: PathBuf,
}

/// The path is relative to the folder, since the path of a socket has room for 108 bytes only.
const SOCKET: &str = "ssh";

impl Connection {
    fn end(&self) {
        let socket = self.dir.join(SOCKET);
        if socket.exists() {
            // The client may have ended already.
            Command::new("ssh")
                .args(["-F", "none", "-O", "exit", "-S", SOCKET, "machine"])
                .current_dir(&self.dir)
                .output()
                .ok();
            fs::remove_file(socket).ok();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end();
    }
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit status; 124 when time ran out.
    pub status: i32,
    /// Its standard output, without the final newline.
    pub stdout: String,
    /// Its standard error, without the final newline.
    pub stderr: String,
}

impl Ssh {
    /// Makes a key in `dir` for the machine behind `port`.
    pub fn new(dir: &Path, port: u16) -> Result<Self> {
        let key = dir.join("id_ed25519");
        let path = key.to_string_lossy();
        run_tool(
            "ssh-keygen",
            &[
                "-q", "-t", "ed25519", "-N", "", "-C", "harness", "-f", &path,
            ],
        )?;
        let file = key.with_extension("pub");
        let public_key =
            fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        Ok(Self {
            port,
            public_key: public_key.trim().to_owned(),
            key,
            connection: Connection {
                dir: dir.to_path_buf(),
            },
        })
    }

    /// Ends the shared connection, which a restarted machine leaves open; the next command opens a new connection.
    pub fn hang_up(&self) {
        self.connection.end();
    }

    /// The line that goes into `ssh_authorized_keys`.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Reads the server's banner, which shows that the daemon accepts connections.
    pub fn banner(&self) -> Result<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let timeout = Duration::from_secs(10);
        let mut stream =
            TcpStream::connect_timeout(&address, timeout).context("connecting to the ssh port")?;
        stream
            .set_read_timeout(Some(timeout))
            .context("setting the read timeout")?;
        let mut banner = [0; 64];
        let count = stream.read(&mut banner).context("reading the ssh banner")?;
        let text = String::from_utf8_lossy(&banner[..count]);
        ensure!(text.starts_with("SSH-"), "no ssh banner, but {text:?}");
        Ok(text.trim().to_owned())
    }

    /// Runs a command as `rancher`.
    pub fn run(&self, command: &str) -> Result<Output> {
        self.run_for(COMMAND_TIMEOUT_SECS, command)
    }

    /// Runs a command as `rancher` that may take `secs`.
    pub fn run_for(&self, secs: u64, command: &str) -> Result<Output> {
        let mut client = self.client(secs, "ERROR");
        client
            .args(["-o", "ControlMaster=auto", "-o", "ControlPersist=yes"])
            .args(["-S", SOCKET])
            .current_dir(&self.connection.dir);
        Self::run_client(client, "rancher", command)
    }

    /// Logs in as another user and runs a command.
    pub fn run_as(&self, user: &str, secs: u64, command: &str) -> Result<Output> {
        Self::run_client(self.client(secs, "ERROR"), user, command)
    }

    fn run_client(mut client: Command, user: &str, command: &str) -> Result<Output> {
        let output = client
            .arg(format!("{user}@127.0.0.1"))
            .arg(command)
            .stdin(Stdio::null())
            .output()
            .context("running ssh")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        let output = Output {
            status: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        if output.status == NO_SESSION_STATUS {
            bail!("running `{command}` over ssh: {}", output.stderr);
        }
        Ok(output)
    }

    /// The text that a user sees at login: the banner and the message of the day.
    pub fn greeting(&self) -> Result<String> {
        let output = self
            .client(60, "INFO")
            .args(["-tt", "rancher@127.0.0.1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .and_then(|mut child| {
                if let Some(mut stdin) = child.stdin.take() {
                    stdin.write_all(b"exit\n")?;
                }
                child.wait_with_output()
            })
            .context("logging in over ssh")?;
        Ok(format!(
            "{}{}",
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        ))
    }

    /// Runs a command that must succeed and returns its output.
    pub fn ok(&self, command: &str) -> Result<String> {
        self.ok_for(COMMAND_TIMEOUT_SECS, command)
    }

    /// Runs a command that must succeed within `secs` and returns its output.
    pub fn ok_for(&self, secs: u64, command: &str) -> Result<String> {
        let output = self.run_for(secs, command)?;
        ensure!(
            output.status == 0,
            "`{command}` ended with {}\nstdout: {}\nstderr: {}",
            output.status,
            output.stdout,
            output.stderr
        );
        Ok(output.stdout)
    }

    fn client(&self, secs: u64, log_level: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", &secs.to_string(), "ssh"]);
        command
            .args(["-F", "none", "-p", &self.port.to_string(), "-i"])
            .arg(&self.key);
        for option in [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "ConnectTimeout=30",
            "ServerAliveInterval=10",
            "ServerAliveCountMax=6",
        ] {
            command.args(["-o", option]);
        }
        command.args(["-o", &format!("LogLevel={log_level}")]);
        command
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener};
    use std::path::PathBuf;

    use super::{Connection, Ssh};

    fn ssh_to_server_saying(text: &'static str) -> Ssh {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(text.as_bytes()));
        Ssh {
            port,
            key: PathBuf::new(),
            public_key: String::new(),
            connection: Connection {
                dir: PathBuf::new(),
            },
        }
    }

    #[test]
    fn only_an_ssh_banner_counts_as_accepting() {
        assert_eq!(
            ssh_to_server_saying("SSH-2.0-OpenSSH_10.0\r\n")
                .banner()
                .unwrap(),
            "SSH-2.0-OpenSSH_10.0"
        );
        assert!(ssh_to_server_saying("HTTP/1.1 400\r\n").banner().is_err());
        assert!(ssh_to_server_saying("").banner().is_err());
    }
}
