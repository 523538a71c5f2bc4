//! Health, in the shape of `application/health+json`
//! (draft-inadarei-api-health-check-06).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The answer of `GET /health` and `GET /health/{function}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// The worst that its checks say, as far as they matter.
    pub status: HealthStatus,
    /// Whose health it is: the function's name.
    pub service_id: String,
    /// What it depends on, each with what was seen of it; empty without any.
    pub checks: BTreeMap<String, Vec<HealthCheck>>,
}

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum HealthStatus {
    /// All is well.
    Pass,
    /// It works, and something is wrong.
    Warn,
    /// It does not work.
    Fail,
}

/// What was seen of one thing that a function depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HealthCheck {
    /// How well it is.
    pub status: HealthStatus,
    /// How long it took to answer, or to be given up.
    pub observed_value: u64,
    /// `ms`.
    pub observed_unit: String,
    /// What its circuit breaker lets through: `closed`, `open` or `half-open`;
    /// absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub breaker: Option<String>,
    /// What was wrong, in a few words without internals; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub output: Option<String>,
}
