//! The gate: which migrations stand in the way of a version of the application.
//!
//! A migration can be run by the releases in its range of versions. Once the application is newer than that range nobody can
//! run it any more, so a required one must be done before. That is all that the gate looks at: it is a pure answer to a
//! question of the upgrade, starts nothing, and never keeps a worker from its work. A migration whose range holds the
//! version does not stand in the way, whether or not it has begun: the release that is being installed is the one that can
//! run it.
//!
//! Whether a migration is required has three answers. *Unknown* (the query failed, or returned no answer) counts as
//! required: a gate that opens because it could not look is no gate.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde::Serialize;

use crate::data::unsettled;
use crate::definition::versions::{Place, VersionRange};
use crate::state::StateName;

/// The version of the JSON form. Grows when a field changes its meaning or goes; new fields may come at any time.
pub const VERSION: u32 = 1;

/// Where a migration stands, as far as the gate is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not begun.
    Pending,
    /// At work, or its worker is being waited for.
    Running,
    /// Held by a person.
    Paused,
    /// Ended by a fault; `resume` takes it up again.
    Failed,
    /// Everything is done but a person's word.
    Waiting,
    /// Going back.
    RollingBack,
    /// Was taken back.
    RolledBack,
    /// Ending for good.
    Stopping,
    /// Was ended for good before it was done.
    Stopped,
    /// Nobody can say whether its last step took place.
    Ambiguous,
    /// Done.
    Done,
    /// A person said that it is not to be done here.
    Skipped,
    /// Looked at, and there was nothing to do.
    NotRequired,
}

impl Standing {
    /// True when nothing is left to do.
    pub const fn is_settled(self) -> bool {
        matches!(self, Standing::Done | Standing::Skipped | Standing::NotRequired)
    }

    /// True when it has begun and has not come to an end.
    pub const fn is_under_way(self) -> bool {
        matches!(
            self,
            Standing::Running
                | Standing::Paused
                | Standing::Failed
                | Standing::Waiting
                | Standing::RollingBack
                | Standing::Stopping
                | Standing::Ambiguous
        )
    }

    /// For a person: behind "it".
    pub const fn words(self) -> &'static str {
        match self {
            Standing::Pending => "was not started",
            Standing::Running => "is running",
            Standing::Paused => "is paused",
            Standing::Failed => "has failed",
            Standing::Waiting => "waits for `finish`",
            Standing::RollingBack => "is rolling back",
            Standing::RolledBack => "was rolled back",
            Standing::Stopping => "is stopping",
            Standing::Stopped => "was stopped before it was done",
            Standing::Ambiguous => "may or may not have taken its last step",
            Standing::Done => "is done",
            Standing::Skipped => "was skipped",
            Standing::NotRequired => "was not required",
        }
    }
}

impl From<StateName> for Standing {
    fn from(state: StateName) -> Self {
        match state {
            StateName::Planned => Standing::Pending,
            StateName::Running | StateName::CuttingOver | StateName::Finishing => Standing::Running,
            StateName::Paused => Standing::Paused,
            StateName::Waiting => Standing::Waiting,
            StateName::RollingBack => Standing::RollingBack,
            StateName::RolledBack => Standing::RolledBack,
            StateName::Stopping => Standing::Stopping,
            StateName::Stopped => Standing::Stopped,
            StateName::Finished => Standing::Done,
            StateName::Failed => Standing::Failed,
            StateName::Ambiguous => Standing::Ambiguous,
        }
    }
}

/// Whether a migration's work is needed here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", content = "why", rename_all = "snake_case")]
pub enum Required {
    /// It is.
    Yes,
    /// There is nothing to do.
    No,
    /// Nobody can say; why, in words.
    Unknown(String),
}

/// A migration, as the gate sees it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Versions of the application that can run it; all, when none.
    pub versions: Option<String>,
    /// Migrations that must be done before.
    pub depends_on: Vec<String>,
    /// Where it stands.
    pub standing: Standing,
    /// Whether it is needed.
    pub required: Required,
    /// Operations of which a person must say whether they were done.
    pub unsettled: Vec<String>,
    /// Why its plan, and so its versions, cannot be read.
    pub unreadable: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// [`VERSION`].
    pub version: u32,
    /// The version of the application that was asked about.
    pub app_version: String,
    /// True when nothing stands in the way.
    pub is_open: bool,
    /// What does, in the order in which it has to be done: dependencies first.
    pub standing_in_the_way: Vec<Blocker>,
    /// What does not, and is good to know.
    pub notes: Vec<String>,
}

