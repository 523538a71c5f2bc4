//! A function that cannot run is responded for, through the Runtime API that
//! `cargo lambda watch` offers.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests may panic, too"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use logs::Log;
use serde_json::{Value, json};

/// A package with one function, `greet`.
fn package(main: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "[package]\nname = \"greet\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), main).unwrap();
    folder
}

/// Starts the launcher as `cargo lambda watch` does.
fn launch(package: &Path, api: &TcpListener) -> Child {
    let api = format!("http://{}/.rt/greet", api.local_addr().unwrap());
    Command::new(env!("CARGO_BIN_EXE_launcher"))
        .args(["run", "--quiet", "--color", "auto", "--bin", "greet"])
        .env("LAUNCHER_CARGO", env!("CARGO"))
        .env("LAUNCHER_FOLDER", package)
        .env("LAUNCHER_LOG", package)
        .env("AWS_LAMBDA_RUNTIME_API", api)
        // That of the run of this test is locked.
        .env("CARGO_TARGET_DIR", package.join("target"))
        .current_dir(package)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Receives one request: its first line and its body.
fn receive(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let lower = head.to_lowercase();
    let length = lower.split("content-length: ").nth(1).unwrap_or("0");
    let length = length.lines().next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let line = head.lines().next().unwrap().to_owned();
    (line, String::from_utf8(body).unwrap())
}

fn send(mut stream: &TcpStream, body: &str) {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 42\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
}

/// Invokes the function once and returns its response.
fn invoke(api: &TcpListener) -> Value {
    let (stream, _) = api.accept().unwrap();
    let (line, _) = receive(&stream);
    assert_eq!(
        line,
        "GET /.rt/greet/2018-06-01/runtime/invocation/next HTTP/1.1"
    );
    let event = json!({ "rawPath": "/greet", "requestContext": { "requestId": "r1" } });
    send(&stream, &event.to_string());
    let (stream, _) = api.accept().unwrap();
    let (line, body) = receive(&stream);
    assert_eq!(
        line,
        "POST /.rt/greet/2018-06-01/runtime/invocation/42/response HTTP/1.1"
    );
    send(&stream, "");
    serde_json::from_str(&body).unwrap()
}

/// Checks that a response is the problem of an unavailable service, and returns
/// its detail.
fn detail(response: &Value) -> String {
    assert_eq!(response["statusCode"], 503);
    assert_eq!(
        response["headers"]["content-type"],
        "application/problem+json"
    );
    assert!(response["headers"]["retry-after"].is_string());
    let mut problem: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    let detail = problem["detail"].take().as_str().unwrap().to_owned();
    let expected = json!({
        "type": "/problems/service-unavailable",
        "title": "Service unavailable",
        "status": 503,
        "detail": null,
        "instance": "/greet",
        "requestId": "r1",
    });
    assert_eq!(problem, expected);
    detail
}

/// Stops the launcher and returns what it wrote to its standard error and output.
fn stop(mut launcher: Child) -> (String, String) {
    launcher.kill().unwrap();
    let output = launcher.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stderr), text(output.stdout))
}

#[test]
fn function_that_does_not_compile_is_a_503_and_the_last_line_names_it() {
    let package = package("fn main() { nothing }");
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let launcher = launch(package.path(), &api);
    for _ in 0..2 {
        let detail = detail(&invoke(&api));
        assert!(
            detail.starts_with("The function greet does not compile."),
            "{detail}"
        );
    }
    let (output, _) = stop(launcher);
    assert!(output.contains("cannot find value `nothing`"), "{output}");
    assert_eq!(output.lines().last().unwrap(), "greet does not compile");
}

#[test]
fn function_that_exits_is_a_503_and_is_started_again() {
    let package = package(
        "fn main() {
             let is_first = std::fs::create_dir(\"started\").is_ok();
             std::process::exit(if is_first { 78 } else { 3 });
         }",
    );
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let launcher = launch(package.path(), &api);
    let details = [detail(&invoke(&api)), detail(&invoke(&api))];
    assert!(
        details[0].starts_with("The function greet is not configured."),
        "{details:?}"
    );
    assert!(
        details[1].starts_with("The function greet exited (exit status: 3)."),
        "{details:?}"
    );
    let (output, _) = stop(launcher);
    assert!(
        output.starts_with("greet is not configured; its log is above\n"),
        "{output}"
    );
}

#[test]
fn other_commands_are_those_of_cargo() {
    let output = Command::new(env!("CARGO_BIN_EXE_launcher"))
        .arg("--version")
        .env("LAUNCHER_CARGO", env!("CARGO"))
        .output()
        .unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    assert!(version.starts_with("cargo "), "{version}");
}

#[test]
fn log_of_a_function_is_kept_and_printed_as_a_person_reads_it() {
    let request = r#"{"timestamp":"2026-11-26T04:00:00.06Z","level":"INFO","function":"greet","request_id":"r1","message":"request","method":"GET","route":"/greet","status":200,"duration_ms":1.5,"_aws":{}}"#;
    let call = r#"{"level":"DEBUG","function":"greet","message":"call","duration_ms":1.0}"#;
    let metrics = r#"{"_aws":{},"Requests":1}"#;
    let other = "not a line of the log";
    let object = r#"{"answer":42}"#;
    let lines = [request, call, metrics, other, object].join("\n");
    let package = package(&format!("fn main() {{ println!({:?}, {lines:?}) }}", "{}"));
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let launcher = launch(package.path(), &api);
    invoke(&api);
    let (_, output) = stop(launcher);
    assert_eq!(
        output,
        "04:00:00.06  200  GET    /greet                      1.5 ms  greet      r1\n\
         not a line of the log\n\
         {\"answer\":42}\n"
    );
    let log = Log::at(package.path())
        .read()
        .unwrap()
        .unwrap()
        .lines()
        .unwrap();
    assert_eq!(log, [request, call]);
}
