//! The wire to a store or a service: a proxy in front of it, which counts what
//! is asked and, while it is told to, breaks it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
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

/// Which protocol is spoken on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `DynamoDB`'s: a request is counted by its operation.
    DynamoDb,
    /// HTTP: a request is counted as `GET /path?query`.
    Http,
    /// `MySQL`'s: a command is counted by its name in the protocol: `COM_QUERY` …
    MySql,
}

/// What is wrong with the wire. A request gets through in all cases but where
/// it is said that it does not: the hard ones are those that were done, and
/// nobody heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Nobody listens, and what was connected is reset.
    Refused,
    /// One answer of so many, at random, breaks off in the middle by a reset.
    Reset(usize),
    /// Connections are taken, and nothing ever comes back.
    BlackHole,
    /// Each answer comes so much later.
    Latency(Duration),
    /// Answers come byte by byte, each so much after the last.
    Trickle(Duration),
    /// Over HTTP: each request is answered with this status in the upstream's
    /// place; 429 and 503 with `Retry-After`.
    Status(u16),
    /// Over HTTP: each request is answered with what is no HTTP.
    Garbage,
    /// Over HTTP: each request is answered with 200 and half of some JSON.
    TruncatedJson,
    /// `DynamoDB` refuses each request: there are too many.
    Throttled,
    /// `DynamoDB` refuses every other write: a transaction is in its way.
    Conflicts,
}

/// As a table of faults has it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing"),
            Self::Refused => f.write_str("connection refused"),
            Self::Reset(1) => f.write_str("reset mid-response"),
            Self::Reset(of) => write!(f, "reset mid-response, one in {of}"),
            Self::BlackHole => f.write_str("black hole"),
            Self::Latency(by) if by.subsec_millis() == 0 => {
                write!(f, "latency {} s", by.as_secs())
            }
            Self::Latency(by) => write!(f, "latency {} ms", by.as_millis()),
            Self::Trickle(by) => write!(f, "a byte every {} ms", by.as_millis()),
            Self::Status(status) => write!(f, "answers {status}"),
            Self::Garbage => f.write_str("garbage instead of HTTP"),
            Self::TruncatedJson => f.write_str("truncated JSON"),
            Self::Throttled => f.write_str("throttled"),
            Self::Conflicts => f.write_str("transaction conflicts"),
        }
    }
}

/// A TCP proxy in front of a store or a service.
pub struct Proxy {
    address: SocketAddr,
    wire: Arc<Wire>,
    listens: watch::Receiver<bool>,
    server: JoinHandle<io::Result<()>>,
}

struct Wire {
    upstream: String,
    protocol: Protocol,
    fault: watch::Sender<Fault>,
    seen: Mutex<Seen>,
}

/// An action of `DynamoDB`'s by its name in a policy (`PutItem`), and the table
/// or index that it is done to (`products`, `products/index/by-category`).
pub type Action = (String, String);

#[derive(Default)]
struct Seen {
    requests: BTreeMap<String, usize>,
    connections: usize,
    /// What `DynamoDB` was asked to do, to which table or index.
    actions: BTreeSet<Action>,
    /// The head of the last HTTP request.
    head: String,
}

impl Proxy {
    /// Starts one in front of `upstream`, an address such as `127.0.0.1:8000`.
    pub async fn start(upstream: String, protocol: Protocol) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().unwrap();
        let wire = Arc::new(Wire {
            upstream,
            protocol,
            fault: watch::Sender::new(Fault::None),
            seen: Mutex::default(),
        });
        let (told, listens) = watch::channel(true);
        let server = tokio::spawn(serve(listener, wire.clone(), told));
        Self {
            address,
            wire,
            listens,
            server,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was counted since this was last asked.
    pub fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.wire.seen().requests)
    }

    /// How many calls there were since that was last asked: requests, or
    /// connections if those were more, as where no connection comes to be used.
    pub fn calls(&self) -> usize {
        let Seen {
            requests,
            connections,
            ..
        } = std::mem::take(&mut *self.wire.seen());
        requests.values().sum::<usize>().max(connections)
    }

    /// What `DynamoDB` was ever asked to do. A transaction is what it consists
    /// of: that is what a policy allows.
    pub fn actions(&self) -> BTreeSet<Action> {
        self.wire.seen().actions.clone()
    }

    /// The head of the last HTTP request: what its receiver was told.
    pub fn last_head(&self) -> String {
        self.wire.seen().head.clone()
    }

    /// Breaks the wire in this way from now on, also for who is connected.
    pub async fn set(&self, fault: Fault) {
        self.wire.fault.send_replace(fault);
        let listens = fault != Fault::Refused;
        let mut listening = self.listens.clone();
        // It ends with the proxy, and then nobody listens anyway.
        let _ = listening.wait_for(|&now| now == listens).await;
    }

    /// Makes it whole again.
    pub async fn heal(&self) {
        self.set(Fault::None).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Wire {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> Fault {
        *self.fault.borrow()
    }

    fn count(&self, request: &Request) {
        let mut seen = self.seen();
        if let Some(name) = &request.name {
            *seen.requests.entry(name.clone()).or_default() += 1;
        }
        if self.protocol == Protocol::DynamoDb {
            seen.actions.extend(request.actions());
        }
        if self.protocol != Protocol::MySql {
            seen.head = String::from_utf8_lossy(request.head()).into_owned();
        }
    }
}

/// Takes connections, but while they are to be refused.
async fn serve(
    mut listener: TcpListener,
    wire: Arc<Wire>,
    listens: watch::Sender<bool>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let mut fault = wire.fault.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    wire.seen().connections += 1;
                    tokio::spawn(connection(client, wire.clone()));
                }
                continue;
            }
            _ = fault.wait_for(|fault| *fault == Fault::Refused) => {}
        }
        drop(listener);
        // The port stays taken: the next free one that somebody asks for must
        // not be this.
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        listens.send_replace(false);
        // It ends with the proxy, and so does this.
        let _ = fault.wait_for(|fault| *fault != Fault::Refused).await;
        listener = socket.listen(1024)?;
        listens.send_replace(true);
    }
}

