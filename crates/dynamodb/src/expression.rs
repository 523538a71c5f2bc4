//! The expressions of a write: its condition and what it sets.
//!
//! The condition is part of the write, so no other request can come between.
//! Every item has an `etag`, so an item without one does not exist.
//!
//! A member of the item has its name as its placeholder, in camelCase; no content has a
//! member of the revision. The other placeholders start with a capital, so that no member
//! replaces one of them.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use chassis::http::{Preconditions, Tag, Tags};
use dto::Timestamp;
use json::Object;

use crate::{
    item::{CREATED_AT, ETAG, UPDATED_AT, VERSION},
    value::{integer, string, to_attribute},
};

/// The most tags that a condition compares: `IN` takes 100 operands, and an
/// expression 4 KB.
const MAX_TAGS: usize = 50;

/// The age from which an item is settled: the request that wrote it has ended. No
/// request runs for that long, and clocks differ by less.
const SETTLED: Duration = Duration::from_secs(30);

/// Whether a condition can compare every tag of `preconditions`.
pub(crate) fn fits(preconditions: &Preconditions) -> bool {
    let lists = [&preconditions.if_match, &preconditions.if_none_match];
    lists.into_iter().flatten().all(|tags| match tags {
        Tags::Any => true,
        Tags::List(tags) => tags.len() <= MAX_TAGS,
    })
}

