//! Runs other programs, one step at a time, and shows what they are doing.

use std::io::{BufRead, BufReader, IsTerminal};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{root, target};

/// Runs a program whose own output is worth seeing, such as cargo's.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

/// Like [`run`], but tells how the program ended.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    command.stdin(Stdio::null()).status().with_context(|| format!("cannot run `{}`", line(command)))
}

/// Runs a program whose output only matters if it fails; meanwhile `doing` is shown, on a terminal
/// with the program's latest line beside it. The error holds everything the program wrote.
pub(crate) fn quietly(doing: &str, command: &mut Command) -> Result<()> {
    let (status, output) = watch(doing, command)?;
    if !status.success() {
        bail!("{doing} failed: `{}` ended with {status} and said:\n{output}", line(command));
    }
    Ok(())
}

/// Like [`quietly`], but hands back how the program ended and all that it wrote.
pub(crate) fn watch(doing: &str, command: &mut Command) -> Result<(ExitStatus, String)> {
    let terminal = std::io::stderr().is_terminal();
    let spinner = if terminal { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{spinner} {prefix} {wide_msg:.dim}").expect("the template is valid");
    spinner.set_style(style);
    spinner.set_prefix(doing.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(120));
    if !terminal {
        eprintln!("{doing} …");
    }

    // One pipe for both streams keeps their lines in the order in which they were written.
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot run `{}`", line(command)))?;
    // The command holds the pipe's writing end too; as long as it does, reading would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut output = String::new();
    for text in BufReader::new(reader).lines().map_while(Result::ok) {
        spinner.set_message(text.clone());
        output.push_str(&text);
        output.push('\n');
    }
    let status = child.wait()?;
    spinner.finish_and_clear();
    if terminal && status.success() {
        eprintln!("{doing}: done");
    }
    Ok((status, output))
}

/// Runs a program, passes on what it prints as it comes, and hands back that too.
pub(crate) fn tee(command: &mut Command) -> Result<(ExitStatus, String)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run `{}`", line(command)))?;
    let mut printed = String::new();
    for text in BufReader::new(child.stdout.take().expect("stdout is piped")).lines().map_while(Result::ok) {
        println!("{text}");
        printed.push_str(&text);
        printed.push('\n');
    }
    Ok((child.wait()?, printed))
}

/// What a program prints, without the white space around it. An error if it cannot be run or fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{}`", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", line(command), output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program of this name is on the `PATH`.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps servers such as nginx in folders that are not on every user's PATH.
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(program).is_file())
}

/// Builds a program from crates.io into `target/tools`, unless this version of it is there; where it is.
pub(crate) fn cargo_install(name: &str, version: &str) -> Result<PathBuf> {
    let tools = target().join("tools");
    let program = tools.join("bin").join(name);
    // cargo lists what it installed, with versions, in this file.
    let installed = std::fs::read_to_string(tools.join(".crates.toml")).unwrap_or_default();
    if program.exists() && installed.contains(&format!("\"{name} {version} ")) {
        return Ok(program);
    }
    let mut cargo = Command::new(env!("CARGO"));
    // Only tests use it, so it need not be fast; it need not be slow to build either.
    cargo.args(["install", name, "--version", version, "--locked", "--debug", "--config", "profile.dev.debug=false"]);
    cargo.arg("--root").arg(&tools).current_dir(root());
    quietly(&format!("Building {name}"), &mut cargo)?;
    Ok(program)
}

/// The command as a person would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
