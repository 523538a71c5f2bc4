//! SQL whose values are bound, never part of the text.

use std::{str::FromStr, vec};

use dto::Timestamp;
use mysql_async::{
    FromRowError, Row, Value, from_value_opt,
    prelude::{FromRow, FromValue},
};
use time::{PrimitiveDateTime, macros::datetime};

use crate::AttemptError;

/// The conditions of a `WHERE` and the values that are bound to them.
#[derive(Debug, Default)]
pub struct Conditions {
    sql: Vec<&'static str>,
    values: Vec<Value>,
}

impl Conditions {
    /// No conditions: they hold for every row.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition with a `?` for each of `values`.
    pub fn add(&mut self, sql: &'static str, values: impl IntoIterator<Item = Value>) {
        self.sql.push(sql);
        self.values.extend(values);
    }

    /// The conditions joined by `AND`, and their values.
    #[must_use]
    pub fn into_parts(self) -> (String, Vec<Value>) {
        let sql = if self.sql.is_empty() {
            "TRUE".to_owned()
        } else {
            self.sql.join(" AND ")
        };
        (sql, self.values)
    }
}

/// `count` placeholders for an `IN`: `?, ?, ?`.
#[must_use]
pub fn placeholders(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// An `INSERT` of `rows`, each with a value for every one of `columns`, and the
/// values to bind.
#[must_use]
pub fn insert<const N: usize>(
    table: &str,
    columns: [&str; N],
    rows: impl IntoIterator<Item = [Value; N]>,
) -> (String, Vec<Value>) {
    let values: Vec<Value> = rows.into_iter().flatten().collect();
    let row = format!("({})", placeholders(N));
    let rows = vec![row; values.len() / N.max(1)].join(", ");
    let columns = columns.join(", ");
    (
        format!("INSERT INTO {table} ({columns}) VALUES {rows}"),
        values,
    )
}

/// The columns of a row, to take one after the other.
pub struct Columns(vec::IntoIter<Value>);

impl Columns {
    /// Takes the next column, which errors call `name`.
    ///
    /// # Errors
    ///
    /// If there is none, or it has another type.
    pub fn take<T: FromValue>(&mut self, name: &str) -> Result<T, AttemptError> {
        let value = self.0.next().and_then(|value| from_value_opt(value).ok());
        value.ok_or_else(|| AttemptError::Row(format!("{name} is missing or invalid")))
    }

    /// Takes the next column and reads its value by `read`, whose error is the rule that
    /// the value breaks.
    ///
    /// # Errors
    ///
    /// As for [`Columns::take`], or if the value breaks a rule.
    pub fn read<V: FromValue, T>(
        &mut self,
        name: &str,
        read: impl FnOnce(V) -> Result<T, String>,
    ) -> Result<T, AttemptError> {
        read(self.take(name)?).map_err(|rule| AttemptError::Row(format!("{name} {rule}")))
    }

    /// Takes the next column and parses its text.
    ///
    /// # Errors
    ///
    /// As for [`Columns::read`].
    pub fn parse<T: FromStr<Err = String>>(&mut self, name: &str) -> Result<T, AttemptError> {
        self.read(name, |text: String| text.parse())
    }
}

impl FromRow for Columns {
    fn from_row_opt(row: Row) -> Result<Self, FromRowError> {
        Ok(Self(row.unwrap().into_iter()))
    }
}

impl<const N: usize> From<[Value; N]> for Columns {
    fn from(values: [Value; N]) -> Self {
        Self(Vec::from(values).into_iter())
    }
}

/// A time as a column holds it, in UTC. `DATETIME` starts in the year 1000; an
/// earlier bound of a range means the same.
#[must_use]
pub fn to_datetime(at: Timestamp) -> PrimitiveDateTime {
    let at = at.utc();
    PrimitiveDateTime::new(at.date(), at.time()).max(datetime!(1000-01-01 0:00))
}

/// The time that a column holds.
#[must_use]
pub fn from_datetime(at: PrimitiveDateTime) -> Timestamp {
    at.assume_utc().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_its_column_and_an_ancient_one_is_clamped() {
        let at = Timestamp::parse_time_or_date("2026-11-22T23:59:59.999+01:00").unwrap();
        assert_eq!(from_datetime(to_datetime(at)), at);
        let ancient = Timestamp::parse_time_or_date("0000-01-01").unwrap();
        assert_eq!(to_datetime(ancient), datetime!(1000-01-01 0:00));
    }

    #[test]
    fn values_are_bound() {
        let mut conditions = Conditions::new();
        conditions.add("a = ?", ["' OR 1=1 --".into()]);
        conditions.add("(b < ? OR b > ?)", [1.into(), 2.into()]);
        let (sql, values) = conditions.into_parts();
        assert_eq!(sql, "a = ? AND (b < ? OR b > ?)");
        assert_eq!(values.len(), 3);
        assert_eq!(Conditions::new().into_parts().0, "TRUE");

        let rows = [["1".into(), 1.into()], ["2".into(), 2.into()]];
        let (sql, values) = insert("t", ["a", "b"], rows);
        assert_eq!(sql, "INSERT INTO t (a, b) VALUES (?, ?), (?, ?)");
        assert_eq!(values.len(), 4);
    }
}
