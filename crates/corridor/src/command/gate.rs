//! `corridor gate`: whether a version of the application may be installed, as far as its migrations are concerned.
//!
//! It asks and starts nothing, so that it can stand in a container's init step and in a pipeline.

use corridor_migration::data::census;
use corridor_migration::definition::versions::app_version;
use corridor_migration::gate::{self, Gate};
use corridor_pg::{Exit, Result};

use super::{Context, DONE};
use crate::args;
use crate::output::text::{Paint, hang, harmless, paint};

/// 0 when nothing stands in the way, 1 otherwise.
pub(crate) async fn run(context: &Context, args: &args::Gate) -> Result<u8> {
    let version = app_version(&args.app_version)?;
    let installed = args.installed.as_deref().map(app_version).transpose()?;
    let mut session = context.session("-").await?;
    let entries = census::entries(&census::rows(&mut session).await?);
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
