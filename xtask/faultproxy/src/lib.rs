//! A TCP proxy in front of a store or a service. It records the requests that it
//! forwards and injects faults.
//!
//! A crate because `cargo xtask break` and the tests use the same proxy. It knows
//! the protocols, since faults such as a throttled request cannot be injected
//! without: that is why it is not one of the general ones (toxiproxy, noxious).

mod fault;
mod request;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{Mutex as AsyncMutex, watch},
    task::JoinHandle,
    time::sleep,
};

use fault::BoxFuture;
pub use fault::{Fault, Step};
use request::Request;
pub use request::{Action, Protocol};

/// The most requests that are kept for [`Proxy::requests`].
const KEPT_REQUESTS: usize = 100_000;

/// A running proxy. It ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    link: Arc<Link>,
    listens: watch::Receiver<bool>,
    server: JoinHandle<io::Result<()>>,
}

/// The state that the connections of a proxy share.
struct Link {
    upstream: String,
    protocol: Protocol,
    /// The only requests that faults apply to: those with this in their target.
    only: Option<String>,
    fault: watch::Sender<Fault>,
    script: Mutex<VecDeque<Step>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: VecDeque<String>,
    connections: usize,
    actions: BTreeSet<Action>,
    head: String,
}

impl Proxy {
    /// Starts a proxy on a free port of the loopback address, in front of
    /// `upstream`, an address such as `127.0.0.1:8000`.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn start(upstream: impl Into<String>, protocol: Protocol) -> io::Result<Self> {
        Self::serve(upstream.into(), protocol, None).await
    }

    /// Starts a proxy for HTTP whose faults apply only to the requests with
    /// `path` in their target.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn start_for_path(upstream: impl Into<String>, path: &str) -> io::Result<Self> {
        Self::serve(upstream.into(), Protocol::Http, Some(path.to_owned())).await
    }

    async fn serve(upstream: String, protocol: Protocol, only: Option<String>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let link = Arc::new(Link {
            upstream,
            protocol,
            only,
            fault: watch::Sender::new(Fault::None),
            script: Mutex::default(),
            seen: Mutex::default(),
        });
        let (listening, listens) = watch::channel(true);
        let server = tokio::spawn(serve(listener, link.clone(), listening));
        Ok(Self {
            address,
            link,
            listens,
            server,
        })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Injects a fault from now on, on open connections too.
    pub async fn set(&self, fault: Fault) {
        self.link.fault.send_replace(fault);
        let listens = self.link.only.is_some() || fault != Fault::Refused;
        let mut listening = self.listens.clone();
        // The channel closes with the proxy, and then nothing listens.
        let _ = listening.wait_for(|&now| now == listens).await;
    }

    /// Injects no fault from now on.
    pub async fn heal(&self) {
        self.set(Fault::None).await;
    }

    /// Applies one step to each of the next requests; those after the last step
    /// are forwarded. Forgets the requests that were recorded.
    pub fn script(&self, steps: impl IntoIterator<Item = Step>) {
        *lock(&self.link.script) = steps.into_iter().collect();
        lock(&self.link.seen).requests.clear();
    }

    /// The names of the requests since they were last taken, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        lock(&self.link.seen).requests.iter().cloned().collect()
    }

    /// Takes the number of requests by name.
    #[expect(clippy::must_use_candidate, reason = "a caller may only reset it")]
    pub fn take_requests(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for name in std::mem::take(&mut lock(&self.link.seen).requests) {
            *counts.entry(name).or_default() += 1;
        }
        counts
    }

    /// Takes and resets the number of calls: of requests, or of connections if there were
    /// more, as where no connection was ever used.
    #[expect(clippy::must_use_candidate, reason = "a caller may only reset it")]
    pub fn take_calls(&self) -> usize {
        let mut seen = lock(&self.link.seen);
        let requests = std::mem::take(&mut seen.requests).len();
        requests.max(std::mem::take(&mut seen.connections))
    }

    /// All actions that were requested of `DynamoDB`.
    #[must_use]
    pub fn actions(&self) -> BTreeSet<Action> {
        lock(&self.link.seen).actions.clone()
    }

    /// The head of the last HTTP request.
    #[must_use]
    pub fn last_head(&self) -> String {
        lock(&self.link.seen).head.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    fn record(&self, request: &Request) {
        let mut seen = lock(&self.seen);
        if let Some(name) = request.name() {
            if seen.requests.len() == KEPT_REQUESTS {
                seen.requests.pop_front();
            }
            seen.requests.push_back(name.to_owned());
        }
        if self.protocol == Protocol::DynamoDb {
            seen.actions.extend(request.actions());
        }
        if self.protocol != Protocol::MySql {
            seen.head = request.head();
        }
    }

    fn applies_to(&self, request: &Request) -> bool {
        let named = |path: &String| {
            request
                .name()
                .is_some_and(|name| name.contains(path.as_str()))
        };
        self.only.as_ref().is_none_or(named)
    }

    /// Returns when every connection is refused.
    async fn refused(&self) {
        if self.only.is_some() {
            return std::future::pending().await;
        }
        let mut fault = self.fault.subscribe();
        // The sender lives as long as this.
        let _ = fault.wait_for(|fault| *fault == Fault::Refused).await;
    }
}

