//! Ports and HTTP requests on this machine.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

/// The timeout of one request: the first to a function waits until
/// `cargo lambda watch` has started it.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Takes a port until the listener is dropped. Fails if something listens there,
/// naming the option that chooses another.
pub fn require_free(port: u16, purpose: &str, option: &str) -> Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
            "port {port} for {purpose} is in use: stop what listens there, \
             or choose another port with {option}"
        ),
        Err(error) => Err(error).with_context(|| {
            format!("port {port} for {purpose} cannot be used: choose another with {option}")
        }),
    }
}

/// A free port of the address `host`.
pub fn free_port(host: &str) -> Result<u16> {
    let [port] = free_ports(host)?;
    Ok(port)
}

/// Free ports of the address `host`, each another one.
pub fn free_ports<const N: usize>(host: &str) -> Result<[u16; N]> {
    // All are taken before the first is released.
    let listeners = (0..N).map(|_| TcpListener::bind((host, 0)));
    let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

/// A client of servers on this machine.
pub fn agent(timeout: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        // A server on this machine is never behind a proxy.
        .proxy(None);
    config.build().into()
}

/// Sends a `GET` request that must succeed.
pub fn get(url: &str) -> Result<()> {
    let (status, _) = fetch(url, REQUEST_TIMEOUT)?;
    ensure!((200..300).contains(&status), "GET {url} returned {status}");
    Ok(())
}

/// Sends a `GET` request and returns the status and the body of the response.
pub fn fetch(url: &str, timeout: Duration) -> Result<(u16, String)> {
    let response = agent(timeout).get(url).call();
    let mut response = response.with_context(|| format!("GET {url}"))?;
    let status = response.status().as_u16();
    // Bytes that are not UTF-8 are of no interest here.
    let body = response.body_mut().read_to_string().unwrap_or_default();
    Ok((status, body))
}

/// A parser of command line options that are HTTP URLs.
pub fn http_url(text: &str) -> Result<String, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        Ok(text.to_owned())
    } else {
        Err("it must begin with http:// or https://".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_of_a_used_port_names_the_option() {
        let listener = require_free(0, "the API", "--port").unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = require_free(port, "DynamoDB", "--dynamodb-port").unwrap_err();
        let error = error.to_string();
        assert!(error.contains(&port.to_string()), "{error}");
        assert!(error.contains("with --dynamodb-port"), "{error}");
        drop(listener);
        require_free(port, "DynamoDB", "--dynamodb-port").unwrap();
    }
}
