//! The program `stores`, run as a child of this process.

use std::{
    io::{BufRead, BufReader},
    process::{Command, ExitStatus},
    sync::mpsc::{self, TryRecvError},
    thread,
};

use anyhow::{Context, Result, bail};
use programs::Guarded;
use serde_json::Value;

use crate::{
    process::{pause, step},
    project::Project,
    tools,
};

/// The environment variables from which the tests read where the stores are.
const TEST_VARIABLES: [&str; 2] = ["KEA_TEST_DYNAMODB_URL", "KEA_TEST_MYSQL_URL"];

/// The URLs of the stores.
pub struct Urls {
    pub dynamodb: String,
    pub mysql: String,
}

/// Running stores, stopped when this is dropped and when this process ends.
pub struct Stores {
    program: Guarded,
    /// Their addresses.
    pub urls: Urls,
}

impl Stores {
    /// Starts throw-away stores with these options. The program must be built.
    pub fn throw_away(project: &Project, options: &[&str]) -> Result<Self> {
        let mariadbd = tools::mariadbd()?;
        step("Starting throw-away stores");
        let mut command = Command::new(project.program("stores"));
        command.arg("--mariadbd").arg(mariadbd).args(options);
        Self::start(command)
    }

    /// Starts the program and waits until the stores are ready.
    pub fn start(mut command: Command) -> Result<Self> {
        // Needs no guard: it stops when its standard input closes.
        command.stdout(std::process::Stdio::piped());
        let mut program = Guarded::spawn(command).context("`stores` cannot be started")?;
        let output = program.take_stdout().context("`stores` has no output")?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(output).read_line(&mut line);
            // The receiver is gone if the wait was interrupted.
            let _ = sender.send(read.map(|_| line));
        });
        let line = loop {
            match receiver.try_recv() {
                Ok(line) => break line?,
                Err(TryRecvError::Empty) => pause()?,
                Err(TryRecvError::Disconnected) => bail!("the output of `stores` cannot be read"),
            }
        };
        if line.is_empty() {
            bail!("the stores did not start; the reason is above");
        }
        let urls = urls(&line).with_context(|| format!("unexpected output of `stores`: {line}"))?;
        Ok(Self { program, urls })
    }

    /// The exit status, if the program has ended.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.program.try_wait()?)
    }

    /// Sets the environment variables of the tests: where the stores are, and the
    /// key that signs tokens.
    pub fn set_variables(&self, project: &Project, command: &mut Command) {
        let urls = [&self.urls.dynamodb, &self.urls.mysql];
        command.envs(TEST_VARIABLES.into_iter().zip(urls));
        command.env("KEA_SIGNING_KEY", project.signing_key_file());
    }
}

fn urls(line: &str) -> Result<Urls> {
    let urls: Value = serde_json::from_str(line)?;
    let url = |store: &str| {
        let url = urls.get(store).and_then(Value::as_str);
        let url = url.map(str::to_owned);
        url.with_context(|| format!("it has no URL of {store}"))
    };
    Ok(Urls {
        dynamodb: url("dynamodb")?,
        mysql: url("mysql")?,
    })
}