/// Accepts connections, except while they are to be refused.
async fn serve(
    mut listener: TcpListener,
    link: Arc<Link>,
    listening: watch::Sender<bool>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    lock(&link.seen).connections += 1;
                    tokio::spawn(Connection::new(link.clone()).run(client));
                }
                continue;
            }
            () = link.refused() => {}
        }
        drop(listener);
        // Bound but not listening: the port must not go to anybody else.
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        listening.send_replace(false);
        let mut fault = link.fault.subscribe();
        let _ = fault.wait_for(|fault| *fault != Fault::Refused).await;
        listener = socket.listen(1024)?;
        listening.send_replace(true);
    }
}

/// How a connection ends.
enum End {
    /// One side closed it.
    Closed,
    /// It is reset.
    Reset,
}

/// One connection of a client.
struct Connection {
    link: Arc<Link>,
    /// Whether the fault applies to the request whose response is awaited.
    applies: AtomicBool,
    /// Runs before the awaited response is lost.
    lose: Mutex<Option<BoxFuture>>,
}

impl Connection {
    fn new(link: Arc<Link>) -> Self {
        Self {
            applies: AtomicBool::new(link.only.is_none()),
            link,
            lose: Mutex::default(),
        }
    }

    async fn run(self, mut client: TcpStream) -> io::Result<()> {
        let end = match TcpStream::connect(&self.link.upstream).await {
            Ok(mut server) => {
                client.set_nodelay(true)?;
                server.set_nodelay(true)?;
                let (from_client, to_client) = client.split();
                let (from_server, to_server) = server.split();
                let to_client = AsyncMutex::new(to_client);
                tokio::select! {
                    end = self.forward_requests(from_client, to_server, &to_client) => end,
                    end = self.forward_responses(from_server, &to_client) => end,
                    () = self.link.refused() => Ok(End::Reset),
                }
            }
            Err(_) => Ok(End::Reset),
        };
        if matches!(end, Ok(End::Reset)) {
            client.set_zero_linger()?;
        }
        Ok(())
    }

    async fn forward_requests(
        &self,
        mut from_client: ReadHalf<'_>,
        mut to_server: WriteHalf<'_>,
        to_client: &AsyncMutex<WriteHalf<'_>>,
    ) -> io::Result<End> {
        let mut received = Vec::new();
        loop {
            if from_client.read_buf(&mut received).await? == 0 {
                return Ok(End::Closed);
            }
            while let Some(request) = Request::take(&mut received, self.link.protocol) {
                self.link.record(&request);
                let applies = self.link.applies_to(&request);
                self.applies.store(applies, Ordering::Relaxed);
                let fault = self.fault();
                if fault == Fault::Refused {
                    return Ok(End::Reset);
                }
                let step = lock(&self.link.script).pop_front();
                let response = match step {
                    Some(Step::Answer(body)) => Some(fault::error(&body)),
                    Some(Step::Lose(first)) => {
                        *lock(&self.lose) = Some(first);
                        None
                    }
                    Some(Step::Forward) | None => fault::response(fault, &request),
                };
                if let Some(response) = response {
                    to_client.lock().await.write_all(&response).await?;
                    if fault == Fault::Garbage {
                        return Ok(End::Closed);
                    }
                } else {
                    to_server.write_all(request.bytes()).await?;
                }
            }
        }
    }

    async fn forward_responses(
        &self,
        mut from_server: ReadHalf<'_>,
        to_client: &AsyncMutex<WriteHalf<'_>>,
    ) -> io::Result<End> {
        let mut chunk = vec![0; 64 * 1024];
        let mut swallowed = false;
        loop {
            let read = from_server.read(&mut chunk).await?;
            let bytes = chunk.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(End::Closed);
            }
            let lose = lock(&self.lose).take();
            let is_lost = lose.is_some();
            if let Some(first) = lose {
                first.await;
            }
            match self.fault() {
                Fault::Reset(of) if fastrand::usize(..of) == 0 => {
                    return half(bytes, to_client).await;
                }
                _ if is_lost => return half(bytes, to_client).await,
                Fault::BlackHole => swallowed = true,
                // The rest of a swallowed response is not a response.
                _ if swallowed => {}
                Fault::Latency(by) => {
                    sleep(by).await;
                    to_client.lock().await.write_all(bytes).await?;
                }
                Fault::Trickle(every) => {
                    for byte in bytes {
                        sleep(every).await;
                        to_client.lock().await.write_all(&[*byte]).await?;
                    }
                }
                _ => to_client.lock().await.write_all(bytes).await?,
            }
        }
    }

    /// The fault that applies to the current request.
    fn fault(&self) -> Fault {
        if self.applies.load(Ordering::Relaxed) {
            *self.link.fault.borrow()
        } else {
            Fault::None
        }
    }
}

