//! Examples, taken from the events that the tests replay and from what the
//! functions answered to them: they are true, or a test fails.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use docs::Meaning;
use dto::problem::{MEDIA_TYPE, ProblemType};
use serde_json::Value;
use utoipa::openapi::{
    Content, OpenApi, RefOr, Response,
    example::ExampleBuilder,
    path::{Operation, PathItem},
    schema::{ArrayItems, Schema},
};

use crate::project;

/// What differs from run to run is left out of the snapshots. In its place the
/// examples have these.
const STANDINS: [(&str, &str); 5] = [
    ("[uuid v7]", "01a1a14c-afba-72da-b5b1-966a1c0be80c"),
    ("[time]", "2026-11-22T21:50:40.123Z"),
    ("[ms]", "3"),
    ("[release]", "6.1.0"),
    ("[architecture]", "aarch64"),
];

/// An event and what was answered to it.
struct Case {
    /// The name of the event's file, such as `create-with-nothing`.
    name: String,
    method: String,
    path: String,
    /// The request's media type and body.
    sent: Option<(String, Value)>,
    status: String,
    /// The answer's media type and body.
    answered: Option<(String, Value)>,
}

/// Adds an example to each body of each operation, and to each schema.
pub fn add(document: &mut OpenApi) -> Result<()> {
    let problems = document
        .components
        .get_or_insert_default()
        .responses
        .clone();
    for case in cases()? {
        let Some(operation) = operation(document, &case) else {
            continue;
        };
        if let Some((media_type, body)) = &case.sent
            && case.status.starts_with('2')
            && let Some(RefOr::T(request)) = &mut operation.request_body
            && let Some(RefOr::T(content)) = request.content.get_mut(media_type)
        {
            show(content, &case, body);
        }
        let Some(response) = operation.responses.responses.get_mut(&case.status) else {
            continue;
        };
        // A problem that is shown is the operation's own.
        if let RefOr::Ref(shared) = &*response
            && let Some(own) = problems.get(name_of(&shared.ref_location))
        {
            *response = own.clone();
        }
        if let Some((media_type, body)) = &case.answered
            && let RefOr::T(response) = response
            && let Some(RefOr::T(content)) = response.content.get_mut(media_type)
        {
            show(content, &case, body);
        }
    }
    // What both media types of a patch have, one event shows.
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            if let Some(RefOr::T(request)) = &mut operation.request_body {
                let shown = request.content.values().find_map(|content| match content {
                    RefOr::T(content) if !content.examples.is_empty() => {
                        Some(content.examples.clone())
                    }
                    _ => None,
                });
                for content in request.content.values_mut() {
                    if let (RefOr::T(content), Some(shown)) = (content, &shown)
                        && content.examples.is_empty()
                    {
                        content.examples.clone_from(shown);
                    }
                }
            }
        }
    }
    shared_problems(document)?;
    schemas(document);
    Ok(())
}

fn show(content: &mut Content, case: &Case, body: &Value) {
    let words = case.name.replace('-', " ");
    let example = ExampleBuilder::new()
        .summary(words)
        .value(Some(body.clone()));
    content
        .examples
        .insert(case.name.clone(), example.build().into());
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .flatten()
}

/// The operation that the case is of.
fn operation<'d>(document: &'d mut OpenApi, case: &Case) -> Option<&'d mut Operation> {
    let paths = &mut document.paths.paths;
    let path = if paths.contains_key(&case.path) {
        case.path.clone()
    } else {
        let fits = |path: &&String| {
            path.split('/').count() == case.path.split('/').count()
                && path
                    .split('/')
                    .zip(case.path.split('/'))
                    .all(|(a, b)| a == b || a.starts_with('{'))
        };
        paths.keys().find(fits)?.clone()
    };
    let item = paths.get_mut(&path)?;
    match case.method.as_str() {
        "GET" => item.get.as_mut(),
        "PUT" => item.put.as_mut(),
        "POST" => item.post.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

/// The problems that operations share have the examples of their own pages.
fn shared_problems(document: &mut OpenApi) -> Result<()> {
    let components = document.components.get_or_insert_default();
    for kind in ProblemType::ALL {
        let example = serde_json::to_value(Meaning::of(kind).sample)?;
        let words = kind.slug().replace('-', "");
        for (name, response) in &mut components.responses {
            let same = name.to_lowercase() == words
                || (kind == ProblemType::UnsupportedMediaType && name == "UnsupportedPatch");
            if let RefOr::T(Response { content, .. }) = response
                && same
                && let Some(RefOr::T(content)) = content.get_mut(MEDIA_TYPE)
            {
                content.example = Some(example.clone());
            }
        }
    }
    Ok(())
}

/// Gives each schema the fullest example of it that stands anywhere in those of
/// the operations.
fn schemas(document: &mut OpenApi) {
    let Some(components) = document.components.take() else {
        return;
    };
    let mut found = BTreeMap::new();
    let mut look = |content: &Content| {
        let examples = content
            .examples
            .values()
            .filter_map(|example| match example {
                RefOr::T(example) => example.value.as_ref(),
                RefOr::Ref(_) => None,
            });
        for example in examples.chain(&content.example) {
            if let Some(schema) = &content.schema {
                walk(schema, example, &components.schemas, &mut found);
            }
        }
    };
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            if let Some(RefOr::T(request)) = &operation.request_body {
                request
                    .content
                    .values()
                    .filter_map(inline)
                    .for_each(&mut look);
            }
            for response in operation.responses.responses.values().filter_map(inline) {
                response
                    .content
                    .values()
                    .filter_map(inline)
                    .for_each(&mut look);
            }
        }
    }
    let mut components = components;
    for (name, example) in found {
        if let Some(RefOr::T(Schema::Object(schema))) = components.schemas.get_mut(&name) {
            schema.examples = vec![example];
        }
    }
    document.components = Some(components);
}

