//! The front passes requests on, but no longer than its limit.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use logs::{Level, Line, Log};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An upstream that responds with the request that it received, or not at all to
/// `/silent`. Returns its address.
fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = receive(&stream);
            if request.starts_with("GET /silent") {
                silent.push(stream);
                continue;
            }
            let length = request.len();
            let head = format!("HTTP/1.1 201 Created\r\nx: y\r\ncontent-length: {length}\r\n");
            write!(stream, "{head}connection: close\r\n\r\n{request}").unwrap();
        }
    });
    address
}

/// A message with a body of a known length.
fn receive(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut text).unwrap(), 0, "{text}");
    }
    let lower = text.to_lowercase();
    let length = lower.split("content-length: ").nth(1).unwrap_or("0");
    let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    text + &String::from_utf8_lossy(&body)
}

/// A running front, stopped when this is dropped: its process, its address and the
/// folder of its log.
struct Front(Child, String, TempDir);

impl Front {
    fn start(upstream: &str, limit: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let log = tempfile::tempdir().unwrap();
        let front = Command::new(env!("CARGO_BIN_EXE_front"))
            .arg("--log")
            .arg(log.path())
            .args([
                "--listen",
                &address,
                "--upstream",
                upstream,
                "--limit",
                limit,
            ])
            .args(["--route", "/silent/{id}=parcels"])
            .args(["--route", "/echo/{id}=echo"])
            .spawn()
            .unwrap();
        let front = Self(front, address, log);
        let deadline = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(&front.1).is_err() {
            assert!(Instant::now() < deadline, "the front does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        front
    }

    /// Sends a request and returns the head and the body of the response.
    fn send(&self, request: impl AsRef<[u8]>) -> (String, String) {
        let mut stream = TcpStream::connect(&self.1).unwrap();
        stream.write_all(request.as_ref()).unwrap();
        let response = receive(&stream);
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// The lines of its log.
    fn log(&self) -> Vec<Line> {
        let log = Log::at(self.2.path());
        let lines = log.read().unwrap().unwrap().lines().unwrap();
        let lines = lines.iter().map(|line| Line::parse(line).unwrap());
        lines.collect()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn request_and_response_are_passed_on() {
    let front = Front::start(&upstream(), "60");
    let (head, body) = front.send(
        "POST /echo/a%2Fb?c=d HTTP/1.1\r\nhost: kea.example\r\na: 1\r\na: 2\r\n\
         cookie: b=1\r\ncookie: c=2\r\ncontent-length: 2\r\n\r\nhi",
    );
    assert!(
        head.starts_with("HTTP/1.1 201 Created\r\nx: y\r\n"),
        "{head}"
    );
    assert!(
        body.starts_with("POST /echo/a%2Fb?c=d HTTP/1.1\r\nhost: kea.example\r\n"),
        "{body}"
    );
    // API Gateway joins the values of a header.
    for line in ["a: 1, 2", "cookie: b=1; c=2"] {
        assert!(body.contains(&format!("\r\n{line}\r\n")), "{body}");
    }
    assert!(body.ends_with("\r\n\r\nhi"), "{body}");
}

#[test]
fn header_that_is_not_utf8_is_passed_on_as_text() {
    let front = Front::start(&upstream(), "60");
    let request = b"GET /echo/a HTTP/1.1\r\nhost: kea.example\r\na: caf\xe9\r\n\r\n";
    let (_, body) = front.send(request);
    assert!(body.contains("\r\na: caf\u{fffd}\r\n"), "{body}");
}

#[test]
fn body_that_api_gateway_refuses_is_a_413() {
    let front = Front::start("127.0.0.1:9", "60");
    let head = "POST /echo/a HTTP/1.1\r\nhost: kea.example\r\ncontent-length: 10485761\r\n\r\n";
    let (head, body) = front.send([head.as_bytes(), &vec![b'x'; 10_485_761]].concat());
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(problem["detail"], "The body is larger than 10485760 bytes.");
}

#[test]
fn only_a_body_that_is_not_utf8_is_declared_as_binary() {
    let front = Front::start(&upstream(), "60");
    let json = "content-type: application/json\r\n";
    for (declared, body, passed_on) in [
        (json, b'1', "application/json"),
        (json, 0xff, "Application/json"),
        ("", 0xff, "Application/octet-stream"),
    ] {
        let head = format!("POST /echo/a HTTP/1.1\r\nhost: kea.example\r\n{declared}");
        let request = [head.as_bytes(), b"content-length: 1\r\n\r\n", &[body]].concat();
        let (_, received) = front.send(request);
        let line = format!("\r\ncontent-type: {passed_on}\r\n");
        assert!(received.contains(&line), "{received}");
    }
}

#[test]
fn request_without_a_response_is_a_503_that_names_the_function() {
    let front = Front::start(&upstream(), "0.5");
    let (head, body) = front.send("GET /silent/1 HTTP/1.1\r\nhost: kea.example\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    for header in ["content-type: application/problem+json", "retry-after: 5"] {
        assert!(head.contains(header), "{head}");
    }
    let mut problem: Value = serde_json::from_str(&body).unwrap();
    let detail = problem["detail"].take().as_str().unwrap().to_owned();
    assert!(
        detail.starts_with("The function parcels did not respond within 0.5 s."),
        "{detail}"
    );
    assert!(problem["requestId"].take().is_string());
    let expected = json!({
        "type": "/problems/service-unavailable",
        "title": "Service unavailable",
        "status": 503,
        "detail": null,
        "instance": "/silent/1",
        "requestId": null,
    });
    assert_eq!(problem, expected);
}

#[test]
fn body_that_does_not_arrive_is_a_503_and_one_that_cannot_be_read_a_400() {
    let front = Front::start("127.0.0.1:9", "0.5");
    let head = "POST /echo/a HTTP/1.1\r\nhost: kea.example\r\n";
    let (silent, _) = front.send(format!("{head}content-length: 5\r\n\r\nx"));
    assert!(silent.starts_with("HTTP/1.1 503 "), "{silent}");
    let (malformed, _) = front.send(format!("{head}transfer-encoding: chunked\r\n\r\nZZ\r\n"));
    assert!(malformed.starts_with("HTTP/1.1 400 "), "{malformed}");
}

#[test]
fn upstream_that_is_gone_is_a_503() {
    let front = Front::start("127.0.0.1:9", "60");
    let (head, _) = front.send("GET /echo/a HTTP/1.1\r\nhost: kea.example\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
}

#[test]
fn path_without_a_route_is_the_404_of_api_gateway() {
    let front = Front::start("127.0.0.1:9", "60");
    let (head, body) = front.send("GET /nowhere HTTP/1.1\r\nhost: kea.example\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    assert_eq!(body, r#"{"message":"Not Found"}"#);
    let [line] = &front.log()[..] else {
        panic!("there is not one line")
    };
    assert_eq!(line.text("path"), Some("/nowhere"));
    assert_eq!(line.status(), Some(404));
}

#[test]
fn invoke_api_is_passed_on() {
    let front = Front::start(&upstream(), "60");
    for path in ["/2015-03-31/functions/echo/invocations", "/lambda-url/echo"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: kea.example\r\n\r\n");
        let (head, _) = front.send(&request);
        assert!(head.starts_with("HTTP/1.1 201 "), "{path}: {head}");
    }
}

#[test]
fn trace_of_the_caller_is_continued_and_the_part_of_the_front_is_in_the_log() {
    let front = Front::start(&upstream(), "60");
    let (_, body) = front.send(
        "GET /echo/a?secret HTTP/1.1\r\nhost: kea.example\r\n\
         traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
    );
    let [line] = &front.log()[..] else {
        panic!("there is not one line")
    };
    let text = |name| line.text(name).unwrap_or_default();
    let id = text("span_id");
    let passed_on = format!("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-{id}-01\r\n");
    assert!(body.contains(&passed_on), "{body}");
    assert_eq!(text("trace_id"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(text("parent_id"), "00f067aa0ba902b7");
    assert_eq!(text("route"), "/echo/{id}");
    assert_eq!(line.status(), Some(201));
}

#[test]
fn malformed_trace_is_replaced() {
    let front = Front::start(&upstream(), "60");
    for malformed in [
        "00-0-0-00",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
    ] {
        let request = format!(
            "GET /echo/a HTTP/1.1\r\nhost: kea.example\r\ntraceparent: {malformed}\r\n\r\n"
        );
        let (_, body) = front.send(&request);
        assert!(body.contains("\r\ntraceparent: 00-"), "{body}");
        assert!(!body.contains(malformed), "{body}");
    }
    assert!(front.log().iter().all(|it| it.text("parent_id").is_none()));
}

#[test]
fn response_that_no_function_sent_is_a_warning_with_its_reason() {
    let front = Front::start("127.0.0.1:9", "60");
    let (_, body) = front.send("GET /silent/1 HTTP/1.1\r\nhost: kea.example\r\n\r\n");
    let problem: Value = serde_json::from_str(&body).unwrap();
    let [line] = &front.log()[..] else {
        panic!("there is not one line")
    };
    assert_eq!(line.level(), Level::WARN);
    assert!(line.is_request());
    assert_eq!(line.text("route"), Some("/silent/{id}"));
    assert_eq!(line.text("request_id"), problem["requestId"].as_str());
    assert_eq!(line.text("error"), problem["detail"].as_str());
}