/// Sends half of a response and ends with a reset.
async fn half(bytes: &[u8], to_client: &AsyncMutex<WriteHalf<'_>>) -> io::Result<End> {
    let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
    to_client.lock().await.write_all(half).await?;
    // A reset overtakes what was sent: long enough for it to be read.
    sleep(Duration::from_millis(1)).await;
    Ok(End::Reset)
}

/// The address in a URL: `127.0.0.1:8000`.
#[must_use]
pub fn address(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// An upstream that answers each request with 200 and its path.
    async fn upstream() -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut received = Vec::new();
                    while client.read_buf(&mut received).await? > 0 {
                        while let Some(request) = Request::take(&mut received, Protocol::Http) {
                            let body = request.name().unwrap_or_default();
                            let head = format!("HTTP/1.1 200 OK\r\nx: {body}\r\n\r\n");
                            client.write_all(head.as_bytes()).await?;
                        }
                    }
                    io::Result::Ok(())
                });
            }
        });
        address
    }

    /// The response to one request on a new connection.
    async fn get(proxy: &Proxy, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(proxy.address()).await?;
        let request = format!("GET {path} HTTP/1.1\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut received = vec![0; 1024];
        let read = stream.read(&mut received).await?;
        received.truncate(read);
        Ok(String::from_utf8_lossy(&received).into_owned())
    }

    #[tokio::test]
    async fn requests_are_forwarded_and_recorded() {
        let proxy = Proxy::start(upstream().await, Protocol::Http)
            .await
            .unwrap();
        let response = get(&proxy, "/a?b").await.unwrap();
        assert_eq!(response, "HTTP/1.1 200 OK\r\nx: GET /a?b\r\n\r\n");
        assert_eq!(proxy.requests(), ["GET /a?b"]);
        assert_eq!(
            proxy.take_requests(),
            BTreeMap::from([("GET /a?b".to_owned(), 1)])
        );
        assert_eq!(proxy.last_head(), "GET /a?b HTTP/1.1\r\n\r\n");
    }

    #[tokio::test]
    async fn fault_lasts_until_healed() {
        let proxy = Proxy::start(upstream().await, Protocol::Http)
            .await
            .unwrap();
        proxy.set(Fault::Refused).await;
        let refused = get(&proxy, "/").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        proxy.set(Fault::Status(503)).await;
        assert!(get(&proxy, "/").await.unwrap().starts_with("HTTP/1.1 503"));
        proxy.set(Fault::Reset(1)).await;
        assert!(get(&proxy, "/").await.is_ok_and(|half| half.len() < 25));
        let delay = Duration::from_millis(20);
        proxy.set(Fault::Latency(delay)).await;
        let started = Instant::now();
        assert!(get(&proxy, "/").await.unwrap().starts_with("HTTP/1.1 200"));
        assert!(started.elapsed() >= delay);
        proxy.heal().await;
        assert!(get(&proxy, "/").await.unwrap().starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn fault_of_a_path_leaves_other_paths_alone() {
        let proxy = Proxy::start_for_path(upstream().await, "/a").await.unwrap();
        proxy.set(Fault::Refused).await;
        assert!(get(&proxy, "/a/1").await.is_err());
        assert!(get(&proxy, "/b").await.unwrap().starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn script_applies_to_one_request_a_step() {
        let proxy = Proxy::start(upstream().await, Protocol::Http)
            .await
            .unwrap();
        let body = serde_json::json!({"__type": "Throttling"});
        proxy.script([Step::Answer(body), Step::lose(), Step::Forward]);
        assert!(get(&proxy, "/1").await.unwrap().contains("Throttling"));
        assert!(get(&proxy, "/2").await.is_ok_and(|half| half.len() < 25));
        assert!(get(&proxy, "/3").await.unwrap().starts_with("HTTP/1.1 200"));
        assert!(get(&proxy, "/4").await.unwrap().starts_with("HTTP/1.1 200"));
        assert_eq!(proxy.requests(), ["GET /1", "GET /2", "GET /3", "GET /4"]);
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
