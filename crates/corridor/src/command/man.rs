//! `corridor man`: manual pages, made from the command line's own definition.

use std::path::Path;

use clap::CommandFactory;
use corridor_pg::{Fault, Result};
use serde::Serialize;

use super::{Context, DONE};
use crate::args::{Cli, Man};
use crate::fault::OUTPUT;
use crate::output::text::harmless;

/// One page.
struct Page {
    file: String,
    roff: String,
}

#[derive(Serialize)]
struct ManDocument {
    files: Vec<String>,
}

/// Prints the page of the whole, or writes all pages into a directory.
pub(crate) fn run(context: &Context, args: &Man) -> Result<u8> {
    let pages = pages()?;
    let Some(directory) = &args.directory else {
        let whole: String = pages.into_iter().take(1).map(|page| page.roff).collect();
        context.output.data(&whole)?;
        return Ok(DONE);
    };
    let files = write(&pages, directory)?;
    if context.output.is_json() {
        context.output.document(&ManDocument { files })?;
    } else {
        let lines: Vec<String> = files.iter().map(|file| harmless(file)).collect();
        context.output.data(&lines.join("\n"))?;
    }
    Ok(DONE)
}

/// `corridor(1)` first, then one page for each command.
fn pages() -> Result<Vec<Page>> {
    let mut whole = Cli::command();
    whole.build();
    let mut pages = vec![page("corridor", whole.clone())?];
    for command in whole.get_subcommands() {
        let name = format!("corridor-{}", command.get_name());
        // A page is named after what is typed.
        pages.push(page(&name, command.clone().display_name(name.clone()))?);
    }
    Ok(pages)
}

fn page(name: &str, command: clap::Command) -> Result<Page> {
    let mut roff = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut roff)
        .map_err(|error| Fault::new(&OUTPUT, format!("making the page {name}: {error}")).caused_by(error))?;
    Ok(Page {
        file: format!("{name}.1"),
        roff: String::from_utf8_lossy(&roff).into_owned(),
    })
}

/// Makes the directory where it is not there, and returns the paths of what was written.
fn write(pages: &[Page], directory: &Path) -> Result<Vec<String>> {
    let failed = |path: &Path, error: std::io::Error| {
        Fault::new(&OUTPUT, format!("writing {}: {error}", path.display())).caused_by(error)
    };
    std::fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    pages
        .iter()
        .map(|page| {
            let path = directory.join(&page.file);
            std::fs::write(&path, &page.roff).map_err(|error| failed(&path, error))?;
            Ok(path.display().to_string())
        })
        .collect()
}
