//! The measurements.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::DeflateEncoder};
use programs::proc;

use crate::{
    cpu::{self, FUNCTION_CORE},
    plan::Function,
    results::{Figures, Spread},
    runtime_api::RuntimeApi,
};

/// The rounds in which warm calls are measured, spread over all of them.
const WARM_ROUNDS: usize = 4;

/// The calls before those that are measured.
const WARM_UP: usize = 50;

/// What was measured of a function.
pub struct Measurement {
    function: Function,
    init: Vec<Duration>,
    first: Vec<Duration>,
    cold: Vec<Duration>,
    cold_cpu: Vec<Duration>,
    warm: Vec<Duration>,
    calls_per_second: Vec<f64>,
    cpu_per_call: Vec<Duration>,
    memory: u64,
    /// Of the program, and of it compressed by deflate, which is all but the headers
    /// of the archive that is deployed; 0 if it has no program of its own.
    size: (u64, u64),
}

/// Measures the functions, interleaved: whatever else the machine does meets all of
/// them.
pub fn all(functions: &[Function], runs: usize, logs: &Path) -> Result<Vec<Measurement>> {
    let mut api = RuntimeApi::start()?;
    let launcher = Launcher::start()?;
    let mut measured: Vec<Measurement> = functions
        .iter()
        .cloned()
        .map(Measurement::of)
        .collect::<Result<_>>()?;
    let every = (runs / WARM_ROUNDS).max(1);
    for round in 0..runs {
        eprint!("\rround {} of {runs} ", round + 1);
        for measurement in &mut measured {
            let name = measurement.function.name.clone();
            let with_warm = round % every == 0;
            measurement
                .run(&mut api, &launcher, logs, with_warm)
                .with_context(|| format!("{name}; see its log in {}", logs.display()))?;
        }
    }
    eprintln!();
    Ok(measured)
}

impl Measurement {
    fn of(function: Function) -> Result<Self> {
        let program = function.program.as_ref().map(fs::read).transpose()?;
        Ok(Self {
            size: program.as_deref().map_or(Ok((0, 0)), sizes)?,
            function,
            init: Vec::new(),
            first: Vec::new(),
            cold: Vec::new(),
            cold_cpu: Vec::new(),
            warm: Vec::new(),
            calls_per_second: Vec::new(),
            cpu_per_call: Vec::new(),
            memory: 0,
        })
    }

    /// Starts the function once, calls it, and ends it.
    fn run(
        &mut self,
        api: &mut RuntimeApi,
        launcher: &Launcher,
        logs: &Path,
        with_warm: bool,
    ) -> Result<()> {
        let function = &self.function;
        let log =
            File::create(logs.join(format!("{}.log", function.name.replace([' ', '/'], "-"))))?;
        let command = command(function, &api.address()?.to_string(), log)?;
        api.reset();
        let (started, process) = launcher.launch(command)?;
        let mut process = Running(process);
        let next = api.wait_for_next()?;
        let init = started.elapsed();
        let first = api.call(next, &function.event)?;
        let cold = started.elapsed();
        check(&first.body, function)?;
        let pid = process.0.id();
        self.init.push(init);
        self.first.push(first.took);
        self.cold.push(cold);
        let mut next = api.wait_for_next()?;
        self.cold_cpu.push(proc::cpu_time(pid)?);
        if with_warm {
            for _ in 0..WARM_UP {
                api.call(next, &function.event)?;
                next = api.wait_for_next()?;
            }
            let (began, cpu) = (Instant::now(), proc::cpu_time(pid)?);
            for _ in 0..function.warm_calls {
                let response = api.call(next, &function.event)?;
                next = api.wait_for_next()?;
                self.warm.push(response.took);
            }
            let calls = u32::try_from(function.warm_calls)?;
            let used = proc::cpu_time(pid)?.saturating_sub(cpu);
            self.cpu_per_call.push(used / calls);
            self.calls_per_second
                .push(f64::from(calls) / began.elapsed().as_secs_f64());
            let last = api.call(next, &function.event)?;
            check(&last.body, function)?;
        }
        self.memory = self.memory.max(proc::peak_memory(pid)?);
        process.0.kill()?;
        process.0.wait()?;
        Ok(())
    }

    /// The figures of the report.
    pub fn figures(&self) -> Figures {
        let Function { name, group, .. } = &self.function;
        let (size, zip) = self.size;
        Figures {
            name: name.clone(),
            group: group.clone(),
            init: Spread::of(&self.init),
            first: Spread::of(&self.first),
            cold: Spread::of(&self.cold),
            cold_cpu: Spread::of(&self.cold_cpu),
            warm: Spread::of(&self.warm),
            calls_per_second: self.calls_per_second.iter().copied().fold(0.0, f64::max),
            cpu_per_call_us: self
                .cpu_per_call
                .iter()
                .min()
                .copied()
                .unwrap_or_default()
                .as_secs_f64()
                * 1e6,
            peak_memory: self.memory,
            size,
            zip,
        }
    }
}

/// A process that is killed when this is dropped.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A thread on the function's core, which its children inherit.
struct Launcher {
    commands: Sender<Command>,
    started: Receiver<Result<(Instant, Child)>>,
}

impl Launcher {
    fn start() -> Result<Self> {
        let (commands, receiver) = channel::<Command>();
        let (sender, started) = channel();
        let (pinned, is_pinned) = channel();
        thread::spawn(move || {
            // The receivers are gone only if the program ends.
            let _ = pinned.send(cpu::pin(FUNCTION_CORE));
            for mut command in receiver {
                let now = Instant::now();
                let child = command.spawn().context("it cannot be started");
                let _ = sender.send(child.map(|child| (now, child)));
            }
        });
        is_pinned.recv()??;
        Ok(Self { commands, started })
    }

    fn launch(&self, command: Command) -> Result<(Instant, Child)> {
        self.commands.send(command)?;
        self.started.recv()?
    }
}

/// The command of a function, with the environment that Lambda sets.
pub fn command(function: &Function, api: &str, log: File) -> Result<Command> {
    let (program, arguments) = function.command.split_first().context("no command")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&function.folder)
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", api),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "1"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_bench"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
            ("LANG", "en_US.UTF-8"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("TZ", ":UTC"),
        ])
        .envs(&function.environment)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(command)
}

/// The size of a program, and that of it compressed by deflate, as in an archive.
pub fn sizes(program: &[u8]) -> Result<(u64, u64)> {
    let mut stream = DeflateEncoder::new(Vec::new(), Compression::default());
    stream.write_all(program)?;
    let stream = stream.finish()?;
    Ok((program.len().try_into()?, stream.len().try_into()?))
}

/// Fails if a response lacks what it must contain.
pub fn check(response: &[u8], function: &Function) -> Result<()> {
    let text = String::from_utf8_lossy(response);
    ensure!(
        text.contains(&function.expected),
        "{} responded {text}, without {}",
        function.name,
        function.expected
    );
    Ok(())
}
