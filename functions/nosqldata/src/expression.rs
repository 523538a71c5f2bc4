//! The expressions of a write: what it sets, and on what condition.
//!
//! A condition is part of the write that it guards, so nothing can come
//! between. Every product has an `etag`, so where there is none there is no
//! product.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use chassis::{
    Preconditions,
    preconditions::{Tag, Tags},
};
use dto::{Timestamp, product::ProductContent};

use crate::item::{content, integer, text};

/// The most tags of a list that a condition compares: `IN` takes 100 operands,
/// and an expression 4 KB.
const MOST_TAGS: usize = 50;

/// Whether a condition can compare every tag of `preconditions`.
pub(crate) fn fits(preconditions: &Preconditions) -> bool {
    let lists = [&preconditions.if_match, &preconditions.if_none_match];
    lists.into_iter().flatten().all(|tags| match tags {
        Tags::Any => true,
        Tags::List(tags) => tags.len() <= MOST_TAGS,
    })
}

/// `preconditions` with at most one tag in each list: the one that decides, now
/// that the product's tag is `current`.
///
/// Whatever is written from now on has a tag that there never was, so no other
/// tag of the lists can become the product's.
pub(crate) fn condensed(preconditions: &Preconditions, current: Option<&str>) -> Preconditions {
    let is_current = |tag: &&Tag| Some(tag.opaque.as_str()) == current;
    let one = |tag: Option<&Tag>| tag.map(|tag| Tags::List(vec![tag.clone()]));
    Preconditions {
        if_match: match &preconditions.if_match {
            // Where none matches, one that does not is as good as all.
            Some(Tags::List(tags)) => {
                let strong = tags.iter().filter(|tag| !tag.weak).find(is_current);
                one(strong.or(tags.first()))
            }
            other => other.clone(),
        },
        if_none_match: match &preconditions.if_none_match {
            Some(Tags::List(tags)) => one(tags.iter().find(is_current)),
            other => other.clone(),
        },
    }
}

/// A `ConditionExpression`.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    terms: Vec<String>,
    /// The values in it, by their placeholders.
    pub(crate) values: HashMap<String, AttributeValue>,
}

impl Condition {
    /// Of the write that gives a product this `etag`: that `preconditions`
    /// hold, and that it is not done yet. It is sent again when its answer is
    /// lost, and must not be done twice.
    pub(crate) fn to_write(preconditions: &Preconditions, etag: &str) -> Self {
        let mut condition = Self::of(preconditions);
        condition.none_of("done", [etag]);
        condition
    }

    /// Of a deletion: that there is a product and `preconditions` hold.
    pub(crate) fn to_delete(preconditions: &Preconditions) -> Self {
        let mut condition = Self::of(preconditions);
        condition.add("attribute_exists(etag)");
        condition
    }

    /// The expression.
    pub(crate) fn expression(&self) -> String {
        self.terms.join(" AND ")
    }

    /// The expression of an attempt after one whose answer was lost: that one
    /// may have been done, so what was written since is not to be touched. The
    /// request's own time is `:updatedAt`.
    pub(crate) fn again(&self) -> String {
        let before = "(attribute_not_exists(updatedAt) OR updatedAt < :updatedAt)";
        format!("{} AND {before}", self.expression())
    }

    fn of(preconditions: &Preconditions) -> Self {
        let mut condition = Self::default();
        match &preconditions.if_match {
            None => {}
            Some(Tags::Any) => condition.add("attribute_exists(etag)"),
            Some(Tags::List(tags)) => condition.one_of("match", tags),
        }
        match &preconditions.if_none_match {
            None => {}
            Some(Tags::Any) => condition.add("attribute_not_exists(etag)"),
            Some(Tags::List(tags)) => {
                condition.none_of("none", tags.iter().map(|tag| tag.opaque.as_str()));
            }
        }
        condition
    }

    fn add(&mut self, term: impl Into<String>) {
        self.terms.push(term.into());
    }

