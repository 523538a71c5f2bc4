//! Query parameters.

use std::{
    collections::{BTreeSet, HashSet},
    fmt::Display,
    str::FromStr,
};

use json::{FieldErrors, Schema};
use percent_encoding::percent_decode_str;

use super::openapi::Operation;

/// The query parameters of a request that are not read yet
/// (`application/x-www-form-urlencoded`).
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<Parameter>);

#[derive(Debug, Clone)]
struct Parameter {
    /// The name; as it was sent where it is not UTF-8.
    name: Result<String, String>,
    /// The value; `None` where it is not UTF-8.
    value: Option<String>,
}

impl Query {
    /// Parses a query.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let parameters = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Parameter {
                name: decode(name).ok_or_else(|| name.to_owned()),
                value: decode(value),
            }
        });
        Self(parameters.collect())
    }

    /// Whether the parameter called `name` is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|parameter| parameter.is(name))
    }

    /// Takes the value of the parameter called `name`: `Some(None)` if it is
    /// absent, `None` if it is repeated or not UTF-8, which is an error.
    pub fn take(&mut self, name: &str, errors: &mut FieldErrors) -> Option<Option<String>> {
        let mut taken = self.0.extract_if(.., |parameter| parameter.is(name));
        let Some(first) = taken.next() else {
            return Some(None);
        };
        if taken.next().is_some() {
            taken.for_each(drop);
            errors.add_parameter(name, "must be given once");
            return None;
        }
        if first.value.is_none() {
            errors.add_parameter(name, "must be UTF-8");
        }
        first.value.map(Some)
    }

    /// Takes and parses the parameter called `name`.
    ///
    /// Returns `None` if and only if it has added an error to `errors`.
    pub fn take_parsed<T: FromStr<Err: Display>>(
        &mut self,
        name: &str,
        errors: &mut FieldErrors,
    ) -> Option<Option<T>> {
        let Some(value) = self.take(name, errors)? else {
            return Some(None);
        };
        match value.parse() {
            Ok(value) => Some(Some(value)),
            Err(rule) => {
                errors.add_parameter(name, rule.to_string());
                None
            }
        }
    }

    /// The names of the parameters that are left.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let names = self.0.iter().filter_map(|it| it.name.clone().ok());
        names.collect()
    }

    /// The parameters that are left, by name.
    pub(super) fn remaining(&self) -> Vec<(String, Option<String>)> {
        let mut left: Vec<_> = self
            .0
            .iter()
            .filter_map(|parameter| Some((parameter.name.clone().ok()?, parameter.value.clone())))
            .collect();
        left.sort();
        left
    }

    /// Forgets the parameters that are left.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Reports the parameters that are left, each once: nothing reads them.
    pub(super) fn finish(&mut self, errors: &mut FieldErrors) {
        let mut reported = HashSet::new();
        for Parameter { name, .. } in self.0.drain(..) {
            if reported.contains(&name) {
                continue;
            }
            match &name {
                Ok(name) => errors.add_parameter(name, "is not a known parameter"),
                Err(name) => errors.add_parameter(name, "must be UTF-8"),
            }
            reported.insert(name);
        }
    }
}

impl Parameter {
    fn is(&self, name: &str) -> bool {
        self.name.as_deref() == Ok(name)
    }
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// A type that is read from one query parameter, or from several of its own.
pub trait FromParameter: Sized {
    /// Reads the parameter called `name`.
    ///
    /// Returns `None` if and only if it has added an error to `errors`.
    fn from_parameter(name: &str, query: &mut Query, errors: &mut FieldErrors) -> Option<Self>;

    /// Adds the parameter to an operation of the OpenAPI document.
    fn describe(name: &str, description: &str, operation: &mut Operation);
}

impl<T: FromStr<Err: Display> + Schema> FromParameter for Option<T> {
    fn from_parameter(name: &str, query: &mut Query, errors: &mut FieldErrors) -> Option<Self> {
        query.take_parsed(name, errors)
    }

    fn describe(name: &str, description: &str, operation: &mut Operation) {
        let schema = operation.request_schema::<T>();
        operation.query_parameter(name, description, &schema);
    }
}

/// A struct that is read from query parameters. Derive it: each field is a
/// [`FromParameter`].
pub trait FromQuery: Sized {
    /// Reads the parameters.
    ///
    /// Returns `None` if and only if it has added an error to `errors`.
    fn from_query(query: &mut Query, errors: &mut FieldErrors) -> Option<Self>;

    /// Adds the parameters to an operation of the OpenAPI document.
    fn describe(operation: &mut Operation);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(errors: FieldErrors) -> Vec<String> {
        errors
            .into_vec()
            .into_iter()
            .map(|error| error.detail)
            .collect()
    }

    #[test]
    fn parameters_are_decoded() {
        let mut errors = FieldErrors::new();
        let mut query = Query::parse("a=b+c&%C3%A9=%2B&&empty=&bare");
        assert_eq!(query.take("a", &mut errors), Some(Some("b c".to_owned())));
        assert_eq!(query.take("é", &mut errors), Some(Some("+".to_owned())));
        assert_eq!(query.take("empty", &mut errors), Some(Some(String::new())));
        assert_eq!(query.take("bare", &mut errors), Some(Some(String::new())));
        assert_eq!(query.take("absent", &mut errors), Some(None));
        query.finish(&mut errors);
        assert!(errors.is_empty());
    }

    #[test]
    fn every_wrong_parameter_is_reported_once() {
        let mut errors = FieldErrors::new();
        let mut query = Query::parse("a=1&a=2&b=%FF&x=1&x=2&%FF=1");
        assert_eq!(query.take("a", &mut errors), None);
        assert_eq!(query.take("b", &mut errors), None);
        query.finish(&mut errors);
        assert_eq!(
            details(errors),
            [
                "must be given once",
                "must be UTF-8",
                "is not a known parameter",
                "must be UTF-8"
            ]
        );
    }
}
