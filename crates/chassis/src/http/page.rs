//! Lists, page by page.

use std::str::FromStr;

use json::{FieldErrors, Int};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    cursor::{CursorScope, is_well_formed},
    openapi::Operation,
    query::{FromQuery, Query},
    request::{Incoming, Part, RequestErrors},
};
use crate::{Problem, auth::Caller};

/// The most bytes of a page's items within Lambda's response, which may have
/// 6 MB.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The most items of a page: 1 to 100, 20 by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u8);

impl Limit {
    /// The highest limit.
    pub const MAX: i64 = 100;

    /// The number of items.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let limit: Int<1, { Self::MAX }> = text.parse()?;
        u8::try_from(limit.get())
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

/// The request for a page of a list that is filtered by `F`. `P` is a position
/// in the list, which a cursor encodes.
///
/// The cursor is bound to the list, its filters and, unless the route is public,
/// the caller; `limit` may change from page to page.
#[derive(Debug)]
pub struct Paged<F, P> {
    /// Which items the list has.
    pub filter: F,
    /// The most items of the page.
    pub limit: Limit,
    /// The position after which the page starts; `None` for the first page.
    pub after: Option<P>,
    scope: CursorScope,
}

impl<F, P: Serialize> Paged<F, P> {
    /// The page with these items; `last` is the position of its last item if
    /// there are more.
    ///
    /// # Errors
    ///
    /// A 500 problem if the position cannot be written as JSON, which is a bug.
    pub fn page<T>(
        &self,
        message: &'static str,
        items: Vec<T>,
        last: Option<&P>,
    ) -> Result<Page<T>, Problem> {
        let next_cursor = last.map(|last| self.scope.seal(last)).transpose();
        Ok(Page {
            message,
            items,
            next_cursor: next_cursor.map_err(Problem::internal)?,
        })
    }

    /// The page of `found`, the items after [`Paged::after`]: one item more than the
    /// limit, if there is one, shows that another page follows. `position` returns the
    /// position of an item.
    ///
    /// The page is shorter than its limit if Lambda could not return more.
    ///
    /// # Errors
    ///
    /// A 500 problem if an item or its position cannot be written as JSON, which
    /// is a bug.
    pub fn page_of<T: Serialize>(
        &self,
        message: &'static str,
        mut found: Vec<T>,
        position: impl FnOnce(&T) -> P,
    ) -> Result<Page<T>, Problem> {
        let count = fitting(&found, MAX_PAGE_BYTES).map_err(Problem::internal)?;
        let count = count.min(self.limit.get().into());
        let more = found.len() > count;
        found.truncate(count);
        let last = found.last().filter(|_| more).map(position);
        self.page(message, found, last.as_ref())
    }
}

/// The number of the first items that fit into `max` bytes; at least one.
fn fitting<T: Serialize>(items: &[T], max: usize) -> Result<usize, serde_json::Error> {
    let mut bytes = 0;
    for (count, item) in items.iter().enumerate() {
        bytes += embedded_length(&serde_json::to_vec(item)?);
        if bytes > max && count > 0 {
            return Ok(count);
        }
    }
    Ok(items.len())
}

/// The length of `json` and a comma within Lambda's response. That is JSON with
/// the body as a string, so quotes and backslashes are escaped once more.
fn embedded_length(json: &[u8]) -> usize {
    let escaped = json.iter().filter(|byte| matches!(byte, b'"' | b'\\'));
    json.len() + escaped.count() + 1
}

impl<F: FromQuery, P: DeserializeOwned> Part for Paged<F, P> {
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
        let query = &mut request.query;
        let limit = query.take_parsed("limit", &mut errors.invalid);
        let cursor = query.take("cursor", &mut errors.invalid);
        let caller = request.caller.as_ref().map(Caller::subject);
        let mut filters = query.remaining();
        let filter = F::from_query(query, &mut errors.invalid);
        // A cursor is bound to the parameters that the filter has read.
        let unknown = query.names();
        filters.retain(|(name, _)| !unknown.contains(name));
        let scope = CursorScope::new(&request.path, filters, caller);
        let after = match cursor? {
            // The checksum covers the filters, so a cursor cannot be checked while they are
            // invalid. Their errors are reported.
            Some(cursor) if filter.is_none() && is_well_formed(&cursor) => return None,
            None => None,
            Some(cursor) => {
                let after = scope.open(&cursor);
                if after.is_none() {
                    let detail = "is not a cursor of this list with these filters";
                    errors.malformed.add_parameter("cursor", detail);
                    return None;
                }
                after
            }
        };
        Some(Self {
            filter: filter?,
            limit: limit?.unwrap_or_default(),
            after,
            scope,
        })
    }

