//! Ports and HTTP requests on this machine.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

/// The timeout of one request: the first to a function waits until
/// `cargo lambda watch` has started it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Fails if something listens on `port`, naming the option that chooses another.
pub fn require_free(port: u16, purpose: &str, option: &str) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
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
    Ok(TcpListener::bind((host, 0))?.local_addr()?.port())
}

/// A client of servers on this machine.
pub fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(REQUEST_TIMEOUT))
        .http_status_as_error(false)
        // What listens on this machine is never behind a proxy.
        .proxy(None);
    config.build().into()
}

/// Sends a `GET` request that must succeed.
pub fn get(url: &str) -> Result<()> {
    let response = agent().get(url).call();
    let status = response.with_context(|| format!("GET {url}"))?.status();
    ensure!(status.is_success(), "GET {url} returned {status}");
    Ok(())
}

/// A parser of command line options that are HTTP URLs.
pub fn http_url(text: &str) -> Result<String, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        Ok(text.to_owned())
    } else {
        Err("it must begin with http:// or https://".to_owned())
    }
}

/// The address in a URL: `127.0.0.1:8000`.
pub fn address(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_of_a_used_port_names_the_option() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = require_free(port, "the API", "--port").unwrap_err();
        let error = error.to_string();
        assert!(error.contains(&port.to_string()), "{error}");
        assert!(error.contains("--port"), "{error}");
        drop(listener);
        require_free(port, "the API", "--port").unwrap();
    }

    #[test]
    fn address_is_found_in_a_url() {
        for url in [
            "http://127.0.0.1:8000",
            "mysql://kea:kea@127.0.0.1:8000/kea",
        ] {
            assert_eq!(address(url), "127.0.0.1:8000");
        }
    }
}
