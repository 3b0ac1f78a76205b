//! Lines on every console of the kernel, with a copy in the kernel log.
//!
//! `/dev/console` leads only to the last `console=` of the kernel line. Lines go to each active console's own device,
//! because the screen and the serial line must show the same.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use nix::fcntl::OFlag;
use std::os::unix::fs::OpenOptionsExt;

/// The kernel's list of active consoles.
const ACTIVE: &str = "/sys/class/tty/console/active";

/// Writes one line to every active console and to the kernel log.
///
/// Never fails and never blocks: a console without a reader (flow control, a vanished
/// serial line) must not hold up a boot.
pub fn print_line(text: &str) {
    for name in active_consoles() {
        write_to(
            &Path::new("/dev").join(name),
            format!("{text}\r\n").as_bytes(),
        );
    }
    kmsg(Level::Info, text);
}

/// Kernel log levels (`<n>` prefix of `/dev/kmsg`, see the kernel's dev-kmsg documentation).
#[derive(Clone, Copy, Debug)]
pub enum Level {
    Warning = 4,
    Info = 6,
    Debug = 7,
}

/// Writes one record to the kernel log.
pub fn kmsg(level: Level, text: &str) {
    let record = format!("<{}>ros: {text}\n", level as u8);
    write_to(Path::new("/dev/kmsg"), record.as_bytes());
}

/// Writes records of the `log` facade to the kernel log.
#[derive(Debug)]
struct KernelLog;

impl log::Log for KernelLog {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error | log::Level::Warn => Level::Warning,
            log::Level::Info => Level::Info,
            log::Level::Debug | log::Level::Trace => Level::Debug,
        };
        kmsg(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Sends `log` records to the kernel log; `debug` lets every step through.
pub fn log_to_kernel(debug: bool) {
    static LOGGER: KernelLog = KernelLog;
    // A second call in the same process fails and keeps the first logger, which is equal.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(if debug {
        log::LevelFilter::Debug
    } else {
        log::LevelFilter::Info
    });
}

/// The names of the consoles' devices; `console` when the kernel lists none. `tty0`, the terminal in the foreground, is
/// there before any getty.
pub fn active_consoles() -> Vec<String> {
    parse_active(&std::fs::read_to_string(ACTIVE).unwrap_or_default())
}

fn parse_active(text: &str) -> Vec<String> {
    let names: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
    if names.is_empty() {
        vec!["console".to_owned()]
    } else {
        names
    }
}

fn write_to(device: &Path, bytes: &[u8]) {
    let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).bits();
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags(flags)
        .open(device);
    if let Ok(mut file) = opened {
        // The error is ignored: no other place can show an error of a console.
        let _ = file.write_all(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::parse_active;

    #[test]
    fn a_machine_has_a_console_in_any_case() {
        for (text, expected) in [
            ("tty0 ttyS0\n", vec!["tty0", "ttyS0"]),
            ("hvc0", vec!["hvc0"]),
            ("\n", vec!["console"]),
            ("", vec!["console"]),
        ] {
            assert_eq!(parse_active(text), expected, "{text:?}");
        }
    }
}