/// `preconditions` with at most one tag in each list: the one that decides while
/// the item's tag is `current`.
///
/// Whatever is written later has a tag that is new, so no other tag of the lists
/// can become the item's.
pub(crate) fn condensed(preconditions: &Preconditions, current: Option<&str>) -> Preconditions {
    let is_current = |tag: &&Tag| Some(tag.opaque.as_str()) == current;
    let one = |tag: Option<&Tag>| tag.map(|tag| Tags::List(vec![tag.clone()]));
    Preconditions {
        if_match: match &preconditions.if_match {
            // If none matches, any one of them has the same effect as all.
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
#[derive(Debug, Default, Clone)]
pub(crate) struct Condition {
    terms: Vec<String>,
    /// Whether it requires one of certain entity tags. It then holds for at most one
    /// write, because every write sets a new tag.
    holds_once: bool,
    /// The values in it, by their placeholders.
    pub(crate) values: HashMap<String, AttributeValue>,
}

impl Condition {
    /// The condition of the write that sets this `etag`: `preconditions` hold,
    /// and no earlier attempt has executed the write.
    pub(crate) fn of_write(preconditions: &Preconditions, etag: &str) -> Self {
        let mut condition = Self::of(preconditions);
        condition.none_of("Own", [etag]);
        condition
    }

    /// The condition of a deletion: the item exists and `preconditions` hold.
    pub(crate) fn of_deletion(preconditions: &Preconditions) -> Self {
        let mut condition = Self::of(preconditions);
        condition.add("attribute_exists(etag)");
        condition
    }

    /// The expression.
    pub(crate) fn expression(&self) -> String {
        self.terms.join(" AND ")
    }

    /// The condition of an attempt after one whose response was lost. It does not
    /// hold if that one was executed, whatever other requests have done since.
    ///
    /// A condition that holds once cannot hold again. Otherwise the item must
    /// have been settled at `start`, when the operation began: then no other
    /// request can have overwritten or deleted what the lost attempt wrote.
    pub(crate) fn after_lost(&self, start: Timestamp) -> Self {
        let mut condition = self.clone();
        if !condition.holds_once {
            let settled = Timestamp::from(start.utc() - SETTLED).to_string();
            condition.add(format!("{UPDATED_AT} < :Settled"));
            let values = &mut condition.values;
            values.insert(":Settled".to_owned(), string(settled));
        }
        condition
    }

    fn of(preconditions: &Preconditions) -> Self {
        let mut condition = Self::default();
        match &preconditions.if_match {
            None => {}
            Some(Tags::Any) => condition.add("attribute_exists(etag)"),
            Some(Tags::List(tags)) => {
                condition.one_of("Match", tags);
                condition.holds_once = true;
            }
        }
        match &preconditions.if_none_match {
            None => {}
            Some(Tags::Any) => condition.add("attribute_not_exists(etag)"),
            Some(Tags::List(tags)) => {
                condition.none_of("None", tags.iter().map(|tag| tag.opaque.as_str()));
            }
        }
        condition
    }

    fn add(&mut self, term: impl Into<String>) {
        self.terms.push(term.into());
    }

    /// Compares strongly: with its prefix, a weak tag is the tag of no item.
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

    /// Adds values and lists their placeholders.
    fn list<T: Into<String>>(&mut self, name: &str, tags: impl IntoIterator<Item = T>) -> String {
        let placeholders = tags.into_iter().enumerate().map(|(index, tag)| {
            let placeholder = format!(":{name}{index}");
            self.values.insert(placeholder.clone(), string(tag));
            placeholder
        });
        placeholders.collect::<Vec<_>>().join(", ")
    }
}

/// An `UpdateExpression` that replaces an item, or creates it.
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
    /// Sets the members of the content, removes those of `names` that it does
    /// not have, and sets the next revision: the first if the item is new.
    pub(crate) fn of(content: Object, names: &[&str], etag: &str, now: Timestamp) -> Self {
        let absent = names.iter().filter(|&&name| !content.contains(name));
        let removed: Vec<_> = absent.map(|name| format!("#{name}")).collect();
        let mut set = vec![
            format!("#{CREATED_AT} = if_not_exists(#{CREATED_AT}, :{UPDATED_AT})"),
            format!("#{VERSION} = if_not_exists(#{VERSION}, :Zero) + :One"),
        ];
        let mut values = HashMap::from([
            (":Zero".to_owned(), integer(0)),
            (":One".to_owned(), integer(1)),
        ]);
        let members = content
            .into_iter()
            .map(|(name, value)| (name, to_attribute(value)));
        let revision = [(ETAG, string(etag)), (UPDATED_AT, string(now.to_string()))];
        let revision = revision.map(|(name, value)| (name.to_owned(), value));
        for (name, value) in members.chain(revision) {
            set.push(format!("#{name} = :{name}"));
            values.insert(format!(":{name}"), value);
        }
        let mut expression = format!("SET {}", set.join(", "));
        if !removed.is_empty() {
            expression += " REMOVE ";
            expression += &removed.join(", ");
        }
        let names = names.iter().chain(&[CREATED_AT, VERSION, ETAG, UPDATED_AT]);
        let names = names.map(|&name| (format!("#{name}"), name.to_owned()));
        Self {
            expression,
            names: names.collect(),
            values,
        }
    }
}

#[cfg(test)]
mod tests {
    use chassis::http::Tags::{Any, List};
    use json::{FieldErrors, Value};
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
    fn a_write_is_not_executed_twice() {
        let condition = Condition::of_write(&Preconditions::default(), "mine");
        assert_eq!(
            condition.expression(),
            "(attribute_not_exists(etag) OR NOT etag IN (:Own0))"
        );
        assert_eq!(values(&condition), [(":Own0", "mine")]);
    }

    #[test]
    fn a_lost_write_is_repeated_only_over_an_item_that_is_settled() {
        let start = Timestamp::parse_time_or_date("2026-11-25T12:00:30Z").unwrap();
        for if_match in [None, Some(Any)] {
            let preconditions = Preconditions {
                if_match,
                if_none_match: Some(List(vec![tag(false, "a")])),
            };
            let condition = Condition::of_write(&preconditions, "mine");
            let after_lost = condition.after_lost(start);
            assert_eq!(
                after_lost.expression(),
                format!("{} AND updatedAt < :Settled", condition.expression())
            );
            let settled = values(&after_lost).pop();
            assert_eq!(settled, Some((":Settled", "2026-11-25T12:00:00.000Z")));
        }
    }

    #[test]
    fn a_lost_write_to_a_named_state_is_repeated_as_it_was() {
        let preconditions = Preconditions {
            if_match: Some(List(vec![tag(false, "a")])),
            if_none_match: None,
        };
        let condition = Condition::of_write(&preconditions, "mine");
        let after_lost = condition.after_lost(Timestamp::now());
        assert_eq!(after_lost.expression(), condition.expression());
        assert_eq!(values(&after_lost), values(&condition));
    }

    #[test]
    fn lists_of_tags_are_compared_by_the_store() {
        let preconditions = Preconditions {
            if_match: Some(List(vec![tag(false, "a"), tag(true, "b")])),
            if_none_match: Some(List(vec![tag(false, "c"), tag(true, "d")])),
        };
        let condition = Condition::of_deletion(&preconditions);
        assert_eq!(
            condition.expression(),
            "etag IN (:Match0, :Match1) \
             AND (attribute_not_exists(etag) OR NOT etag IN (:None0, :None1)) \
             AND attribute_exists(etag)"
        );
        // A weak tag matches no item for If-Match, and its own for If-None-Match.
        assert_eq!(
            values(&condition),
            [
                (":Match0", "a"),
                (":Match1", "W/b"),
                (":None0", "c"),
                (":None1", "d")
            ]
        );
    }

    #[test]
    fn an_asterisk_is_any_state() {
        let preconditions = Preconditions {
            if_match: Some(Any),
            if_none_match: Some(Any),
        };
        let condition = Condition::of_deletion(&preconditions);
        assert_eq!(
            condition.expression(),
            "attribute_exists(etag) AND attribute_not_exists(etag) AND attribute_exists(etag)"
        );
        assert!(condition.values.is_empty());
    }

    fn any_tags() -> impl Strategy<Value = Option<Tags>> {
        let tag = (any::<bool>(), "[a-c]").prop_map(|(weak, opaque)| Tag { weak, opaque });
        let list = prop::collection::vec(tag, 1..4).prop_map(List);
        prop::option::of(prop_oneof![1 => Just(Any), 4 => list])
    }

    proptest! {
        /// `d` represents the tag of any later write.
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
    fn long_lists_are_condensed() {
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
        assert_eq!(of(MAX_TAGS), (true, true));
        assert_eq!(of(MAX_TAGS + 1), (false, false));
    }

    fn update(content: &str, names: &[&str]) -> Update {
        let content = Value::parse(content.as_bytes(), &mut FieldErrors::new()).unwrap();
        let Value::Object(content) = content else {
            panic!("content is an object");
        };
        Update::of(content, names, "mine", Timestamp::now())
    }

    #[test]
    fn no_member_replaces_a_value_of_the_expressions() {
        let update = update(r#"{"one":7,"zero":7}"#, &["one", "zero"]);
        assert_eq!(update.values[":One"], integer(1));
        assert_eq!(update.values[":Zero"], integer(0));
        let condition = Condition::of_write(&Preconditions::default(), "mine");
        let condition = condition.after_lost(Timestamp::now());
        let names: Vec<_> = values(&condition)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, [":Own0", ":Settled"]);
    }

    #[test]
    fn an_update_replaces_the_whole_content() {
        let update = |content| update(content, &["name", "description"]);
        let without = update(r#"{"name":"n"}"#);
        assert_eq!(
            without.expression,
            "SET #createdAt = if_not_exists(#createdAt, :updatedAt), \
             #version = if_not_exists(#version, :Zero) + :One, \
             #name = :name, #etag = :etag, #updatedAt = :updatedAt REMOVE #description"
        );
        let with = update(r#"{"name":"n","description":""}"#);
        assert!(with.expression.contains("#description = :description"));
        assert!(!with.expression.contains("REMOVE"));
        for update in [without, with] {
            // DynamoDB rejects placeholders that are unknown, and those that are unused.
            let used: std::collections::BTreeSet<_> = update
                .expression
                .split(['=', ',', ' ', '(', ')', '+'])
                .filter(|word| word.starts_with(['#', ':']))
                .collect();
            let known = update.names.keys().chain(update.values.keys());
            assert_eq!(used, known.map(String::as_str).collect());
        }
    }
}
