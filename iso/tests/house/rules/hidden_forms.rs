//! No form of code hides names from this test.

use crate::sources::facts::Facts;
use crate::sources::workspace::Workspace;

/// Files that need a hiding form, with the form.
const EXCEPTIONS: &[(&str, &str)] = &[];

#[test]
fn code_hides_no_names() {
    let crates = Workspace::get().crates.iter();
    let mut faults = list_faults(crates.flat_map(|member| &member.files), EXCEPTIONS);
    faults.sort();
    crate::assert_none(
        &faults,
        "write `mod` lines and paths that this test can read, or see EXCEPTIONS in iso/tests/house/rules/hidden_forms.rs",
    );
}

/// The forms in `files` without an exception, and the exceptions without a form.
fn list_faults<'a>(
    files: impl Iterator<Item = (&'a String, &'a Facts)>,
    exceptions: &[(&str, &str)],
) -> Vec<String> {
    let mut unused = exceptions.to_vec();
    let mut faults = Vec::new();
    for (file, facts) in files {
        for form in &facts.hidden_forms {
            let exception = (file.as_str(), form.as_str());
            unused.retain(|other| *other != exception);
            if !exceptions.contains(&exception) {
                faults.push(format!("{file}: {form}"));
            }
        }
    }
    let unused = unused.iter();
    faults.extend(unused.map(|(file, form)| format!("{file}: an exception, but no {form}")));
    faults
}

#[cfg(test)]
mod tests {
    use super::list_faults;
    use crate::sources::facts::Facts;

    #[test]
    fn an_exception_names_a_form_that_is_there() {
        let file = String::from("src/a.rs");
        let facts = Facts {
            hidden_forms: vec![String::from("form")],
            ..Facts::default()
        };
        let list = |exceptions| list_faults([(&file, &facts)].into_iter(), exceptions);
        assert_eq!(list(&[]), ["src/a.rs: form"]);
        assert_eq!(list(&[("src/a.rs", "form")]), [""; 0]);
        assert_eq!(list(&[("src/a.rs", "form"), ("src/b.rs", "form")]).len(), 1);
    }
}
