//! The wires between the functions and what they depend on: relays in `up`,
//! which `cargo xtask break` cuts and heals from another terminal.
//!
//! What is done to a wire stands in a file of its own, `.kea/wires/<name>`,
//! which is there as long as the wire is.

use std::{
    fs, io,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{project::Project, stores::Urls};

/// How soon a connection that says nothing finds out that it was cut.
const LOOK: Duration = Duration::from_millis(50);

/// The file that says where the API is.
const API: &str = "api";

/// What the functions depend on.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Wire {
    /// What the functions ask the catalogue.
    Catalogue,
    /// The catalogue's store.
    Dynamodb,
    /// The orders' store.
    Mysql,
}

/// Cut a wire of the running system, or heal it
///
/// For a system that `cargo xtask up` runs in another terminal; not for a store
/// of your own. What you see then is told in docs/let-it-fail.md.
#[derive(clap::Args)]
pub struct Arguments {
    /// Which wire
    wire: Wire,

    /// Let nothing get through, rather than close every connection
    #[arg(long, conflicts_with = "heal")]
    silent: bool,

    /// Make it whole again
    #[arg(long)]
    heal: bool,
}

/// What is done to a wire.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// Connections are closed.
    Cut,
    /// Nothing gets through.
    Silent,
}

/// The wires of a running system. They end with the process.
pub struct Wires {
    folder: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let folder = folder(&Project::read()?);
    let (wire, name) = (arguments.wire, arguments.wire.name());
    let file = folder.join(name);
    if !file.exists() {
        bail!(
            "there is no wire to {}: start the system with `cargo xtask up`, \
             with a store of its own",
            wire.title()
        );
    }
    let state = match arguments {
        Arguments { heal: true, .. } => State::Whole,
        Arguments { silent: true, .. } => State::Silent,
        Arguments { .. } => State::Cut,
    };
    fs::write(file, state.word())?;
    let api = fs::read_to_string(folder.join(API))?;
    let title = wire.title();
    let (path, body) = wire.try_this();
    match state {
        State::Whole => {
            println!("The wire to {title} is whole again. Within 2 s so is everything:");
        }
        State::Cut => println!("The wire to {title} is cut. Try, more than once:"),
        State::Silent => println!("The wire to {title} is silent. Try, more than once:"),
    }
    println!("\n  curl -i '{api}{path}'{body}");
    println!("  curl {api}{}\n", wire.health());
    if state != State::Whole {
        println!("Heal it with: cargo xtask break {name} --heal");
    }
    Ok(ExitCode::SUCCESS)
}

