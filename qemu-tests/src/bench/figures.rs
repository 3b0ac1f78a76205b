//! From measured boots to the page that sets the figures against their budgets.

use std::fmt::Write as _;

use crate::bench::measure::Figures;

/// The results of a benchmark.
#[derive(Debug)]
pub struct BenchResults {
    /// QEMU's version line and accelerator.
    pub emulator: String,
    /// The host's processors: number and model.
    pub processor: String,
    /// Boots of the ISO with 1 GiB.
    pub paddock: Vec<Figures>,
    /// Boots of the Debian baseline with 1 GiB.
    pub debian: Vec<Figures>,
    /// Boots of the ISO with 512 MB.
    pub paddock_512: Vec<Figures>,
    /// Seconds from power-on until ssh accepts, the ISO in a CD drive, BIOS.
    pub power_on: Vec<f64>,
    /// The ISO's size in MB.
    pub iso_mb: f64,
    /// Sizes of the ISO's parts in MB.
    pub parts_mb: Vec<(String, f64)>,
}

/// The limit and the aim of a figure.
#[derive(Debug, Clone, Copy)]
enum Budget {
    /// As a part of the Debian baseline's median.
    Ratio(f64, f64),
    /// As a value.
    Value(f64, f64),
    /// No limit: the Debian baseline has no figure to compare with.
    Unlimited,
}

#[derive(Debug)]
struct Row {
    what: &'static str,
    paddock: Vec<f64>,
    debian: Vec<f64>,
    budget: Budget,
}

/// The page, in Markdown.
pub fn page(results: &BenchResults) -> String {
    let n = results.paddock.len();
    let mut text =
        format!("# Figures\n\nWritten by `make bench BOOTS={n}`; not edited by hand.\n\n");
    let _ = writeln!(
        text,
        "- {}\n- {}\n- {n} boots of each, in turn; each cell is min / median / max\n\
         - the comparator is Debian's stable release, minimal, with systemd, docker.io and openssh-server on ext4\n",
        results.emulator, results.processor
    );
    text.push_str("| what | PaddockOS | Debian | ratio | must | aim | verdict |\n|---|---|---|---|---|---|---|\n");
    for row in rows(results) {
        text.push_str(&render(&row));
    }
    if let Some(boot) = results.paddock.first() {
        text.push_str(&parts_table(
            "memory when idle, by program",
            &boot.programs_mb,
        ));
    }
    text.push_str(&parts_table("size, by part", &results.parts_mb));
    text
}

/// Parts of at least 1 MB.
fn parts_table(title: &str, parts: &[(String, f64)]) -> String {
    let mut text = format!("\n| {title} | MB |\n|---|---|\n");
    for (name, mb) in parts.iter().filter(|(_, mb)| *mb >= 1.0) {
        let _ = writeln!(text, "| {name} | {mb:.1} |");
    }
    text
}

fn rows(results: &BenchResults) -> Vec<Row> {
    let column = |of: fn(&Figures) -> f64| {
        let pick = |boots: &[Figures]| boots.iter().map(of).collect::<Vec<_>>();
        (
            pick(&results.paddock),
            pick(&results.debian),
            pick(&results.paddock_512),
        )
    };
    let row = |what, of: fn(&Figures) -> f64, budget| {
        let (paddock, debian, _) = column(of);
        Row {
            what,
            paddock,
            debian,
            budget,
        }
    };
    let (full, _, half) = column(|figures| figures.docker);
    let base = median(&full);
    let half = half.iter().map(|value| value / base).collect();
    vec![
        row(
            "kernel → User Docker answers, s",
            |figures| figures.docker,
            Budget::Ratio(0.75, 0.60),
        ),
        row(
            "kernel → ssh accepts, s",
            |figures| figures.ssh,
            Budget::Ratio(0.75, 0.60),
        ),
        row(
            "kernel → a first container has run, s",
            |figures| figures.first_run,
            Budget::Ratio(0.75, 0.60),
        ),
        Row {
            what: "power-on → ssh accepts, from a CD, s",
            paddock: results.power_on.clone(),
            debian: vec![],
            budget: Budget::Unlimited,
        },
        row(
            "used memory, idle, MB",
            |figures| figures.used_mb,
            Budget::Ratio(0.90, 0.75),
        ),
        row(
            "power-off from idle, s",
            |figures| figures.off,
            Budget::Ratio(1.2, 1.0),
        ),
        row(
            "PID 1 resident, MB",
            |figures| figures.pid1_mb,
            Budget::Value(4.0, 2.0),
        ),
        Row {
            what: "boot with 512 MB, against 1 GiB",
            paddock: half,
            debian: vec![],
            budget: Budget::Value(1.25, 1.0),
        },
        Row {
            what: "ISO, MB",
            paddock: vec![results.iso_mb],
            debian: vec![],
            budget: Budget::Value(170.0, 130.0),
        },
    ]
}

