//! The ports of servers on this machine.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

/// Free addresses of the loopback, each with another port.
pub fn free_addresses<const N: usize>() -> io::Result<[SocketAddr; N]> {
    // All are taken before the first is released.
    let listeners = (0..N).map(|_| TcpListener::bind(("127.0.0.1", 0)));
    let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    for (address, listener) in addresses.iter_mut().zip(&listeners) {
        *address = listener.local_addr()?;
    }
    Ok(addresses)
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
