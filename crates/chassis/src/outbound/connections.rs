//! Connections over HTTP/1.1, which are kept open between requests.

use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::{BoxError, timeout::Timeout, util::BoxCloneSyncService};

/// When a connection is tried with the other address family too (RFC 8305, §5). In
/// a VPC without a route for IPv4, the first address may lead nowhere; the default
/// is 300 ms.
const HAPPY_EYEBALLS_TIMEOUT: Duration = Duration::from_millis(20);

/// The connections of a client. Clones share them.
pub(super) type Connections = Client<Connector, Full<Bytes>>;

/// What opens a connection.
type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// Creates an empty pool. `connect` is the timeout for opening a connection, its TLS
/// handshake included; `tls` defines the trusted authorities.
pub(super) fn connections(connect: Duration, tls: ClientConfig) -> Connections {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_happy_eyeballs_timeout(Some(HAPPY_EYEBALLS_TIMEOUT));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        // The peers of a suspended function close its connections.
        .pool_idle_timeout(Duration::from_secs(20))
        .build(Connector::new(Timeout::new(connector, connect)))
}