    /// By strong comparison: a weak tag matches nothing, and with its prefix it
    /// is the tag of nothing.
    fn one_of(&mut self, name: &str, tags: &[Tag]) {
        let tags = tags.iter().map(|Tag { weak, opaque }| match weak {
            true => format!("W/{opaque}"),
            false => opaque.clone(),
        });
        let list = self.list(name, tags);
        self.add(format!("etag IN ({list})"));
    }

    fn none_of<'t>(&mut self, name: &str, tags: impl IntoIterator<Item = &'t str>) {
        let list = self.list(name, tags);
        self.add(format!(
            "(attribute_not_exists(etag) OR NOT etag IN ({list}))"
        ));
    }

    /// Takes in values and lists their placeholders.
    fn list<T: Into<String>>(&mut self, name: &str, tags: impl IntoIterator<Item = T>) -> String {
        let placeholders = tags.into_iter().enumerate().map(|(index, tag)| {
            let placeholder = format!(":{name}{index}");
            self.values.insert(placeholder.clone(), text(tag));
            placeholder
        });
        placeholders.collect::<Vec<_>>().join(", ")
    }
}

/// An `UpdateExpression` that replaces a product, or makes it.
#[derive(Debug)]
pub(crate) struct Update {
    /// The expression.
    pub(crate) expression: String,
    /// The names in it, by their placeholders.
    pub(crate) names: HashMap<String, String>,
    /// The values in it, by their placeholders.
    pub(crate) values: HashMap<String, AttributeValue>,
}

impl Update {
    /// Gives a product this content and `etag`, and the next version: the
    /// first if it is new.
    pub(crate) fn to(product: ProductContent, etag: &str, now: Timestamp) -> Self {
        let mut names = HashMap::from([
            ("#createdAt".to_owned(), "createdAt".to_owned()),
            ("#version".to_owned(), "version".to_owned()),
        ]);
        let mut values = HashMap::from([
            (":zero".to_owned(), integer(0)),
            (":one".to_owned(), integer(1)),
        ]);
        let mut set = vec![
            "#createdAt = if_not_exists(#createdAt, :updatedAt)".to_owned(),
            "#version = if_not_exists(#version, :zero) + :one".to_owned(),
        ];
        let mut remove = Vec::new();
        let set_by_the_service = [
            ("etag", Some(text(etag))),
            ("updatedAt", Some(text(now.to_string()))),
        ];
        for (name, value) in content(product).into_iter().chain(set_by_the_service) {
            names.insert(format!("#{name}"), name.to_owned());
            if let Some(value) = value {
                set.push(format!("#{name} = :{name}"));
                values.insert(format!(":{name}"), value);
            } else {
                remove.push(format!("#{name}"));
            }
        }
        let mut expression = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression += " REMOVE ";
            expression += &remove.join(", ");
        }
        Self {
            expression,
            names,
            values,
        }
    }
}

#[cfg(test)]
mod tests {
    use chassis::preconditions::Tags::{Any, List};
    use dto::{Money, product::Attributes};
    use proptest::prelude::*;

    use super::*;

    fn tag(weak: bool, opaque: &str) -> Tag {
        let opaque = opaque.to_owned();
        Tag { weak, opaque }
    }

    fn values(condition: &Condition) -> Vec<(&str, &str)> {
        let values = condition.values.iter();
        let mut values: Vec<_> = values
            .map(|(name, value)| (name.as_str(), value.as_s().unwrap().as_str()))
            .collect();
        values.sort_unstable();
        values
    }

    #[test]
    fn a_write_is_never_done_twice() {
        let condition = Condition::to_write(&Preconditions::default(), "mine");
        assert_eq!(
            condition.expression(),
            "(attribute_not_exists(etag) OR NOT etag IN (:done0))"
        );
        assert_eq!(values(&condition), [(":done0", "mine")]);
    }

    #[test]
    fn what_was_lost_is_not_done_over_what_came_since() {
        let condition = Condition::to_delete(&Preconditions::default());
        assert_eq!(
            condition.again(),
            "attribute_exists(etag) \
             AND (attribute_not_exists(updatedAt) OR updatedAt < :updatedAt)"
        );
    }

