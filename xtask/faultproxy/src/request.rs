//! Requests, cut out of the bytes that a client sends.

use serde_json::Value;

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `DynamoDB`'s: a request is named by its operation, such as `PutItem`.
    DynamoDb,
    /// HTTP: a request is named by its method and target, `GET /path?query`.
    Http,
    /// `MySQL`'s: a command is named as in the protocol, such as `COM_QUERY`.
    MySql,
}

/// An action of `DynamoDB` by its name in a policy (`PutItem`), and its table or
/// index (`products`, `products/index/by-category`).
pub type Action = (String, String);

/// One request of a client.
pub(crate) struct Request {
    /// Its name; part of a `MySQL` handshake has none.
    name: Option<String>,
    bytes: Vec<u8>,
    /// The length of the head; everything, for `MySQL`.
    head: usize,
}

impl Request {
    /// Removes the first complete request from the bytes received so far.
    pub(crate) fn take(received: &mut Vec<u8>, protocol: Protocol) -> Option<Self> {
        let request = match protocol {
            Protocol::MySql => Self::first_mysql(received),
            _ => Self::first_http(received, protocol),
        }?;
        received.drain(..request.bytes.len());
        Some(request)
    }

    fn first_mysql(received: &[u8]) -> Option<Self> {
        let &[a, b, c, sequence] = received.first_chunk()?;
        let length = 4 + usize::from(a) + (usize::from(b) << 8) + (usize::from(c) << 16);
        let bytes = received.get(..length)?.to_vec();
        // The first packet of a command has the number 0; those of a handshake
        // continue the server's count.
        let name = (sequence == 0).then(|| command(bytes.get(4)));
        Some(Self {
            name,
            bytes,
            head: length,
        })
    }

    fn first_http(received: &[u8], protocol: Protocol) -> Option<Self> {
        let end = received
            .windows(4)
            .position(|window| window == b"\r\n\r\n")?
            + 4;
        let head = String::from_utf8_lossy(received.get(..end)?);
        let length = header(&head, "content-length").and_then(|length| length.parse().ok());
        let name = if protocol == Protocol::DynamoDb {
            let target = header(&head, "x-amz-target")?;
            target.split_once('.').map(|(_, name)| name.to_owned())
        } else {
            let line = head.lines().next()?;
            line.rsplit_once(' ').map(|(name, _)| name.to_owned())
        };
        Some(Self {
            name,
            bytes: received.get(..end + length.unwrap_or(0))?.to_vec(),
            head: end,
        })
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The head of an HTTP request as text.
    pub(crate) fn head(&self) -> String {
        String::from_utf8_lossy(self.bytes.get(..self.head).unwrap_or_default()).into_owned()
    }

    /// The body as JSON; `null` if it is none.
    pub(crate) fn json(&self) -> Value {
        let body = self.bytes.get(self.head..).unwrap_or_default();
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Whether it is an operation of `DynamoDB`: its name has no target.
    pub(crate) fn is_dynamodb(&self) -> bool {
        self.name().is_some_and(|name| !name.contains(' '))
    }

    /// The actions of a request to `DynamoDB`: of a transaction those that it
    /// consists of, since they are what a policy allows.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let operation = self.name().unwrap_or_default().to_owned();
        let body = self.json();
        match operation.as_str() {
            "TransactWriteItems" | "TransactGetItems" => {
                let items = body.get("TransactItems").and_then(Value::as_array);
                let parts = items.into_iter().flatten().filter_map(Value::as_object);
                parts
                    .flatten()
                    .map(|(part, item)| match part.as_str() {
                        "ConditionCheck" => ("ConditionCheckItem".to_owned(), table(item)),
                        part => (format!("{part}Item"), table(item)),
                    })
                    .collect()
            }
            "BatchGetItem" | "BatchWriteItem" => {
                let tables = body.get("RequestItems").and_then(Value::as_object);
                let names = tables.into_iter().flatten().map(|(name, _)| name);
                names
                    .map(|name| (operation.clone(), name.clone()))
                    .collect()
            }
            _ => {
                let index = body.get("IndexName").and_then(Value::as_str);
                let index = index.map(|index| format!("/index/{index}"));
                vec![(operation, table(&body) + &index.unwrap_or_default())]
            }
        }
    }
}

fn table(body: &Value) -> String {
    let name = body.get("TableName").and_then(Value::as_str);
    name.unwrap_or_default().to_owned()
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        let matches = found.trim().eq_ignore_ascii_case(name);
        matches.then(|| value.trim())
    })
}

fn command(byte: Option<&u8>) -> String {
    let name = match byte {
        Some(0x01) => "COM_QUIT",
        Some(0x03) => "COM_QUERY",
        Some(0x0e) => "COM_PING",
        Some(0x16) => "COM_STMT_PREPARE",
        Some(0x17) => "COM_STMT_EXECUTE",
        Some(0x19) => "COM_STMT_CLOSE",
        Some(0x1f) => "COM_RESET_CONNECTION",
        Some(other) => return format!("COM_{other:02x}"),
        None => "COM_EMPTY",
    };
    name.to_owned()
}
