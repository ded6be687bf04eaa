//! Reads files of migrations, puts them in order, and says what a gate would say on a database where none of them is done.
//!
//! ```sh
//! cargo run -p corridor-migration --example gate -- 1.42.0 examples/migrations/*
//! ```

#![allow(clippy::print_stdout)] // it is what an example is for

use std::collections::BTreeSet;
use std::error::Error;

use corridor_migration::definition::versions::app_version;
use corridor_migration::definition::{Definition, file, graph};
use corridor_migration::gate::{Entry, Required, Standing, judge};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let version = app_version(
        &arguments
            .next()
            .ok_or("the version of the application is missing")?,
    )?;
    let definitions = arguments
        .map(|path| Ok(file::read(&path, &std::fs::read_to_string(&path)?)?))
        .collect::<Result<Vec<Definition>, Box<dyn Error>>>()?;
    let order = graph::order(&definitions, &BTreeSet::new())?;
    let entries: Vec<Entry> = order
        .into_iter()
        .map(|place| &definitions[place])
        .map(|definition| Entry {
            name: definition.name.clone(),
            description: definition.description.clone(),
            versions: definition.versions.clone(),
            depends_on: definition.depends_on.clone(),
            standing: Standing::Pending,
            unsettled: Vec::new(),
            unreadable: None,
            // Only the database can say.
            required: match definition.required_when {
                Some(_) => Required::Unknown("nobody has asked the database".to_owned()),
                None => Required::Yes,
            },
        })
        .collect();
    let gate = judge(&version, None, &entries);
    println!("{}", serde_json::to_string_pretty(&gate)?);
    std::process::exit(i32::from(!gate.is_open))
}
