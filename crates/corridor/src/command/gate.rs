//! `corridor gate`: whether a version of the application may be installed, as far as its migrations are concerned.
//!
//! It asks and starts nothing, so that it can stand in a container's init step and in a pipeline.

use corridor_migration::State;
use corridor_migration::data::readiness::Answer;
use corridor_migration::definition::versions::app_version;
use corridor_migration::gate::{self, Entry, Gate, Required, Standing};
use corridor_pg::{Exit, Result};

use super::migration::{Row, rows};
use super::{Context, DONE};
use crate::args;
use crate::output::text::{Paint, hang, harmless, paint};

/// 0 when nothing stands in the way, 1 otherwise.
pub(crate) async fn run(context: &Context, args: &args::Gate) -> Result<u8> {
    let version = app_version(&args.app_version)?;
    let installed = args.installed.as_deref().map(app_version).transpose()?;
    let mut session = context.session("-").await?;
    let rows = rows(&mut session).await?;
    let entries: Vec<Entry> = rows.iter().filter_map(entry).collect();
    let gate = gate::judge(&version, installed.as_ref(), &entries);
    if context.output.is_json() {
        context.output.bare_document(&gate, true)?;
    } else {
        context.output.data(&text(&gate))?;
    }
    Ok(if gate.is_open {
        DONE
    } else {
        Exit::BadResult.code()
    })
}

/// A run that was taken back and made room for another one is not asked for.
pub(crate) fn entry(row: &Row) -> Option<Entry> {
    let standing = &row.standing;
    if standing.plan.definition.name != standing.name.as_str() {
        return None;
    }
    let how = match (standing.ended_by.as_deref(), &standing.state) {
        (Some("skipped"), _) => Standing::Skipped,
        (Some("not_required"), _) => Standing::NotRequired,
        // Everything is done; what is left is a person's word on whether it stays.
        (_, State::Finishing) => Standing::Done,
        (_, state) => Standing::from(state.name()),
    };
    let required = match &row.required {
        None | Some(Answer::Yes) => Required::Yes,
        Some(Answer::No) => Required::No,
        Some(Answer::Unknown { why }) => Required::Unknown(why.clone()),
    };
    Some(Entry {
        name: standing.name.to_string(),
        description: standing.description.clone(),
        versions: row.versions.clone(),
        depends_on: row.depends_on.clone(),
        standing: how,
        required,
    })
}

fn text(gate: &Gate) -> String {
    let version = &gate.app_version;
    if gate.is_open {
        let mut lines = vec![paint(
            Paint::Good,
            &format!("{version}: no migration stands in the way"),
        )];
        lines.extend(gate.notes.iter().map(|note| hang("  note  ", &harmless(note))));
        return lines.join("\n");
    }
    let count = gate.standing_in_the_way.len();
    let words = match count {
        1 => "1 migration stands in the way".to_owned(),
        count => format!("{count} migrations stand in the way"),
    };
    let mut lines = vec![paint(Paint::Bad, &format!("{version}: {words}"))];
    for blocker in &gate.standing_in_the_way {
        lines.push(String::new());
        lines.push(hang(
            "",
            &format!("{}: {}", blocker.name, harmless(&blocker.description)),
        ));
        lines.push(hang("  why   ", &harmless(&blocker.why)));
        if let Some(versions) = &blocker.versions {
            lines.push(hang("  runs  ", &format!("in versions {versions}")));
        }
        for next in &blocker.next {
            lines.push(hang("  do    ", &harmless(next)));
        }
    }
    if !gate.notes.is_empty() {
        lines.push(String::new());
        lines.extend(gate.notes.iter().map(|note| hang("  note  ", &harmless(note))));
    }
    lines.join("\n")
}
