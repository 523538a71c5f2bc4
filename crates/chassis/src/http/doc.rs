//! The documentation of an operation beyond its types.

use std::borrow::Cow;

use dto::problem::ProblemType;

use crate::auth::Access;

/// The documentation of an operation beyond its types.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "openapi"),
    expect(dead_code, reason = "for the document")
)]
pub struct Doc {
    pub(super) id: Cow<'static, str>,
    pub(super) summary: Cow<'static, str>,
    pub(super) description: &'static str,
    pub(super) problems: &'static [ProblemType],
    pub(super) access: Access,
}

/// An operation: its `operationId`, its summary and who may call it.
#[must_use]
pub fn doc(
    id: impl Into<Cow<'static, str>>,
    summary: impl Into<Cow<'static, str>>,
    access: Access,
) -> Doc {
    Doc {
        id: id.into(),
        summary: summary.into(),
        description: "",
        problems: &[],
        access,
    }
}

impl Doc {
    /// Sets the description, in Markdown.
    #[must_use]
    pub fn describe(self, description: &'static str) -> Self {
        Self {
            description,
            ..self
        }
    }

    /// Names the problems that the types of the handler do not imply.
    #[must_use]
    pub fn problems(self, problems: &'static [ProblemType]) -> Self {
        Self { problems, ..self }
    }
}
