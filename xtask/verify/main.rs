//! `cargo xtask verify`: whether a running server gives out the page of this checkout.
//!
//! Ends with 0 if it does, 1 if anything differs, 2 if the server could not be asked.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use buddy_page::Page;
use clap::Parser;

/// Compares the page that a server gives out with the one in this checkout
#[derive(Parser)]
#[command(bin_name = "cargo xtask verify")]
struct Arguments {
    /// The server, such as https://chat.example.org
    url: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match verify(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn verify(Arguments { url }: &Arguments) -> Result<bool> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../static");
    let page = Page::read(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let name = page.name();
    println!("This checkout’s page is {} ({name}).", buddy_page::spoken(&name));
    let differences = buddy_verify::compare(url, &page).await?;
    for difference in &differences {
        println!("differs: {difference}");
    }
    let files = page.files().len();
    if differences.is_empty() {
        println!("{url} gives out the same {files} files, with the same headers.");
    } else {
        println!("{url} gives out another page: {} differences.", differences.len());
    }
    Ok(differences.is_empty())
}
