//! The Lambda Runtime API, for one function at a time.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API".

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The timeout of each step of a function.
const TIMEOUT: Timespec = Timespec {
    tv_sec: 30,
    tv_nsec: 0,
};

/// The server.
pub struct RuntimeApi {
    listener: TcpListener,
    connections: Vec<Connection>,
    calls: u64,
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A request of the function.
struct Request {
    connection: usize,
    path: String,
    body: Vec<u8>,
}

/// What a function did with a call.
pub struct Response {
    /// The time from its event to its response.
    pub took: Duration,
    /// The response, as JSON.
    pub body: Vec<u8>,
}

impl RuntimeApi {
    /// Listens on a free port.
    pub fn start() -> Result<Self> {
        Ok(Self {
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
            connections: Vec::new(),
            calls: 0,
        })
    }

    /// Its address.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Forgets the function that was served.
    pub fn reset(&mut self) {
        self.connections.clear();
    }

    /// Waits until the function asks for an event. Returns what sends it.
    pub fn wait_for_next(&mut self) -> Result<Next> {
        let request = self.receive()?;
        ensure!(
            request.path.ends_with("/invocation/next"),
            "the function requested {}: {}",
            request.path,
            String::from_utf8_lossy(&request.body)
        );
        Ok(Next(request.connection))
    }

    /// Sends an event and waits for its response.
    pub fn call(&mut self, Next(connection): Next, event: &str) -> Result<Response> {
        self.calls += 1;
        let id = format!("8476a536-e9f4-11e8-9739-{:012}", self.calls);
        let deadline = SystemTime::now() + Duration::from_secs(10);
        let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        let head = format!(
            "HTTP/1.1 200 OK\r\n\
             Content-Type: application/json\r\n\
             Lambda-Runtime-Aws-Request-Id: {id}\r\n\
             Lambda-Runtime-Deadline-Ms: {deadline}\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-north-1:123456789012:function:bench\r\n\
             Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n\
             Content-Length: {}\r\n\r\n{event}",
            event.len()
        );
        let started = Instant::now();
        self.send(connection, &head)?;
        let response = self.receive()?;
        let took = started.elapsed();
        ensure!(
            response.path.ends_with(&format!("{id}/response")),
            "the function posted to {}: {}",
            response.path,
            String::from_utf8_lossy(&response.body)
        );
        self.send(
            response.connection,
            "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n",
        )?;
        let body = response.body;
        Ok(Response { took, body })
    }

    fn send(&mut self, connection: usize, text: &str) -> Result<()> {
        let connection = self.connections.get_mut(connection);
        let connection = connection.context("the connection is gone")?;
        Ok(connection.stream.write_all(text.as_bytes())?)
    }

    /// Waits for the next request, on any connection.
    fn receive(&mut self) -> Result<Request> {
        loop {
            let mut waiting = vec![PollFd::new(&self.listener, PollFlags::IN)];
            let streams = self.connections.iter().map(|it| &it.stream);
            waiting.extend(streams.map(|it| PollFd::new(it, PollFlags::IN)));
            let ready = poll(&mut waiting, Some(&TIMEOUT))?;
            let seconds = TIMEOUT.tv_sec;
            ensure!(
                ready > 0,
                "the function has sent no request for {seconds} s"
            );
            let mut is_ready = waiting.iter().map(|it| !it.revents().is_empty());
            let is_new = is_ready.next().unwrap_or_default();
            let ready: Vec<_> = is_ready.collect();
            if is_new {
                let (stream, _) = self.listener.accept()?;
                stream.set_nodelay(true)?;
                let received = Vec::new();
                self.connections.push(Connection { stream, received });
            }
            let connections = self.connections.iter_mut().zip(ready).enumerate();
            let mut closed = Vec::new();
            for (index, (connection, _)) in connections.filter(|(_, (_, ready))| *ready) {
                let mut buffer = [0; 16384];
                match connection.stream.read(&mut buffer)? {
                    0 => closed.push(index),
                    length => {
                        let read = buffer.get(..length).unwrap_or_default();
                        connection.received.extend_from_slice(read);
                        if let Some((path, body)) = parse(&mut connection.received)? {
                            return Ok(Request {
                                connection: index,
                                path,
                                body,
                            });
                        }
                    }
                }
            }
            for index in closed.into_iter().rev() {
                self.connections.remove(index);
            }
        }
    }
}

/// The function's request for an event, by its connection.
pub struct Next(usize);

/// Takes a whole request off the bytes received: its path and its body.
fn parse(received: &mut Vec<u8>) -> Result<Option<(String, Vec<u8>)>> {
    let Some(head) = received.windows(4).position(|it| it == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (text, rest) = received.split_at(head + 4);
    let text = std::str::from_utf8(text)?.to_ascii_lowercase();
    let mut lines = text.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1));
    let path = path.context("the request has no path")?.to_owned();
    let header = |name: &str| {
        let mut values = text.lines().filter_map(|line| line.split_once(':'));
        values.find_map(|(it, value)| (it == name).then(|| value.trim()))
    };
    let (body, used) = if header("transfer-encoding").is_some_and(|it| it == "chunked") {
        match chunks(rest)? {
            None => return Ok(None),
            Some(found) => found,
        }
    } else {
        let length = header("content-length").map_or(Ok(0), str::parse)?;
        match rest.get(..length) {
            None => return Ok(None),
            Some(body) => (body.to_vec(), length),
        }
    };
    received.drain(..head + 4 + used);
    Ok(Some((path, body)))
}

/// A chunked body and its length on the wire, if it is complete.
fn chunks(mut rest: &[u8]) -> Result<Option<(Vec<u8>, usize)>> {
    let (whole, mut body) = (rest.len(), Vec::new());
    loop {
        let Some(end) = rest.windows(2).position(|it| it == b"\r\n") else {
            return Ok(None);
        };
        let (size, after) = rest.split_at(end);
        let size = usize::from_str_radix(std::str::from_utf8(size)?.trim(), 16)?;
        let Some(chunk) = after.get(2..2 + size + 2) else {
            return Ok(None);
        };
        let Some(data) = chunk.strip_suffix(b"\r\n") else {
            bail!("a chunk does not end")
        };
        rest = after.get(2 + size + 2..).unwrap_or_default();
        if size == 0 {
            return Ok(Some((body, whole - rest.len())));
        }
        body.extend_from_slice(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_one_by_one() {
        let mut received = b"GET /next HTTP/1.1\r\n\r\nPOST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiPOST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nho\r\n0\r\n\r\nPOS".to_vec();
        for (path, body) in [("/next", ""), ("/a", "hi"), ("/b", "ho")] {
            let found = parse(&mut received).unwrap().unwrap();
            assert_eq!(found, (path.to_owned(), body.as_bytes().to_vec()));
        }
        assert_eq!(parse(&mut received).unwrap(), None);
        assert_eq!(received, b"POS");
    }
}
