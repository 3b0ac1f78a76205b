//! The authority of the machine, which signs certificates for User Docker and its clients.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use os_config::DaemonOptions;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use crate::config::Store;
use crate::tls::pkcs8::as_pkcs8;

/// As long as in RancherOS.
const VALIDITY: Duration = Duration::days(1080);
/// Certificates begin in the past, for clocks that are a little behind.
const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// The certificate of the authority, and its key, which only the machine has.
pub(super) struct Authority {
    pub(super) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Reads the authority of the configuration (`rancher.docker.ca_cert` and `ca_key`). The first time, and with
    /// `renew`, an authority is made and stored there.
    pub(super) fn load_or_make(options: &DaemonOptions, renew: bool) -> Result<Self> {
        if let (Some(certificate), Some(key), false) = (&options.ca_cert, &options.ca_key, renew) {
            return Self::from_pem(certificate, key)
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

    /// Makes a key and a certificate for it, with a single purpose. Returns certificate and key as PEM.
    pub(super) fn sign(
        &self,
        names: &[String],
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<(String, String)> {
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

#[cfg(test)]
mod tests {
    use super::{Authority, new_authority};
    use rcgen::ExtendedKeyUsagePurpose;

    #[test]
    fn an_authority_signs_certificates_with_keys() {
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
    fn an_authority_of_rancheros_still_signs() {
        let certificate = include_str!("../../tests/rancheros-authority/ca.pem");
        let key = include_str!("../../tests/rancheros-authority/ca-key.pem");
        assert!(key.starts_with("-----BEGIN RSA PRIVATE KEY-----"));
        let authority = Authority::from_pem(certificate, key).unwrap();
        let signed = authority.sign(&[], ExtendedKeyUsagePurpose::ClientAuth);
        assert!(signed.unwrap().0.starts_with("-----BEGIN CERTIFICATE-----"));
    }
}
