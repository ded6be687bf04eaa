//! The incidents that can be played, and what is common to the small ones: those whose limit `corridor check` names and
//! whose recommended way out is then carried out as it was printed. One incident, one file.
//!
//! - [`scene`]: the cluster, the application, measuring; [`look`]: checks; [`follow`]: the recommended commands.
//! - [`mod@account`]: what came of it, for a person and for a program.

mod account;
mod bloat;
mod follow;
mod look;
mod scene;
mod sequence;
mod slot;
mod wraparound;

use corridor_pg::near::{did_you_mean, near};
use corridor_pg::{Exit, Fault, Result};
use serde::Serialize;

use super::{Args, Halt};
use crate::command::{Context, DONE};
use crate::fault::{DEMO, USAGE};
use crate::output::text::hang;
use account::Account;
use scene::Scene;

/// One incident.
#[derive(Debug, Serialize)]
pub(super) struct Incident {
    /// What one types.
    pub(super) name: &'static str,
    /// What it is, one line.
    pub(super) title: &'static str,
    /// How long it takes with the defaults, in a release build on two cores.
    pub(super) takes: &'static str,
    /// Rows of its table, unless somebody says otherwise.
    pub(super) rows: u64,
    /// With fewer it would be none.
    pub(super) rows_min: u64,
    #[serde(skip)]
    kind: Kind,
}

/// Who plays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Toast,
    Wraparound,
    Sequence,
    Slot,
    Bloat,
}

/// All of them; the first one is played when none is named.
pub(super) static ALL: &[Incident] = &[
    Incident {
        name: "toast",
        title: "the TOAST ids of a table run out: each write searches for a free one",
        takes: "1 to 3 min",
        rows: 1_000_000,
        rows_min: 1_000,
        kind: Kind::Toast,
    },
    wraparound::INCIDENT,
    sequence::INCIDENT,
    slot::INCIDENT,
    bloat::INCIDENT,
];

/// All of them, for a program.
#[derive(Debug, Serialize)]
pub(super) struct Catalogue {
    incidents: &'static [Incident],
}

impl Catalogue {
    /// All of them.
    pub(super) fn all() -> Catalogue {
        Catalogue { incidents: ALL }
    }
}

/// All of them, for a person.
pub(super) fn list() -> String {
    let mut lines = Vec::new();
    for incident in ALL {
        let head = format!("{:<12}", incident.name);
        lines.push(hang(&head, &format!("{} ({})", incident.title, incident.takes)));
    }
    lines.push(String::new());
    let name = ALL.last().map_or("toast", |incident| incident.name);
    lines.push(format!("To play one: corridor demo {name}"));
    lines.join("\n")
}

/// By its name; `CLI-001` with what may have been meant.
pub(super) fn find(name: &str) -> Result<&'static Incident> {
    ALL.iter().find(|incident| incident.name == name).ok_or_else(|| {
        let names = || ALL.iter().map(|incident| incident.name);
        let meant = did_you_mean(&near(name, names()));
        let all: Vec<&str> = names().collect();
        let why = format!(
            "no incident is called {name:?}{meant}; there are {}",
            all.join(", ")
        );
        Fault::new(&USAGE, why)
    })
}

impl Incident {
    /// It has ways out to choose from.
    pub(super) fn has_remedies(&self) -> bool {
        self.kind == Kind::Toast
    }

    /// How many rows, as somebody said or as it is by itself; `CLI-001` when that is too few.
    pub(super) fn rows(&self, wanted: Option<u64>) -> Result<u64> {
        match wanted {
            Some(rows) if rows < self.rows_min => {
                let why = format!("--rows {rows}: {} needs at least {}", self.name, self.rows_min);
                Err(Fault::new(&USAGE, why))
            }
            Some(rows) => Ok(rows),
            None => Ok(self.rows),
        }
    }
}

/// Plays one of the small ones. Returns what the process returns.
pub(super) async fn run(
    context: &Context,
    args: &Args,
    incident: &'static Incident,
    rows: u64,
) -> std::result::Result<u8, Halt> {
    let account = account(context, args, incident, rows).await?;
    if context.output.is_json() {
        context.output.document(&account)?;
    } else {
        context.output.data(&account::text(&account))?;
    }
    Ok(match account.is_proven {
        true => DONE,
        false => Exit::BadResult.code(),
    })
}

async fn account(
    context: &Context,
    args: &Args,
    incident: &'static Incident,
    rows: u64,
) -> std::result::Result<Account, Halt> {
    let (play, table) = match incident.kind {
        Kind::Toast => return Err(Fault::new(&DEMO, "toast has a course of its own").into()),
        Kind::Wraparound => (wraparound::PLAY, wraparound::table(rows)),
        Kind::Sequence => (sequence::PLAY, sequence::table(rows)),
        Kind::Slot => (slot::PLAY, slot::table(rows)),
        Kind::Bloat => (bloat::PLAY, bloat::table(rows)),
    };
    let mut scene = Scene::set(context, args, incident, play, table).await?;
    let played = match incident.kind {
        Kind::Toast => Ok(Vec::new()),
        Kind::Wraparound => wraparound::play(&mut scene).await,
        Kind::Sequence => sequence::play(&mut scene).await,
        Kind::Slot => slot::play(&mut scene).await,
        Kind::Bloat => bloat::play(&mut scene).await,
    };
    match played {
        Ok(claims) => scene.end(claims, args.keep).await,
        Err(Halt::Fault(fault)) if args.keep => {
            scene.leave_up()?;
            Err(Halt::Fault(fault))
        }
        Err(halt) => Err(halt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_none_is_told_with_what_is_near() {
        assert_eq!(find("slot").unwrap().name, "slot");
        let fault = find("slott").unwrap_err();
        assert_eq!(fault.code().id, "CLI-001");
        assert!(fault.detail().contains("slot?"), "{}", fault.detail());
    }

    #[test]
    fn too_few_rows_are_refused() {
        let slot = find("slot").unwrap();
        assert_eq!(slot.rows(None).unwrap(), slot.rows);
        assert!(slot.rows(Some(slot.rows_min - 1)).is_err());
    }
}
