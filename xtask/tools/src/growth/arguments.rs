// region: mysqldata nosqldata
//! The arguments of the measurement.

use std::path::PathBuf;

/// Measure the time of a request against the size of the data
#[derive(clap::Args)]
pub struct Arguments {
    /// The numbers of orders, from the smallest
    #[arg(long, value_name = "N", value_delimiter = ',', required = true)]
    pub sizes: Vec<u32>,

    /// The calls of each kind
    #[arg(long, value_name = "N")]
    pub calls: u32,

    /// The folder of the functions' binaries
    #[arg(long, value_name = "DIR")]
    pub functions: PathBuf,

    /// The MariaDB server
    #[arg(long, value_name = "FILE")]
    pub mariadbd: PathBuf,

    /// The folder of the results as JSON and of the functions' logs
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,

    /// Write the tables to this file, and the plot beside it
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
}
// endregion
