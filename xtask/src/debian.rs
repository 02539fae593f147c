//! Installs what is missing with Debian's package manager. Nothing here changes how the machine's
//! package manager is set up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::step;

/// Installs packages, or says which ones to install where that cannot be done from here.
/// `purpose` completes the sentence "Installing …".
pub(crate) fn install(purpose: &str, packages: &[&str]) -> Result<()> {
    let packages_line = packages.join(" ");
    if !step::is_installed("apt-get") {
        bail!(
            "{purpose} is missing, and this machine has no apt-get to install it with. \
             On Debian it is in these packages: {packages_line}"
        );
    }
    if !rustix::process::geteuid().is_root() {
        bail!(
            "{purpose} is missing, and only root may install packages. Run this, then try again:\n    \
             sudo apt-get update && sudo apt-get install --no-install-recommends {packages_line}"
        );
    }
    step::quietly("Reading Debian's package lists", apt_get().arg("update"))?;
    let mut command = apt_get();
    command.args(["install", "--yes", "--no-install-recommends"]).args(packages);
    step::quietly(&format!("Installing {purpose} ({packages_line})"), &mut command)
}

/// Unpacks a package into `folder`, which is made anew, without installing it. It comes from the
/// machine's own suite, or from that suite's backports where `is_enough` is not content with that.
pub(crate) fn unpack(package: &str, folder: &Path, is_enough: impl Fn(&Path) -> bool) -> Result<()> {
    if !step::is_installed("apt-get") {
        bail!("this machine has no apt-get to download {package} with");
    }
    if step::is_installed("dpkg-query") && download(package, folder, &[]).is_ok() && is_enough(folder) {
        return Ok(());
    }
    let apt = folder.with_extension("apt");
    let options = backports(&apt)?;
    let mut command = apt_get();
    step::quietly("Reading the package lists of Debian's backports", command.args(&options).arg("update"))?;
    download(package, folder, &options)?;
    fs::remove_dir_all(&apt)?;
    if !is_enough(folder) {
        bail!("Debian's package {package} lacks what is needed, in the machine's suite and in its backports");
    }
    Ok(())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8").args(["-o", "DPkg::Lock::Timeout=300"]);
    command
}

fn download(package: &str, folder: &Path, options: &[String]) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let mut command = apt_get();
    // As root, apt-get would download as another user, who may not be allowed to write here.
    command.args(["-o", "APT::Sandbox::User=root"]).args(options).args(["download", package]).current_dir(folder);
    step::quietly(&format!("Downloading {package}"), &mut command)?;
    let archive = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .with_context(|| format!("apt-get downloaded no archive of {package}"))?;
    step::quietly(&format!("Unpacking {package}"), Command::new("dpkg").arg("-x").arg(&archive).arg(folder))?;
    Ok(fs::remove_file(archive)?)
}

/// Options that make apt-get use the backports of the machine's suite, and nothing else, with lists
/// and caches in `folder`: the machine's own stay as they are.
fn backports(folder: &Path) -> Result<Vec<String>> {
    let release = fs::read_to_string("/etc/os-release").context("this does not seem to be Debian")?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .context("/etc/os-release names no VERSION_CODENAME")?
        .trim_matches('"');
    let sources = folder.join("sources");
    for made in [sources.clone(), folder.join("lists/partial"), folder.join("cache/archives/partial")] {
        fs::create_dir_all(made)?;
    }
    let mut found = false;
    for path in source_lists()? {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let deb822 = path.extension().is_some_and(|extension| extension == "sources");
        let exchanged = if deb822 { exchange_deb822(&text, codename) } else { exchange_one_line(&text, codename) };
        if let (false, Some(name)) = (exchanged.is_empty(), path.file_name()) {
            fs::write(sources.join(name), exchanged)?;
            found = true;
        }
    }
    if !found {
        bail!("no source of Debian's suite {codename} in /etc/apt: cannot tell where its backports are");
    }
    let setting = |name: &str, path: PathBuf| ["-o".to_owned(), format!("{name}={}", path.display())];
    Ok([
        setting("Dir::Etc::sourcelist", PathBuf::from("/dev/null")),
        setting("Dir::Etc::sourceparts", sources),
        setting("Dir::State::lists", folder.join("lists")),
        setting("Dir::Cache", folder.join("cache")),
        setting("APT::Sandbox::User", PathBuf::from("root")),
    ]
    .concat())
}

