//! Which server runs Buddy, and how to start it: Spin, or the embedded server where there is no Spin.
//! Both take the same flags.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{root, step, target};

/// The first Spin that runs components of WASI 0.3.
const OLDEST_SPIN: Version = Version { major: 4, minor: 1 };

/// A thousand readers that come at once get about half as many instances with these, each of which opens the databases
/// and asks for news by itself.
pub(crate) const FEWER_INSTANCES: [&str; 4] =
    ["--max-instance-reuse-count", "1024", "--max-instance-concurrent-reuse-count", "128"];

/// The package of the embedded server.
pub(crate) const EMBEDDED: &str = "buddy-local";
/// How it is built: what compiles components in it takes too long without optimization.
pub(crate) const PROFILE: &str = "native";

/// Where cargo puts the embedded server.
pub(crate) fn embedded_program() -> PathBuf {
    target().join(PROFILE).join(EMBEDDED)
}

/// The embedded server, built if necessary.
pub(crate) fn embedded() -> Result<Command> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--profile", PROFILE, "--package", EMBEDDED]);
    step::run(cargo.arg("--target-dir").arg(target()).current_dir(root()))?;
    let mut command = Command::new(embedded_program());
    command.arg("up");
    Ok(command)
}

/// `spin up`, if the Spin on the `PATH` is new enough. If it is not, a warning says what to do.
pub(crate) fn spin() -> Option<Command> {
    if !step::is_installed("spin") {
        return None;
    }
    let printed = step::output(Command::new("spin").arg("--version")).unwrap_or_default();
    match Version::of_spin(&printed) {
        Some(version) if version >= OLDEST_SPIN => {
            let mut command = Command::new("spin");
            command.arg("up");
            Some(command)
        }
        found => {
            let found = found.map_or_else(|| "of an unknown version".to_owned(), |version| version.to_string());
            eprintln!(
                "The Spin on the PATH is {found}; Buddy needs {OLDEST_SPIN} or newer. Using the embedded server \
                 instead. To use Spin, upgrade it: https://spinframework.dev/install"
            );
            None
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// Reads what `spin --version` prints, such as `spin 4.1.0-pre0 (94a8fc8 2026-08-21)`. A
    /// pre-release counts as its release: it can do what the release can.
    fn of_spin(printed: &str) -> Option<Self> {
        let mut numbers = printed.strip_prefix("spin ")?.split(['.', '-', ' ']);
        Some(Self { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spins_version_is_read_from_what_it_prints() {
        for (printed, new_enough) in [
            ("spin 4.1.0 (94a8fc8 2026-08-21)", true),
            ("spin 4.1.0-pre0 (94a8fc8 2026-08-21)", true),
            ("spin 4.10.2", true),
            ("spin 5.0.0", true),
            ("spin 4.0.3 (abc 2026-01-01)", false),
            ("spin 3.12.0", false),
        ] {
            let version = Version::of_spin(printed).expect(printed);
            assert_eq!(version >= OLDEST_SPIN, new_enough, "{printed}");
        }
    }

    #[test]
    fn what_is_not_spin_has_no_version() {
        // The model checker SPIN installs a program of the same name.
        for printed in ["", "Spin Version 6.5.2 -- 6 December 2019", "spin", "spin four"] {
            assert_eq!(Version::of_spin(printed), None, "{printed}");
        }
    }
}
