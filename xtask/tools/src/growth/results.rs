// region: mysqldata nosqldata
//! What is measured.

use serde::Serialize;

/// The figures of one kind of request at one size.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What is requested.
    pub request: String,
    /// The orders in the database.
    pub orders: u32,
    /// The median time from the event to the response, in microseconds.
    pub median_us: u128,
    /// The processor time of the function and of the database, in microseconds.
    pub processor_us: u128,
}

/// The figures of placing orders on so many instances.
#[derive(Debug, Serialize)]
pub struct Concurrency {
    /// The instances, each with a request at any time.
    pub instances: usize,
    /// The median time from the event to the response, in microseconds.
    pub median_us: u128,
    /// The processor time of the functions and of the database, in microseconds.
    pub processor_us: u128,
    /// How often a statement waited for a lock.
    pub lock_waits: u64,
    /// The longest such wait so far, in milliseconds.
    pub longest_lock_wait_ms: u64,
}

/// All results.
#[derive(Debug, Serialize)]
pub struct Results {
    /// The orders of each size, from the smallest.
    pub orders: Vec<u32>,
    /// The products of each size.
    pub products: Vec<u32>,
    /// The time that adding all orders to the sums took, in milliseconds.
    pub backfill_ms: Vec<u128>,
    /// One of each kind and size.
    pub figures: Vec<Figure>,
    /// With as many orders as the smallest size has.
    pub concurrency: Vec<Concurrency>,
}
// endregion
