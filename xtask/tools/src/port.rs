//! The ports of servers on this machine.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// A free address of the loopback.
pub async fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()
}

/// Waits until a server, of this name in an error, listens.
pub async fn until_listening(address: SocketAddr, name: &str) -> Result<()> {
    let listening = async {
        while TcpStream::connect(address).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(5), listening)
        .await
        .with_context(|| format!("{name} does not listen on {address}"))
}
