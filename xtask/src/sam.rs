//! `cargo xtask sam` and `cargo xtask package`: the SAM CLI, and what it builds.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use programs::guard;
use template::Template;

use crate::{
    process::{self, Interrupt, step},
    project::Project,
    tools,
};

/// Run the project's own SAM CLI
///
/// Installs it, and for `build` what that needs, into .kea/tools where they are
/// missing: `cargo xtask sam validate --lint`, `cargo xtask sam deploy --guided`.
#[derive(clap::Args)]
pub struct Arguments {
    /// What `sam` is told
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Build what is deployed, and say how large it is
///
/// Runs `sam build`, checks that every function of the template has a program of
/// its own that runs on the architecture, and prints the size of each zip.
#[derive(clap::Args)]
pub struct Package {
    /// What it is to run on
    #[arg(long, value_enum, default_value_t = Architecture::Arm64)]
    architecture: Architecture,

    /// The folder that is built to
    #[arg(long, value_name = "DIR", default_value = ".aws-sam/build")]
    build_dir: PathBuf,
}

/// A processor that Lambda has, as the template's parameter names it.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Architecture {
    /// 64-bit ARM, which costs less.
    Arm64,
    /// 64-bit x86.
    #[value(name = "x86_64")]
    X86_64,
}

impl Architecture {
    /// That of this machine.
    pub fn here() -> Result<Self> {
        match std::env::consts::ARCH {
            "aarch64" => Ok(Self::Arm64),
            "x86_64" => Ok(Self::X86_64),
            other => bail!("Lambda has no {other}"),
        }
    }

    /// As the template and the images of Lambda name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    fn target(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }

    /// What an ELF file for it says (`e_machine`).
    fn machine(self) -> [u8; 2] {
        match self {
            Self::Arm64 => 183_u16.to_le_bytes(),
            Self::X86_64 => 62_u16.to_le_bytes(),
        }
    }
}

pub fn run(arguments: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let builds = arguments.arguments.first().is_some_and(|it| it == "build");
    let sam = Sam::install(&project, builds, interrupt)?;
    // In the place of this process, since it may ask its user something.
    let mut command = Command::new(sam.program());
    sam.tell(&mut command);
    Err(command.args(&arguments.arguments).exec()).context("sam cannot be started")
}

