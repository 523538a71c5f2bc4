//! The Docker engine of this machine, and the image that functions run in.

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use fs_err::{self as fs, os::unix::fs::symlink};
use programs::{Guarded, guard};

use crate::{
    process::{self, check_interrupt, step},
    project,
    sam::Architecture,
};

/// How to get an engine.
pub const HINT: &str =
    "install Docker (on Debian: apt-get install docker.io busybox-static iptables) and start it";

/// The timeouts of the start of an engine, of its stop with all containers, and
/// of the download of an image.
const START_TIMEOUT: Duration = Duration::from_mins(5);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const PULL_TIMEOUT: Duration = Duration::from_mins(5);

/// The label of an image that was made here.
const STAND_IN: &str = "kea.stand-in";

/// The programs of busybox that SAM needs in an image.
const APPLETS: [&str; 6] = ["sh", "mv", "chmod", "ls", "cat", "mkdir"];

/// A running engine. When this is dropped, the engine is stopped if it was started
/// here, and the containers that SAM left are removed.
pub struct Engine {
    docker: PathBuf,
    /// The image that functions run in.
    image: String,
    /// The image that SAM derives from that.
    rapid_image: String,
    containers: Vec<String>,
    _daemon: Option<Guarded>,
}

impl Engine {
    /// Finds the engine, or starts it if it is installed and this is root.
    pub fn find(logs: &Path) -> Result<Self> {
        let docker = programs::find("docker", &[]).context("Docker is not installed")?;
        let daemon = match run(&docker, &["version"]) {
            Ok(_) => None,
            Err(error) => Some(start(&docker, logs, &error.to_string())?),
        };
        let architecture = Architecture::here()?.name();
        let image = |version| format!("public.ecr.aws/lambda/provided:{version}-{architecture}");
        let mut engine = Self {
            docker,
            image: image("al2023"),
            rapid_image: image("al2023-rapid"),
            containers: Vec::new(),
            _daemon: daemon,
        };
        engine.containers = engine.containers()?;
        Ok(engine)
    }

    /// The address of this machine that containers reach as
    /// `host.docker.internal`: the first of the bridge's network, or the loopback
    /// address if the engine runs in a virtual machine.
    pub fn host(&self) -> Result<IpAddr> {
        let subnet = "{{(index .IPAM.Config 0).Subnet}}";
        let subnet = self.run(&["network", "inspect", "bridge", "--format", subnet])?;
        let network = subnet.split('/').next().unwrap_or_default();
        let network: Ipv4Addr = network
            .parse()
            .with_context(|| format!("the network of Docker's bridge is {subnet}"))?;
        let gateway = Ipv4Addr::from_bits(network.to_bits() + 1);
        let is_ours = TcpListener::bind((gateway, 0)).is_ok();
        Ok(if is_ours {
            gateway
        } else {
            Ipv4Addr::LOCALHOST
        }
        .into())
    }

    /// Provides the image that the functions run in: the real one, or a stand-in
    /// if it cannot be pulled. Returns a description of it.
    pub fn provide_image(&self, folder: &Path) -> Result<String> {
        let name = &self.image;
        let label = format!("{{{{index .Config.Labels \"{STAND_IN}\"}}}}");
        let inspect = || self.run(&["image", "inspect", name, "--format", &label]);
        let is_real = || inspect().is_ok_and(|label| label != "true");
        if is_real() {
            return Ok(name.clone());
        }
        step(format_args!("Pulling {name}"));
        let mut pull = process::command(&self.docker);
        pull.args(["pull", "--quiet", name]).stdout(Stdio::null());
        let mut pull = Guarded::spawn(pull)?;
        let pulled = process::wait_until_ready(&mut pull, "docker pull", PULL_TIMEOUT, || {
            ensure!(is_real(), "{name} is not there");
            Ok(())
        });
        check_interrupt()?;
        if pulled.is_err() && !is_real() {
            self.make_stand_in(folder)
                .with_context(|| format!("{name} can neither be pulled nor replaced"))?;
        }
        // SAM made it of another image.
        let _ = self.run(&["image", "rm", "--force", &self.rapid_image]);
        Ok(if is_real() {
            name.clone()
        } else {
            format!("a stand-in for {name}")
        })
    }

    /// Makes an image of a static busybox. The functions need nothing else of it.
    fn make_stand_in(&self, folder: &Path) -> Result<()> {
        step(format_args!("Making a stand-in for {}", self.image));
        let busybox = programs::find("busybox", &[]);
        let busybox = busybox.with_context(|| format!("busybox is not installed: {HINT}"))?;
        let root = folder.join("image");
        project::empty_folder(&root)?;
        for folder in ["tmp", "var/runtime", "var/task"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let copy = |from: &Path, to: &str| {
            let to = root.join(to);
            fs::create_dir_all(to.parent().unwrap_or(&root))?;
            fs::copy(from, to)
        };
        copy(&busybox, "bin/busybox")?;
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet))?;
        }
        let certificates = "etc/ssl/certs/ca-certificates.crt";
        copy(&Path::new("/").join(certificates), certificates)?;
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;

        let archive = folder.join("image.tar");
        let mut tar = process::command("tar");
        tar.arg("-cf").arg(&archive).arg("-C").arg(&root).arg(".");
        process::succeed(tar, "tar")?;
        let label = format!("LABEL {STAND_IN}=true");
        let variables = "ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime \
                         PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin";
        let changes = ["WORKDIR /var/task", variables, &label];
        let mut import = vec!["import"];
        import.extend(changes.iter().flat_map(|change| ["--change", change]));
        import.extend([
            archive.to_str().context("a path that is not UTF-8")?,
            &self.image,
        ]);
        self.run(&import)?;
        Ok(())
    }

    /// The containers of functions that SAM runs.
    fn containers(&self) -> Result<Vec<String>> {
        let filter = format!("ancestor={}", self.rapid_image);
        let ids = self.run(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter])?;
        Ok(ids.lines().map(str::to_owned).collect())
    }

    fn run(&self, arguments: &[&str]) -> Result<String> {
        run(&self.docker, arguments)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for id in self.containers().unwrap_or_default() {
            if !self.containers.contains(&id) {
                // It may be stopping already.
                let _ = self.run(&["rm", "--force", &id]);
            }
        }
    }
}

/// Runs a command of Docker and returns its output.
fn run(docker: &Path, arguments: &[&str]) -> Result<String> {
    process::output(Command::new(docker).args(arguments))
}

/// Starts an engine, because none can be used for this reason, and waits until it is
/// ready.
fn start(docker: &Path, logs: &Path, reason: &str) -> Result<Guarded> {
    let folders = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let dockerd = programs::find("dockerd", &folders);
    let dockerd = dockerd.with_context(|| reason.to_owned())?;
    ensure!(
        rustix::process::geteuid().is_root(),
        "{reason}; only root can start an engine"
    );
    step("Starting dockerd");
    let log = logs.join("dockerd.log");
    let command = guard::command(&dockerd, STOP_TIMEOUT);
    let ready = || run(docker, &["version"]);
    process::start_server(command, "dockerd", &log, START_TIMEOUT, ready)
}