fn render(row: &Row) -> String {
    let ratio = median(&row.paddock) / median(&row.debian);
    let (value, must, aim) = match row.budget {
        Budget::Ratio(must, aim) => (ratio, must, aim),
        Budget::Value(must, aim) => (median(&row.paddock), must, aim),
        Budget::Unlimited => {
            return format!(
                "| {} | {} | – | – | – | – | – |\n",
                row.what,
                cell(&row.paddock)
            );
        }
    };
    let verdict = if value <= aim {
        "aim met"
    } else if value <= must {
        "met"
    } else {
        "**missed**"
    };
    let unit = if matches!(row.budget, Budget::Ratio(..)) {
        "× "
    } else {
        ""
    };
    let ratio = if ratio.is_finite() {
        format!("{ratio:.2}")
    } else {
        "–".to_owned()
    };
    format!(
        "| {} | {} | {} | {ratio} | ≤ {unit}{must} | ≤ {unit}{aim} | {verdict} |\n",
        row.what,
        cell(&row.paddock),
        cell(&row.debian)
    )
}

fn cell(values: &[f64]) -> String {
    match values {
        [] => "–".to_owned(),
        [one] => format!("{one:.1}"),
        _ => {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            format!("{low:.2} / **{:.2}** / {high:.2}", median(values))
        }
    }
}

/// NaN without values.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.as_slice() {
        [] => f64::NAN,
        sorted if sorted.len() % 2 == 1 => sorted[middle],
        sorted => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::{BenchResults, median, page};
    use crate::bench::measure::Figures;

    fn boot(docker: f64, off: f64) -> Figures {
        Figures {
            docker,
            ssh: docker,
            first_run: docker,
            used_mb: 100.0,
            programs_mb: vec![("dockerd".into(), 60.25), ("sh".into(), 0.5)],
            off,
            pid1_mb: 1.5,
        }
    }

    #[test]
    fn medians() {
        assert!(median(&[]).is_nan());
        for (values, expected) in [
            (&[3.0, 1.0, 2.0][..], 2.0),
            (&[4.0, 1.0], 2.5),
            (&[7.0], 7.0),
        ] {
            assert!((median(values) - expected).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn verdicts() {
        let results = BenchResults {
            emulator: "QEMU 10".into(),
            processor: "2 CPUs".into(),
            paddock: vec![boot(10.0, 2.0), boot(12.0, 8.0), boot(14.0, 9.0)],
            debian: vec![boot(20.0, 5.0)],
            paddock_512: vec![boot(13.0, 2.0)],
            power_on: vec![20.0],
            iso_mb: 150.0,
            parts_mb: vec![("vmlinuz".into(), 12.0)],
        };
        let page = page(&results);
        for expected in [
            "| kernel → User Docker answers, s | 10.00 / **12.00** / 14.00 | 20.0 | 0.60 | ≤ × 0.75 | ≤ × 0.6 | aim met |",
            "| used memory, idle, MB | 100.00 / **100.00** / 100.00 | 100.0 | 1.00 | ≤ × 0.9 | ≤ × 0.75 | **missed** |",
            "| power-off from idle, s | 2.00 / **8.00** / 9.00 | 5.0 | 1.60 | ≤ × 1.2 | ≤ × 1 | **missed** |",
            "| power-on → ssh accepts, from a CD, s | 20.0 | – | – | – | – | – |",
            "`make bench BOOTS=3`",
            "| dockerd | 60.2 |",
            "| vmlinuz | 12.0 |",
            "| ISO, MB | 150.0 | – | – | ≤ 170 | ≤ 130 | met |",
        ] {
            assert!(page.contains(expected), "{expected}\n{page}");
        }
    }
}