/// The files that say where the machine's packages come from.
fn source_lists() -> Result<Vec<PathBuf>> {
    let mut lists = vec![PathBuf::from("/etc/apt/sources.list")];
    lists.retain(|path| path.is_file());
    if let Ok(folder) = fs::read_dir("/etc/apt/sources.list.d") {
        for entry in folder {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "sources" || extension == "list") {
                lists.push(path);
            }
        }
    }
    Ok(lists)
}

/// Of a source list in the one-line form (sources.list(5)), the lines for binary packages of the
/// suite `codename`, each with that suite's backports in its place.
fn exchange_one_line(list: &str, codename: &str) -> String {
    let mut exchanged = String::new();
    for line in list.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t'])) else { continue };
        // Options in brackets may hold spaces; the address and the suite follow them.
        let rest = rest.trim_start();
        let (options, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((options, rest)) => (format!("[{options}] "), rest),
            None => (String::new(), rest),
        };
        let mut words = rest.split_whitespace();
        let (Some(address), Some(suite)) = (words.next(), words.next()) else { continue };
        if suite == codename {
            let components = words.collect::<Vec<_>>().join(" ");
            exchanged.push_str(&format!("deb {options}{address} {codename}-backports {components}\n"));
        }
    }
    exchanged
}

/// Of a source list in the deb822 form (sources.list(5)), the stanzas for binary packages of the
/// suite `codename`, each with that suite's backports as its only suite.
fn exchange_deb822(list: &str, codename: &str) -> String {
    let mut exchanged = String::new();
    let uncommented: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    for stanza in uncommented.split(|line| line.trim().is_empty()) {
        let field = |wanted: &str| {
            stanza.iter().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case(wanted).then_some(value)
            })
        };
        let has = |name: &str, word: &str| field(name).is_some_and(|value| value.split_whitespace().any(|w| w == word));
        let disabled = field("Enabled").is_some_and(|value| value.trim().eq_ignore_ascii_case("no"));
        if disabled || !has("Types", "deb") || !has("Suites", codename) {
            continue;
        }
        for line in stanza {
            match line.split_once(':').map(|(name, _)| name.to_ascii_lowercase()).as_deref() {
                Some("types") => exchanged.push_str("Types: deb"),
                Some("suites") => exchanged.push_str(&format!("Suites: {codename}-backports")),
                _ => exchanged.push_str(line),
            }
            exchanged.push('\n');
        }
        exchanged.push('\n');
    }
    exchanged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_one_line_list_only_the_suite_is_exchanged() {
        let list = "# deb http://mirror.test/debian bookworm main\n\
                    deb http://mirror.test/debian bookworm main contrib # near\n\
                    deb-src http://mirror.test/debian bookworm main\n\
                    deb [arch=amd64 signed-by=/k.gpg] https://other.test/debian bookworm main\n\
                    deb http://mirror.test/debian bookworm-updates main\n";
        assert_eq!(
            exchange_one_line(list, "bookworm"),
            "deb http://mirror.test/debian bookworm-backports main contrib\n\
             deb [arch=amd64 signed-by=/k.gpg] https://other.test/debian bookworm-backports main\n"
        );
    }

    #[test]
    fn of_a_deb822_list_only_the_suite_is_exchanged() {
        let list = "Types: deb deb-src\n# a comment\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\n\
                    Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\
                    \n\
                    Types: deb\nURIs: http://mirror.test/security\nSuites: bookworm-security\nComponents: main\n\
                    \n\
                    Enabled: no\nTypes: deb\nURIs: http://off.test/debian\nSuites: bookworm\nComponents: main\n";
        assert_eq!(
            exchange_deb822(list, "bookworm"),
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm-backports\n\
             Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"
        );
    }

    #[test]
    fn a_key_written_into_a_deb822_list_is_kept() {
        let list = "Types: deb\nURIs: http://mirror.test/debian\nSuites: trixie\nComponents: main\n\
                    Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0\n";
        let exchanged = exchange_deb822(list, "trixie");
        assert!(exchanged.contains("Suites: trixie-backports\n"));
        assert!(exchanged.contains("Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY865"));
    }

    #[test]
    fn a_list_without_the_suite_gives_nothing() {
        assert_eq!(exchange_one_line("deb http://mirror.test/debian bookworm main\n", "trixie"), "");
        assert_eq!(exchange_deb822("Types: deb\nURIs: http://m.test\nSuites: bookworm\n", "trixie"), "");
    }
}
