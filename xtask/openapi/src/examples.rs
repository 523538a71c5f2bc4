//! Examples from the events that the tests replay and from the responses to
//! them: they are true, or a test fails.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use dto::problem::{MEDIA_TYPE, ProblemType};
use serde_json::{Map, Value, json};
use template::project;

/// The values in place of what differs from run to run, which the snapshots
/// leave out.
const STAND_INS: [(&str, &str); 5] = [
    ("[uuid v7]", "01a1a14c-afba-72da-b5b1-966a1c0be80c"),
    ("[time]", "2026-11-22T21:50:40.123Z"),
    ("[ms]", "3"),
    ("[release]", "6.1.0"),
    ("[architecture]", "aarch64"),
];

/// An event and the response to it.
pub struct Case {
    /// The name of the event's file, such as `create-empty`.
    name: String,
    method: String,
    path: String,
    /// The request's media type and body.
    sent: Option<(String, Value)>,
    status: String,
    /// The response's media type and body.
    received: Option<(String, Value)>,
}

/// Adds an example to each body of each operation, and to each schema.
pub fn add(document: &mut Value, cases: &[Case]) {
    let problems = document["components"]["responses"].clone();
    for case in cases {
        let Some(operation) = operation(document, case) else {
            continue;
        };
        if case.status.starts_with('2')
            && let Some((media_type, body)) = &case.sent
            && let Some(content) = operation.pointer_mut("/requestBody/content")
        {
            add_to(content, media_type, case, body);
        }
        let Some(response) = operation["responses"].get_mut(&case.status) else {
            continue;
        };
        // A shared problem with an example is the operation's own.
        if let Some(reference) = response["$ref"].as_str() {
            *response = problems[name_of(reference)].clone();
        }
        if let Some((media_type, body)) = &case.received {
            add_to(&mut response["content"], media_type, case, body);
        }
    }
    for operation in operations(document) {
        // An index would add a body to an operation without one.
        if let Some(content) = operation.pointer_mut("/requestBody/content") {
            share_patch_examples(content);
        }
    }
    add_to_problems(document, &samples(cases));
    add_to_schemas(document);
}

/// A sample of each problem type: the first response of that type, by slug.
pub fn samples(cases: &[Case]) -> BTreeMap<&'static str, &Value> {
    let mut samples = BTreeMap::new();
    for kind in ProblemType::ALL {
        let of_kind = |body: &&Value| body["type"] == format!("/problems/{}", kind.slug());
        // The page of a type names the type too.
        let problems = cases.iter().filter_map(|case| {
            let (media_type, body) = case.received.as_ref()?;
            (media_type == MEDIA_TYPE).then_some(body)
        });
        if let Some(body) = problems
            .filter(of_kind)
            .min_by_key(|body| body.to_string().len())
        {
            samples.insert(kind.slug(), body);
        }
    }
    samples
}

fn add_to(content: &mut Value, media_type: &str, case: &Case, body: &Value) {
    if let Some(content) = content.get_mut(media_type) {
        let summary = case.name.replace('-', " ");
        content["examples"][&case.name] = json!({ "summary": summary, "value": body });
    }
}

/// Both media types of a patch have the same examples.
fn share_patch_examples(content: &mut Value) {
    let Some(content) = content.as_object_mut() else {
        return;
    };
    let examples = content
        .values()
        .find_map(|content| content.get("examples").cloned());
    for content in content.values_mut() {
        if let (Some(examples), None) = (&examples, content.get("examples")) {
            content["examples"] = examples.clone();
        }
    }
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let items = document["paths"]
        .as_object_mut()
        .into_iter()
        .flat_map(Map::values_mut);
    items
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut)
}

/// The operation that the case is of.
fn operation<'d>(document: &'d mut Value, case: &Case) -> Option<&'d mut Value> {
    let paths = document["paths"].as_object_mut()?;
    let fits = |path: &&String| {
        let mut segments = path.split('/').zip(case.path.split('/'));
        path.split('/').count() == case.path.split('/').count()
            && segments.all(|(a, b)| a == b || a.starts_with('{'))
    };
    let path = if paths.contains_key(&case.path) {
        case.path.clone()
    } else {
        paths.keys().find(fits)?.clone()
    };
    paths.get_mut(&path)?.get_mut(case.method.to_lowercase())
}

fn add_to_problems(document: &mut Value, samples: &BTreeMap<&str, &Value>) {
    let responses = document["components"]["responses"].as_object_mut();
    for (name, response) in responses.into_iter().flatten() {
        let name = name.replace("UnsupportedPatch", "UnsupportedMediaType");
        let sample = samples
            .iter()
            .find(|(slug, _)| slug.replace('-', "") == name.to_lowercase());
        if let Some((_, sample)) = sample {
            response["content"][MEDIA_TYPE]["example"] = (*sample).clone();
        }
    }
}

