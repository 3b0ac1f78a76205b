//! What can be switched: a machine has one console and one engine, and another of each can take its place.
//! Which ones a configuration chooses is `load::choices`' matter.

/// What a machine has one of, and can have another of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Switchable {
    Console,
    Engine,
}

/// The console that is none.
pub const NO_CONSOLE: &str = "none";
/// The name of the image's own console, and what means the image's own of both.
pub(crate) const DEFAULT: &str = "default";

impl Switchable {
    pub const ALL: [Self; 2] = [Self::Console, Self::Engine];

    /// The system service that it is.
    pub fn service(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Engine => "docker",
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Engine => "engine",
        }
    }

    /// The key that chooses one.
    pub fn key(self) -> &'static str {
        match self {
            Self::Console => "rancher.console",
            Self::Engine => "rancher.docker.engine",
        }
    }

    /// The label that a container has, with the name of the one that it is.
    pub fn label(self) -> &'static str {
        match self {
            Self::Console => "io.rancher.os.console",
            Self::Engine => "io.rancher.os.engine",
        }
    }

    /// Below the root, a file per definition.
    pub fn catalogue(self) -> &'static str {
        match self {
            Self::Console => "usr/share/ros/consoles",
            Self::Engine => "usr/share/ros/engines",
        }
    }

    /// Whether a name means that there is to be none.
    pub fn is_none(self, name: &str) -> bool {
        self == Self::Console && name == NO_CONSOLE
    }

    /// What a name means where the image's own is called `own`. `latest` is how BurmillaOS says it of engines.
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
    fn what_names_mean() {
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
