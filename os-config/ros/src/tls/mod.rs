//! `ros tls generate`: an authority of the machine's own, and certificates for User Docker's port and its clients.

mod authority;
mod pkcs8;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use os_config::atomic_file::AtomicFile;
use rcgen::ExtendedKeyUsagePurpose;

use crate::config::Store;
use crate::console::user_path::{Folder, Missing};
use crate::privilege;
use crate::tls::authority::Authority;

const SERVER: &str = "/etc/docker/tls";
const CLIENT: &str = "/home/rancher/.docker";
/// The ids of rancher's user and group.
const OWNER: u32 = 1100;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a certificate for who uses the engine, or with --server for the engine itself.
    #[command(
        visible_alias = "gen",
        after_help = "Example: sudo ros tls generate --server --hostname box.lan --hostname 10.0.0.5 && sudo ros tls generate\n\
                      Then: sudo ros config set rancher.docker.tls true && sudo reboot"
    )]
    Generate {
        /// The engine's own certificate.
        #[arg(short, long)]
        server: bool,
        /// Names and addresses that the engine is reached at.
        #[arg(short = 'H', long, default_value = "localhost")]
        hostname: Vec<String>,
        /// Make another authority first: certificates of the old one count no more.
        #[arg(long)]
        new_authority: bool,
        /// Where the files go: /etc/docker/tls for the engine, /home/rancher/.docker otherwise.
        #[arg(short, long)]
        dir: Option<PathBuf>,
    },
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let Action::Generate {
        server,
        hostname,
        new_authority,
        dir,
    } = &args.action;
    privilege::require_root("ros tls generate …")?;
    let config = os_config::load::load(Path::new("/")).config;
    let authority = Authority::load_or_make(&config.rancher.docker, *new_authority)?;
    if *server {
        let folder = dir.as_deref().unwrap_or(Path::new(SERVER));
        issue_for_server(&authority, hostname, folder)?;
    } else {
        issue_for_client(&authority, dir.as_deref())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn issue_for_server(authority: &Authority, hostnames: &[String], folder: &Path) -> Result<()> {
    let (certificate, key) = authority.sign(hostnames, ExtendedKeyUsagePurpose::ServerAuth)?;
    for (name, text, mode) in [
        ("ca.pem", &authority.certificate, 0o644),
        ("server-cert.pem", &certificate, 0o644),
        ("server-key.pem", &key, 0o600),
    ] {
        write(&folder.join(name), text, mode, None)?;
    }
    if folder == Path::new(SERVER) {
        Store::new(Path::new("/")).set_texts(&[
            ("rancher.docker.server_cert", &certificate),
            ("rancher.docker.server_key", &key),
        ])?;
    }
    println!(
        "{}: ca.pem, server-cert.pem, server-key.pem for {}",
        folder.display(),
        hostnames.join(", ")
    );
    Ok(())
}

/// The authority's key stays with the machine: its holder can make certificates.
fn issue_for_client(authority: &Authority, dir: Option<&Path>) -> Result<()> {
    let shown = dir.unwrap_or(Path::new(CLIENT));
    // A link that rancher made must lead root nowhere.
    let of_rancher = match dir {
        Some(_) => None,
        None => Folder::open(shown, Missing::Make)?,
    };
    let names = ["client".to_owned()];
    let (certificate, key) = authority.sign(&names, ExtendedKeyUsagePurpose::ClientAuth)?;
    let owner = of_rancher.is_some().then_some(OWNER);
    for (name, text, mode) in [
        ("ca.pem", &authority.certificate, 0o644),
        ("cert.pem", &certificate, 0o644),
        ("key.pem", &key, 0o600),
    ] {
        let path = match &of_rancher {
            Some(folder) => folder.path(Path::new(name)),
            None => shown.join(name),
        };
        write(&path, text, mode, owner)?;
    }
    if let Some(folder) = of_rancher {
        folder
            .set_owner(OWNER)
            .with_context(|| format!("giving {} to rancher", shown.display()))?;
    }
    println!("{}: ca.pem, cert.pem, key.pem", shown.display());
    Ok(())
}

fn write(file: &Path, text: &str, mode: u32, owner: Option<u32>) -> Result<()> {
    let failed = || format!("writing {}", file.display());
    let new = AtomicFile::write(file, text.as_bytes(), mode).with_context(failed)?;
    if owner.is_some() {
        new.set_owner(owner, owner)
            .with_context(|| format!("giving {} to rancher", file.display()))?;
    }
    new.persist().with_context(failed)
}