/// A migration that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Versions of the application that can run it; `null` for all.
    pub versions: Option<String>,
    /// Where it stands.
    pub standing: Standing,
    /// Whether it is needed.
    pub required: Required,
    /// Why it stands in the way.
    pub why: String,
    /// What to do next, in sentences with the command lines, in this order.
    pub next: Vec<String>,
}

/// Answers for `app_version`, the version that is to be installed. `installed` is the one that is, where it is known: then
/// the answer says what can be done without installing another release first.
///
/// What is settled and what is not required never stands in the way. Of the rest, a migration does when the version is newer
/// than its range; when it is under way and the version is outside of its range on either side; and when one of these
/// depends on it. A range that cannot be read holds no version.
pub fn judge(app_version: &Version, installed: Option<&Version>, entries: &[Entry]) -> Gate {
    let judge = Judge {
        app_version,
        installed,
        by_name: entries.iter().map(|entry| (entry.name.as_str(), entry)).collect(),
    };
    let mut gate = Gate {
        version: VERSION,
        app_version: app_version.to_string(),
        is_open: true,
        standing_in_the_way: Vec::new(),
        notes: Vec::new(),
    };
    let mut seen = BTreeSet::new();
    for entry in entries {
        if let Some(why) = judge.why(entry) {
            judge.add(entry, &why, &mut seen, &mut gate);
        }
    }
    let others = entries.iter().filter(|entry| !seen.contains(entry.name.as_str()));
    gate.notes.extend(others.filter_map(|entry| judge.note(entry)));
    gate.is_open = gate.standing_in_the_way.is_empty();
    gate
}

struct Judge<'a> {
    app_version: &'a Version,
    installed: Option<&'a Version>,
    by_name: BTreeMap<&'a str, &'a Entry>,
}

impl<'a> Judge<'a> {
    /// Why `entry` stands in the way by itself; none when it does not.
    fn why(&self, entry: &Entry) -> Option<String> {
        if !is_open_work(entry) {
            return None;
        }
        let version = self.app_version;
        if entry.unreadable.is_some() {
            return Some(format!(
                "{}, and nobody knows which versions can run it",
                entry.standing.words()
            ));
        }
        let range = match place(entry, version) {
            Ok(Place::Inside) => return None,
            Ok(Place::Before) if !entry.standing.is_under_way() => return None,
            Ok(Place::Before) => format!("{version} is older than its versions, {}", versions(entry)),
            Ok(Place::Behind) => format!("{version} is newer than its versions, {}", versions(entry)),
            Err(why) => format!("its versions cannot be read ({why})"),
        };
        Some(format!("{}, and {range}", is_what(entry)))
    }

    /// Adds what `entry` depends on, then itself.
    fn add(&self, entry: &'a Entry, why: &str, seen: &mut BTreeSet<&'a str>, gate: &mut Gate) {
        // Also ends at a circle, which cannot be stored.
        if !seen.insert(&entry.name) {
            return;
        }
        let mut next = Vec::new();
        for name in &entry.depends_on {
            match self.by_name.get(name.as_str()) {
                Some(other) if is_open_work(other) => {
                    let own = self.why(other);
                    let why = own.unwrap_or_else(|| format!("{}, and `{}` depends on it", is_what(other), entry.name));
                    self.add(other, &why, seen, gate);
                }
                Some(other) if !other.standing.is_settled() => gate.notes.push(format!(
                    "`{name}`, on which `{}` depends, is not required here and completes without doing anything",
                    entry.name
                )),
                Some(_) => {}
                None => next.push(format!(
                    "it depends on `{name}`, which is not here: add that one with `corridor migration add FILE`"
                )),
            }
        }
        next.extend(self.next(entry));
        gate.standing_in_the_way.push(Blocker {
            name: entry.name.clone(),
            description: entry.description.clone(),
            versions: entry.versions.clone(),
            standing: entry.standing,
            required: entry.required.clone(),
            why: why.to_owned(),
            next,
        });
    }

