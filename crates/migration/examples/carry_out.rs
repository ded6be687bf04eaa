//! Adds a migration and carries it out, as `corridor migration add` and `start` do.
//!
//! ```sh
//! PGHOST=… PGDATABASE=… cargo run -p corridor-migration --example carry_out -- examples/migrations/0002_make_person_distinct_id2.sql
//! ```

#![allow(clippy::print_stdout)] // it is what an example is for

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use corridor_migration::data::{self, Call, Listener, News, shelf};
use corridor_migration::definition::{Definition, file};
use corridor_migration::{Name, Order, Outcome, schema};
use corridor_pg::{ApplicationName, ConnectOptions};
use tokio::sync::watch;

/// Prints what the worker says.
struct Printer;

impl Listener for Printer {
    fn on(&self, news: &News) {
        println!("{news:?}");
    }
}

/// Adds `definition` to the database and works it until it is done or waits for a person.
async fn carry_out(connect: &ConnectOptions, definition: Definition) -> corridor_pg::Result<Outcome> {
    let mut session = connect.connect(&ApplicationName::new("example", "-")).await?;
    schema::ensure(&mut session).await?;
    shelf::add(&mut session, std::slice::from_ref(&definition), "an example").await?;
    // Set it to true, and the worker checkpoints and leaves.
    let (_ask_to_leave, interrupt) = watch::channel(false);
    data::carry_out(&Call {
        connect,
        name: &Name::new(definition.name.as_str())?,
        order: Order::Start,
        asked: None,
        why: "",
        parameters: &BTreeMap::new(),
        app_version: None,
        mover: None,
        listener: Arc::new(Printer),
        interrupt,
    })
    .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a file")?;
    let definition = file::read(&path, &std::fs::read_to_string(&path)?)?;
    let outcome = carry_out(&ConnectOptions::from_process(None)?, definition).await?;
    println!("{outcome:?}");
    Ok(())
}
