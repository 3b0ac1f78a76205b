//! A real registry on the host's loopback, which machines reach as 10.0.2.2: Debian's `docker-registry`, over plain
//! HTTP with and without a login, and over TLS, all on the same store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::harness::paths;
use crate::harness::spawn::{free_port, run_tool, start_background};
use crate::harness::wait::{Deadline, retry, sleep_between_polls};
use crate::servers::http::{self, Request, Response};
use crate::servers::image::{self, Image};

/// A running registry; dropping the value ends it.
#[derive(Debug)]
pub struct Registry {
    plain_port: u16,
    tls_port: u16,
    private_port: u16,
    dir: PathBuf,
    children: Vec<Child>,
}

/// The login of the private side: the user `cow` with the password `moo`.
const HTPASSWD: &str = "cow:$2b$05$JmOQK.PXnG7DbT8ZI0d5qu1os2zjys71iJwxoxQVCjNMvWrWproE.\n";

impl Registry {
    /// Starts a registry whose files are in `parent`/registry.
    pub fn start(parent: &Path) -> Result<Self> {
        let dir = parent.join("registry");
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        make_certificate(&dir)?;
        let (plain_port, tls_port, private_port) = (free_port()?, free_port()?, free_port()?);
        let mut registry = Self {
            plain_port,
            tls_port,
            private_port,
            children: Vec::new(),
            dir,
        };
        registry.serve("plain", plain_port, "")?;
        let passwords = registry.dir.join("htpasswd");
        fs::write(&passwords, HTPASSWD).context("writing the registry's passwords")?;
        let auth = format!(
            "auth:\n  htpasswd: {{realm: harness, path: {}}}\n",
            passwords.display()
        );
        registry.serve("private", private_port, &auth)?;
        let tls = format!(
            "  tls:\n    certificate: {0}/ca.crt\n    key: {0}/ca.key\n",
            registry.dir.display()
        );
        registry.serve("tls", tls_port, &tls)?;
        registry.wait_ready()?;
        Ok(registry)
    }

    /// Starts a registry and pushes `busybox` and `web` (a page on port 80).
    pub fn with_images(parent: &Path) -> Result<Self> {
        let registry = Self::start(parent)?;
        registry.push("busybox", &image::busybox(&registry.dir, &["sh"], &[])?)?;
        let serve = ["httpd", "-f", "-p", "80", "-h", "/www"];
        let page = [("www/index.html", "the page of the web image\n")];
        registry.push("web", &image::busybox(&registry.dir, &serve, &page)?)?;
        Ok(registry)
    }

    /// The host's port of the plain side.
    pub fn plain_port(&self) -> u16 {
        self.plain_port
    }

    /// The prefix of an image's name on a machine, for plain HTTP.
    pub fn plain_address(&self) -> String {
        format!("10.0.2.2:{}", self.plain_port)
    }

    /// The prefix of an image's name on a machine, for TLS.
    pub fn tls_address(&self) -> String {
        format!("10.0.2.2:{}", self.tls_port)
    }

    /// The prefix of an image's name on a machine, for plain HTTP with the login `cow` and `moo`.
    pub fn private_address(&self) -> String {
        format!("10.0.2.2:{}", self.private_port)
    }

