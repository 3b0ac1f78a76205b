//! Azure's metadata service and its wire server.

use crate::mock::{Mock, Response};
use crate::query::{ask, some};
use serde_json::json;

const GOAL_STATE: &str = "<?xml version=\"1.0\"?><GoalState><Incarnation>1</Incarnation><Container>\
    <ContainerId>c-1</ContainerId><RoleInstanceList><RoleInstance><InstanceId>i_2.x</InstanceId>\
    </RoleInstance></RoleInstanceList></Container></GoalState>";

#[test]
fn azure() {
    let instance = json!({
        "compute": {"name": "rancheros", "vmId": "v", "publicKeys": [{"keyData": "publickey1\r\n"}]},
        "network": {"interface": [{"ipv4": {"ipAddress": [
            {"privateIpAddress": "192.168.1.2", "publicIpAddress": "5.6.7.8"}]}, "ipv6": {"ipAddress": []}}]},
    });
    let mock = Mock::start(move |request| {
        let metadata = request.headers.get("metadata").map(String::as_str) == Some("true");
        match request.path.as_str() {
            "/metadata/instance?api-version=2019-02-01&format=json" if metadata => {
                Response::ok(instance.to_string())
            }
            "/metadata/instance/compute/customData?api-version=2019-02-01&format=text"
                if metadata =>
            {
                Response::ok("I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogcmFuY2hlcjE=")
            }
            "/machine?comp=goalstate" if request.headers.contains_key("x-ms-version") => {
                Response::ok(GOAL_STATE)
            }
            "/machine?comp=health" if request.method == "POST" => Response::ok(""),
            _ => Response::status(400),
        }
    });
    let data = ask("azure", &mock.root).unwrap().unwrap();
    assert_eq!(data.hostname, some("rancheros"), "CM-31 CM-33");
    assert_eq!(data.ssh_keys, ["publickey1"], "CM-33 CM-35");
    assert_eq!(data.addresses.private_ipv4, some("192.168.1.2"), "CM-33");
    assert_eq!(data.addresses.public_ipv4, some("5.6.7.8"), "CM-33");
    assert_eq!(
        data.user_data, b"#cloud-config\nhostname: rancher1",
        "CM-32 CM-34"
    );
    assert_eq!(data.problems, [""; 0]);
    let requests = mock.requests();
    let report = requests.last().unwrap();
    assert_eq!(report.path, "/machine?comp=health");
    for expected in [
        "<ContainerId>c-1</ContainerId>",
        "<InstanceId>i_2.x</InstanceId>",
        "<State>Ready</State>",
    ] {
        assert!(report.body.contains(expected), "{}", report.body);
    }
}

#[test]
fn azure_without_its_wire_server() {
    for state in [
        "",
        "<GoalState/>",
        "no XML",
        &GOAL_STATE.replace("c-1", "c&lt;1"),
    ] {
        let state = state.to_owned();
        let mock =
            Mock::start(
                move |request| match request.path.split('?').next().unwrap_or_default() {
                    "/metadata/instance" => Response::ok("{\"compute\":{\"name\":\"n\"}}"),
                    "/machine" => Response::ok(state.clone()),
                    _ => Response::status(404),
                },
            );
        let data = ask("azure", &mock.root).unwrap().unwrap();
        assert_eq!(data.hostname, some("n"));
        assert!(
            data.problems[0].contains("was not told"),
            "{:?}",
            data.problems
        );
    }
}