impl Wires {
    /// Before there are any.
    pub fn new(project: &Project, api: &str) -> Result<Self> {
        let folder = folder(project);
        // Those of a run that was killed.
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(API), api)?;
        Ok(Self { folder })
    }

    /// Puts a wire in front of each store but your own.
    pub fn to_stores(&self, urls: &Urls, own_dynamodb: bool, own_mysql: bool) -> Result<Urls> {
        let to = |wire, url: &String, own| {
            if own {
                Ok(url.clone())
            } else {
                self.to(wire, url)
            }
        };
        Ok(Urls {
            dynamodb: to(Wire::Dynamodb, &urls.dynamodb, own_dynamodb)?,
            mysql: to(Wire::Mysql, &urls.mysql, own_mysql)?,
        })
    }

    /// Puts a wire in front of what is at `url`, and returns the URL of that.
    pub fn to(&self, wire: Wire, url: &str) -> Result<String> {
        let upstream = address(url).to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let here = listener.local_addr()?.to_string();
        let url = url.replacen(&upstream, &here, 1);
        let file = self.folder.join(wire.name());
        fs::write(&file, State::Whole.word())?;
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (file, upstream) = (file.clone(), upstream.clone());
                // How a connection ends is told to both of its ends.
                thread::spawn(move || relay(&client, &upstream, wire, &file));
            }
        });
        Ok(url)
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Wire {
    fn name(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::Dynamodb => "dynamodb",
            Self::Mysql => "mysql",
        }
    }

    /// As a person says it.
    fn title(self) -> &'static str {
        match self {
            Self::Catalogue => "the catalogue",
            Self::Dynamodb => "DynamoDB",
            Self::Mysql => "MySQL",
        }
    }

    /// A path that shows what it is like without, and the rest of the command.
    fn try_this(self) -> (&'static str, &'static str) {
        match self {
            Self::Catalogue => (
                "/mysqldata",
                r#" --json '{"customer":"Ada","lines":[{"productId":"moka-pot","quantity":2}]}'"#,
            ),
            Self::Dynamodb => ("/nosqldata/moka-pot", ""),
            Self::Mysql => ("/mysqldata?limit=1", ""),
        }
    }

    /// The health that tells of it.
    fn health(self) -> &'static str {
        match self {
            Self::Catalogue | Self::Mysql => "/health/mysqldata",
            Self::Dynamodb => "/health/nosqldata",
        }
    }

    /// Whether what a client sends goes this way. The functions ask each other
    /// through one address, whatever they ask.
    fn carries(self, sent: &[u8]) -> bool {
        let line = sent.split(|&b| b == b'\r').next().unwrap_or_default();
        self != Self::Catalogue || String::from_utf8_lossy(line).contains("/nosqldata")
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Cut => "cut",
            Self::Silent => "silent",
        }
    }

    fn of(file: &Path) -> Self {
        match fs::read_to_string(file).as_deref() {
            Ok("cut") => Self::Cut,
            Ok("silent") => Self::Silent,
            _ => Self::Whole,
        }
    }
}

fn folder(project: &Project) -> PathBuf {
    project.own_folder().join("wires")
}

/// The address in a URL: `127.0.0.1:8000`.
fn address(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

/// Carries what one client says and hears, until one side has enough of it or
/// the wire is cut.
fn relay(client: &TcpStream, upstream: &str, wire: Wire, file: &Path) -> Result<()> {
    let server = TcpStream::connect(upstream).context("nobody listens")?;
    for stream in [client, &server] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK))?;
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = carry(&server, client, |_| Some(true));
            close(client, &server);
        });
        // Until it asks, nobody knows which way a connection to the API goes.
        let mut carried = wire != Wire::Catalogue;
        let mut lost = false;
        let _ = carry(client, &server, |sent| {
            if !sent.is_empty() {
                carried = wire.carries(sent);
            }
            let state = State::of(file);
            // What was swallowed does not come back when the wire is healed.
            lost |= carried && state == State::Silent;
            (!carried || state != State::Cut).then_some(!lost)
        });
        close(client, &server);
    });
    Ok(())
}

/// Carries from one to the other what `passes` says may; none is the end.
fn carry(
    mut from: &TcpStream,
    mut to: &TcpStream,
    mut passes: impl FnMut(&[u8]) -> Option<bool>,
) -> io::Result<()> {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let bytes = chunk.get(..read).unwrap_or_default();
        match passes(bytes) {
            Some(true) => to.write_all(bytes)?,
            Some(false) => {}
            None => return Ok(()),
        }
    }
}

fn close(client: &TcpStream, server: &TcpStream) {
    for stream in [client, server] {
        // It may be closed already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_a_url() {
        for url in [
            "http://127.0.0.1:8000",
            "mysql://kea:kea@127.0.0.1:8000/kea",
        ] {
            assert_eq!(address(url), "127.0.0.1:8000");
        }
    }

    #[test]
    fn only_what_goes_to_the_catalogue_is_on_its_wire() {
        for (sent, carried) in [
            ("GET /nosqldata?ids=a HTTP/1.1\r\n", true),
            ("GET /health/nosqldata HTTP/1.1\r\n", true),
            ("GET /health/hello HTTP/1.1\r\nx: /nosqldata", false),
        ] {
            assert_eq!(Wire::Catalogue.carries(sent.as_bytes()), carried, "{sent}");
            assert!(Wire::Mysql.carries(sent.as_bytes()));
        }
    }
}
