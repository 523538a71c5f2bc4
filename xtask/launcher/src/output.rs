//! The log of a function: its lines are kept in the files of the log, and shown in
//! the terminal as a person reads them.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    process::{ChildStdout, Command, ExitStatus, Stdio},
};

use logs::{Line, Log, Paint, readable};

/// The environment variable with the folder of the log.
const LOG: &str = "LAUNCHER_LOG";

/// Runs a function to its end.
pub fn run(mut function: Command) -> io::Result<ExitStatus> {
    let mut function = function.stdout(Stdio::piped()).spawn()?;
    if let Some(output) = function.stdout.take() {
        pass_on(output)?;
    }
    function.wait()
}

fn pass_on(output: ChildStdout) -> io::Result<()> {
    let log = env::var_os(LOG).map(|folder| Log::at(folder.as_ref()));
    let paint = Paint::of_stdout();
    let mut output = BufReader::new(output);
    let mut bytes = Vec::new();
    while output.read_until(b'\n', &mut bytes)? > 0 {
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches('\n');
        let shown = match (&log, Line::parse(text)) {
            (Some(log), Some(line)) => {
                // The function continues without a log.
                if let Err(error) = log.append(&format!("{text}\n")) {
                    eprintln!("the log cannot be written: {error}");
                }
                (!line.is_span()).then(|| readable(&line, paint))
            }
            (Some(_), None) if has_metrics(text) => None,
            _ => Some(text.to_owned()),
        };
        if let Some(shown) = shown {
            // One write, so that lines of other functions are not within. Nobody may
            // be there to read it.
            let _ = io::stdout().write_all(format!("{shown}\n").as_bytes());
        }
        bytes.clear();
    }
    Ok(())
}

/// Whether a line has metrics, in the embedded metric format.
fn has_metrics(text: &str) -> bool {
    let value = serde_json::from_str::<serde_json::Value>(text);
    value.is_ok_and(|value| value.get("_aws").is_some())
}
