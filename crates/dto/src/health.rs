//! Health in the shape of `application/health+json`
//! (draft-inadarei-api-health-check-06).

use std::collections::BTreeMap;

use json::StringEnum;
use serde::{Deserialize, Serialize};

/// The media type of a [`Health`] body.
pub const MEDIA_TYPE: &str = "application/health+json";

/// The response of `GET /health` and `GET /health/{function}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The worst status of its checks; without the scope `ops:read`, `warn` is
    /// reported as `pass`.
    pub status: HealthStatus,
    /// The function's name.
    pub service_id: String,
    /// The function's dependencies with the results of their checks; empty where
    /// there are none, and `None` for a caller who may not see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<BTreeMap<String, Vec<HealthCheck>>>,
}

/// A state of health, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, StringEnum)]
pub enum HealthStatus {
    /// Healthy.
    Pass,
    /// It works with a restriction.
    Warn,
    /// It does not work.
    Fail,
}

/// The result of checking one dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// The dependency's state.
    pub status: HealthStatus,
    /// The duration of the check, in `observed_unit`.
    pub observed_value: u64,
    /// `ms`.
    pub observed_unit: String,
    /// The state of its circuit breaker: `closed`, `open` or `half-open`; absent
    /// where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<String>,
    /// The reason of a failure, without internals; absent on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

impl json::Schema for Health {
    fn schema(components: &mut json::schema::Components) -> json::schema::Json {
        components.named("Health", |components| {
            let status = HealthStatus::schema(components);
            json::schema::json!({
                "type": "object",
                "description": "The health of a function and of its dependencies.",
                "properties": {
                    "status": status,
                    "serviceId": { "type": "string", "description": "The function's name." },
                    "checks": {
                        "type": "object",
                        "description": "The function's dependencies with the results of their checks; absent without the scope `ops:read`.",
                        "additionalProperties": { "type": "array", "items": {
                            "type": "object",
                            "properties": {
                                "status": status,
                                "observedValue": { "type": "integer", "minimum": 0, "description": "How long the check took." },
                                "observedUnit": { "type": "string", "const": "ms" },
                                "breaker": {
                                    "type": "string",
                                    "enum": ["closed", "open", "half-open"],
                                    "description": "The state of the dependency's circuit breaker; absent where there is none.",
                                },
                                "output": { "type": "string", "description": "What is wrong; absent where nothing is." },
                            },
                            "required": ["status", "observedValue", "observedUnit"],
                        } },
                    },
                },
                "required": ["status", "serviceId"],
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_members_are_ignored() {
        let text = r#"{"status":"warn","serviceId":"a","version":"1","checks":{"b":[
            {"status":"pass","observedValue":3,"observedUnit":"ms","componentType":"datastore"}]}}"#;
        let health: Health = serde_json::from_str(text).unwrap();
        assert_eq!(health.status, HealthStatus::Warn);
        assert_eq!(health.checks.unwrap()["b"][0].observed_value, 3);
    }
}
