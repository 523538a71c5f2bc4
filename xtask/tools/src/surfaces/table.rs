//! The table: surfaces across, cases down.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    fs,
    io::IsTerminal,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};

use super::{Case, Failure, Kind, Verdict};

/// What stands in a file where the table comes in, and where it ends.
const BEGIN: &str = "<!-- made by `cargo xtask surfaces --write` -->";
const END: &str = "<!-- end -->";

/// What came of every case on one surface.
pub struct Column {
    /// The surface.
    pub kind: Kind,
    /// In the order of the cases.
    pub verdicts: Vec<Verdict>,
    /// How long it took.
    pub lasted: Duration,
}

impl Column {
    /// Whether no case failed.
    pub fn held(&self) -> bool {
        let failed = |verdict: &Verdict| matches!(verdict, Verdict::Fail(_));
        !self.verdicts.iter().any(failed)
    }

    fn count(&self, matches: impl Fn(&Verdict) -> bool) -> usize {
        self.verdicts.iter().filter(|it| matches(it)).count()
    }

    fn total(&self) -> String {
        let passed = self.count(|it| matches!(it, Verdict::Pass));
        let differ = self.count(|it| matches!(it, Verdict::Differs(_)));
        let failed = self.count(|it| matches!(it, Verdict::Fail(_)));
        let mut total = format!("{passed} pass");
        if differ > 0 {
            total = format!("{total}, {differ} differ");
        }
        if failed > 0 {
            total = format!("{total}, {failed} FAIL");
        }
        total
    }
}

/// Says what came of a case just now: in a line that the next one replaces, on
/// a terminal, unless it failed.
pub fn progress(kind: Kind, case: &Case, verdict: &Verdict) {
    let line = format!("{}: {} … {}", kind.name(), case.name, word(verdict));
    match (std::io::stderr().is_terminal(), verdict) {
        (true, Verdict::Fail(_)) => eprintln!("\r\x1b[K{line}"),
        (true, _) => eprint!("\r\x1b[K{line}"),
        (false, Verdict::Fail(_)) => eprintln!("{line}"),
        (false, _) => {}
    }
}

/// The table as one reads it in a terminal, then what it does not tell: where
/// surfaces differ, and what failed.
pub fn text(cases: &[Case], columns: &[Column]) -> String {
    let mut text = String::new();
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    // Writing to a string cannot fail.
    let _ = write_text(&mut text, cases, columns);
    text
}

fn write_text(text: &mut String, cases: &[Case], columns: &[Column]) -> fmt::Result {
    let first = cases.iter().map(|case| case.name.chars().count()).max();
    let first = first.unwrap_or_default();
    let cells: Vec<(&str, Vec<String>)> = rows(cases, columns);
    let width = |n: usize| {
        let cells = cells.iter().filter_map(|(_, cells)| cells.get(n));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    for (name, cells) in &cells {
        let mut line = format!("{name:<first$}");
        for (cell, width) in cells.iter().zip(&widths) {
            write!(line, "  {cell:<width$}")?;
        }
        writeln!(text, "{}", line.trim_end())?;
    }
    let differing = differing(cases, columns);
    if !differing.is_empty() {
        writeln!(text, "\nDiffers, as named:")?;
    }
    for (reason, (kinds, names)) in differing {
        writeln!(text, "  {kinds}: {reason} ({})", names.join("; "))?;
    }
    let failures = failures(cases, columns);
    if !failures.is_empty() {
        writeln!(text, "\nFailed:")?;
    }
    for (kind, case, failure) in failures {
        writeln!(text, "\n{}: {}", kind.name(), case.name)?;
        for (title, what) in [
            ("sent", &failure.sent),
            ("expected", &failure.expected),
            ("got", &failure.got),
        ] {
            writeln!(text, "  {title}:")?;
            for line in what.lines() {
                writeln!(text, "    {line}")?;
            }
        }
    }
    Ok(())
}

/// Puts the table, as Markdown, between the two marks of a file.
///
/// # Errors
/// The file has no such marks, or cannot be written.
pub fn write(file: &Path, cases: &[Case], columns: &[Column]) -> Result<()> {
    let before = fs::read_to_string(file)?;
    let (head, rest) = before.split_once(BEGIN).context("no place for the table")?;
    let (_, tail) = rest.split_once(END).context("no end of the table")?;
    let mut table = String::new();
    // Writing to a string cannot fail.
    let _ = write_markdown(&mut table, cases, columns);
    fs::write(file, format!("{head}{BEGIN}\n{table}{END}{tail}"))?;
    Ok(())
}

fn write_markdown(text: &mut String, cases: &[Case], columns: &[Column]) -> fmt::Result {
    for (n, (name, cells)) in rows(cases, columns).into_iter().enumerate() {
        writeln!(text, "| {name} | {} |", cells.join(" | "))?;
        if n == 0 {
            writeln!(text, "|---|{}", "---|".repeat(columns.len()))?;
        }
    }
    writeln!(text)?;
    for (reason, (kinds, names)) in differing(cases, columns) {
        writeln!(text, "- **{kinds}** {reason} ({}).", names.join("; "))?;
    }
    Ok(())
}

/// The first row is the head, and the last two are the sums.
fn rows<'c>(cases: &[Case], columns: &'c [Column]) -> Vec<(&'c str, Vec<String>)>
where
{
    let of = |cell: &dyn Fn(&Column) -> String| columns.iter().map(cell).collect::<Vec<_>>();
    let mut rows = vec![("case", of(&|column| column.kind.name().to_owned()))];
    for (n, case) in cases.iter().enumerate() {
        let cell = |column: &Column| {
            let verdict = column.verdicts.get(n);
            verdict.map_or("", word).to_owned()
        };
        rows.push((case.name, of(&cell)));
    }
    rows.push(("together", of(&Column::total)));
    rows.push((
        "took",
        of(&|it| format!("{:.0} s", it.lasted.as_secs_f64())),
    ));
    rows
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Differs(_) => "differs",
        Verdict::NotApplicable => "–",
        Verdict::Fail(_) => "FAIL",
    }
}

