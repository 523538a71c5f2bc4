//! Connections over HTTP/1.1, which are kept open between requests.

use std::{
    future::ready,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder, MaybeHttpsStream};
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

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The request cannot be written.
    #[error("the request is malformed")]
    Request(#[from] http::Error),
    /// There is no connection, or it broke.
    #[error("the call failed")]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// The response broke off or is too large.
    #[error("the response cannot be read")]
    Body(#[source] BoxError),
}

impl SendError {
    /// Whether no connection could be opened, so that nothing was sent.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        match self {
            Self::Request(_) => true,
            Self::Connection(error) => error.is_connect(),
            Self::Body(_) => false,
        }
    }
}

/// The connections of a client. Clones share them.
#[derive(Debug, Clone)]
pub struct Connections {
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
}

impl Connections {
    /// No connections yet. `connect` is the timeout for opening one, its TLS handshake
    /// included; `tls` defines the trusted authorities.
    pub(super) fn new(connect: Duration, tls: ClientConfig) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_happy_eyeballs_timeout(Some(HAPPY_EYEBALLS_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let connector = Connector {
            open: BoxCloneSyncService::new(Timeout::new(connector, connect)),
            ahead: Arc::default(),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(MAX_IDLE)
            .build(connector.clone());
        Self { client, connector }
    }

    /// The same, to hosts of the public web.
    #[must_use]
    pub fn to_public_hosts(connect: Duration) -> Self {
        let tls = ClientConfig::builder()
            .with_webpki_roots()
            .with_no_client_auth();
        Self::new(connect, tls)
    }

    /// Opens a connection, which the first request to `to` will use.
    #[cfg_attr(
        not(feature = "aws"),
        expect(dead_code, reason = "only an API of AWS is connected ahead")
    )]
    pub(super) async fn open_ahead(&self, to: Uri) -> Result<(), BoxError> {
        self.connector.clone().open_ahead(to).await
    }

    /// Sends a request and receives the response of at most `max_bytes`, of any status.
    /// It is sent again only where the peer had closed the connection before it was sent.
    ///
    /// # Errors
    ///
    /// [`SendError`] if there is no response.
    pub async fn send(
        &self,
        request: http::Result<Request<Full<Bytes>>>,
        max_bytes: usize,
    ) -> Result<Response<Bytes>, SendError> {
        let response = self.client.request(request?).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, max_bytes).collect().await;
        let body = body.map_err(SendError::Body)?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

/// A connection.
type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Opens connections. Clones share the one that is opened ahead.
#[derive(Debug, Clone)]
struct Connector {
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
    async fn open_ahead(mut self, to: Uri) -> Result<(), BoxError> {
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