fn inline<T>(value: &RefOr<T>) -> Option<&T> {
    match value {
        RefOr::T(value) => Some(value),
        RefOr::Ref(_) => None,
    }
}

fn walk(
    schema: &RefOr<Schema>,
    value: &Value,
    components: &BTreeMap<String, RefOr<Schema>>,
    found: &mut BTreeMap<String, Value>,
) {
    match schema {
        RefOr::Ref(reference) => {
            let name = name_of(&reference.ref_location);
            let size = |value: &Value| value.to_string().len().min(2_000);
            if !value.is_null()
                && found
                    .get(name)
                    .is_none_or(|there| size(there) < size(value))
            {
                found.insert(name.to_owned(), value.clone());
            }
            if let Some(schema) = components.get(name) {
                walk(schema, value, components, found);
            }
        }
        RefOr::T(Schema::Object(object)) => {
            for (name, schema) in &object.properties {
                if let Some(value) = value.get(name) {
                    walk(schema, value, components, found);
                }
            }
            if let Some(further) = &object.additional_properties
                && let utoipa::openapi::schema::AdditionalProperties::RefOr(schema) = &**further
            {
                for value in value
                    .as_object()
                    .into_iter()
                    .flat_map(|members| members.values())
                {
                    walk(schema, value, components, found);
                }
            }
        }
        RefOr::T(Schema::Array(array)) => {
            if let ArrayItems::RefOrSchema(schema) = &array.items {
                for value in value.as_array().into_iter().flatten() {
                    walk(schema, value, components, found);
                }
            }
        }
        RefOr::T(Schema::OneOf(one)) => {
            one.items
                .iter()
                .for_each(|schema| walk(schema, value, components, found));
        }
        RefOr::T(Schema::AllOf(all)) => {
            all.items
                .iter()
                .for_each(|schema| walk(schema, value, components, found));
        }
        RefOr::T(_) => {}
    }
}

fn name_of(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// Every event that has an answer written down, in order of its file.
fn cases() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for folder in sorted(&project().join("events"))? {
        let function = stem(&folder);
        for file in sorted(&folder)? {
            let snapshot = project().join("tests/snapshots").join(&function);
            let snapshot = snapshot.join(format!("{}.snap", stem(&file)));
            // A new event is replayed before it is shown.
            let Ok(answer) = fs::read_to_string(&snapshot) else {
                continue;
            };
            let event = fs::read_to_string(&file)?;
            let case = Case::read(stem(&file), &event, &answer);
            cases.push(case.with_context(|| file.display().to_string())?);
        }
    }
    Ok(cases)
}

impl Case {
    fn read(name: String, event: &str, snapshot: &str) -> Result<Self> {
        let event: Value = serde_json::from_str(event)?;
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let sent = text("/body").zip(text("/headers/content-type"));
        let sent = sent.and_then(|(body, media_type)| {
            Some((essence(media_type), serde_json::from_str(body).ok()?))
        });

        let answer = STANDINS
            .iter()
            .fold(snapshot.to_owned(), |text, (left_out, standin)| {
                text.replace(left_out, standin)
            });
        let mut parts = answer.splitn(3, "---\n");
        let answer = parts
            .nth(2)
            .context("a snapshot begins with what insta says of it")?;
        let (head, body) = answer.split_once("\n\n").unwrap_or((answer, ""));
        let status = head.get(..3).context("an answer begins with its status")?;
        let media_type = head
            .lines()
            .find_map(|line| line.strip_prefix("content-type: "))
            .map(essence);
        let answered = media_type.and_then(|media_type| {
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
            answered,
        })
    }
}

fn essence(media_type: &str) -> String {
    media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_lowercase()
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
