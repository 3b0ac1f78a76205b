//! `ros tls generate`: an authority of the machine's own, and certificates for User Docker's port and for those
//! who may use it.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use os_config::atomic_file;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use crate::config::Store;
use crate::root;

const SERVER: &str = "/etc/docker/tls";
const CLIENT: &str = "/home/rancher/.docker";
/// rancher's user and group.
const OWNER: u32 = 1100;
/// As RancherOS had it.
const VALIDITY: Duration = Duration::days(1080);
/// For clocks that are a little behind.
const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

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
    root::require_root("ros tls generate …")?;
    let authority = Authority::load_or_make(*new_authority)?;
    if *server {
        let folder = dir.as_deref().unwrap_or(Path::new(SERVER));
        issue_for_server(&authority, hostname, folder)?;
    } else {
        let folder = dir.as_deref().unwrap_or(Path::new(CLIENT));
        issue_for_client(&authority, folder, dir.is_none())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Who signs: its certificate, and the key that only the machine has.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The one of the configuration (`rancher.docker.ca_cert` and `ca_key`), which is made and kept there
    /// the first time, and with `renew` now.
    fn load_or_make(renew: bool) -> Result<Self> {
        let engine = os_config::load::load(Path::new("/")).config.rancher.docker;
        if let (Some(certificate), Some(key), false) = (engine.ca_cert, engine.ca_key, renew) {
            return Self::from_pem(&certificate, &key)
                .context("reading rancher.docker.ca_cert and rancher.docker.ca_key")
                .map_err(|error| anyhow!("{error:#}\nhint: --new-authority makes another, and its certificates are needed everywhere"));
        }
        let (certificate, key) = new_authority()?;
        Store::new(Path::new("/")).set_texts(&[
            ("rancher.docker.ca_cert", &certificate),
            ("rancher.docker.ca_key", &key),
        ])?;
        Self::from_pem(&certificate, &key)
    }

    fn from_pem(certificate: &str, key: &str) -> Result<Self> {
        let key = KeyPair::from_pem(&as_pkcs8(key)?).context("reading the authority's key")?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key)
            .context("reading the authority's certificate")?;
        Ok(Self {
            certificate: certificate.to_owned(),
            issuer,
        })
    }

    /// A certificate for one purpose, and its key.
    fn sign(&self, names: &[String], purpose: ExtendedKeyUsagePurpose) -> Result<(String, String)> {
        let key = KeyPair::generate().context("making a key")?;
        let mut params = params(names)?;
        params.extended_key_usages = vec![purpose];
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        let certificate = params
            .signed_by(&key, &self.issuer)
            .context("signing the certificate")?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

/// A private key as everybody has them now: RancherOS kept its authority's in the older form for RSA only (PKCS #1),
/// which is what is in the octets of the present one (PKCS #8, RFC 5208).
fn as_pkcs8(key: &str) -> Result<String> {
    const OLD: &str = "RSA PRIVATE KEY";
    /// Version 0; an algorithm: rsaEncryption without parameters (RFC 8017).
    const HEAD: [u8; 18] = [
        0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
        0x01, 0x05, 0x00,
    ];
    if !key.contains(OLD) {
        return Ok(key.to_owned());
    }
    let old = pem::parse(key).context("reading the authority's key")?;
    let octets = der(0x04, old.contents());
    let whole = der(0x30, &[&HEAD, octets.as_slice()].concat());
    Ok(pem::encode(&pem::Pem::new("PRIVATE KEY", whole)))
}

/// A value of DER with its tag and its length.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let first = length.iter().position(|byte| *byte != 0);
    let length = length
        .get(first.unwrap_or(length.len() - 1)..)
        .unwrap_or_default();
    let mut out = vec![tag];
    if content.len() >= 0x80 {
        out.push(0x80 | length.len() as u8);
    }
    out.extend(length);
    out.extend(content);
    out
}