    #[test]
    fn lists_of_tags_are_compared_by_the_store() {
        let preconditions = Preconditions {
            if_match: Some(List(vec![tag(false, "a"), tag(true, "b")])),
            if_none_match: Some(List(vec![tag(false, "c"), tag(true, "d")])),
        };
        let condition = Condition::to_delete(&preconditions);
        assert_eq!(
            condition.expression(),
            "etag IN (:match0, :match1) \
             AND (attribute_not_exists(etag) OR NOT etag IN (:none0, :none1)) \
             AND attribute_exists(etag)"
        );
        // A weak tag is no product's to If-Match, and any to If-None-Match.
        assert_eq!(
            values(&condition),
            [
                (":match0", "a"),
                (":match1", "W/b"),
                (":none0", "c"),
                (":none1", "d")
            ]
        );
    }

    fn any_tags() -> impl Strategy<Value = Option<Tags>> {
        let tag = (any::<bool>(), "[a-c]").prop_map(|(weak, opaque)| Tag { weak, opaque });
        let list = prop::collection::vec(tag, 1..4).prop_map(List);
        prop::option::of(prop_oneof![1 => Just(Any), 4 => list])
    }

    proptest! {
        /// `d` stands for the tag of any later write.
        #[test]
        fn condensed_preconditions_hold_where_all_of_them_do(
            if_match in any_tags(),
            if_none_match in any_tags(),
            current in prop::option::of("[a-d]"),
        ) {
            let whole = Preconditions { if_match, if_none_match };
            let condensed = condensed(&whole, current.as_deref());
            for state in [current.as_deref(), None, Some("d")] {
                prop_assert_eq!(condensed.hold(state), whole.hold(state), "{:?}", state);
            }
        }
    }

    #[test]
    fn long_lists_are_not_for_the_store() {
        let of = |count| {
            let tags = List(vec![tag(false, "a"); count]);
            let if_match = Preconditions {
                if_match: Some(tags.clone()),
                if_none_match: Some(Any),
            };
            let if_none_match = Preconditions {
                if_match: None,
                if_none_match: Some(tags),
            };
            (fits(&if_match), fits(&if_none_match))
        };
        assert_eq!(of(MOST_TAGS), (true, true));
        assert_eq!(of(MOST_TAGS + 1), (false, false));
    }

    #[test]
    fn any_state_is_any_and_none_is_none() {
        let preconditions = Preconditions {
            if_match: Some(Any),
            if_none_match: Some(Any),
        };
        let condition = Condition::to_delete(&preconditions);
        assert_eq!(
            condition.expression(),
            "attribute_exists(etag) AND attribute_not_exists(etag) AND attribute_exists(etag)"
        );
        assert!(condition.values.is_empty());
    }

    #[test]
    fn an_update_replaces_the_whole_product() {
        let mut content = ProductContent {
            name: "n".to_owned(),
            category: "c".to_owned(),
            price: Money {
                amount: 1,
                currency: "DKK".to_owned(),
            },
            description: None,
            attributes: Attributes::default(),
        };
        let update = Update::to(content.clone(), "mine", Timestamp::now());
        assert_eq!(
            update.expression,
            "SET #createdAt = if_not_exists(#createdAt, :updatedAt), \
             #version = if_not_exists(#version, :zero) + :one, \
             #name = :name, #category = :category, #amount = :amount, #currency = :currency, \
             #attributes = :attributes, #etag = :etag, #updatedAt = :updatedAt \
             REMOVE #description"
        );
        content.description = Some(String::new());
        let update = Update::to(content, "mine", Timestamp::now());
        assert!(update.expression.contains("#description = :description"));
        assert!(!update.expression.contains("REMOVE"));
        for placeholder in update.expression.split(['=', ',', ' ', '(', ')', '+']) {
            let known = match placeholder.chars().next() {
                Some('#') => update.names.contains_key(placeholder),
                Some(':') => update.values.contains_key(placeholder),
                _ => true,
            };
            assert!(known, "{placeholder}");
        }
    }
}
