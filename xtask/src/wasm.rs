//! A compiler for `wasm32-wasip2`: rustup's where the target is installed or can be, else Debian's.
//!
//! Debian packages a Rust compiler that knows the target, the standard library's source, and the C
//! library beneath it. It has no built standard library for the target, so cargo builds that too,
//! and rustup's toolchain contributes the linker.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{debian, step, target};

pub(crate) const TARGET: &str = "wasm32-wasip2";

/// What Debian's compiler looks for in [`SELF_CONTAINED`] when it links for the target.
const C_LIBRARY: [&str; 3] = ["crt1-command.o", "crt1-reactor.o", "libc.a"];
const SELF_CONTAINED: &str = "/usr/lib/rustlib/wasm32-wasip2/lib/self-contained";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// The workspace's `rust-version` is 1 and this.
const OLDEST_MINOR: u32 = 94;
const DEBIAN_RUST_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

/// The compiler with which components are built.
pub(crate) enum Compiler {
    /// The toolchain that runs this program, with the target added to it.
    Rustup,
    /// Debian's package `rustc-web`, beside the toolchain that runs this program.
    Debian,
}

impl Compiler {
    /// Finds a compiler for components, installing one if there is none.
    pub(crate) fn find_or_install() -> Result<Self> {
        if target_is_installed()? {
            return Ok(Self::Rustup);
        }
        if debian_is_complete() {
            return Ok(Self::Debian);
        }
        match add_target() {
            Ok(()) => Ok(Self::Rustup),
            Err(error) => {
                eprintln!(
                    "rustup cannot add the target {TARGET} ({error:#}).\nUsing Debian's compiler for it instead."
                );
                install_debian().context(format!(
                    "no compiler for the components. They need the target {TARGET}: `rustup target add {TARGET}` \
                     installs it where rustup can download; without it, Debian's compiler is used"
                ))?;
                Ok(Self::Debian)
            }
        }
    }

    /// `cargo build` for the target, with this compiler; what to build is for the caller to add.
    pub(crate) fn cargo_build(&self) -> Result<Command> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--target", TARGET]);
        if let Self::Debian = self {
            let host = host()?;
            let programs = sysroot()?.join("lib/rustlib").join(host).join("bin");
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = [programs.clone(), programs.join("gcc-ld")];
            let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path)))?;
            // Building the standard library is an unstable feature of cargo, hence RUSTC_BOOTSTRAP.
            cargo
                .arg("-Zbuild-std=std,panic_abort")
                .env("PATH", path)
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1");
        }
        Ok(cargo)
    }
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

fn sysroot() -> Result<PathBuf> {
    Ok(step::output(rustc().args(["--print", "sysroot"]))?.into())
}

fn host() -> Result<String> {
    step::output(rustc().args(["--print", "host-tuple"]))
}

fn target_is_installed() -> Result<bool> {
    let folder = sysroot()?.join("lib/rustlib").join(TARGET).join("lib");
    // An interrupted installation leaves the folder empty.
    Ok(fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()))
}

fn add_target() -> Result<()> {
    if !step::is_installed("rustup") {
        bail!("there is no rustup");
    }
    let mut command = Command::new("rustup");
    // Where downloads are barred, rustup would try each of them again and again.
    command.args(["target", "add", TARGET]).env("RUSTUP_MAX_RETRIES", "0").env("RUST_BACKTRACE", "0");
    let (status, output) = step::watch(&format!("Adding the target {TARGET} to Rust"), &mut command)?;
    if !status.success() {
        let cause = output.lines().find(|line| line.starts_with("error"));
        bail!("{}", cause.map_or_else(|| status.to_string(), str::to_owned));
    }
    Ok(())
}

fn has_c_library(folder: &Path) -> bool {
    C_LIBRARY.iter().all(|file| folder.join(file).is_file())
}

fn has_debian_compiler() -> bool {
    let version = || step::output(Command::new(DEBIAN_RUSTC).arg("--version")).ok().and_then(|v| minor_version(&v));
    // Debian's own package `rustc` may lie in the same place, and be years older.
    Path::new(DEBIAN_RUST_SOURCE).is_file() && version().is_some_and(|minor| minor >= OLDEST_MINOR)
}

/// The 96 in what a compiler says of itself, `rustc 1.96.0 (ac68faa20 2026-05-25)`.
fn minor_version(printed: &str) -> Option<u32> {
    printed.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}

fn debian_is_complete() -> bool {
    has_debian_compiler() && has_c_library(Path::new(SELF_CONTAINED))
}

fn install_debian() -> Result<()> {
    if !has_debian_compiler() {
        debian::install("Debian's WebAssembly compiler", &["rustc-web", "rust-web-src"])?;
    }
    if has_c_library(Path::new(SELF_CONTAINED)) {
        return Ok(());
    }
    let unpacked = target().join("wasi-libc");
    let folder = unpacked.join("usr/lib").join(TARGET);
    debian::unpack("wasi-libc", &unpacked, |unpacked| has_c_library(&unpacked.join("usr/lib").join(TARGET)))?;
    let copied = fs::create_dir_all(SELF_CONTAINED).and_then(|()| {
        C_LIBRARY
            .iter()
            .try_for_each(|file| fs::copy(folder.join(file), Path::new(SELF_CONTAINED).join(file)).map(drop))
    });
    copied.with_context(|| {
        let files = C_LIBRARY.map(|file| folder.join(file).display().to_string()).join(" ");
        format!(
            "cannot put the C library where the compiler looks for it. Run this, then try again:\n    \
                 sudo install -D --mode=644 -t {SELF_CONTAINED} {files}\n"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_says_how_new_it_is() {
        assert_eq!(minor_version("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"), Some(96));
        assert_eq!(minor_version("rustc 1.63.0"), Some(63));
        assert_eq!(minor_version("clang version 22"), None);
    }

    #[test]
    fn the_oldest_compiler_is_the_one_that_the_workspace_names() {
        let manifest = std::fs::read_to_string(crate::root().join("Cargo.toml")).expect("the workspace has a manifest");
        assert!(manifest.contains(&format!("rust-version = \"1.{OLDEST_MINOR}\"")));
    }
}
