//! The terminals with a login: the screen, the serial lines of the kernel line, and those that `rancher.autologin` names.

/// The terminals of a machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Terminals {
    /// Terminals that offer a login: tty1 of a screen, other terminals of the screen with autologin, and serial lines
    /// with autologin or `console=`.
    pub(super) present: Vec<String>,
    /// Terminals that the kernel line or `rancher.autologin` names but the machine lacks.
    pub(super) absent: Vec<String>,
}

/// The terminals of a kernel line and of `rancher.autologin`. `exists` says whether the machine has a terminal.
pub(super) fn terminals(
    line: &str,
    autologin: &[String],
    exists: impl Fn(&str) -> bool,
) -> Terminals {
    let consoles = host::kernel_line::values(line, "console");
    let logged_in: Vec<&str> = autologin.iter().map(String::as_str).collect();
    let mut named: Vec<String> = Vec::new();
    let more_screens = logged_in
        .iter()
        .filter(|name| screen_number(name) > Some(1));
    named.extend(more_screens.map(|name| (*name).to_owned()));
    for value in consoles.into_iter().chain(logged_in) {
        let name = value.split(',').next().unwrap_or(value);
        // `console=` also takes words that are no terminal: netcon0, uart8250, null.
        let is_line = (name.starts_with("tty") || name.starts_with("hvc")) && !name.contains('/');
        if is_line && screen_number(name).is_none() && !named.iter().any(|known| known == name) {
            named.push(name.to_owned());
        }
    }
    let (mut present, absent): (Vec<String>, Vec<String>) =
        named.into_iter().partition(|name| exists(name));
    if exists("tty1") {
        present.insert(0, "tty1".to_owned());
    }
    Terminals { present, absent }
}

/// The number of a terminal of the screen (`tty`, `tty0`, `tty1`…). The screen's own login is on tty1.
fn screen_number(name: &str) -> Option<u8> {
    match name.strip_prefix("tty")? {
        "" => Some(0),
        number => number.parse().ok(),
    }
}

/// The command line of a getty.
pub(super) fn getty(terminal: &str, log_in: bool) -> Vec<String> {
    let mut argv = vec!["/sbin/agetty".to_owned(), "--noclear".to_owned()];
    if log_in {
        argv.extend(["--autologin".to_owned(), "rancher".to_owned()]);
    }
    if terminal.starts_with("ttyS") {
        argv.extend(["--keep-baud", "115200,57600,38400,9600"].map(str::to_owned));
    }
    let kind = if terminal.starts_with("tty") && !terminal.starts_with("ttyS") {
        "linux"
    } else {
        "vt220"
    };
    argv.extend([terminal.to_owned(), kind.to_owned()]);
    argv
}

#[cfg(test)]
mod tests {
    use super::terminals;

    #[test]
    fn serial_lines_are_those_of_the_kernel_line() {
        for (line, autologin, present, absent) in [
            ("", &[][..], vec!["tty1"], vec![]),
            (
                "console=ttyS0,115200 console=tty0",
                &[],
                vec!["tty1", "ttyS0"],
                vec![],
            ),
            (
                "console=tty1 console=ttyS1 console=ttyS1 console=hvc0",
                &[],
                vec!["tty1", "ttyS1", "hvc0"],
                vec![],
            ),
            (
                "console=ttyS9 console=ttyS0 console= console=uart8250,io,0x3f8",
                &["ttyS8"],
                vec!["tty1", "ttyS0"],
                vec!["ttyS9", "ttyS8"],
            ),
            ("console=tty/../mem", &["tty/../mem"], vec!["tty1"], vec![]),
            (
                "console=tty3",
                &["tty1", "tty2", "ttyS0"],
                vec!["tty1", "tty2", "ttyS0"],
                vec![],
            ),
        ] {
            let autologin: Vec<String> = autologin.iter().map(|name| (*name).to_owned()).collect();
            let exists = |name: &str| !matches!(name, "ttyS8" | "ttyS9");
            let found = terminals(line, &autologin, exists);
            assert_eq!(found.present, present, "{line:?}");
            assert_eq!(found.absent, absent, "{line:?}");
        }
        assert_eq!(
            terminals("console=ttyS0", &[], |name| name == "ttyS0").present,
            ["ttyS0"]
        );
    }
}
