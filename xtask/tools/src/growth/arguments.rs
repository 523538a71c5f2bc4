// region: mysqldata nosqldata
//! The arguments of the measurement.

/// Measure the time of a request against the size of the data
#[derive(clap::Args)]
pub struct Arguments {
    /// The numbers of orders, from the smallest
    #[arg(long, value_name = "N", value_delimiter = ',', required = true)]
    pub sizes: Vec<u32>,

    /// The calls of each kind
    #[arg(long, value_name = "N")]
    pub calls: u32,

    /// Write the tables to docs/growth.md, and the plot beside it
    #[arg(long)]
    pub write: bool,
}
// endregion
