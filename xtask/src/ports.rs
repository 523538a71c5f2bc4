//! Ports, looked at before anything slow happens.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

use anyhow::{Context, Result, bail};

/// Fails if something listens on `port` already, naming the option that
/// chooses another.
pub fn require_free(port: u16, purpose: &str, option: &str) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
            "port {port}, for {purpose}, is taken: stop what listens there, \
             or choose another port with {option}"
        ),
        Err(error) => Err(error).with_context(|| {
            format!("port {port}, for {purpose}, cannot be used; {option} chooses another")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_option_when_a_port_is_taken() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = require_free(port, "the API", "--port")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&port.to_string()) && error.contains("--port"),
            "{error}"
        );
        drop(listener);
        require_free(port, "the API", "--port").unwrap();
    }
}
