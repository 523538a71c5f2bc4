//! What the runbook says about the alarms of the template.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::Value;
use template::Template;

/// The alarms of the template, by logical id.
fn alarms(template: &Template) -> BTreeMap<&str, &Value> {
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

fn template() -> Template {
    Template::read(&template::path()).unwrap()
}

fn runbook() -> String {
    fs::read_to_string(stores::project().join("docs/runbook.md")).unwrap()
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
            assert!(!alarms.is_empty(), "{name} is no alarm of the template");
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
