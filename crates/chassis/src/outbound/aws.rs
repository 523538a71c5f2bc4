//! The APIs of AWS that are called with JSON, such as that of `DynamoDB`.
//!
//! A call is one signed `POST`. Its caller decides on retries: see
//! [`Dependency`](super::Dependency).

mod signer;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use dto::Timestamp;
use http::{
    Request, Response, Uri,
    header::{CONTENT_TYPE, HOST},
    uri::Scheme,
};
use http_body_util::Full;
use hyper_rustls::ConfigBuilderExt;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tower::BoxError;

use self::signer::Signer;
pub use self::signer::{Protocol, presign};
use super::{AMAZON_ROOTS, Connections, SendError};
use crate::environment::Role;

/// The most bytes of a response: `BatchGetItem` returns 16 MB of items.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// An API of AWS. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Api(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    protocol: Protocol,
    endpoint: Uri,
    signer: Signer,
    connections: Connections,
}

impl Api {
    /// The API at `endpoint`, or at AWS's own, which has this `host`; called by a role.
    /// `connect` is the timeout for opening a connection.
    ///
    /// AWS's own endpoint is verified by the embedded roots, and another by the roots
    /// of the machine.
    #[must_use]
    pub fn new(
        protocol: Protocol,
        endpoint: Option<Uri>,
        host: &str,
        role: Role,
        connect: Duration,
    ) -> Self {
        let is_tls = |it: &Uri| it.scheme() == Some(&Scheme::HTTPS);
        let tls = if endpoint.as_ref().is_some_and(is_tls) {
            roots_of_the_machine()
        } else {
            embedded_roots()
        };
        // A host with a region is not valid only if Lambda sets a malformed one.
        let own = || format!("https://{host}").parse().unwrap_or_default();
        let endpoint: Uri = endpoint.unwrap_or_else(own);
        let host = endpoint.authority().map_or("", |it| it.as_str()).to_owned();
        let path = endpoint.path().to_owned();
        Self(Arc::new(Inner {
            protocol,
            endpoint,
            signer: Signer::new(role, protocol, host, path),
            connections: Connections::new(connect, tls),
        }))
    }

    /// Opens a connection ahead of the first call.
    ///
    /// # Errors
    ///
    /// If it cannot be opened within the timeout.
    pub async fn connect(&self) -> Result<(), BoxError> {
        let endpoint = self.0.endpoint.clone();
        self.0.connections.open_ahead(endpoint).await
    }

    /// Calls an operation with a JSON body; a response of any status is one.
    ///
    /// # Errors
    ///
    /// [`SendError`] if there is no response.
    pub async fn call(&self, operation: &str, body: Bytes) -> Result<Response<Bytes>, SendError> {
        let Inner {
            protocol,
            endpoint,
            signer,
            connections,
            ..
        } = &*self.0;
        let target = format!("{}.{operation}", protocol.target);
        let signature = signer.sign(&target, &body, Timestamp::now());
        let mut request = Request::post(endpoint.clone())
            .header(HOST, signer.host())
            .header(CONTENT_TYPE, protocol.media_type)
            .header("x-amz-target", target);
        for (name, value) in signature {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body));
        connections.send(request, MAX_BYTES).await
    }
}

fn embedded_roots() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(AMAZON_ROOTS);
    roots.add_parsable_certificates(certificates.flatten());
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn roots_of_the_machine() -> ClientConfig {
    match ClientConfig::builder().with_native_roots() {
        Ok(builder) => builder.with_no_client_auth(),
        // The machine has none.
        Err(_) => embedded_roots(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_root_is_valid() {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(AMAZON_ROOTS) {
            roots.add(certificate.unwrap()).unwrap();
        }
        assert_eq!(roots.len(), 5);
    }
}
