//! `cargo xtask sam` and `cargo xtask package`: the SAM CLI, and what it builds.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    ffi::OsString,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use elf::{
    ElfBytes,
    abi::{EM_AARCH64, EM_X86_64, ET_EXEC, PT_INTERP},
    endian::LittleEndian,
};
use fs_err as fs;
use template::Template;

use crate::{
    process::{self, step},
    project::Project,
    tools,
};

/// The region of a deployment, as the AWS CLI chooses it: that of the environment or of
/// the AWS profile.
pub fn region() -> Option<String> {
    let set = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter();
    let mut set = set.filter_map(|name| env::var(name).ok().filter(|it| !it.is_empty()));
    set.next().or_else(|| {
        let mut aws = Command::new("aws");
        let region = process::output(aws.args(["configure", "get", "region"])).ok()?;
        (!region.is_empty()).then_some(region)
    })
}

/// What samconfig.toml sets in one environment.
pub struct Environment {
    /// The name of the stack.
    pub stack: Option<String>,
    /// The parameters of the template, as `Name=value`.
    pub overrides: Vec<String>,
}

/// The environments of samconfig.toml, by name.
pub fn environments(project: &Project) -> Result<BTreeMap<String, Environment>> {
    let config = fs::read_to_string(project.root.join("samconfig.toml"))?;
    let config: toml::Table = config.parse().context("samconfig.toml")?;
    let environments = config.into_iter().map(|(name, commands)| {
        let of = |command: &str, name: &str| commands.get(command)?.get("parameters")?.get(name);
        let text = |value: &toml::Value| value.as_str().map(str::to_owned);
        let overrides = of("deploy", "parameter_overrides").and_then(toml::Value::as_array);
        let environment = Environment {
            stack: of("global", "stack_name").and_then(text),
            overrides: overrides.into_iter().flatten().filter_map(text).collect(),
        };
        (name, environment)
    });
    Ok(environments.collect())
}

/// Run the project's own SAM CLI
///
/// Installs it into .kea/tools if it is missing, and for `build` what that needs:
/// `cargo xtask sam validate --lint`, `cargo xtask sam deploy --guided`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The arguments of `sam`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Build what is deployed, and print its size
///
/// Runs `sam build`, checks that every function of the template has a program of
/// its own for the architecture, and prints the size of each zip.
#[derive(clap::Args)]
pub struct Package {
    /// The architecture to build for
    #[arg(long, value_enum, default_value_t = Architecture::Arm64)]
    architecture: Architecture,
}

/// A processor architecture of Lambda, as the template's parameter names it.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Architecture {
    /// 64-bit ARM, which costs less
    Arm64,
    /// 64-bit x86
    #[value(name = "x86_64")]
    X86_64,
}

impl Architecture {
    /// That of this machine.
    pub fn here() -> Result<Self> {
        match env::consts::ARCH {
            "aarch64" => Ok(Self::Arm64),
            "x86_64" => Ok(Self::X86_64),
            other => bail!("Lambda does not run on {other}, the architecture of this machine"),
        }
    }

    /// Its name in the template and in the images of Lambda.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    /// The option of `cargo lambda build` that builds for it.
    fn option(self) -> &'static str {
        match self {
            Self::Arm64 => "--arm64",
            Self::X86_64 => "--x86-64",
        }
    }

    /// Its `e_machine` in an ELF file.
    fn machine(self) -> u16 {
        match self {
            Self::Arm64 => EM_AARCH64,
            Self::X86_64 => EM_X86_64,
        }
    }
}

/// A function, as `sam build` builds it.
pub struct Function {
    /// Its logical id.
    id: String,
    /// The name of its binary.
    binary: String,
    /// Its program.
    pub bootstrap: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let builds = arguments.arguments.first().is_some_and(|it| it == "build");
    let sam = Sam::install(&project, builds)?;
    let mut command = Command::new(sam.program());
    sam.set_variables(&mut command);
    // Replaces this process, since it may ask its user something.
    Err(command.args(&arguments.arguments).exec()).context("sam cannot be started")
}

