//! Azure's instance metadata, and the report to its wire server that the machine is up. Without the report
//! Azure abandons a new machine after some 20 minutes.

use std::time::Duration;

use roxmltree::Document;
use serde_json::Value;

use crate::data::InstanceData;
use crate::encoding::base64_or_text;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::query::{LINK_LOCAL, Query};
use crate::source::DataSource;
use crate::sources::json::{self, items_at, text_at};

const WIRE_SERVER: &str = "http://168.63.129.16";
/// The machine works without the report, so the report must not delay it for long.
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);
const VERSION_HEADER: (&str, &str) = ("x-ms-version", "2012-11-30");
const METADATA_HEADER: (&str, &str) = ("Metadata", "true");
const INSTANCE: &str = "metadata/instance?api-version=2019-02-01&format=json";
const CUSTOM_DATA: &str = "metadata/instance/compute/customData?api-version=2019-02-01&format=text";
/// User-data, the successor of custom data, can change while the machine exists.
const USER_DATA: &str = "metadata/instance/compute/userData?api-version=2021-01-01&format=text";
/// The asset tag of every machine in Azure, and of no other machine on Hyper-V.
const CHASSIS: &str = "7783-7084-3265-9085-8269-3286-77";

/// A root replaces the addresses of both services.
#[derive(Debug)]
pub(crate) struct Azure;

impl DataSource for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.chassis_tag == CHASSIS
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let root = query.root_or(LINK_LOCAL);
        let get = |path: &str| {
            query
                .http
                .get(&format!("{root}/{path}"), &[METADATA_HEADER])
        };
        let Some(instance) = get(INSTANCE)? else {
            return Ok(None);
        };
        let instance = json::parse(&instance, INSTANCE)?;
        let mut data = from_instance(&instance);
        for path in [CUSTOM_DATA, USER_DATA] {
            if data.user_data.is_empty() {
                let text = get(path)?.unwrap_or_default();
                data.user_data = base64_or_text(&String::from_utf8_lossy(&text));
            }
        }
        if let Err(error) = report_ready(query, query.root_or(WIRE_SERVER)) {
            let text = format!("Azure was not told that the machine is ready: {error}");
            data.problems.push(text);
        }
        Ok(Some(data))
    }
}

fn from_instance(instance: &Value) -> InstanceData {
    let keys = items_at(instance, "/compute/publicKeys");
    let mut data = InstanceData {
        hostname: text_at(instance, "/compute/name"),
        instance_id: text_at(instance, "/compute/vmId"),
        ssh_keys: keys.filter_map(|key| text_at(key, "/keyData")).collect(),
        ..InstanceData::default()
    };
    let nic = |path: &str| text_at(instance, &format!("/network/interface/0/{path}"));
    data.addresses.private_ipv4 = nic("ipv4/ipAddress/0/privateIpAddress");
    data.addresses.public_ipv4 = nic("ipv4/ipAddress/0/publicIpAddress");
    data.addresses.private_ipv6 = nic("ipv6/ipAddress/0/privateIpAddress");
    data.addresses.public_ipv6 = nic("ipv6/ipAddress/0/publicIpAddress");
    data
}

/// Fetches the goal state and reports that the machine has reached it.
fn report_ready(query: &Query<'_>, server: &str) -> Result<(), SourceError> {
    let http = query.http.with_timeout(REPORT_TIMEOUT);
    let url = format!("{server}/machine?comp=goalstate");
    let state = http.get(&url, &[VERSION_HEADER])?;
    let health = health(&state.unwrap_or_default())?;
    let url = format!("{server}/machine?comp=health");
    let headers = [VERSION_HEADER, ("Content-Type", "text/xml; charset=utf-8")];
    let answer = http.post(&url, &headers, &health)?;
    answer
        .map(drop)
        .ok_or_else(|| SourceError::Other(format!("{url} is not there")))
}

/// The health report for a goal state.
fn health(goal_state: &[u8]) -> Result<String, SourceError> {
    let wrong = || {
        SourceError::format(
            "goal state",
            "XML with Incarnation, ContainerId, InstanceId",
        )
    };
    let text = std::str::from_utf8(goal_state).map_err(|_| wrong())?;
    let document = Document::parse(text).map_err(|_| wrong())?;
    let value = |name: &str| {
        let mut nodes = document.descendants();
        let node = nodes.find(|node| node.tag_name().name() == name)?;
        let text = node.text()?.trim();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (!text.is_empty() && text.bytes().all(fits)).then(|| text.to_owned())
    };
    let (incarnation, container, instance) = (
        value("Incarnation").ok_or_else(wrong)?,
        value("ContainerId").ok_or_else(wrong)?,
        value("InstanceId").ok_or_else(wrong)?,
    );
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Health>\
         <GoalStateIncarnation>{incarnation}</GoalStateIncarnation><Container><ContainerId>{container}</ContainerId>\
         <RoleInstanceList><Role><InstanceId>{instance}</InstanceId><Health><State>Ready</State></Health></Role>\
         </RoleInstanceList></Container></Health>"
    ))
}
