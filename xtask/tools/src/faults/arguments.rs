// region: mysqldata nosqldata
//! The arguments of the suite.

use std::path::PathBuf;

/// Inject every fault under load, and measure the effect
#[derive(clap::Args)]
pub struct Arguments {
    /// The duration of each fault, in seconds
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,

    /// Only the faults and scenarios whose name contains this
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,

    /// Write the tables to this file
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,

    /// The folder of the functions' binaries
    #[arg(long, value_name = "DIR")]
    pub functions: PathBuf,

    /// The folder of the functions' logs
    #[arg(long, value_name = "DIR")]
    pub logs: PathBuf,

    /// The program cargo-lambda
    #[arg(long, value_name = "FILE")]
    pub cargo_lambda: PathBuf,

    /// The MariaDB server
    #[arg(long, value_name = "FILE")]
    pub mariadbd: PathBuf,
}
// endregion