/// How a connection ends.
enum End {
    /// As one side ended it.
    Closed,
    /// By a reset.
    Cut,
}

async fn connection(mut client: TcpStream, wire: Arc<Wire>) -> io::Result<()> {
    let mut fault = wire.fault.subscribe();
    let end = match TcpStream::connect(&wire.upstream).await {
        Ok(mut server) => {
            for socket in [&client, &server] {
                socket.set_nodelay(true)?;
            }
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            let to_client = AsyncMutex::new(to_client);
            tokio::select! {
                end = requests(from_client, to_server, &to_client, &wire) => end,
                end = answers(from_server, &to_client, &wire) => end,
                _ = fault.wait_for(|fault| *fault == Fault::Refused) => Ok(End::Cut),
            }
        }
        Err(_) => Ok(End::Cut),
    };
    if matches!(end, Ok(End::Cut)) {
        client.set_zero_linger()?;
    }
    Ok(())
}

/// Hands on what the client asks, or answers it.
async fn requests(
    mut from_client: ReadHalf<'_>,
    mut to_server: WriteHalf<'_>,
    to_client: &AsyncMutex<WriteHalf<'_>>,
    wire: &Wire,
) -> io::Result<End> {
    let mut waiting = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = from_client.read(&mut chunk).await?;
        if read == 0 {
            return Ok(End::Closed);
        }
        waiting.extend_from_slice(&chunk[..read]);
        while let Some(request) = Request::first(&waiting, wire.protocol) {
            waiting.drain(..request.bytes.len());
            wire.count(&request);
            let fault = wire.fault();
            if let Some(answer) = request.answer(fault) {
                to_client.lock().await.write_all(&answer).await?;
                if fault == Fault::Garbage {
                    return Ok(End::Closed);
                }
            } else {
                to_server.write_all(&request.bytes).await?;
            }
        }
    }
}

