//! YAML that readers of YAML 1.1 and of YAML 1.2 read alike.

use anyhow::Result;
use serde::Serialize;

/// Writes `value` so that both versions of YAML read it as its JSON.
///
/// They resolve plain scalars by other rules: `2026-11-22`, `no` and `1:30` are
/// a date, a boolean and a number to YAML 1.1 alone, and `6.02e23` is a number
/// to YAML 1.2 alone. The serializer's defaults keep to what the two agree on;
/// the tests hold them to that.
///
/// # Errors
///
/// `value` cannot be serialized.
pub fn write(value: &impl Serialize) -> Result<String> {
    Ok(serde_saphyr::to_string(value)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;
    use serde_json::{Value, json};
    use serde_saphyr::granit_parser::{Parser, ScalarStyle};

    use super::*;

    /// How a version of YAML resolves plain scalars: the first rule that
    /// matches names the type. What none matches is a string.
    struct Rules(Vec<(&'static str, Regex)>);

    impl Rules {
        fn new(rules: &[(&'static str, &str)]) -> Self {
            let whole = |rule| Regex::new(&format!("^(?:{rule})$")).unwrap();
            Self(
                rules
                    .iter()
                    .map(|&(name, rule)| (name, whole(rule)))
                    .collect(),
            )
        }

        /// The types of <https://yaml.org/type/>.
        fn yaml_1_1() -> Self {
            Self::new(&[
                ("null", "~|null|Null|NULL|"),
                ("bool", "true|True|TRUE|false|False|FALSE"),
                (
                    "1.1 bool",
                    "y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF",
                ),
                ("integer", "-?(0|[1-9][0-9]*)"),
                (
                    "1.1 integer",
                    "[-+]?(0b[01_]+|0[0-7_]+|[1-9][0-9_]*|0x[0-9a-fA-F_]+)",
                ),
                (
                    "1.1 base 60",
                    r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?",
                ),
                ("float", r"-?[0-9]+\.[0-9]+([eE][-+][0-9]+)?"),
                (
                    "1.1 float",
                    r"[-+]?([0-9][0-9_]*)?\.[0-9._]*([eE][-+][0-9]+)?",
                ),
                ("1.1 no number", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
                (
                    "1.1 timestamp",
                    "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}\
                     (\\.[0-9]*)?([ \t]*(Z|[-+][0-9]{1,2}(:?[0-9]{2})?))?)?",
                ),
                ("1.1 key", "<<|="),
            ])
        }

        /// The core schema of YAML 1.2.2, section 10.3.2.
        fn yaml_1_2() -> Self {
            Self::new(&[
                ("null", "~|null|Null|NULL|"),
                ("bool", "true|True|TRUE|false|False|FALSE"),
                ("integer", "-?(0|[1-9][0-9]*)"),
                ("1.2 integer", "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
                ("float", r"-?[0-9]+\.[0-9]+([eE][-+][0-9]+)?"),
                (
                    "1.2 float",
                    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
                ),
                ("1.2 no number", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
            ])
        }

        fn resolve(&self, plain: &str) -> &'static str {
            let found = self.0.iter().find(|(_, rule)| rule.is_match(plain));
            found.map_or("string", |&(name, _)| name)
        }
    }

    /// Checks that `yaml` is `value` to a reader of YAML 1.2, and that a reader
    /// of YAML 1.1 resolves each scalar of it to the same.
    fn check(value: &Value, yaml: &str) {
        let read: Value = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(&read, value, "{yaml}");
        let (old, new) = (Rules::yaml_1_1(), Rules::yaml_1_2());
        for event in Parser::new_from_str(yaml) {
            let (event, _) = event.unwrap();
            if let Some((text, ScalarStyle::Plain)) = event.scalar() {
                assert_eq!(old.resolve(text), new.resolve(text), "{text:?} in\n{yaml}");
            }
        }
        // Line breaks to YAML 1.1 alone, and what no YAML may hold.
        let outside =
            |c: char| c != '\n' && c.is_control() || "\u{2028}\u{2029}\u{feff}".contains(c);
        assert!(!yaml.contains(outside), "{yaml:?}");
    }

    fn check_written(value: &Value) {
        check(value, &write(value).unwrap());
    }

    #[test]
    fn document_is_the_same_in_json_and_in_either_yaml() {
        let document = crate::document().unwrap();
        let yaml = write(&document).unwrap();
        check(&serde_json::to_value(&document).unwrap(), &yaml);
    }

    #[test]
    fn text_that_either_yaml_resolves_to_something_else_is_quoted() {
        for text in [
            "",
            "~",
            "null",
            "Null",
            "true",
            "False",
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "<<",
            "=",
            "0",
            "-1",
            "+1",
            "012",
            "0o14",
            "0x1F",
            "0b101",
            "1_000",
            "190:20:30",
            "190:20:30.15",
            "1:30",
            "1.5",
            "1.",
            ".5",
            "1e3",
            "6.02214076e23",
            "6.02214076e+23",
            "685.230_15e+03",
            ".inf",
            "-.INF",
            ".nan",
            "3.1",
            "3.1.0",
            "2026-11-22",
            "2026-1-2",
            "2026-11-22T21:50:40.123Z",
            "2001-12-14t21:59:43.10-05:00",
            "2001-12-14 21:59:43.10 -5",
            "- a",
            "-",
            "? a",
            ": a",
            "a: b",
            "a:",
            "a #b",
            "#a",
            "!a",
            "&a",
            "*a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "{a}",
            "[a",
            "'a'",
            "\"a\"",
            " a",
            "a ",
            "a\tb",
            "a\n",
            "\n",
            "\n\n a\n",
            "a\n  b\n\n\n",
            "a\r\nb",
            "---",
            "...",
            "--- a",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{2029}b",
            "\u{feff}a",
            "a\u{7f}",
            "a\u{0}b",
            "\u{9f}",
            "Zoë 😀",
            "\\n",
        ] {
            check_written(&json!({text: text, "in": [text, {text: [text]}]}));
        }
    }

    #[test]
    fn numbers_are_numbers_in_either_yaml() {
        for number in [
            json!(0),
            json!(-1),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(0.1),
            json!(-0.5),
            json!(1.0),
            json!(6.022_140_76e23),
            json!(1e-7),
            json!(4e-6),
            json!(1e300),
            json!(5e-324),
            json!(1e21),
        ] {
            let yaml = write(&number).unwrap();
            check(&number, &yaml);
            let resolved = Rules::yaml_1_1().resolve(yaml.trim_end());
            assert_eq!(
                resolved,
                if number.is_f64() { "float" } else { "integer" },
                "{yaml}"
            );
        }
        assert_eq!(write(&json!(6.022_140_76e23)).unwrap(), "6.02214076e+23\n");
    }

    proptest! {
        #[test]
        fn any_text_is_the_same_in_either_yaml(
            key in any::<String>(),
            text in prop_oneof![any::<String>(), "[-+.:_0-9eExTZ ]{1,12}", "([a-z \\n'\":#-]{1,40} ){1,6}"],
        ) {
            check_written(&json!({key: text, "items": [text]}));
        }
    }
}