    fn describe(operation: &mut Operation) {
        use json::schema::json;

        F::describe(operation);
        let (max, default) = (Limit::MAX, Limit::default().0);
        operation.query_parameter(
            "limit",
            "The most items of the page.",
            &json!({ "type": "integer", "minimum": 1, "maximum": max, "default": default }),
        );
        operation.query_parameter(
            "cursor",
            "Where the page starts: `nextCursor` of the page before.",
            &json!({ "type": "string" }),
        );
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The list's name.
    pub message: &'static str,
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; `null` at the end.
    pub next_cursor: Option<String>,
}

impl<T: json::Schema> json::Schema for Page<T> {
    fn schema(components: &mut json::schema::Components) -> json::schema::Json {
        let item = T::schema(components);
        // `#/components/schemas/Order` becomes `OrderPage`.
        let name = item
            .get("$ref")
            .and_then(json::schema::Json::as_str)
            .and_then(|reference| reference.rsplit('/').next());
        let name = format!("{}Page", name.unwrap_or_default());
        components.named(&name, |_| {
            json::schema::json!({
                "type": "object",
                "description": "A page of a list.",
                "properties": {
                    "message": { "type": "string", "description": "The list's name." },
                    "items": { "type": "array", "items": item, "maxItems": Limit::MAX, "description": "The items of the page." },
                    "nextCursor": { "type": ["string", "null"], "description": "The cursor of the next page; `null` at the end." },
                },
                "required": ["message", "items", "nextCursor"],
            })
        })
    }
}

/// A list without filters.
impl FromQuery for () {
    fn from_query(_: &mut Query, _: &mut FieldErrors) -> Option<Self> {
        Some(())
    }

    fn describe(_: &mut Operation) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(limit: u8, found: Vec<String>) -> Page<String> {
        let paged = Paged::<(), String> {
            filter: (),
            limit: Limit(limit),
            after: None,
            scope: CursorScope::new("/things", Vec::new(), None),
        };
        let page = paged.page_of("Things", found, String::clone).unwrap();
        if let Some(cursor) = &page.next_cursor {
            assert_eq!(paged.scope.open(cursor), page.items.last().cloned());
        }
        page
    }

    #[test]
    fn a_page_has_a_cursor_only_if_there_is_more() {
        let found = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let whole = page_of(3, found(&["a", "b", "c"]));
        assert_eq!((whole.items.len(), whole.next_cursor), (3, None));
        let cut = page_of(2, found(&["a", "b", "c"]));
        assert_eq!((cut.items.len(), cut.next_cursor.is_some()), (2, true));
        let empty = page_of(2, Vec::new());
        assert_eq!((empty.items.len(), empty.next_cursor), (0, None));
    }

    #[test]
    fn a_page_of_large_items_is_cut_to_what_lambda_returns() {
        for character in ["\u{1f63a}", "\"", "\\", "x"] {
            let page = page_of(100, vec![character.repeat(60_000); 101]);
            assert!(page.next_cursor.is_some());
            let response = serde_json::to_string(&page).unwrap();
            let embedded = serde_json::to_string(&response).unwrap().len();
            // The cursor has a copy of one item.
            assert!(embedded < MAX_PAGE_BYTES + 400_000, "{embedded}");
        }
        assert_eq!(fitting(&["x".repeat(100)], 1).unwrap(), 1);
    }

    #[test]
    fn a_limit_is_1_to_100_in_digits() {
        assert_eq!("1".parse(), Ok(Limit(1)));
        assert_eq!("100".parse(), Ok(Limit(100)));
        for bad in ["0", "101", "-1"] {
            let rule = bad.parse::<Limit>().unwrap_err();
            assert_eq!(rule, "must be between 1 and 100", "{bad}");
        }
        for bad in ["+1", "1.0", "", "99999999999999999999"] {
            let rule = bad.parse::<Limit>().unwrap_err();
            assert_eq!(rule, "must be an integer between 1 and 100", "{bad}");
        }
        assert_eq!(Limit::default().get(), 20);
    }
}
