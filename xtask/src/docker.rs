//! The Docker engine of this machine, and the image that functions run in.

use std::{
    fs::{self, File},
    io::Read,
    net::{IpAddr, Ipv4Addr, TcpListener},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use programs::{Guarded, guard};
use serde_json::Value;

use crate::{
    process::{Interrupt, LOOK, step},
    sam::Architecture,
    tools,
};

/// How long an engine may take to start, and to stop its containers.
const START: Duration = Duration::from_mins(1);
const STOP: Duration = Duration::from_secs(30);

/// How long an image may take to come.
const PULL: Duration = Duration::from_mins(5);

/// What marks an image that was made here.
const STAND_IN: &str = "kea.stand-in";

/// The programs that SAM needs in an image that it puts the emulator into.
const APPLETS: [&str; 6] = ["sh", "mv", "chmod", "ls", "cat", "mkdir"];

/// How an engine can be had.
pub const HINT: &str =
    "install Docker (on Debian: apt-get install docker.io busybox-static iptables) and start it";

/// An engine that runs. One that was started here is stopped when this is
/// dropped; so are the containers that were made meanwhile.
pub struct Engine {
    docker: PathBuf,
    containers: Vec<String>,
    _daemon: Option<Guarded>,
}

/// Where an engine runs, or why there is none.
pub enum Found {
    Engine(Engine),
    None(String),
}

impl Engine {
    /// Finds the engine, or starts it where it is installed and may be.
    pub fn find(logs: &Path, interrupt: &Interrupt) -> Result<Found> {
        let Some(docker) = programs::find("docker", &[]) else {
            return Ok(Found::None("there is no Docker here".to_owned()));
        };
        let mut daemon = None;
        if !answers(&docker) {
            let sbin = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
            let Some(dockerd) = programs::find("dockerd", &sbin) else {
                return Ok(Found::None("no Docker engine answers".to_owned()));
            };
            if !tools::is_root() {
                let why = "no Docker engine answers, and only root can start one";
                return Ok(Found::None(why.to_owned()));
            }
            step(format_args!("Starting dockerd"));
            let log = logs.join("dockerd.log");
            daemon = start(&docker, &dockerd, &log, interrupt)?;
            if daemon.is_none() {
                let why = format!("dockerd does not start; see {}", log.display());
                return Ok(Found::None(why));
            }
        }
        let mut engine = Self {
            docker,
            containers: Vec::new(),
            _daemon: daemon,
        };
        engine.containers = engine.containers()?;
        Ok(Found::Engine(engine))
    }

    /// The address of this machine that containers reach as
    /// `host.docker.internal`.
    pub fn host(&self) -> Result<IpAddr> {
        let told = self.ask(&["network", "inspect", "bridge"])?;
        let told: Value = serde_json::from_str(&told)?;
        let bridge = gateway(&told);
        // Where the engine runs in a machine of its own, it hands on to the
        // loopback address of this one.
        let ours = bridge.filter(|&it| TcpListener::bind((it, 0)).is_ok());
        Ok(ours.unwrap_or(Ipv4Addr::LOCALHOST.into()))
    }

    /// Has the image that functions of this architecture run in: the real one,
    /// or else one that is made of this machine's libraries. Says which, or why
    /// there is none.
    pub fn image(
        &self,
        architecture: Architecture,
        bootstraps: &[PathBuf],
        folder: &Path,
        interrupt: &Interrupt,
    ) -> Result<Result<String, String>> {
        let architecture = architecture.name();
        let name = format!("public.ecr.aws/lambda/provided:al2023-{architecture}");
        let label = format!("{{{{index .Config.Labels \"{STAND_IN}\"}}}}");
        let there = self.ask(&["image", "inspect", &name, "--format", &label]);
        let is_stand_in = (there.as_ref()).is_ok_and(|label| label.trim() == "true");
        if there.is_ok() && !is_stand_in {
            return Ok(Ok(name));
        }
        // What SAM made of another one.
        let forget = || {
            let rapid = format!("public.ecr.aws/lambda/provided:al2023-rapid-{architecture}");
            let _ = self.ask(&["image", "rm", "--force", &rapid]);
        };
        step(format_args!("Pulling {name}"));
        match self.pull(&name, interrupt)? {
            Ok(()) => {
                forget();
                return Ok(Ok(name));
            }
            Err(why) => eprintln!("    not pulled: {why}"),
        }
        let stand_in = format!("a stand-in for {name}, of this machine's libraries");
        if is_stand_in {
            return Ok(Ok(stand_in));
        }
        let Some(busybox) = programs::find("busybox", &[]) else {
            let why = "neither can its image be pulled, nor is there a busybox to make one of";
            return Ok(Err(why.to_owned()));
        };
        step(format_args!("Making {stand_in}"));
        forget();
        self.import(&name, &root(folder, &busybox, bootstraps)?)?;
        Ok(Ok(stand_in))
    }

    /// Pulls an image; why not, where it cannot be.
    fn pull(&self, name: &str, interrupt: &Interrupt) -> Result<Result<(), String>> {
        let mut child = Command::new(&self.docker)
            .args(["pull", "--quiet", name])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let deadline = Instant::now() + PULL;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if Instant::now() >= deadline || interrupt.happened() {
                child.kill()?;
                child.wait()?;
                break None;
            }
            std::thread::sleep(LOOK);
        };
        interrupt.check()?;
        let mut said = String::new();
        if let Some(mut output) = child.stderr.take() {
            output.read_to_string(&mut said)?;
        }
        Ok(match status {
            Some(status) if status.success() => Ok(()),
            Some(_) => Err(said.trim().to_owned()),
            None => Err(format!("it did not come within {} s", PULL.as_secs())),
        })
    }

    fn import(&self, name: &str, root: &Path) -> Result<()> {
        let archive = root.with_extension("tar");
        let packed = Command::new("tar")
            .arg("-cf")
            .arg(&archive)
            .arg("-C")
            .arg(root)
            .arg(".")
            .status()?;
        if !packed.success() {
            bail!("tar cannot pack {}", root.display());
        }
        let environment = "ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime \
                           PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin";
        let label = format!("LABEL {STAND_IN}=true");
        let archive = archive.to_str().context("a path that is UTF-8")?;
        self.ask(&[
            "import",
            "--change",
            "WORKDIR /var/task",
            "--change",
            environment,
            "--change",
            &label,
            archive,
            name,
        ])?;
        Ok(())
    }

    /// The ids of all containers.
    fn containers(&self) -> Result<Vec<String>> {
        let ids = self.ask(&["ps", "--all", "--quiet", "--no-trunc"])?;
        Ok(ids.lines().map(str::to_owned).collect())
    }

    fn ask(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.docker)
            .args(arguments)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("docker {}: {}", arguments.join(" "), said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Removes SAM's containers that were not there before, if it left any.
    pub fn clean_up(&self) {
        let before = &self.containers;
        for id in self.containers().unwrap_or_default() {
            let image = self.ask(&["inspect", "--format", "{{.Config.Image}}", &id]);
            let is_ours = image.is_ok_and(|it| it.contains("lambda/provided:al2023-rapid-"));
            if is_ours && !before.contains(&id) {
                // It may be going just now.
                let _ = self.ask(&["rm", "--force", &id]);
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.clean_up();
    }
}

fn answers(docker: &Path) -> bool {
    let info = Command::new(docker)
        .args(["info", "--format", "{{.ServerVersion}}"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    info.is_ok_and(|it| it.status.success() && !it.stdout.trim_ascii().is_empty())
}

/// Starts the engine; nothing where it ends or does not answer.
fn start(
    docker: &Path,
    dockerd: &Path,
    log: &Path,
    interrupt: &Interrupt,
) -> Result<Option<Guarded>> {
    let file = File::create(log)?;
    let mut command = guard::command(dockerd, STOP);
    command.stdout(file.try_clone()?).stderr(file);
    let mut daemon = Guarded::spawn(command)?;
    let deadline = Instant::now() + START;
    while !answers(docker) {
        if daemon.try_wait()?.is_some() || Instant::now() >= deadline {
            return Ok(None);
        }
        interrupt.pause()?;
    }
    Ok(Some(daemon))
}

/// The address of the bridge, from `docker network inspect bridge`: an engine
/// that has just started tells the network alone, of which it is the first.
fn gateway(networks: &Value) -> Option<IpAddr> {
    let configuration = networks.pointer("/0/IPAM/Config/0")?;
    let text = |name| configuration.get(name).and_then(Value::as_str);
    if let Some(gateway) = text("Gateway").and_then(|it| it.parse().ok()) {
        return Some(gateway);
    }
    let (network, _) = text("Subnet")?.split_once('/')?;
    let network: Ipv4Addr = network.parse().ok()?;
    Some(Ipv4Addr::from_bits(network.to_bits() + 1).into())
}

/// A root of just what the functions and SAM need: not Amazon Linux's, so that
/// it tells nothing of whether they run with the libraries there.
fn root(folder: &Path, busybox: &Path, bootstraps: &[PathBuf]) -> Result<PathBuf> {
    let root = folder.join("image");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    for part in [
        "bin",
        "etc/ssl/certs",
        "tmp",
        "usr/bin",
        "var/runtime",
        "var/task",
    ] {
        fs::create_dir_all(root.join(part))?;
    }
    fs::copy(busybox, root.join("bin/busybox"))?;
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    let certificates = Path::new("/etc/ssl/certs/ca-certificates.crt");
    if certificates.exists() {
        fs::copy(certificates, root.join("etc/ssl/certs/ca-certificates.crt"))?;
    }
    for library in libraries(bootstraps)? {
        let copy = root.join(library.strip_prefix("/")?);
        if let Some(folder) = copy.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&library, copy)?;
    }
    Ok(root)
}

/// The libraries that programs load when they start, and those that libc loads
/// to resolve a name.
fn libraries(programs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd")
        .args(programs)
        .output()
        .context("ldd cannot be run")?;
    let mut found = loaded(&String::from_utf8_lossy(&output.stdout));
    let libc = found.iter().find(|it| it.ends_with("libc.so.6"));
    if let Some(folder) = libc.and_then(|it| it.parent()).map(Path::to_path_buf) {
        let names = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"];
        found.extend(names.map(|name| folder.join(name)));
    }
    found.retain(|library| library.exists());
    found.sort();
    found.dedup();
    Ok(found)
}

/// The paths in what `ldd` says: `libc.so.6 => /lib/libc.so.6 (0x00007f)`, or
/// without the arrow.
fn loaded(said: &str) -> Vec<PathBuf> {
    let lines = said.lines().filter_map(|line| {
        let line = line.split_once("=>").map_or(line, |(_, path)| path).trim();
        let (path, _) = line.rsplit_once(" (")?;
        path.starts_with('/').then(|| PathBuf::from(path))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bridge_is_found_however_it_is_told() {
        let network = |config: Value| json!([{"IPAM": {"Config": [config]}}]);
        let bridge: IpAddr = [172, 17, 0, 1].into();
        let told = network(json!({"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}));
        assert_eq!(gateway(&told), Some(bridge));
        assert_eq!(
            gateway(&network(json!({"Subnet": "172.17.0.0/16"}))),
            Some(bridge)
        );
        assert_eq!(gateway(&json!([{"IPAM": {"Config": []}}])), None);
    }

    #[test]
    fn libraries_are_read_from_ldd() {
        let said = "/a/bootstrap:\n\
                    \tlinux-vdso.so.1 (0x00007fa7)\n\
                    \tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007fa7)\n\
                    \tlibx.so => not found\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007fa7)\n";
        let paths = [
            "/lib/x86_64-linux-gnu/libm.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(loaded(said), paths.map(PathBuf::from));
    }
}
