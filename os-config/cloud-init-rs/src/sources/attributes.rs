//! The tree of small texts in which EC2 and its imitators keep metadata: a name in a listing that ends in
//! `/` has more below it.

use crate::data::Data;
use crate::http::{Client, HttpError};

/// A tree below an address.
#[derive(Debug)]
pub struct Attributes<'a> {
    pub http: &'a Client,
    /// Without a slash at its end.
    pub base: String,
    pub headers: Vec<(&'a str, &'a str)>,
}

/// What imitators call by other names, below `meta-data`.
#[derive(Clone, Copy, Debug)]
pub struct AttributeNames {
    pub hostname: &'static str,
    pub private_ipv4: &'static str,
    pub public_ipv4: &'static str,
}

impl Attributes<'_> {
    /// What all of them have, `user-data` included; `None` if there is no `meta-data`.
    pub fn data(&self, names: &AttributeNames) -> Result<Option<Data>, HttpError> {
        if self.bytes("meta-data/")?.is_none() {
            return Ok(None);
        }
        let path = |name: &str| format!("meta-data/{name}");
        let mut data = Data {
            user_data: self.bytes("user-data")?.unwrap_or_default(),
            hostname: self.word(&path(names.hostname))?,
            instance_id: self.first(&path("instance-id"))?,
            ..Data::default()
        };
        data.addresses.private_ipv4 = self.first(&path(names.private_ipv4))?;
        data.addresses.public_ipv4 = self.first(&path(names.public_ipv4))?;
        Ok(Some(data))
    }

    /// What stands at `path`, byte for byte; `None` if there is nothing.
    pub fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, HttpError> {
        let url = format!("{}/{path}", self.base);
        self.http.get(&url, &self.headers)
    }

    /// The lines at `path`; none if there is nothing.
    pub fn lines(&self, path: &str) -> Result<Vec<String>, HttpError> {
        let bytes = self.bytes(path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        Ok(text
            .lines()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect())
    }

    /// The first line at `path`.
    pub fn first(&self, path: &str) -> Result<Option<String>, HttpError> {
        Ok(self.lines(path)?.into_iter().next())
    }

    /// The first word at `path`: a host name may be followed by its domains.
    pub fn word(&self, path: &str) -> Result<Option<String>, HttpError> {
        let line = self.first(path)?;
        Ok(line.and_then(|line| line.split_whitespace().next().map(str::to_owned)))
    }
}