/// Each reason to differ, with the surfaces and the cases.
fn differing<'c>(
    cases: &[Case],
    columns: &[Column],
) -> BTreeMap<&'c str, (String, Vec<&'static str>)> {
    let mut found = BTreeMap::<&str, (Vec<&str>, Vec<&str>)>::new();
    for column in columns {
        for (case, verdict) in cases.iter().zip(&column.verdicts) {
            if let Verdict::Differs(reason) = verdict {
                let (kinds, names) = found.entry(reason).or_default();
                let kind = column.kind.name();
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
                if !names.contains(&case.name) {
                    names.push(case.name);
                }
            }
        }
    }
    found
        .into_iter()
        .map(|(reason, (kinds, names))| (reason, (kinds.join(", "), names)))
        .collect()
}

fn failures<'c>(cases: &'c [Case], columns: &'c [Column]) -> Vec<(Kind, &'c Case, &'c Failure)> {
    let of = |column: &'c Column| {
        let pairs = cases.iter().zip(&column.verdicts);
        pairs.filter_map(|(case, verdict)| match verdict {
            Verdict::Fail(failure) => Some((column.kind, case, &**failure)),
            _ => None,
        })
    };
    columns.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases() -> Vec<Case> {
        ["the first", "the second"]
            .map(|name| Case::new(name, |_| Box::pin(async { Ok(()) })))
            .into()
    }

    fn column(kind: Kind, verdicts: [Verdict; 2]) -> Column {
        Column {
            kind,
            verdicts: verdicts.into(),
            lasted: Duration::from_secs(7),
        }
    }

    fn failure() -> Verdict {
        Verdict::Fail(Box::new(Failure {
            sent: "GET /\naccept: text/plain".to_owned(),
            expected: "the body".to_owned(),
            got: "500".to_owned(),
        }))
    }

    #[test]
    fn a_failing_case_is_seen() {
        let good = column(Kind::Replay, [Verdict::Pass, Verdict::NotApplicable]);
        let differing = column(Kind::StartApi, [Verdict::Pass, Verdict::Differs("is slow")]);
        let bad = column(Kind::Watch, [Verdict::Pass, failure()]);
        assert!(good.held() && differing.held() && !bad.held());
        let text = text(&cases(), &[good, differing, bad]);
        insta::assert_snapshot!(text, @r"
        case        replay  start-api         watch
        the first   pass    pass              pass
        the second  –       differs           FAIL
        together    1 pass  1 pass, 1 differ  1 pass, 1 FAIL
        took        7 s     7 s               7 s

        Differs, as named:
          start-api: is slow (the second)

        Failed:

        watch: the second
          sent:
            GET /
            accept: text/plain
          expected:
            the body
          got:
            500
        ");
    }

    #[test]
    fn the_table_goes_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("surfaces.md");
        fs::write(&file, format!("before\n{BEGIN}\nold\n{END}\nafter\n")).unwrap();
        let columns = [column(
            Kind::Watch,
            [Verdict::Pass, Verdict::Differs("is slow")],
        )];
        write(&file, &cases(), &columns).unwrap();
        write(&file, &cases(), &columns).unwrap();
        insta::assert_snapshot!(fs::read_to_string(&file).unwrap(), @r"
        before
        <!-- made by `cargo xtask surfaces --write` -->
        | case | watch |
        |---|---|
        | the first | pass |
        | the second | differs |
        | together | 1 pass, 1 differ |
        | took | 7 s |

        - **watch** is slow (the second).
        <!-- end -->
        after
        ");

        fs::write(&file, "no place").unwrap();
        assert!(write(&file, &cases(), &columns).is_err());
    }
}
