//! The expressions of a write: what it sets, and on what condition.
//!
//! A condition is part of the write that it guards, so nothing can come
//! between. Every product has an `etag`, so where there is none there is no
//! product.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use chassis::{
    Preconditions,
    preconditions::{Tag, Tags},
};
use dto::{Timestamp, product::ProductContent};

use crate::item::{content, integer, text};

/// How long ago a product must have been written to be settled: whoever wrote
/// it has finished, since no function runs that long, and clocks differ by less.
const SETTLED: Duration = Duration::from_secs(30);

/// A `ConditionExpression`.
#[derive(Debug, Default, Clone)]
pub(crate) struct Condition {
    terms: Vec<String>,
    /// Whether it names the states that it holds in. It then holds for one
    /// write at most: no entity tag is used again.
    names_states: bool,
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

    /// The condition of another attempt, after one that may have been done
    /// although its response was lost. It does not hold if that one was done,
    /// whatever others have done since.
    ///
    /// A condition that names states cannot hold again. Otherwise the product
    /// must have been settled when the request came: then nobody can have
    /// overwritten or deleted what the lost attempt wrote.
    pub(crate) fn again(&self, now: Timestamp) -> Self {
        let mut again = self.clone();
        if !self.names_states {
            let settled = Timestamp::from(now.utc() - SETTLED);
            again.add("updatedAt < :settled");
            (again.values).insert(":settled".to_owned(), text(settled.to_string()));
        }
        again
    }

    fn of(preconditions: &Preconditions) -> Self {
        let mut condition = Self::default();
        match &preconditions.if_match {
            None => {}
            Some(Tags::Any) => condition.add("attribute_exists(etag)"),
            Some(Tags::List(tags)) => {
                condition.one_of("match", tags);
                condition.names_states = true;
            }
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
    fn a_lost_write_is_repeated_only_where_it_cannot_have_been_done() {
        let now = Timestamp::parse_time_or_date("2026-11-25T12:00:30Z").unwrap();
        let condition = Condition::to_write(&Preconditions::default(), "mine");
        let again = condition.again(now);
        assert_eq!(
            again.expression(),
            format!("{} AND updatedAt < :settled", condition.expression())
        );
        let settled = (":settled", "2026-11-25T12:00:00.000Z");
        assert_eq!(values(&again), [(":done0", "mine"), settled]);

        let named = Preconditions {
            if_match: Some(List(vec![tag(false, "a")])),
            if_none_match: None,
        };
        let condition = Condition::to_write(&named, "mine");
        let again = condition.again(now);
        assert_eq!(again.expression(), condition.expression());
        assert_eq!(values(&again), values(&condition));
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