    /// The certificate that a machine must trust for TLS.
    pub fn certificate(&self) -> Result<String> {
        let file = self.dir.join("ca.crt");
        fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))
    }

    /// Pushes `image` as `name`:latest.
    pub fn push(&self, name: &str, image: &Image) -> Result<()> {
        for blob in image.layers.iter().chain([&image.config]) {
            self.push_blob(name, blob)
                .with_context(|| format!("pushing a blob of {name}"))?;
        }
        let path = format!("/v2/{name}/manifests/latest");
        let answer = self.send("PUT", &path, image::MANIFEST_TYPE, &image.manifest)?;
        expect_status(&answer, 201).with_context(|| format!("pushing the manifest of {name}"))
    }

    /// Pushes an image of the catalogue as paddock/`name`:latest.
    pub fn push_catalogue(&self, name: &str) -> Result<()> {
        self.push_archive(&paths::dist().join("images"), name)
    }

    /// Pushes an image that is built for tests as paddock/`name`:latest.
    pub fn push_test_image(&self, name: &str) -> Result<()> {
        self.push_archive(&paths::test_images(), name)
    }

    fn push_archive(&self, folder: &Path, name: &str) -> Result<()> {
        let archive = folder.join(format!("{name}.tar"));
        let from = format!("docker-archive:{}", archive.display());
        let to = format!(
            "docker://127.0.0.1:{}/paddock/{name}:latest",
            self.plain_port
        );
        let arguments = [
            "copy",
            "--quiet",
            "--dest-tls-verify=false",
            // zstd packs and unpacks several times as fast as gzip.
            "--dest-compress-format=zstd",
            &from,
            &to,
        ];
        run_tool("skopeo", &arguments).map(drop)
    }

    /// Pushes `image`, and cuts its last layer off in the middle.
    pub fn push_truncated(&self, name: &str, image: &Image) -> Result<()> {
        self.push(name, image)?;
        let layer = image.layers.last().context("finding a layer")?;
        let digest = image::digest(layer)?;
        let hash = digest.trim_start_matches("sha256:");
        let file = self.dir.join(format!(
            "store/docker/registry/v2/blobs/sha256/{}/{hash}/data",
            &hash[..2]
        ));
        fs::write(&file, &layer[..layer.len() / 2])
            .with_context(|| format!("truncating {}", file.display()))
    }

    fn push_blob(&self, name: &str, blob: &[u8]) -> Result<()> {
        let answer = self.send("POST", &format!("/v2/{name}/blobs/uploads/"), "", &[])?;
        expect_status(&answer, 202)?;
        let location = answer
            .header("location")
            .context("reading the upload's address")?;
        let path = location.find("/v2/").map_or(location, |at| &location[at..]);
        let path = format!("{path}&digest={}", image::digest(blob)?);
        expect_status(
            &self.send("PUT", &path, "application/octet-stream", blob)?,
            201,
        )
    }

    fn send(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Result<Response> {
        http::send(
            self.plain_port,
            &Request {
                method,
                path,
                content_type,
                body,
            },
        )
    }

    fn serve(&mut self, name: &str, port: u16, tls: &str) -> Result<()> {
        let dir = self.dir.display();
        let config = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage:\n  filesystem: {{rootdirectory: {dir}/store}}\n\
             http:\n  addr: 127.0.0.1:{port}\n  secret: paddock\n{tls}"
        );
        let file = self.dir.join(format!("{name}.yml"));
        fs::write(&file, config).with_context(|| format!("writing {}", file.display()))?;
        let log = self.dir.join(format!("{name}.log"));
        self.children.push(start_background(
            "docker-registry",
            &["serve".as_ref(), file.as_os_str()],
            &log,
        )?);
        Ok(())
    }

    fn wait_ready(&mut self) -> Result<()> {
        let children = &mut self.children;
        let port = self.plain_port;
        let pause_while_running = || {
            for child in children.iter_mut() {
                if let Some(status) = child
                    .try_wait()
                    .context("asking for the registry's state")?
                {
                    bail!("the registry ended with {status} (see registry/*.log)");
                }
            }
            sleep_between_polls(Duration::from_millis(50));
            Ok(())
        };
        retry(
            "the registry to answer",
            Deadline::secs(30),
            pause_while_running,
            || expect_status(&http::get(port, "/v2/")?, 200),
        )
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for child in &mut self.children {
            // The registry may have ended already.
            child.kill().ok();
            child.wait().ok();
        }
        // The store is large and does not help to explain a failure.
        fs::remove_dir_all(self.dir.join("store")).ok();
    }
}

fn expect_status(answer: &Response, status: u16) -> Result<()> {
    ensure!(
        answer.status == status,
        "the registry answered {} instead of {status}: {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    );
    Ok(())
}

fn make_certificate(dir: &Path) -> Result<()> {
    let (key, certificate) = (dir.join("ca.key"), dir.join("ca.crt"));
    let args = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=harness",
        "-addext",
        "subjectAltName=IP:10.0.2.2,IP:127.0.0.1",
        "-keyout",
    ];
    let mut args: Vec<&std::ffi::OsStr> = args.iter().map(AsRef::as_ref).collect();
    args.extend([key.as_os_str(), "-out".as_ref(), certificate.as_os_str()]);
    run_tool("openssl", &args).map(drop)
}
