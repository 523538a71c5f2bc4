//! What goes over the wire to a store, counted by a proxy in front of it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Which protocol the proxy counts the requests of.
#[derive(Debug, Clone, Copy)]
pub enum Protocol {
    /// `DynamoDB`'s: each operation by its name.
    DynamoDb,
    /// `MySQL`'s: each command by its name, as in the protocol: `COM_QUERY` …
    MySql,
}

/// A TCP proxy that counts requests.
pub struct Counter {
    address: SocketAddr,
    counts: Arc<Mutex<BTreeMap<String, usize>>>,
    server: JoinHandle<()>,
}

impl Counter {
    /// Starts one in front of `upstream`, an address such as `127.0.0.1:8000`.
    pub async fn start(upstream: String, protocol: Protocol) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().unwrap();
        let counts: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let counted = counts.clone();
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, counts) = (upstream.clone(), counted.clone());
                tokio::spawn(async move {
                    let server = TcpStream::connect(upstream).await?;
                    relay(client, server, protocol, &counts).await
                });
            }
        });
        Self {
            address,
            counts,
            server,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was counted since this was last asked.
    pub fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.counts.lock().unwrap())
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn relay(
    client: TcpStream,
    server: TcpStream,
    protocol: Protocol,
    counts: &Mutex<BTreeMap<String, usize>>,
) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut seen = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = from_client.read(&mut chunk).await?;
        if read == 0 {
            return to_server.shutdown().await;
        }
        seen.extend_from_slice(&chunk[..read]);
        while let Some((name, used)) = next(&seen, protocol) {
            seen.drain(..used);
            if let Some(name) = name {
                *counts.lock().unwrap().entry(name).or_default() += 1;
            }
        }
        to_server.write_all(&chunk[..read]).await?;
    }
}

/// The first request in what a client has sent, if there is a whole one that
/// has a name, and how many bytes are done with.
fn next(seen: &[u8], protocol: Protocol) -> Option<(Option<String>, usize)> {
    match protocol {
        Protocol::DynamoDb => {
            const MARK: &[u8] = b"DynamoDB_20120810.";
            let at = seen.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
            let end = at + seen[at..].iter().position(|&b| b == b'\r')?;
            Some((
                Some(String::from_utf8_lossy(&seen[at..end]).into_owned()),
                end,
            ))
        }
        Protocol::MySql => {
            let &[a, b, c, sequence] = seen.first_chunk()?;
            let end = 4 + usize::from(a) + (usize::from(b) << 8) + (usize::from(c) << 16);
            let packet = seen.get(4..end)?;
            // The first packet of a command is numbered 0; those of the
            // handshake follow the server's, so they are not.
            let name = (sequence == 0).then(|| command(packet));
            Some((name, end))
        }
    }
}

fn command(packet: &[u8]) -> String {
    match packet.first() {
        Some(0x01) => "COM_QUIT".to_owned(),
        Some(0x03) => "COM_QUERY".to_owned(),
        Some(0x0e) => "COM_PING".to_owned(),
        Some(0x16) => "COM_STMT_PREPARE".to_owned(),
        Some(0x17) => "COM_STMT_EXECUTE".to_owned(),
        Some(0x19) => "COM_STMT_CLOSE".to_owned(),
        Some(0x1f) => "COM_RESET_CONNECTION".to_owned(),
        other => format!("COM_{other:02x?}"),
    }
}
