//! `sam local start-api`, with the release builds of the functions in containers.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Result;
use fs_err as fs;
use programs::guard;

use crate::{
    environment::{self, Urls},
    project::Project,
    sam::{Architecture, Sam},
};

/// How long `sam local` may take to stop its containers.
const GRACE: Duration = Duration::from_secs(20);

/// The name of this machine in containers.
const HOST: &str = "host.docker.internal";

/// What `sam build` built for this machine.
pub struct Release {
    pub sam: Sam,
    pub architecture: Architecture,
    /// The folder of the functions.
    pub output: PathBuf,
}

impl Release {
    /// Builds into a folder of its own, so that what is to be deployed stays.
    pub fn build(project: &Project, folder: &Path) -> Result<Self> {
        let sam = Sam::install(project, true)?;
        let architecture = Architecture::here()?;
        let output = folder.join("build");
        sam.build(project, architecture, &output)?;
        Ok(Self {
            sam,
            architecture,
            output,
        })
    }

    /// The command `sam local start-api`, on the address at which the functions in
    /// its containers reach each other, and its URL.
    pub fn serve(
        &self,
        project: &Project,
        folder: &Path,
        urls: &Urls,
        host: IpAddr,
        port: u16,
    ) -> Result<(Command, String)> {
        let host = host.to_string();
        let url = format!("http://{host}:{port}");

        let inside = |url: &str| url.replacen(&host, HOST, 1);
        let stores = Urls {
            dynamodb: inside(&urls.dynamodb),
            mysql: inside(&urls.mysql),
        };
        let variables = environment::of_functions(project, &inside(&url), &stores, false)?;
        let variables: serde_json::Map<_, _> = (variables.into_iter())
            .map(|(name, value)| (name, value.into()))
            .collect();
        let environment = folder.join("environment.json");
        let text = serde_json::json!({ "Parameters": variables }).to_string();
        fs::write(&environment, text)?;

        let mut serve = guard::command(&self.sam.program(), GRACE);
        self.sam.set_variables(&mut serve);
        serve
            .args(["local", "start-api", "--template"])
            .arg(self.output.join("template.yaml"))
            .arg("--parameter-overrides")
            .arg(format!("Architecture={}", self.architecture.name()))
            .arg("--env-vars")
            .arg(environment)
            .args(["--host", &host, "--port", &port.to_string()])
            .args(["--skip-pull-image", "--warm-containers", "EAGER"])
            .args(["--add-host", &format!("{HOST}:host-gateway")])
            // The functions get these.
            .envs([
                ("AWS_ACCESS_KEY_ID", "local"),
                ("AWS_SECRET_ACCESS_KEY", "local"),
            ])
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .current_dir(&project.root);
        Ok((serve, url))
    }
}
