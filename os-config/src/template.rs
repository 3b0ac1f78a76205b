//! Templates of `ros config generate`: the part of Go's text/template that RancherOS's own files use.
//!
//! `gtmpl` is left out: it is the whole language, and these files use a few words of it.

use std::collections::BTreeMap;

use thiserror::Error;

/// Why a template cannot be filled.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TemplateError {
    #[error("line {line}: `{{{{` without `}}}}`")]
    Open { line: usize },
    #[error(
        "line {line}: {action:?} is not understood; known are .NAME, if .NAME, if eq \"text\" .NAME, else, end"
    )]
    Unknown { line: usize, action: String },
    #[error("line {line}: {name} is not in the environment")]
    Undefined { line: usize, name: String },
    #[error("line {line}: `{what}` without `if`")]
    Without { line: usize, what: String },
    #[error("line {line}: `if` without `end`")]
    Unclosed { line: usize },
}

/// An open condition: its line, whether it holds, whether all conditions around it hold.
struct Condition {
    line: usize,
    holds: bool,
    around: bool,
}

/// Fills a template. `{{-` and `-}}` remove the white space on their side.
pub fn fill(
    template: &str,
    environment: &BTreeMap<String, String>,
) -> Result<String, TemplateError> {
    let mut out = String::new();
    let mut open: Vec<Condition> = Vec::new();
    let mut rest = template;
    let mut trims = false;
    let mut line = 1;
    loop {
        let counts = open.iter().all(|open| open.holds && open.around);
        let (text, after) = match rest.split_once("{{") {
            Some((text, after)) => (text, Some(after)),
            None => (rest, None),
        };
        let trims_before = after.is_some_and(|after| after.starts_with("- "));
        if counts {
            let text = if trims { text.trim_start() } else { text };
            out.push_str(if trims_before { text.trim_end() } else { text });
        }
        line += text.matches('\n').count();
        let Some(after) = after else { break };
        let (action, after) = after.split_once("}}").ok_or(TemplateError::Open { line })?;
        trims = action.ends_with(" -");
        let action = action
            .strip_prefix("- ")
            .unwrap_or(action)
            .trim_end_matches('-')
            .trim();
        run_action(action, line, environment, &mut open, &mut out)?;
        line += action.matches('\n').count();
        rest = after;
    }
    match open.pop() {
        Some(open) => Err(TemplateError::Unclosed { line: open.line }),
        None => Ok(out),
    }
}

fn run_action(
    action: &str,
    line: usize,
    environment: &BTreeMap<String, String>,
    open: &mut Vec<Condition>,
    out: &mut String,
) -> Result<(), TemplateError> {
    let counts = open.iter().all(|open| open.holds && open.around);
    let unknown = || TemplateError::Unknown {
        line,
        action: action.to_owned(),
    };
    let value = |word: &str| -> Result<String, TemplateError> {
        if let Some(text) = word.strip_prefix('"') {
            return text
                .strip_suffix('"')
                .map(str::to_owned)
                .ok_or_else(unknown);
        }
        let name = word.strip_prefix('.').ok_or_else(unknown)?;
        let value = environment.get(name);
        value.cloned().ok_or_else(|| TemplateError::Undefined {
            line,
            name: name.to_owned(),
        })
    };
    let without = || TemplateError::Without {
        line,
        what: action.to_owned(),
    };
    let words: Vec<&str> = action.split_whitespace().collect();
    match words.as_slice() {
        ["if", condition @ ..] => {
            let holds = counts
                && match condition {
                    ["eq", left, right] => value(left)? == value(right)?,
                    [one] => value(one).is_ok_and(|value| !value.is_empty()),
                    _ => return Err(unknown()),
                };
            open.push(Condition {
                line,
                holds,
                around: counts,
            });
        }
        ["else"] => {
            let last = open.last_mut().ok_or_else(without)?;
            last.holds = !last.holds;
        }
        ["end"] => {
            open.pop().ok_or_else(without)?;
        }
        [comment, ..] if comment.starts_with("/*") => {}
        [one] if counts => out.push_str(&value(one)?),
        [_] => {}
        _ => return Err(unknown()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{TemplateError, fill};
    use std::collections::BTreeMap;

    const GUARDED: &str = "services:\n  {{- if eq \"amd64\" .ARCH}}\n  acpid:\n    image: {{.REPO}}/os-acpid\n  {{- end}}\n  udev:\n";

    fn filled(template: &str, variables: &[(&str, &str)]) -> Result<String, TemplateError> {
        let environment: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        fill(template, &environment)
    }

    #[test]
    fn the_reference_by_its_ids() {
        assert_eq!(
            filled(GUARDED, &[("ARCH", "amd64"), ("REPO", "rancher")]).unwrap(),
            "services:\n  acpid:\n    image: rancher/os-acpid\n  udev:\n",
            "TP-01"
        );
        assert_eq!(
            filled(GUARDED, &[("ARCH", "arm")]).unwrap(),
            "services:\n  udev:\n",
            "TP-02"
        );
        assert_eq!(
            filled("a\n{{.NONE}}", &[]),
            Err(TemplateError::Undefined {
                line: 2,
                name: "NONE".into()
            }),
            "TP-03"
        );
    }

    #[test]
    fn conditions_nest() {
        let template = "{{if .A}}a{{if eq .A \"x\"}}x{{else}}y{{end}}{{else}}n{{end}}.";
        for (a, expected) in [("x", "ax."), ("z", "ay."), ("", "n.")] {
            assert_eq!(filled(template, &[("A", a)]).unwrap(), expected);
        }
        assert_eq!(filled(template, &[]).unwrap(), "n.");
    }

    #[test]
    fn errors_name_their_line() {
        for (template, expected) in [
            ("\n{{", "line 2: `{{` without `}}`"),
            ("{{end}}", "line 1: `end` without `if`"),
            ("{{else}}", "line 1: `else` without `if`"),
            ("\n{{if .A}}", "line 2: `if` without `end`"),
            (
                "{{range .A}}{{end}}",
                "line 1: \"range .A\" is not understood",
            ),
            ("{{A}}", "line 1: \"A\" is not understood"),
        ] {
            let error = filled(template, &[("A", "1")]).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{template}: {error}");
        }
    }
}
