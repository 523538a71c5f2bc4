//! No value of a request is part of the text of a statement: SQL has bound
//! parameters, and expressions of `DynamoDB` have placeholders.
//!
//! These tests read the source: every part that is interpolated into a statement
//! has to be listed here with its reason.

use std::collections::BTreeSet;

use regex::Regex;

use crate::source;

// region: mysql
/// The parts of SQL statements that are interpolated.
const SQL_PARTS: &[(&str, &str)] = &[
    ("LOCK_WAIT_TIMEOUT_S", "a constant"),
    ("WAIT_TIMEOUT_S", "a constant"),
    ("columns", "constants of the caller of `mysql::sql::insert`"),
    ("rows", "placeholders of `mysql::sql::insert`"),
    ("sql", "the result of `mysql::sql::insert`"),
    ("table", "a constant"),
    (
        "user",
        "the configured user, of letters, digits and `_`: `CREATE USER` has no parameters",
    ),
    // region: mysqldata
    ("", "`placeholders`, within `IN ({})`"),
    ("PENDING_ORDERS", "a constant"),
    ("SELECT", "a constant"),
    ("SPANS", "a constant"),
    ("WITHIN_PARTS", "a constant"),
    ("WITHIN_SPANS", "a constant"),
    ("WITHIN_WHOLE", "a constant"),
    ("as_summed", "a constant for each `by`"),
    ("conditions", "`mysql::sql::Conditions`, of constants"),
    ("delta", "a constant"),
    ("insert", "the result of `mysql::sql::insert`"),
    ("of_order", "a constant for each `by`"),
    ("of_sum", "a constant for each `by`"),
    ("revenue", "a constant"),
    (
        "status",
        "a constant for each `by`, or the name of a column",
    ),
    ("summed", "a constant for each `by`"),
    ("these", "`placeholders`"),
    // endregion
];
// endregion

/// The parts of expressions of `DynamoDB` that are interpolated.
const EXPRESSION_PARTS: [(&str, &str); 7] = [
    ("", "terms, each a constant or made of placeholders"),
    ("CREATED_AT", "a constant"),
    ("UPDATED_AT", "a constant"),
    ("VERSION", "a constant"),
    ("index", "the number of a placeholder"),
    ("list", "placeholders"),
    ("name", "the name of a member that the entity declares"),
];

/// The format strings in a source that match `statement`, without escaped braces. The
/// compiler requires each to be a literal, or a macro that makes one, such as `concat!`.
fn formats(source: &str, statement: &str) -> Vec<String> {
    let call = r"(?:format|format_args|write|writeln)!\(\s*(?:[\w.]+,\s*)?";
    let made = Regex::new(&format!(r"{call}\w+!")).unwrap();
    assert!(!made.is_match(source), "a format string is not a literal");
    let format = Regex::new(&format!(r#"{call}"((?:[^"\\]|\\(?s:.))*)""#)).unwrap();
    let statement = Regex::new(statement).unwrap();
    let texts = format
        .captures_iter(source)
        .map(|found| found[1].to_owned());
    texts.filter(|text| statement.is_match(text)).collect()
}

fn parts(format: &str) -> Vec<String> {
    let part = Regex::new(r"\{([^{}]*)\}").unwrap();
    let parts = part.captures_iter(format).map(|found| found[1].to_owned());
    parts.collect()
}

/// Checks that the interpolated parts are those of the list.
fn expect_parts(found: &BTreeSet<String>, listed: &[(&str, &str)]) {
    let listed: BTreeSet<_> = listed.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(
        *found, listed,
        "left: the parts in the source, right: those listed in tests/injection.rs"
    );
}

// region: mysql
#[test]
fn sql_has_only_bound_parameters() {
    let folders = [
        "crates/mysql/src",
        // region: mysqldata
        "crates/sums/src",
        // endregion
        "functions",
    ];
    let verb = r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|GRANT|CREATE USER|SET|WHERE)\b";
    let concatenation = Regex::new(r#"(push_str|\+=?)\s*\(?&?"[^"]*\b(WHERE|VALUES)\b"#).unwrap();
    let mut found = BTreeSet::new();
    for (path, source) in source::deployed(&folders) {
        for format in formats(&source, verb) {
            let positional = format.matches("{}").count();
            assert_eq!(
                positional,
                format.matches("IN ({})").count(),
                "{}: {format}",
                path.display()
            );
            let is_quoted = format.contains("'{") && !path.ends_with("migrate/src/user.rs");
            assert!(!is_quoted, "{}: {format}", path.display());
            found.extend(parts(&format));
        }
        assert!(
            !concatenation.is_match(&source),
            "{} concatenates SQL: use mysql::sql",
            path.display()
        );
    }
    expect_parts(&found, SQL_PARTS);
}
// endregion

#[test]
fn expressions_of_dynamodb_have_only_placeholders() {
    for (path, source) in source::deployed(&["functions"]) {
        assert!(
            !source.contains("_expression("),
            "{} has an expression: only crates/dynamodb may",
            path.display()
        );
    }
    let call = Regex::new(r"_expression\(([^()]*(?:\(\))?)\)").unwrap();
    let constant =
        Regex::new(r#"^("[^"{}]*"|[A-Z_]+|condition\.expression\(\)|update\.expression)$"#);
    let constant = constant.unwrap();
    let mut calls = 0;
    for (path, source) in source::deployed(&["crates/dynamodb/src"]) {
        for found in call.captures_iter(&source) {
            calls += 1;
            let argument = found[1].trim();
            assert!(
                constant.is_match(argument),
                "{}: {argument}",
                path.display()
            );
        }
    }
    assert!(calls >= 6, "{calls} expressions");
    let mut files = source::deployed(&["crates/dynamodb/src"]).into_iter();
    let (_, expressions) = files
        .find(|(path, _)| path.ends_with("expression.rs"))
        .unwrap();
    let mut found = BTreeSet::new();
    for format in formats(&expressions, r"[:#=<]|\bIN\b|\bSET\b") {
        assert!(!format.contains(['\'', '"']), "{format}");
        found.extend(parts(&format));
    }
    expect_parts(&found, &EXPRESSION_PARTS);
}