pub fn package(arguments: &Package) -> Result<ExitCode> {
    let project = Project::read()?;
    let sam = Sam::install(&project, true)?;
    let folder = project.root.join(".aws-sam/build");
    let functions = sam.build(&project, arguments.architecture, &folder)?;

    let zips = project.create_folder("package")?;
    step(format_args!("Zipping into {}", zips.display()));
    println!(
        "{:<24} {:<12} {:>9} {:>9}",
        "function", "binary", "size", "zip"
    );
    for Function {
        id,
        binary,
        bootstrap,
    } in &functions
    {
        let zip = zips.join(format!("{id}.zip"));
        let mut command = process::command(sam.folder.join("bin/python3"));
        // As SAM zips what it uploads.
        command
            .args(["-m", "zipfile", "-c"])
            .args([&zip, bootstrap]);
        process::succeed(command, "the zip")?;
        let (size, zip) = (megabytes(bootstrap)?, megabytes(&zip)?);
        println!("{id:<24} {binary:<12} {size:>9} {zip:>9}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The size of a file in MB, rounded up to tenths.
fn megabytes(file: &Path) -> Result<String> {
    let tenths = file.metadata()?.len().div_ceil(100_000);
    Ok(format!("{}.{} MB", tenths / 10, tenths % 10))
}

/// The SAM CLI, with what it needs to build.
pub struct Sam {
    folder: PathBuf,
    cargo_lambda: Option<PathBuf>,
    zig: Option<PathBuf>,
    region: String,
}

impl Sam {
    /// Installs what is missing of it and, if it `builds`, for that.
    pub fn install(project: &Project, builds: bool) -> Result<Self> {
        let mut sam = Self {
            folder: tools::SAM.install(project)?,
            cargo_lambda: None,
            zig: None,
            // A build needs any region.
            region: region().unwrap_or_else(|| "eu-north-1".to_owned()),
        };
        if builds {
            sam.cargo_lambda = Some(tools::cargo_lambda(project)?);
            sam.zig = tools::zig(project)?;
        }
        Ok(sam)
    }

    /// The program.
    pub fn program(&self) -> PathBuf {
        self.folder.join("bin/sam")
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

    /// Sets the environment variables that it needs, in a command that runs it.
    pub fn set_variables(&self, command: &mut Command) {
        process::remove_package_variables(command);
        let mut folders = vec![self.folder.join("bin")];
        let cargo_lambda = self.cargo_lambda.as_deref().and_then(Path::parent);
        folders.extend(cargo_lambda.map(Path::to_path_buf));
        let path = env::var_os("PATH").unwrap_or_default();
        folders.extend(env::split_paths(&path));
        if let Ok(path) = env::join_paths(folders) {
            command.env("PATH", path);
        }
        if let Some(zig) = &self.zig {
            command.env("CARGO_ZIGBUILD_PYTHON_PATH", zig);
        }
        command.env("SAM_CLI_TELEMETRY", "0");
        // The SAM CLI does not read AWS_REGION.
        command.env("AWS_DEFAULT_REGION", &self.region);
    }

    /// Builds and checks every function of the template for `architecture`, into
    /// `folder`.
    pub fn build(
        &self,
        project: &Project,
        architecture: Architecture,
        folder: &Path,
    ) -> Result<Vec<Function>> {
        let template = Template::read(&project.root.join("template.yaml"))?;
        let functions = template.functions().map(|function| Function {
            id: function.id.to_owned(),
            binary: function.binary.to_owned(),
            bootstrap: folder.join(function.id).join("bootstrap"),
        });
        let functions: Vec<_> = functions.collect();
        let name = architecture.name();
        step(format_args!(
            "Building the functions for {name}; the first time this takes some minutes"
        ));
        // All at once: `sam build` builds one by one, and then finds them built.
        let mut build = process::cargo(&project.root);
        self.set_variables(&mut build);
        build
            .args(["lambda", "build", "--release"])
            .arg(architecture.option())
            .args(functions.iter().flat_map(|it| ["--bin", &it.binary]));
        process::succeed(build, "the build of the functions")?;

        step(format_args!("sam build, into {}", folder.display()));
        let mut build = process::command(self.program());
        self.set_variables(&mut build);
        build
            // Cargo knows what has changed; SAM would read all of `target`.
            .args(["build", "--no-cached", "--build-dir"])
            .arg(folder)
            .arg("--parameter-overrides")
            .arg(format!("Architecture={name}"))
            .current_dir(&project.root);
        process::succeed(build, "sam build")?;
        check(&functions, architecture)?;
        Ok(functions)
    }
}

/// Whether nothing of a program is linked or relocated when it starts: its type is
/// `ET_EXEC`, and it names no interpreter (`PT_INTERP`).
fn is_static(program: &ElfBytes<LittleEndian>) -> bool {
    let mut segments = program.segments().into_iter().flatten();
    program.ehdr.e_type == ET_EXEC && segments.all(|it| it.p_type != PT_INTERP)
}

/// Checks that each function has a static program of its own, for this architecture.
fn check(functions: &[Function], architecture: Architecture) -> Result<()> {
    let mut errors = Vec::new();
    let mut seen = HashMap::new();
    for Function { id, bootstrap, .. } in functions {
        let Ok(program) = fs::read(bootstrap) else {
            errors.push(format!("{id} has no bootstrap"));
            continue;
        };
        match ElfBytes::minimal_parse(&program) {
            Ok(elf) if elf.ehdr.e_machine == architecture.machine() => {
                if !is_static(&elf) {
                    errors.push(format!("{id} is not static, at a fixed address"));
                }
            }
            _ => errors.push(format!("{id} is not a program for {}", architecture.name())),
        }
        if let Some(other) = seen.insert(program, id) {
            errors.push(format!("{id} is the same program as {other}"));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    bail!(
        "`sam build` built the wrong programs: {}. Compare the Metadata in template.yaml.",
        errors.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_program_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        // A header of 64 bytes and one program header: 64-bit and little-endian.
        let elf = |machine: u8, kind: u8, header: u8, rest: u8| {
            let mut program = b"\x7fELF\x02\x01\x01".to_vec();
            program.resize(120, 0);
            for (at, byte) in [(16, kind), (18, machine), (32, 64), (54, 56), (56, 1)] {
                program[at] = byte;
            }
            program[64] = header;
            program.push(rest);
            program
        };
        for (id, program) in [
            ("A", elf(183, 2, 1, 1)),
            ("B", elf(183, 2, 1, 2)),
            ("SameAsA", elf(183, 2, 1, 1)),
            ("X86", elf(62, 2, 1, 3)),
            ("Relocated", elf(183, 3, 1, 4)),
            ("Linked", elf(183, 2, 3, 5)),
            ("Script", b"#!/bin/sh".to_vec()),
        ] {
            fs::write(folder.path().join(id), program).unwrap();
        }
        for (ids, expected) in [
            (&["A", "B"][..], None),
            (&["A", "SameAsA"], Some("SameAsA is the same program as A")),
            (&["X86"], Some("X86 is not a program for arm64")),
            (&["Script"], Some("Script is not a program for arm64")),
            (&["Relocated"], Some("Relocated is not static")),
            (&["Linked"], Some("Linked is not static")),
            (&["A", "Missing"], Some("Missing has no bootstrap")),
        ] {
            let functions = ids.iter().map(|id| Function {
                id: (*id).to_owned(),
                binary: (*id).to_owned(),
                bootstrap: folder.path().join(id),
            });
            let functions: Vec<_> = functions.collect();
            let error = check(&functions, Architecture::Arm64).err();
            let error = error.map_or_else(String::new, |error| error.to_string());
            assert_eq!(error.is_empty(), expected.is_none(), "{error}");
            assert!(error.contains(expected.unwrap_or_default()), "{error}");
        }
    }
}
