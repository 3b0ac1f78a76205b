//! Console and engine: a machine runs one console and one engine, and a user can switch to another. `load::choices`
//! finds the console and the engine that a configuration chooses.

/// A part of the system that the user can switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Switchable {
    Console,
    Engine,
}

/// The name that means that the machine has no console.
pub const NO_CONSOLE: &str = "none";
/// The name of the image's own console; as an engine's name, it means the image's own engine.
pub(crate) const DEFAULT: &str = "default";

impl Switchable {
    pub const ALL: [Self; 2] = [Self::Console, Self::Engine];

    /// The name of its system service.
    pub fn service(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Engine => "docker",
        }
    }

    /// Its name in messages and commands.
    pub fn display_name(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Engine => "engine",
        }
    }

    /// The configuration key that chooses it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Console => "rancher.console",
            Self::Engine => "rancher.docker.engine",
        }
    }

    /// The label of its container; the value is the name of the console or engine.
    pub fn label(self) -> &'static str {
        match self {
            Self::Console => "io.rancher.os.console",
            Self::Engine => "io.rancher.os.engine",
        }
    }

    /// The folder with its definitions, below the root.
    pub fn catalogue(self) -> &'static str {
        match self {
            Self::Console => "usr/share/ros/consoles",
            Self::Engine => "usr/share/ros/engines",
        }
    }

    /// Whether a name means that the machine has no console.
    pub fn means_none(self, name: &str) -> bool {
        self == Self::Console && name == NO_CONSOLE
    }

    /// The full name for `name`, where the image's own is called `own`. BurmillaOS calls its own engine `latest`.
    pub fn canonical_name<'a>(self, name: &'a str, own: &'a str) -> &'a str {
        let is_own =
            name.is_empty() || name == DEFAULT || (self == Self::Engine && name == "latest");
        if is_own { own } else { name }
    }
}

#[cfg(test)]
mod tests {
    use super::Switchable;

    #[test]
    fn canonical_names() {
        for (switchable, name, expected) in [
            (Switchable::Console, "", "own"),
            (Switchable::Console, "default", "own"),
            (Switchable::Console, "latest", "latest"),
            (Switchable::Console, "none", "none"),
            (Switchable::Engine, "latest", "own"),
            (Switchable::Engine, "docker-28", "docker-28"),
            (Switchable::Engine, "own", "own"),
        ] {
            assert_eq!(
                switchable.canonical_name(name, "own"),
                expected,
                "{switchable:?} {name:?}"
            );
        }
    }
}
