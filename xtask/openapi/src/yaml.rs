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
    use regex::Regex;
    use serde_json::Value;
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

    #[test]
    fn document_is_the_same_in_json_and_in_either_yaml() {
        let document = crate::document().unwrap();
        let yaml = write(&document).unwrap();
        check(&serde_json::to_value(&document).unwrap(), &yaml);
    }
}