pub fn package(arguments: &Package, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let sam = Sam::install(&project, true, interrupt)?;
    let folder = project.root.join(&arguments.build_dir);
    let functions = sam.build(&project, arguments.architecture, &folder, interrupt)?;

    let zips = project.own_folder().join("package");
    fs::create_dir_all(&zips)?;
    step(format_args!("Zipping into {}", zips.display()));
    println!(
        "{:<24} {:<12} {:>9} {:>9}",
        "function", "binary", "size", "zip"
    );
    for function in &functions {
        let built = folder.join(&function.id);
        let zip = zips.join(format!("{}.zip", function.id));
        let mut command = guard::command(&sam.python(), process::GRACE);
        // As SAM does it when it uploads.
        command
            .args(["-m", "zipfile", "-c"])
            .args([&zip, &built.join("bootstrap")]);
        process::succeed(command, "the zip", interrupt)?;
        println!(
            "{:<24} {:<12} {:>9} {:>9}",
            function.id,
            function.binary,
            megabytes(&built.join("bootstrap"))?,
            megabytes(&zip)?
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn megabytes(file: &Path) -> Result<String> {
    let bytes = file.metadata()?.len();
    // In tenths, rounded up: nothing is smaller than it looks.
    let tenths = bytes.div_ceil(100_000);
    Ok(format!("{}.{} MB", tenths / 10, tenths % 10))
}

/// A function, as `sam build` builds it.
pub struct Function {
    /// Its logical id.
    pub id: String,
    /// The name of its binary.
    pub binary: String,
}

/// The SAM CLI, with what it needs to build.
pub struct Sam {
    folder: PathBuf,
    cargo_lambda: Option<PathBuf>,
    zig: Option<PathBuf>,
}

impl Sam {
    /// Installs what is missing of it and, if it `builds`, for that.
    pub fn install(project: &Project, builds: bool, interrupt: &Interrupt) -> Result<Self> {
        let mut sam = Self {
            folder: tools::sam(project, interrupt)?,
            cargo_lambda: None,
            zig: None,
        };
        if builds {
            sam.cargo_lambda = Some(tools::cargo_lambda(project, interrupt)?);
            sam.zig = tools::zig(project, interrupt)?;
        }
        Ok(sam)
    }

    /// The program.
    pub fn program(&self) -> PathBuf {
        self.folder.join("bin/sam")
    }

    /// The Python that it runs with.
    fn python(&self) -> PathBuf {
        self.folder.join("bin/python3")
    }

    /// The Runtime Interface Emulator, which is part of it.
    pub fn emulator(&self, architecture: Architecture) -> Result<PathBuf> {
        let name = format!(
            "site-packages/samcli/local/rapid/aws-lambda-rie-{}",
            architecture.name()
        );
        let pythons = fs::read_dir(self.folder.join("lib"))?.flatten();
        let mut programs = pythons.map(|python| python.path().join(&name));
        programs
            .find(|program| program.exists())
            .with_context(|| format!("the SAM CLI in {} has no {name}", self.folder.display()))
    }

    /// Tells a command what `sam` needs to know.
    pub fn tell(&self, command: &mut Command) {
        process::without_cargos_variables(command);
        let mut path = vec![self.folder.join("bin")];
        let cargo_lambda = self.cargo_lambda.as_deref().and_then(Path::parent);
        path.extend(cargo_lambda.map(Path::to_path_buf));
        let before = std::env::var_os("PATH").unwrap_or_default();
        path.extend(std::env::split_paths(&before));
        if let Ok(path) = std::env::join_paths(path) {
            command.env("PATH", path);
        }
        if let Some(zig) = &self.zig {
            command.env("CARGO_ZIGBUILD_PYTHON_PATH", zig);
        }
        command.env("SAM_CLI_TELEMETRY", "0");
        if std::env::var_os("AWS_REGION").is_none()
            && std::env::var_os("AWS_DEFAULT_REGION").is_none()
        {
            command.env("AWS_DEFAULT_REGION", "eu-north-1");
        }
    }

    /// Builds every function of the template for `architecture` into `folder`,
    /// and checks what came of it.
    pub fn build(
        &self,
        project: &Project,
        architecture: Architecture,
        folder: &Path,
        interrupt: &Interrupt,
    ) -> Result<Vec<Function>> {
        let template = Template::read(&project.root.join("template.yaml"))?;
        let functions: Vec<_> = template
            .functions()
            .map(|it| Function {
                id: it.id.to_owned(),
                binary: it.binary.to_owned(),
            })
            .collect();
        add_target(architecture, interrupt)?;

        step(format_args!(
            "Building the functions for {}; the first time this takes some minutes",
            architecture.name()
        ));
        // All at once, as `sam build` will then one by one: that finds them done.
        let mut build = process::cargo();
        self.tell(&mut build);
        build
            .args(["lambda", "build", "--release"])
            .args((architecture == Architecture::Arm64).then_some("--arm64"))
            .current_dir(&project.root);
        for function in &functions {
            build.args(["--bin", &function.binary]);
        }
        process::succeed(build, "the build of the functions", interrupt)?;

        step(format_args!("sam build, into {}", folder.display()));
        let mut build = guard::command(&self.program(), process::GRACE);
        self.tell(&mut build);
        build
            // Cargo knows what has changed; SAM would read all of `target`.
            .args(["build", "--no-cached", "--build-dir"])
            .arg(folder)
            .args(["--parameter-overrides"])
            .arg(format!("Architecture={}", architecture.name()))
            .current_dir(&project.root);
        process::succeed(build, "sam build", interrupt)?;
        check(&functions, folder, architecture)?;
        Ok(functions)
    }
}

/// Has rustup add the standard library of another architecture.
fn add_target(architecture: Architecture, interrupt: &Interrupt) -> Result<()> {
    let Some(rustup) = programs::find("rustup", &[]) else {
        return Ok(());
    };
    let mut add = guard::command(&rustup, process::GRACE);
    add.args(["--quiet", "target", "add", architecture.target()]);
    process::succeed(add, "rustup target add", interrupt)
}

/// Whether each function has a program of its own, for this architecture.
fn check(functions: &[Function], folder: &Path, architecture: Architecture) -> Result<()> {
    let mut wrong = Vec::new();
    let mut seen = HashMap::new();
    for Function { id, .. } in functions {
        let Ok(program) = fs::read(folder.join(id).join("bootstrap")) else {
            wrong.push(format!("{id} has no bootstrap"));
            continue;
        };
        let is_elf = program.starts_with(b"\x7fELF");
        if !is_elf || program.get(18..20) != Some(&architecture.machine()) {
            wrong.push(format!("{id} is no program for {}", architecture.name()));
        }
        if let Some(other) = seen.insert(program, id) {
            wrong.push(format!("{id} is the same program as {other}"));
        }
    }
    if !wrong.is_empty() {
        bail!("what sam build built is wrong: {}", wrong.join("; "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(id: &str) -> Function {
        Function {
            id: id.to_owned(),
            binary: id.to_owned(),
        }
    }

    #[test]
    fn what_was_built_wrongly_is_told() {
        let folder = std::env::temp_dir().join(format!("package-{}", std::process::id()));
        let elf = |machine: u8, rest: &[u8]| {
            let mut program = b"\x7fELF".to_vec();
            program.resize(18, 0);
            program.extend([machine, 0]);
            program.extend(rest);
            program
        };
        for (id, program) in [
            ("A", elf(183, b"a")),
            ("B", elf(183, b"b")),
            ("SameAsA", elf(183, b"a")),
            ("X86", elf(62, b"x")),
            ("Script", b"#!/bin/sh".to_vec()),
        ] {
            fs::create_dir_all(folder.join(id)).unwrap();
            fs::write(folder.join(id).join("bootstrap"), program).unwrap();
        }
        let wrong = |ids: &[&str]| {
            let functions: Vec<_> = ids.iter().map(|id| function(id)).collect();
            let checked = check(&functions, &folder, Architecture::Arm64);
            checked.err().map(|error| error.to_string())
        };
        assert_eq!(wrong(&["A", "B"]), None);
        for (ids, said) in [
            (&["A", "SameAsA"][..], "SameAsA is the same program as A"),
            (&["X86"], "X86 is no program for arm64"),
            (&["Script"], "Script is no program for arm64"),
            (&["A", "Missing"], "Missing has no bootstrap"),
        ] {
            let wrong = wrong(ids).unwrap();
            assert!(wrong.contains(said), "{wrong}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