fn new_authority() -> Result<(String, String)> {
    let key = KeyPair::generate().context("making a key")?;
    let mut params = params(&[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params
        .self_signed(&key)
        .context("signing the authority's certificate")?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn params(names: &[String]) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names)
        .with_context(|| format!("expected names or addresses, found {}", names.join(", ")))?;
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "PaddockOS");
    let common = names.first().map_or("PaddockOS", String::as_str);
    name.push(DnType::CommonName, common);
    params.distinguished_name = name;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCK_TOLERANCE;
    params.not_after = now + VALIDITY;
    Ok(params)
}

fn issue_for_server(authority: &Authority, hostnames: &[String], folder: &Path) -> Result<()> {
    let (certificate, key) = authority.sign(hostnames, ExtendedKeyUsagePurpose::ServerAuth)?;
    write(folder, "ca.pem", &authority.certificate, 0o644)?;
    write(folder, "server-cert.pem", &certificate, 0o644)?;
    write(folder, "server-key.pem", &key, 0o600)?;
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

/// The authority's key stays with the machine: who had it could make certificates of his own.
fn issue_for_client(authority: &Authority, folder: &Path, give_to_rancher: bool) -> Result<()> {
    let names = ["client".to_owned()];
    let (certificate, key) = authority.sign(&names, ExtendedKeyUsagePurpose::ClientAuth)?;
    for (name, text, mode) in [
        ("ca.pem", &authority.certificate, 0o644),
        ("cert.pem", &certificate, 0o644),
        ("key.pem", &key, 0o600),
    ] {
        write(folder, name, text, mode)?;
        if give_to_rancher {
            let file = folder.join(name);
            chown(&file, Some(OWNER), Some(OWNER))
                .with_context(|| format!("giving {} to rancher", file.display()))?;
        }
    }
    if give_to_rancher {
        chown(folder, Some(OWNER), Some(OWNER))
            .with_context(|| format!("giving {} to rancher", folder.display()))?;
    }
    println!("{}: ca.pem, cert.pem, key.pem", folder.display());
    Ok(())
}

fn write(folder: &Path, name: &str, text: &str, mode: u32) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let file = folder.join(name);
    atomic_file::replace(&file, text.as_bytes(), mode)
        .with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::{Authority, der, new_authority};
    use rcgen::ExtendedKeyUsagePurpose;

    #[test]
    fn what_an_authority_signs_is_read_again() {
        let (certificate, key) = new_authority().unwrap();
        let authority = Authority::from_pem(&certificate, &key).unwrap();
        let names = ["box.lan".to_owned(), "10.0.0.5".to_owned()];
        let (signed, signed_key) = authority
            .sign(&names, ExtendedKeyUsagePurpose::ServerAuth)
            .unwrap();
        assert!(signed.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(signed_key.contains("PRIVATE KEY-----"));
        assert!(Authority::from_pem("nonsense", &key).is_err());
    }

    #[test]
    fn an_authority_of_rancheros_goes_on_signing() {
        let certificate = include_str!("../tests/rancheros-authority/ca.pem");
        let key = include_str!("../tests/rancheros-authority/ca-key.pem");
        assert!(key.starts_with("-----BEGIN RSA PRIVATE KEY-----"));
        let authority = Authority::from_pem(certificate, key).unwrap();
        let signed = authority.sign(&[], ExtendedKeyUsagePurpose::ClientAuth);
        assert!(signed.unwrap().0.starts_with("-----BEGIN CERTIFICATE-----"));
    }

    #[test]
    fn lengths() {
        for (length, expected) in [
            (0, vec![4, 0]),
            (0x7f, vec![4, 0x7f]),
            (0x80, vec![4, 0x81, 0x80]),
            (0x1234, vec![4, 0x82, 0x12, 0x34]),
        ] {
            let found = der(4, &vec![0; length]);
            assert_eq!(found[..expected.len()], expected);
            assert_eq!(found.len(), expected.len() + length);
        }
    }
}
