//! The protocols of the APIs.

/// How an API is called.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// The service's name in signatures, such as `dynamodb`.
    pub service: &'static str,
    /// The API's name in `x-amz-target`, such as `DynamoDB_20120810`.
    pub target: &'static str,
    /// The media type of requests.
    pub media_type: &'static str,
}
