//! Scaleway's metadata. The service gives user-data only to a client port below 1024, which needs root.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use serde_json::Value;

use super::json::{self, items_at, text_at};
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::query::Query;
use crate::size_limit::SIZE_LIMIT;
use crate::source::DataSource;

const ADDRESS: &str = "http://169.254.42.42";
const USER_DATA: &str = "/user_data/cloud-init";
const TIMEOUT: Duration = Duration::from_secs(10);
/// Client ports, tried from the highest; some may be in use.
const PORTS: std::ops::RangeInclusive<u16> = 1000..=1023;

#[derive(Debug)]
pub(super) struct Scaleway;

impl DataSource for Scaleway {
    fn name(&self) -> &'static str {
        "scaleway"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.vendor == "Scaleway" || firmware.argument("scaleway").is_some()
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let root = query.root_or(ADDRESS);
        let url = format!("{root}/conf?format=json");
        let Some(bytes) = query.http.get(&url, &[])? else {
            return Ok(None);
        };
        let mut data = from_json(&json::parse(&bytes, &url)?);
        match fetch_from_low_port(root) {
            Ok(user_data) => data.user_data = user_data.unwrap_or_default(),
            Err(error) => data.problems.push(format!("{root}{USER_DATA}: {error}")),
        }
        Ok(Some(data))
    }
}

fn from_json(value: &Value) -> InstanceData {
    let keys = items_at(value, "/ssh_public_keys");
    let mut data = InstanceData {
        hostname: text_at(value, "/hostname"),
        instance_id: text_at(value, "/id"),
        ssh_keys: keys.filter_map(|key| text_at(key, "/key")).collect(),
        ..InstanceData::default()
    };
    data.addresses.public_ipv4 = text_at(value, "/public_ip/address");
    data.addresses.private_ipv4 = text_at(value, "/private_ip");
    data
}

/// Fetches user-data from a client port below 1024 with a minimal HTTP request.
fn fetch_from_low_port(root: &str) -> Result<Option<Vec<u8>>, std::io::Error> {
    let other = |text: &str| std::io::Error::other(text.to_owned());
    let server = root.trim_start_matches("http://");
    let server: SocketAddrV4 = server
        .parse()
        .or_else(|_| server.parse().map(|ip: Ipv4Addr| SocketAddrV4::new(ip, 80)))
        .map_err(|_| other("expected http://ADDRESS"))?;
    let mut stream = connect_from_low_port(server)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let host = server.ip();
    write!(
        stream,
        "GET {USER_DATA} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: PaddockOS\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(SIZE_LIMIT).read_to_end(&mut answer)?;
    body(&answer).map_err(other)
}

fn connect_from_low_port(server: SocketAddrV4) -> Result<TcpStream, std::io::Error> {
    let mut last = std::io::Error::other("no port below 1024 is free");
    for port in PORTS.rev() {
        let socket = socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        let timeout = TimeVal::new(TIMEOUT.as_secs().try_into().unwrap_or(i64::MAX), 0);
        // This timeout limits connect() too.
        setsockopt(&socket, sockopt::SendTimeout, &timeout)?;
        let own = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port));
        if let Err(error) = bind(socket.as_raw_fd(), &own) {
            last = error.into();
            continue;
        }
        connect(socket.as_raw_fd(), &SockaddrIn::from(server))?;
        return Ok(TcpStream::from(socket));
    }
    Err(last)
}

/// The body of an HTTP/1.0 answer; `None` for 404.
fn body(answer: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    let wrong = "the answer is no HTTP";
    let end = answer.windows(4).position(|piece| piece == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.ok_or(wrong)? + 4);
    let head = String::from_utf8_lossy(head);
    match head.split(' ').nth(1) {
        Some("200") => Ok(Some(body.to_vec())),
        Some("404") => Ok(None),
        Some(_) => Err("the service refuses"),
        None => Err(wrong),
    }
}
