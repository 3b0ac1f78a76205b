//! Amazon EC2's instance metadata, with a session token (version 2) if the service gives a token.

use super::attributes::{AttributeNames, Attributes};
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::http::HttpError;
use crate::query::{LINK_LOCAL, Query};
use crate::source::DataSource;

const TOKEN: &str = "X-aws-ec2-metadata-token";
const TOKEN_LIFETIME: &str = "X-aws-ec2-metadata-token-ttl-seconds";
const TOKEN_SECONDS: &str = "300";
/// Families of instances on Xen; all later families have NVMe disks.
const XEN_FAMILIES: [&str; 26] = [
    "c1", "c3", "c4", "cc2", "cr1", "d2", "f1", "g2", "g3", "g3s", "h1", "hs1", "i2", "i3", "m1",
    "m2", "m3", "m4", "p2", "p3", "r3", "r4", "t1", "t2", "x1", "x1e",
];

#[derive(Debug)]
pub(super) struct Ec2;

impl DataSource for Ec2 {
    fn name(&self) -> &'static str {
        "ec2"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.vendor == "Amazon EC2"
            || firmware.bios_vendor == "Amazon EC2"
            || firmware.bios_version.to_lowercase().ends_with("amazon")
            || (firmware.vendor == "Xen" && firmware.uuid.to_lowercase().starts_with("ec2"))
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let base = format!("{}/latest", query.root_or(LINK_LOCAL));
        let token = token(query, &base)?;
        let headers = token.iter().map(|token| (TOKEN, token.as_str())).collect();
        let tree = Attributes {
            http: query.http,
            base,
            headers,
        };
        let names = AttributeNames {
            hostname: "hostname",
            private_ipv4: "local-ipv4",
            public_ipv4: "public-ipv4",
        };
        let Some(mut data) = tree.data(&names)? else {
            return Ok(None);
        };
        data.addresses.public_ipv6 = tree.first("meta-data/ipv6")?;
        data.root_disk = Some(root_disk(tree.first("meta-data/instance-type")?.as_deref()));
        add_keys(&tree, &mut data)?;
        Ok(Some(data))
    }
}

/// Fetches a session token. A service of version 1 refuses it; no answer is an error.
fn token(query: &Query<'_>, base: &str) -> Result<Option<String>, SourceError> {
    let answer = query.http.put(
        &format!("{base}/api/token"),
        &[(TOKEN_LIFETIME, TOKEN_SECONDS)],
    );
    match answer {
        Ok(Some(token)) => {
            let token = String::from_utf8(token).ok();
            let fits = |token: &String| {
                !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
            };
            Ok(token.filter(fits))
        }
        Ok(None)
        | Err(HttpError::Status {
            status: 400..=499, ..
        }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The listing has lines `0=name`; the key is at `0/openssh-key`.
fn add_keys(tree: &Attributes<'_>, data: &mut InstanceData) -> Result<(), SourceError> {
    for line in tree.lines("meta-data/public-keys")? {
        match line.split_once('=') {
            Some((number, _)) => {
                let path = format!("meta-data/public-keys/{number}/openssh-key");
                data.ssh_keys.extend(tree.first(&path)?);
            }
            None => data
                .problems
                .push(format!("malformed public key: {line:?}")),
        }
    }
    Ok(())
}

fn root_disk(instance_type: Option<&str>) -> String {
    let is_nvme = instance_type.is_some_and(|kind| {
        let (family, size) = kind.split_once('.').unwrap_or((kind, ""));
        size == "metal" || !XEN_FAMILIES.contains(&family)
    });
    if is_nvme { "/dev/nvme0n1" } else { "/dev/xvda" }.to_owned()
}