/// Hands back what the server answers, as far as the wire does.
async fn answers(
    mut from_server: ReadHalf<'_>,
    to_client: &AsyncMutex<WriteHalf<'_>>,
    wire: &Wire,
) -> io::Result<End> {
    let mut chunk = vec![0; 64 * 1024];
    let mut is_whole = true;
    loop {
        let read = from_server.read(&mut chunk).await?;
        if read == 0 {
            return Ok(End::Closed);
        }
        let bytes = &chunk[..read];
        match wire.fault() {
            Fault::Reset(of) if fastrand::usize(..of) == 0 => {
                to_client.lock().await.write_all(&bytes[..read / 2]).await?;
                // Long enough for the half to be read: a reset overtakes it.
                sleep(Duration::from_millis(1)).await;
                return Ok(End::Cut);
            }
            Fault::BlackHole => is_whole = false,
            // What was swallowed does not come back when the wire is healed.
            _ if !is_whole => {}
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

/// What a client asks.
struct Request {
    /// The name that it is counted by; a part of a handshake has none.
    name: Option<String>,
    bytes: Vec<u8>,
    /// Where the body begins, over HTTP.
    body: usize,
}

impl Request {
    /// The first whole request in what a client has sent.
    fn first(sent: &[u8], protocol: Protocol) -> Option<Self> {
        if protocol == Protocol::MySql {
            let &[a, b, c, sequence] = sent.first_chunk()?;
            let end = 4 + usize::from(a) + (usize::from(b) << 8) + (usize::from(c) << 16);
            let bytes = sent.get(..end)?.to_vec();
            // The first packet of a command is numbered 0; those of the
            // handshake follow the server's, so they are not.
            let name = (sequence == 0).then(|| command(&bytes[4..]));
            return Some(Self {
                name,
                bytes,
                body: end,
            });
        }
        let body = sent.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&sent[..body]).into_owned();
        let length = header(&head, "content-length").and_then(|length| length.parse().ok());
        let bytes = sent.get(..body + length.unwrap_or(0))?.to_vec();
        let name = match protocol {
            Protocol::DynamoDb => header(&head, "x-amz-target")
                .and_then(|target| Some(target.split_once('.')?.1.to_owned())),
            _ => Some(head.lines().next()?.rsplit_once(' ')?.0.to_owned()),
        };
        Some(Self { name, bytes, body })
    }

    fn head(&self) -> &[u8] {
        &self.bytes[..self.body]
    }

    /// What it asks `DynamoDB` to do.
    fn actions(&self) -> Vec<Action> {
        let operation = self.name.as_deref().unwrap_or_default();
        let body = serde_json::from_slice(&self.bytes[self.body..]);
        let body: Value = body.unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match operation {
            "TransactWriteItems" | "TransactGetItems" => {
                let items = body["TransactItems"].as_array().into_iter().flatten();
                let parts = items.filter_map(Value::as_object).flatten();
                parts
                    .map(|(part, what)| match part.as_str() {
                        "ConditionCheck" => {
                            ("ConditionCheckItem".to_owned(), text(&what["TableName"]))
                        }
                        part => (format!("{part}Item"), text(&what["TableName"])),
                    })
                    .collect()
            }
            "BatchGetItem" | "BatchWriteItem" => {
                let tables = body["RequestItems"].as_object().into_iter().flatten();
                tables
                    .map(|(table, _)| (operation.to_owned(), table.clone()))
                    .collect()
            }
            _ => {
                let mut target = text(&body["TableName"]);
                if let Some(index) = body["IndexName"].as_str() {
                    target = format!("{target}/index/{index}");
                }
                vec![(operation.to_owned(), target)]
            }
        }
    }

    /// What is answered to it in the upstream's place, if anything is.
    fn answer(&self, fault: Fault) -> Option<Vec<u8>> {
        let name = self.name.as_deref().unwrap_or_default();
        let is_dynamodb = !name.contains(' ');
        match fault {
            Fault::Status(status) => Some(http(status, "text/html", "<h1>Not now</h1>")),
            Fault::Garbage => Some(b"\x15\x03\x01\x00\x02\x02\x0anot HTTP at all\r\n\r\n".to_vec()),
            Fault::TruncatedJson if is_dynamodb => {
                Some(http(200, DYNAMODB_JSON, r#"{"Item":{"id":{"S":"#))
            }
            Fault::TruncatedJson => Some(http(
                200,
                "application/json",
                r#"{"message":"NoSql Data","items":[{"id":"#,
            )),
            Fault::Throttled => {
                let name = [
                    "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                    "com.amazon.coral.availability#ThrottlingException",
                ][fastrand::usize(..2)];
                Some(refusal(name, ""))
            }
            Fault::Conflicts if fastrand::bool() => match name {
                "PutItem" | "UpdateItem" | "DeleteItem" => Some(refusal(
                    "com.amazonaws.dynamodb.v20120810#TransactionConflictException",
                    "",
                )),
                "TransactWriteItems" => {
                    let body: Value = serde_json::from_slice(&self.bytes[self.body..]).ok()?;
                    let mut reasons =
                        vec![r#"{"Code":"None"}"#; body["TransactItems"].as_array()?.len()];
                    *reasons.first_mut()? = r#"{"Code":"TransactionConflict","Message":"Transaction is ongoing for the item"}"#;
                    Some(refusal(
                        "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                        &format!(r#","CancellationReasons":[{}]"#, reasons.join(",")),
                    ))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

const DYNAMODB_JSON: &str = "application/x-amz-json-1.0";

/// `DynamoDB`'s way to refuse a request, with further members of the body.
fn refusal(name: &str, members: &str) -> Vec<u8> {
    let body = format!(r#"{{"__type":"{name}","message":"not now"{members}}}"#);
    http(400, DYNAMODB_JSON, &body)
}

fn http(status: u16, media_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let retry_after = match status {
        429 | 503 => "retry-after: 1\r\n",
        _ => "",
    };
    format!(
        "HTTP/1.1 {status} Fault\r\ncontent-type: {media_type}\r\n{retry_after}\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim())
    })
}

fn command(packet: &[u8]) -> String {
    match packet.first() {
        Some(0x01) => "COM_QUIT".to_owned(),
        Some(0x03) => "COM_QUERY".to_owned(),
        Some(0x0e) => "COM_PING".to_owned(),
        Some(0x16) => "COM_STMT_PREPARE".to_owned(),
        Some(0x17) => "COM_STMT_EXECUTE".to_owned(),
        Some(0x19) => "COM_STMT_CLOSE".to_owned(),
        Some(0x1f) => "COM_RESET_CONNECTION".to_owned(),
        other => format!("COM_{other:02x?}"),
    }
}
