//! The program `stores` as a child of this one.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{self, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    process::{Interrupt, LOOK},
    project::Project,
};

/// Longer than `stores` gives `MariaDB` to write everything down.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// The environment variables by which the tests learn where the stores are.
const TEST_VARIABLES: [&str; 2] = ["KEA_TEST_DYNAMODB_URL", "KEA_TEST_MYSQL_URL"];

/// Where the stores are.
pub struct Urls {
    pub dynamodb: String,
    pub mysql: String,
}

/// Running stores, stopped when this is dropped and when this process ends.
pub struct Stores {
    child: Child,
    /// Where they are.
    pub urls: Urls,
}

impl Stores {
    /// Starts stores that are thrown away at the end, with these arguments and
    /// the `MariaDB` server `mariadbd`. The program must have been built.
    pub fn throw_away(
        project: &Project,
        mariadbd: &Path,
        arguments: &[&str],
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let mut options = vec!["--mariadbd".to_owned(), mariadbd.display().to_string()];
        options.extend(arguments.iter().map(ToString::to_string));
        Self::start(&project.program("stores"), &options, interrupt)
    }

    /// Starts the program with these arguments and waits until it is ready.
    pub fn start(program: &Path, arguments: &[String], interrupt: &Interrupt) -> Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            // It stops when this pipe closes, even if this process is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The terminal's Ctrl-C is for this process to pass on.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let output = child.stdout.take().context("stores has no output")?;
        let mut stores = Self {
            child,
            urls: Urls {
                dynamodb: String::new(),
                mysql: String::new(),
            },
        };
        stores.urls = ready(output, interrupt)?;
        Ok(stores)
    }

    /// How the program ended, if it has.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Tells a command where the stores are, for the tests.
    pub fn tell(&self, command: &mut Command) {
        let urls = [&self.urls.dynamodb, &self.urls.mysql];
        command.envs(TEST_VARIABLES.into_iter().zip(urls));
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + STOP_DEADLINE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            thread::sleep(LOOK);
        }
    }
}

/// Waits for the line that says where they are.
fn ready(output: ChildStdout, interrupt: &Interrupt) -> Result<Urls> {
    let (told, line) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        // Nobody listens any more if the wait was given up.
        let _ = told.send(read.map(|_| line));
    });
    loop {
        match line.try_recv() {
            Ok(line) => {
                let line = line?;
                if !line.is_empty() {
                    return urls(&line);
                }
                bail!("the stores did not start; what they said is above");
            }
            Err(TryRecvError::Empty) => interrupt.pause()?,
            Err(TryRecvError::Disconnected) => bail!("the stores cannot be heard"),
        }
    }
}

fn urls(line: &str) -> Result<Urls> {
    let said: Value = serde_json::from_str(line)
        .with_context(|| format!("the stores said something unexpected: {line}"))?;
    let url = |store: &str| {
        let url = said.get(store).and_then(Value::as_str);
        url.map(str::to_owned)
            .with_context(|| format!("the stores did not say where {store} is: {line}"))
    };
    Ok(Urls {
        dynamodb: url("dynamodb")?,
        mysql: url("mysql")?,
    })
}
