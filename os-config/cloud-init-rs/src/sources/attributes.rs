//! A tree of small texts, the form of metadata that EC2 introduced and other clouds copied. In a listing, a
//! name with `/` at its end is a folder.

use crate::data::InstanceData;
use crate::http::{Client, HttpError};

/// A tree of texts at an address.
#[derive(Debug)]
pub struct Attributes<'a> {
    pub http: &'a Client,
    /// The address, without a slash at the end.
    pub base: String,
    pub headers: Vec<(&'a str, &'a str)>,
}

/// Names below `meta-data` that differ between clouds.
#[derive(Clone, Copy, Debug)]
pub struct AttributeNames {
    pub hostname: &'static str,
    pub private_ipv4: &'static str,
    pub public_ipv4: &'static str,
}

impl Attributes<'_> {
    /// Reads the entries that all clouds have, `user-data` included; `None` if there is no `meta-data`.
    pub fn data(&self, names: &AttributeNames) -> Result<Option<InstanceData>, HttpError> {
        if self.bytes("meta-data/")?.is_none() {
            return Ok(None);
        }
        let path = |name: &str| format!("meta-data/{name}");
        let mut data = InstanceData {
            user_data: self.bytes("user-data")?.unwrap_or_default(),
            hostname: self.word(&path(names.hostname))?,
            instance_id: self.first(&path("instance-id"))?,
            ..InstanceData::default()
        };
        data.addresses.private_ipv4 = self.first(&path(names.private_ipv4))?;
        data.addresses.public_ipv4 = self.first(&path(names.public_ipv4))?;
        Ok(Some(data))
    }

    /// The content of `path`, byte for byte; `None` if it does not exist.
    pub fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, HttpError> {
        let url = format!("{}/{path}", self.base);
        self.http.get(&url, &self.headers)
    }

    /// The lines of `path` that are not empty; an empty list if it does not exist.
    pub fn lines(&self, path: &str) -> Result<Vec<String>, HttpError> {
        let bytes = self.bytes(path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        Ok(text
            .lines()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect())
    }

    /// The first line of `path`.
    pub fn first(&self, path: &str) -> Result<Option<String>, HttpError> {
        Ok(self.lines(path)?.into_iter().next())
    }

    /// The first word of `path`; domains may follow a host name.
    pub fn word(&self, path: &str) -> Result<Option<String>, HttpError> {
        let line = self.first(path)?;
        Ok(line.and_then(|line| line.split_whitespace().next().map(str::to_owned)))
    }
}
