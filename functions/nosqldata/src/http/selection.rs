//! The query of a list: a page, or a batch of ids.

use std::collections::HashSet;

#[cfg(feature = "openapi")]
use chassis::http::openapi::Operation;
use chassis::http::{FromQuery, Incoming, Paged, Part, RequestErrors};
use dto::ProductId;

use crate::product::Category;

/// The most ids of one batch.
const MAX_IDS: usize = 100;

/// Which products a list has.
#[derive(Debug)]
pub(crate) enum Selection {
    /// A page of all products or of one category.
    Page(Paged<Filter, ProductId>),
    /// The products with these ids, each once, in the requested order.
    Batch(Vec<ProductId>),
}

/// Which products the pages of a list have.
#[derive(Debug, FromQuery)]
pub(crate) struct Filter {
    /// Only products of this category, exactly.
    pub(crate) category: Option<Category>,
}

impl Part for Selection {
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
        if !request.query.has("ids") {
            return Paged::read(request, errors).map(Self::Page);
        }
        let ids = request.query.take("ids", &mut errors.invalid);
        let others = request.query.names();
        // What a page needs is read all the same, so that its errors are reported.
        Paged::<Filter, ProductId>::read(request, errors);
        for other in others.difference(&request.query.names()) {
            let detail = "must not be given together with ids";
            errors.invalid.add_parameter(other, detail);
        }
        read_ids(&ids??, errors).map(Self::Batch)
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut Operation) {
        Paged::<Filter, ProductId>::describe(operation);
        operation.query_parameter(
            "ids",
            "Up to 100 ids, separated by commas, such as `espresso-cups,moka-pot`; repeated ids \
             count once.",
            &json::schema::json!({
                "type": "string",
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(,[A-Za-z0-9][A-Za-z0-9._-]{0,63})*$",
            }),
        );
    }
}

/// Reads a list of ids, each once.
///
/// Returns `None` if and only if it has added an error to `errors`.
fn read_ids(list: &str, errors: &mut RequestErrors) -> Option<Vec<ProductId>> {
    let (mut ids, mut known) = (Vec::new(), HashSet::new());
    let mut valid = true;
    for (index, text) in list.split(',').enumerate() {
        match ProductId::parse(text) {
            Ok(id) => {
                if known.insert(id.clone()) {
                    ids.push(id);
                }
            }
            Err(rule) => {
                let detail = format!("id {} in the list {rule}", index + 1);
                errors.invalid.add_parameter("ids", detail);
                valid = false;
            }
        }
    }
    if ids.len() > MAX_IDS {
        let detail = format!("must list at most {MAX_IDS} ids");
        errors.invalid.add_parameter("ids", detail);
        valid = false;
    }
    valid.then_some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Result<Vec<String>, Vec<String>> {
        let mut errors = RequestErrors::default();
        let ids = read_ids(list, &mut errors);
        let details = errors.invalid.into_vec().into_iter();
        ids.map(|ids| ids.iter().map(ToString::to_string).collect())
            .ok_or_else(|| details.map(|error| error.detail).collect())
    }

    #[test]
    fn repeated_ids_count_once() {
        assert_eq!(read("b,a,b").unwrap(), ["b", "a"]);
        let hundred: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        let list = [hundred.join(","), hundred.join(",")].join(",");
        assert_eq!(read(&list).unwrap(), hundred);
    }
}
