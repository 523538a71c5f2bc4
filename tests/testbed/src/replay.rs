//! One event, replayed on a fresh system with the sample data.

use std::{fmt, path::Path};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{System, callers, event};

/// The response of a function to an event.
pub struct Replayed {
    /// The function: the name of the event's folder.
    pub function: String,
    /// The case: the name of the event's file.
    pub case: String,
    response: Value,
}

/// Replays the event in the file at `path`, `events/<function>/<case>.json`.
///
/// # Errors
/// The file is not an event of a function.
pub async fn replay(path: &Path) -> Result<Replayed> {
    let name = |path: Option<&Path>| Some(path?.file_stem()?.to_str()?.to_owned());
    let case = name(Some(path)).context("the event's file has no name")?;
    let absolute = path
        .canonicalize()
        .with_context(|| format!("there is no file {}", path.display()))?;
    let function = name(absolute.parent()).context("the event's folder has no name")?;
    ensure!(
        crate::FUNCTIONS.contains(&&*function),
        "{function} is not a function: an event is in the folder that is named after its function"
    );
    let text = callers::signed(&std::fs::read_to_string(path)?);
    let event =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    let system = System::with_samples().await;
    let response = system.invoke(&function, &event).await;
    Ok(Replayed {
        function,
        case,
        response,
    })
}

/// The committed events of a function, signed, in the order of their names.
///
/// # Panics
///
/// A file cannot be read, or is not JSON.
pub fn events(function: &str) -> Vec<Value> {
    let folder = template::project().join("events").join(function);
    let files = std::fs::read_dir(folder).expect("every function has events");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    let events = files.into_iter().map(|file| {
        let event = std::fs::read_to_string(file).expect("a text");
        serde_json::from_str(&callers::signed(&event)).expect("an event is JSON")
    });
    events.collect()
}

/// The sample data, as text.
///
/// # Errors
/// The files cannot be read.
pub fn samples() -> Result<String> {
    let folder = template::project().join("xtask/stores/samples");
    let mut samples = String::new();
    if folder.exists() {
        for entry in std::fs::read_dir(folder)? {
            samples += &std::fs::read_to_string(entry?.path())?;
        }
    }
    Ok(samples)
}

/// The response for a reader: status, headers, body; JSON is indented.
impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let response = event::response(&self.response);
        writeln!(f, "{}", response.status())?;
        let mut headers: Vec<_> = response.headers().iter().collect();
        headers.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        if self.response["isBase64Encoded"] == true {
            writeln!(f, "\n{} bytes, in base64", response.body().len())
        } else if let Ok(mut json) = serde_json::from_slice::<Value>(response.body()) {
            // Whether or not `serde_json` keeps the order of members in this build.
            json.sort_all_objects();
            writeln!(f, "\n{json:#}")
        } else {
            writeln!(f, "\n{}", String::from_utf8_lossy(response.body()))
        }
    }
}
