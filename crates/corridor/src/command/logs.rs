//! `corridor logs`: the journal of a migration.

use corridor_migration::Name;
use corridor_migration::store::{self, Entry};
use corridor_pg::Result;
use serde::Serialize;

use super::{Context, DONE};
use crate::args::Logs;
use crate::output::journal;

#[derive(Serialize)]
struct JournalDocument<'a> {
    name: &'a Name,
    entries: &'a [Entry],
}

/// Shows the newest entries, oldest first.
pub(crate) async fn run(context: &Context, args: &Logs) -> Result<u8> {
    let name = Name::new(&*args.name)?;
    let session = context.session_for(&name).await?;
    let migration = store::load(&*session, &name).await?;
    let entries = store::logs(&*session, migration.id, 0, args.limit).await?;
    if context.output.is_json() {
        let document = JournalDocument {
            name: &name,
            entries: &entries,
        };
        context.output.document(&document)?;
        return Ok(DONE);
    }
    for entry in &entries {
        if context.output.is_reader_gone() {
            break;
        }
        context.output.data(&journal::entry(entry))?;
    }
    Ok(DONE)
}
