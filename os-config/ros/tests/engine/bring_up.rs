//! Bringing services up: the order of their starts, marks, restart policies, archives of images.

use crate::sandbox::Sandbox;

/// Lines that the services of a test append to a file of the machine, in the order of their starts.
const ORDER: &str = "
rancher:
  services:
    first: &service
      image: paddock/base
      command: sh -c 'echo first >>/run/order; sleep 0.5; echo first-ends >>/run/order'
      net: none
      volumes: [/run:/run]
      labels: &labels {io.rancher.os.scope: system, io.rancher.os.detach: 'false'}
    second:
      <<: *service
      command: sh -c 'echo second >>/run/order; exec sleep 600'
      labels: {io.rancher.os.scope: system, io.rancher.os.after: first}
    third:
      <<: *service
      command: sh -c 'echo third >>/run/order; exec sleep 600'
      labels: {io.rancher.os.scope: system, io.rancher.os.after: second}
    of-user:
      image: of-user
      command: sleep 600
      net: none
";

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn services_start_in_order_and_console_and_engine_answer() {
    let mut sandbox = Sandbox::start(ORDER);
    // The user's engine finds the image of the user's service as an archive.
    let archive = "/var/lib/rancher/preload/docker/of-user.tar";
    sandbox.succeed(&["mkdir", "-p", "/var/lib/rancher/preload/docker"]);
    sandbox.make_image("of-user");
    sandbox.docker(&["save", "--output", archive, "of-user"]);
    // So it finds the images of the medium.
    let of_medium = "/run/ros/medium/paddock/images/of-medium.tar";
    sandbox.succeed(&["mkdir", "-p", "/run/ros/medium/paddock/images"]);
    sandbox.make_image("of-medium");
    sandbox.docker(&["save", "--output", of_medium, "of-medium"]);
    sandbox.bring_up();
    sandbox.wait_until("the third service has started", |sandbox| {
        sandbox.read("/run/order").ends_with("third\n")
    });
    assert_eq!(
        sandbox.read("/run/order"),
        "first\nfirst-ends\nsecond\nthird\n"
    );
    assert!(sandbox.exists("/run/ros/done/first"));
    let greeting = sandbox.succeed(&[
        "bash",
        "-c",
        "exec 3<>/dev/tcp/127.0.0.1/22 && head -c 4 <&3",
    ]);
    assert_eq!(greeting, "SSH-");
    let of_user = ["docker", "ps", "--format", "{{.Names}}"];
    assert_eq!(sandbox.succeed(&of_user), "of-user\n");
    assert!(sandbox.exists(&format!("{archive}.done")));
    sandbox.succeed(&["docker", "image", "inspect", "of-medium"]);
    // Killed at any moment, the service engine leaves running services alone.
    let ids = ["console", "docker", "second"].map(|name| sandbox.id(name));
    sandbox.kill_sysinit();
    sandbox.bring_up();
    assert_eq!(
        ids,
        ["console", "docker", "second"].map(|name| sandbox.id(name))
    );
    assert_eq!(
        sandbox.read("/run/order"),
        "first\nfirst-ends\nsecond\nthird\n"
    );
}
