//! Takes any bytes as replies of a metadata service: the first byte picks the service, the rest is the reply to every
//! request.

#![no_main]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use cloud_init_rs::{Client, Firmware, Query, sources};
use libfuzzer_sys::fuzz_target;

static REPLY: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The address of a server that answers with [`REPLY`].
fn root() -> &'static str {
    static ROOT: OnceLock<String> = OnceLock::new();
    ROOT.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        // One thread serves all connections, because the search for leaks reports a thread that ends during it.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut piece) {
                    request.extend_from_slice(&piece[..count]);
                    if !request.starts_with(b"GET") || request.ends_with(b"\r\n\r\n") {
                        break;
                    }
                }
                let reply = REPLY.lock().unwrap().clone();
                let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", reply.len());
                // The reply goes out in one write, because the client would wait for a second write.
                let _ = stream.write_all(&[head.as_bytes(), &reply].concat());
            }
        });
        root
    })
}

fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| Client::new(Duration::from_secs(1 << 20)))
}

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, reply)) = bytes.split_first() else { return };
    let firmware = Firmware::default();
    let mut speaking = sources::ALL.into_iter().filter(|service| {
        // These sources speak no HTTP, or need a privileged port, of which there are few.
        !service.is_disk()
            && !matches!(service.name(), "file" | "vmware" | "tftp" | "cmdline" | "scaleway")
    });
    let Some(service) = speaking.nth(usize::from(*pick) % 14) else { return };
    *REPLY.lock().unwrap() = reply.to_vec();
    let asking = Query { http: client(), firmware: &firmware, root: Some(root()) };
    if let Ok(Some(data)) = service.fetch(&asking) {
        let _ = cloud_init_rs::user_data::parts(&data.user_data);
        if let Some(network) = data.network {
            let text = network.to_cloud_config().to_string();
            let found = os_config::validate::validate(text.as_bytes(), "network.yml");
            assert!(found.is_empty(), "{}: {found:?}\n{text}", service.name());
        }
    }
});
