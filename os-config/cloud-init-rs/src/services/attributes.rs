//! The tree of small texts in which EC2 and its imitators keep metadata: a name in a listing that ends in
//! `/` has more below it.

use crate::http::{Client, HttpError};

/// A tree below an address.
#[derive(Debug)]
pub struct Attributes<'a> {
    pub http: &'a Client,
    /// Without a slash at its end.
    pub base: String,
    pub headers: Vec<(&'a str, &'a str)>,
}

impl Attributes<'_> {
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
