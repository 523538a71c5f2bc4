//! The plan: what is measured.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::Deserialize;

/// The functions to measure, and what they need.
#[derive(Debug, Deserialize)]
pub struct Plan {
    /// The versions that the report names.
    pub versions: BTreeMap<String, String>,
    /// Servers that terminate TLS in front of a store.
    pub tls: Vec<Proxy>,
    /// The functions.
    pub functions: Vec<Function>,
}

/// A server that terminates TLS and passes the bytes on.
#[derive(Debug, Deserialize)]
pub struct Proxy {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The address of the store.
    pub upstream: String,
    /// Its certificate, and those that issued it, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
}

/// A function.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    /// Its name in the report.
    pub name: String,
    /// What it does: the functions of a group have the same task.
    pub group: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Its folder.
    pub folder: PathBuf,
    /// Its environment, beside what Lambda sets.
    pub environment: BTreeMap<String, String>,
    /// The event of each call.
    pub event: String,
    /// A part of each response.
    pub expected: String,
    /// The program, if it is a single file.
    pub program: Option<PathBuf>,
    /// The calls of a warm measurement.
    pub warm_calls: usize,
}
