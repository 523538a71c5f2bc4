//! The responses in the place of a function that does not run.

use std::env;

use anyhow::{Context, Result};
use dto::problem::{MEDIA_TYPE, ProblemDetails, ProblemType};
use serde_json::{Value, json};
use ureq::Agent;

/// The header of an invocation with its id.
const REQUEST_ID: &str = "lambda-runtime-aws-request-id";

/// The value of `Retry-After`, in seconds.
const RETRY_AFTER_S: u64 = 5;

/// Responds to invocations in the place of a function, with the Runtime API.
pub struct StandIn {
    agent: Agent,
    api: String,
}

impl StandIn {
    /// With the Runtime API that the environment names.
    pub fn new() -> Result<Self> {
        let variable = "AWS_LAMBDA_RUNTIME_API";
        let api = env::var(variable).with_context(|| format!("{variable} is not set"))?;
        let api = api.trim_start_matches("http://").trim_end_matches('/');
        // What listens on this machine is never behind a proxy.
        let config = Agent::config_builder().proxy(None);
        Ok(Self {
            agent: config.build().into(),
            api: format!("http://{api}/2018-06-01/runtime/invocation"),
        })
    }

    /// Waits for the next invocation and responds that the function is
    /// unavailable, for the reason `detail`.
    pub fn respond(&self, detail: &str) -> Result<()> {
        let next = self.agent.get(format!("{}/next", self.api)).call();
        let mut next = next.context("the next invocation cannot be received")?;
        let id = next.headers().get(REQUEST_ID);
        let id = id.and_then(|id| id.to_str().ok());
        let id = id.context("an invocation has no id")?.to_owned();
        let event: Value = serde_json::from_str(&next.body_mut().read_to_string()?)?;
        // It fails if the client has gone.
        let _ = self
            .agent
            .post(format!("{}/{id}/response", self.api))
            .send(response(&event, detail).to_string());
        Ok(())
    }
}

/// The response to an API Gateway event: the problem, as the chassis renders it.
fn response(event: &Value, detail: &str) -> Value {
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str);
    let kind = ProblemType::ServiceUnavailable;
    let problem = ProblemDetails {
        r#type: format!("/problems/{}", kind.slug()),
        title: kind.title().to_owned(),
        status: kind.status(),
        detail: detail.to_owned(),
        instance: text("/rawPath").unwrap_or_default().to_owned(),
        request_id: text("/requestContext/requestId")
            .unwrap_or_default()
            .to_owned(),
        errors: Vec::new(),
    };
    json!({
        "statusCode": kind.status(),
        "headers": {
            "content-type": MEDIA_TYPE,
            "retry-after": RETRY_AFTER_S.to_string(),
            "x-content-type-options": "nosniff",
        },
        // `cargo lambda watch` requires these two members.
        "multiValueHeaders": {},
        "cookies": [],
        "body": serde_json::to_string(&problem).unwrap_or_default(),
        "isBase64Encoded": false,
    })
}
