//! What the runbook says about the alarms and the queries of the template.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::Value;
use template::Template;

/// The alarms of the template, by logical id.
pub fn alarms(template: &Template) -> BTreeMap<&str, &Value> {
    let alarms = template.of_type("AWS::CloudWatch::Alarm");
    alarms.map(|(id, alarm)| (id, &alarm.properties)).collect()
}

/// The alarms that a line of the runbook stands for: `<Function>Errors` for those of
/// every function.
fn meant<'t>(title: &str, template: &'t Template) -> BTreeSet<&'t str> {
    let functions: Vec<_> = template.functions().collect();
    let alarms = alarms(template);
    let alarms = alarms
        .keys()
        .copied()
        .filter(|id| match title.strip_prefix("<Function>") {
            Some(kind) => functions.iter().any(|function| {
                let prefix = function.id.strip_suffix("Function").unwrap_or(function.id);
                *id == format!("{prefix}{kind}")
            }),
            None => *id == title,
        });
    alarms.collect()
}

/// The template with its functions, tables and other resources as types.
pub fn template() -> Template {
    Template::read(&template::path()).unwrap()
}

pub fn runbook() -> String {
    fs::read_to_string(template::project().join("docs/runbook.md")).unwrap()
}

#[test]
fn every_alarm_has_a_section_in_the_runbook() {
    let template = template();
    let runbook = runbook();
    let (_, sections) = runbook.split_once("\n## Alarms\n").unwrap();
    let sections = sections.split("\n## ").next().unwrap();
    let mut seen = BTreeSet::new();
    for section in sections.split("\n### ").skip(1) {
        let (title, body) = section.split_once('\n').unwrap();
        for name in title.split(", ") {
            let name = name.trim_matches('`');
            let alarms = meant(name, &template);
            // No function may have an alarm of this kind.
            let is_kind = name.starts_with('<');
            assert!(
                is_kind || !alarms.is_empty(),
                "{name} is no alarm of the template"
            );
            for alarm in alarms {
                assert!(seen.insert(alarm), "{alarm} has two sections");
            }
        }
        for part in ["**Meaning.**", "**Confirm.**", "**Do.**", "**Locally.**"] {
            assert!(body.contains(part), "{title} has no {part}");
        }
    }
    let all: BTreeSet<_> = alarms(&template).into_keys().collect();
    let missing: Vec<_> = all.difference(&seen).collect();
    assert!(missing.is_empty(), "no section has {missing:?}");
}

#[test]
fn every_query_in_the_runbook_is_one_of_the_template() {
    let template = template();
    let queries = template.of_type("AWS::Logs::QueryDefinition");
    let queries: BTreeSet<_> = queries
        .map(|(_, query)| query.text("Name").unwrap().rsplit('/').next().unwrap())
        .collect();
    let runbook = runbook();
    let named = regex::Regex::new("query\\s+`([^`]+)`").unwrap();
    let named: BTreeSet<_> = named
        .captures_iter(&runbook)
        .map(|it| it.extract::<1>().1[0])
        .collect();
    let unknown: Vec<_> = named.difference(&queries).collect();
    assert!(
        unknown.is_empty(),
        "the template has no queries {unknown:?}, but {queries:?}"
    );
    assert!(!named.is_empty());
}