/// Gives each schema the fullest example of it in those of the operations.
fn add_to_schemas(document: &mut Value) {
    let mut found = BTreeMap::new();
    let schemas = document["components"]["schemas"].clone();
    let responses = document["components"]["responses"].clone();
    let shared = responses
        .as_object()
        .into_iter()
        .flat_map(Map::values)
        .cloned();
    let mut bodies: Vec<Value> = shared.collect();
    for operation in operations(document) {
        bodies.push(operation["requestBody"].clone());
        bodies.extend(
            operation["responses"]
                .as_object()
                .into_iter()
                .flat_map(Map::values)
                .cloned(),
        );
    }
    let contents = bodies
        .iter()
        .filter_map(|body| body["content"].as_object())
        .flat_map(Map::values);
    for content in contents {
        let examples = content["examples"]
            .as_object()
            .into_iter()
            .flat_map(Map::values);
        let examples = examples.filter_map(|example| example.get("value"));
        for example in examples.chain(content.get("example")) {
            walk(&content["schema"], example, &schemas, &mut found);
        }
    }
    for (name, example) in found {
        document["components"]["schemas"][name]["examples"] = json!([example]);
    }
}

fn walk(schema: &Value, value: &Value, schemas: &Value, found: &mut BTreeMap<String, Value>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = name_of(reference);
        let size = |value: &Value| value.to_string().len().min(2_000);
        if !value.is_null()
            && found
                .get(name)
                .is_none_or(|other| size(other) < size(value))
        {
            found.insert(name.to_owned(), value.clone());
        }
        walk(&schemas[name], value, schemas, found);
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            walk(schema, value, schemas, found);
        }
    }
    for value in value.as_object().into_iter().flat_map(Map::values) {
        walk(&schema["additionalProperties"], value, schemas, found);
    }
    for value in value.as_array().into_iter().flatten() {
        walk(&schema["items"], value, schemas, found);
    }
    for schema in ["oneOf", "anyOf"]
        .iter()
        .filter_map(|key| schema[*key].as_array())
        .flatten()
    {
        walk(schema, value, schemas, found);
    }
}

fn name_of(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// Every event with a snapshot of its response, in the order of the files.
pub fn cases() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for folder in sorted(&project().join("events"))? {
        let function = stem(&folder);
        for file in sorted(&folder)? {
            let snapshot = project().join("tests/snapshots").join(&function);
            let snapshot = snapshot.join(format!("{}.snap", stem(&file)));
            // A new event has no response before it is replayed.
            let Ok(response) = fs::read_to_string(&snapshot) else {
                continue;
            };
            let event = fs::read_to_string(&file)?;
            let case = Case::read(stem(&file), &event, &response);
            cases.push(case.with_context(|| file.display().to_string())?);
        }
    }
    Ok(cases)
}

impl Case {
    fn read(name: String, event: &str, snapshot: &str) -> Result<Self> {
        let event: Value = serde_json::from_str(event)?;
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let body = match text("/body") {
            Some(body) if event["isBase64Encoded"] == true => STANDARD.decode(body)?,
            body => body.unwrap_or_default().into(),
        };
        let sent = text("/headers/content-type").and_then(|media_type| {
            Some((essence(media_type), serde_json::from_slice(&body).ok()?))
        });

        let response = STAND_INS
            .iter()
            .fold(snapshot.to_owned(), |text, (left_out, value)| {
                text.replace(left_out, value)
            });
        let mut parts = response.splitn(3, "---\n");
        let response = parts
            .nth(2)
            .context("a snapshot starts with insta's header")?;
        let (head, body) = response.split_once("\n\n").unwrap_or((response, ""));
        let status = head.get(..3).context("a response starts with its status")?;
        let media_type = head
            .lines()
            .find_map(|line| line.strip_prefix("content-type: "))
            .map(essence);
        let received = media_type.and_then(|media_type| {
            let body = if media_type.ends_with("json") {
                serde_json::from_str(body).ok()?
            } else if media_type == "text/plain" {
                body.trim_end().into()
            } else {
                return None;
            };
            Some((media_type, body))
        });
        Ok(Self {
            name,
            method: text("/requestContext/http/method")
                .context("an event has a method")?
                .to_owned(),
            path: text("/rawPath").context("an event has a path")?.to_owned(),
            sent,
            status: status.to_owned(),
            received,
        })
    }
}

fn essence(media_type: &str) -> String {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().to_lowercase()
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
