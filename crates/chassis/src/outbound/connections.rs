//! Connections over HTTP/1.1, which are kept open between requests.

use std::{
    future::ready,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Uri;
use http_body_util::Full;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::ClientConfig;
use tokio::{net::TcpStream, time::Instant};
use tower::{BoxError, Service, ServiceExt, timeout::Timeout, util::BoxCloneSyncService};

/// When a connection is tried with the other address family too (RFC 8305, §5). In
/// a VPC without a route for IPv4, the first address may lead nowhere; the default
/// is 300 ms.
const HAPPY_EYEBALLS_TIMEOUT: Duration = Duration::from_millis(20);

/// A connection that no request has used for longer is not used: the peer may have
/// closed it.
const MAX_IDLE: Duration = Duration::from_secs(20);

/// The connections of a client. Clones share them.
pub(super) type Connections = Client<Connector, Full<Bytes>>;

/// A connection.
type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

/// What opens connections. Clones share the one that is opened ahead.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    open: BoxCloneSyncService<Uri, Connection, BoxError>,
    ahead: Arc<Mutex<Option<Ahead>>>,
}

/// A connection that was opened ahead of the first request.
#[derive(Debug)]
struct Ahead {
    to: Uri,
    opened: Instant,
    connection: Connection,
}

impl Connector {
    /// Opens a connection, which the first request to `to` will use.
    pub(super) async fn open_ahead(mut self, to: Uri) -> Result<(), BoxError> {
        let connection = self.open.ready().await?.call(to.clone()).await?;
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ahead {
            to,
            opened: Instant::now(),
            connection,
        });
        Ok(())
    }

    fn take_ahead(&self, to: &Uri) -> Option<Connection> {
        let ahead = self
            .ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        let is_usable = ahead.to.authority() == to.authority() && ahead.opened.elapsed() < MAX_IDLE;
        is_usable.then_some(ahead.connection)
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Connection, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.open.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self.take_ahead(&to) {
            Some(connection) => Box::pin(ready(Ok(connection))),
            None => self.open.call(to),
        }
    }
}

/// What opens connections: `connect` is the timeout for one, its TLS handshake
/// included; `tls` defines the trusted authorities.
pub(super) fn connector(connect: Duration, tls: ClientConfig) -> Connector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_happy_eyeballs_timeout(Some(HAPPY_EYEBALLS_TIMEOUT));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Connector {
        open: BoxCloneSyncService::new(Timeout::new(connector, connect)),
        ahead: Arc::default(),
    }
}

/// Creates an empty pool.
pub(super) fn connections(connector: Connector) -> Connections {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(MAX_IDLE)
        .build(connector)
}
