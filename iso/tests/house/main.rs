//! The rules of the house, checked on the sources of every crate: no circle of modules, imports downwards, pure plans,
//! small folders, names that explain themselves. CONTRIBUTING.md gives the reasons.

mod rules;
mod sources;

/// Fails with every fault at once, so that one run of the test shows the whole work.
fn assert_none(faults: &[String], advice: &str) {
    assert!(
        faults.is_empty(),
        "{} faults\n  {}\nhint: {advice}\n",
        faults.len(),
        faults.join("\n  ")
    );
}
