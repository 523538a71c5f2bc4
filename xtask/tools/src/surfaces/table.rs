//! The table: surfaces across, cases down.

use std::{collections::BTreeMap, time::Duration};

use suite::{Kind, Verdict};

/// The results of one surface.
pub struct Column {
    /// The surface.
    pub kind: Kind,
    /// Whether no case failed.
    pub held: bool,
    /// Each case and its verdict.
    pub verdicts: Vec<(&'static str, Verdict)>,
    /// The duration of the run.
    pub lasted: Duration,
}

impl Column {
    fn cell(&self, case: &str) -> String {
        let verdict = self.verdicts.iter().find(|(name, _)| *name == case);
        verdict.map_or("–", |(_, verdict)| word(verdict)).to_owned()
    }

    /// The number of cases with each verdict: `70 pass, 4 differs`.
    fn total(&self) -> String {
        let mut counts = BTreeMap::<&str, usize>::new();
        for (_, verdict) in &self.verdicts {
            *counts.entry(word(verdict)).or_default() += 1;
        }
        let counts = counts.iter().rev();
        let counts = counts.map(|(word, count)| format!("{count} {word}"));
        counts.collect::<Vec<_>>().join(", ")
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Differs(_) => "differs",
        Verdict::Fail(_) => "FAIL",
    }
}

/// The table in Markdown, and the reasons of the differences.
pub fn markdown(columns: &[Column]) -> String {
    let row = |name: &str, cell: &dyn Fn(&Column) -> String| {
        let cells: Vec<_> = columns.iter().map(cell).collect();
        format!("| {name} | {} |\n", cells.join(" | "))
    };
    let mut lines = vec![
        row("case", &|column| column.kind.name().to_owned()),
        row("---", &|_| "---".to_owned()),
    ];
    let mut names = Vec::new();
    let mut reasons = BTreeMap::<_, Vec<_>>::new();
    for column in columns {
        for (name, verdict) in &column.verdicts {
            if !names.contains(name) {
                names.push(*name);
            }
            if let Verdict::Differs(reason) = verdict {
                let cases = reasons.entry((column.kind.name(), *reason)).or_default();
                cases.push(words(name));
            }
        }
    }
    for name in names {
        lines.push(row(&words(name), &|column| column.cell(name)));
    }
    lines.push(row("total", &Column::total));
    lines.push(row("time", &|it| {
        format!("{:.0} s", it.lasted.as_secs_f64())
    }));
    for (n, ((surface, reason), cases)) in reasons.iter().enumerate() {
        let blank = if n == 0 { "\n" } else { "" };
        let cases = cases.join("; ");
        lines.push(format!("{blank}- **{surface}** {reason} ({cases}).\n"));
    }
    lines.concat()
}

/// The name of a case as a sentence.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_the_verdicts_and_the_reasons() {
        let column = |kind, held, verdicts: &[(&'static str, Verdict)]| Column {
            kind,
            held,
            verdicts: verdicts.to_vec(),
            lasted: Duration::from_secs(7),
        };
        let columns = [
            column(Kind::Replay, true, &[("first_case", Verdict::Pass)]),
            column(
                Kind::Watch,
                false,
                &[
                    ("first_case", Verdict::Differs("is slow")),
                    ("second_case", Verdict::Fail("500".to_owned())),
                ],
            ),
        ];
        let expected = "\
            | case | replay | watch |\n\
            | --- | --- | --- |\n\
            | first case | pass | differs |\n\
            | second case | – | FAIL |\n\
            | total | 1 pass | 1 differs, 1 FAIL |\n\
            | time | 7 s | 7 s |\n\
            \n\
            - **watch** is slow (first case).\n";
        assert_eq!(markdown(&columns), expected);
    }
}