    fn next(&self, entry: &Entry) -> Vec<String> {
        let name = &entry.name;
        if let Some(why) = &entry.unreadable {
            return vec![format!(
                "its plan cannot be read ({why}): use the version of Corridor that stored it"
            )];
        }
        let run = |command: &str| self.in_a_release(entry, command);
        let mut next = match entry.standing {
            Standing::Running => vec![format!("wait until it is done: `corridor status {name} --watch`")],
            Standing::Paused => vec![run(&format!("corridor resume {name}"))],
            Standing::Failed => {
                let mut next = vec![format!(
                    "see why: `corridor status {name}`, `corridor logs {name}`"
                )];
                next.extend(entry.unsettled.iter().map(|operation| settle(name, operation)));
                next.push(run(&format!("corridor resume {name}")));
                next
            }
            Standing::Waiting => vec![format!(
                "keep what it did with `corridor finish {name}`, or take it back with `corridor rollback {name}`"
            )],
            Standing::RollingBack | Standing::Stopping => vec![
                format!("wait until that has ended: `corridor status {name} --watch`"),
                run(&format!("corridor migration start {name}")),
            ],
            Standing::Ambiguous => vec![format!(
                "see what is unknown, and settle it: `corridor status {name}`"
            )],
            _ => vec![run(&format!("corridor migration start {name}"))],
        };
        let can_be_skipped = matches!(
            entry.standing,
            Standing::Pending | Standing::RolledBack | Standing::Stopped
        );
        if let Required::Unknown(_) = entry.required
            && can_be_skipped
        {
            next.push(format!(
                "or, when you know that it is not needed here: `corridor migration skip {name} --reason TEXT`"
            ));
        }
        next
    }

    /// Which release can carry out `command`.
    fn in_a_release(&self, entry: &Entry, command: &str) -> String {
        if entry.versions.is_none() {
            return format!("run `{command}`, with any release");
        }
        match self.installed.map(|version| (version, place(entry, version))) {
            Some((version, Ok(Place::Inside))) => {
                format!("run `{command}` now: {version}, which is installed, can run it")
            }
            _ => format!("install a release in {} and run `{command}`", versions(entry)),
        }
    }

    /// What is good to know of a migration that does not stand in the way.
    fn note(&self, entry: &Entry) -> Option<String> {
        let (name, standing) = (&entry.name, entry.standing);
        let next = match standing {
            Standing::Running | Standing::RollingBack | Standing::Stopping => {
                format!("corridor status {name} --watch")
            }
            Standing::Paused => format!("corridor resume {name}"),
            Standing::Failed => match entry.unsettled.first() {
                Some(operation) => unsettled::command(name, operation),
                None => format!("corridor logs {name}"),
            },
            Standing::Waiting => format!("corridor finish {name}"),
            _ => format!("corridor status {name}"),
        };
        if standing.is_under_way() {
            let why = match entry.required {
                Required::No => "it is not required any more".to_owned(),
                _ => format!("{} can run it", self.app_version),
            };
            return Some(format!(
                "`{name}` {}, which does not stand in the way: {why}; `{next}`",
                standing.words()
            ));
        }
        let is_due = is_open_work(entry) && place(entry, self.app_version) == Ok(Place::Inside);
        is_due.then(|| {
            let end = match &entry.versions {
                Some(versions) => format!("before the application leaves {versions}"),
                None => "with any release".to_owned(),
            };
            format!(
                "`{name}` {}; run `corridor migration start {name}` {end}",
                is_what(entry)
            )
        })
    }
}

/// What is said of an operation that may have been done.
fn settle(name: &str, operation: &str) -> String {
    let command = unsettled::command(name, operation);
    format!("look whether `{operation}` was done, and say so: `{command}`")
}

/// True when something is left to do that is, or may be, needed.
fn is_open_work(entry: &Entry) -> bool {
    !entry.standing.is_settled() && entry.required != Required::No
}

fn is_what(entry: &Entry) -> String {
    match &entry.required {
        Required::Unknown(why) => format!(
            "{}; nobody knows whether it is required ({why})",
            entry.standing.words()
        ),
        _ => format!("is required and {}", entry.standing.words()),
    }
}

fn versions(entry: &Entry) -> &str {
    entry.versions.as_deref().unwrap_or("*")
}

fn place(entry: &Entry, version: &Version) -> Result<Place, String> {
    match &entry.versions {
        None => Ok(Place::Inside),
        Some(text) => VersionRange::parse(text)
            .map(|range| range.place(version))
            .map_err(|fault| fault.detail().to_owned()),
    }
}

#[cfg(test)]
mod tests;
