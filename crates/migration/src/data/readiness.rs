//! What is asked before a migration begins: what it depends on, what the server must have, prechecks, and whether it is needed
//! here at all.

use corridor_pg::{Fault, FaultContext, Result, Retry, Session};
use semver::{Version, VersionReq};
use serde::Serialize;

use super::Mover;
use super::fault::{CHECK_FAILED, NOT_READY, OUT_OF_RANGE, REQUIREMENT_UNMET, UNHEALTHY};
use super::operation::{look_ahead, name_of, not_passed};
pub use super::question::Answer;
use super::question::ask;
use super::shelf::Standing;
use crate::definition::versions::{Place, VersionRange};
use crate::definition::{Check, Definition, Operation};
use crate::state::State;

/// Whether the migration is needed here.
pub async fn is_required(session: &mut Session, definition: &Definition) -> Result<Answer> {
    match &definition.required_when {
        None => Ok(Answer::Yes),
        Some(query) => ask(session, query).await,
    }
}

/// Something that stands in the way of a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// The code.
    pub code: &'static str,
    /// In words.
    pub words: String,
}

/// Everything that stands in the way, in the order in which it is asked. `standings`: of all migrations here. `app_version`:
/// when the application has said it.
pub async fn obstacles(
    session: &mut Session,
    definition: &Definition,
    standings: &[Standing],
    app_version: Option<&Version>,
) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for name in &definition.depends_on {
        match standings.iter().find(|standing| standing.name.as_str() == name) {
            Some(standing) if standing.is_done() => {}
            Some(standing) => {
                let words = format!("{name} is {}", standing.words());
                faults.push(Fault::new(&NOT_READY, words));
            }
            None => faults.push(Fault::new(
                &NOT_READY,
                format!("{name} is not here; add its file"),
            )),
        }
    }
    if let (Some(range), Some(version)) = (&definition.versions, app_version)
        && !can_run(range, version)
    {
        let words = format!("the application is {version}, the migration is for {range}");
        faults.push(Fault::new(&OUT_OF_RANGE, words));
    }
    for words in unmet(session, definition).await? {
        faults.push(Fault::new(&REQUIREMENT_UNMET, words));
    }
    if !faults.is_empty() {
        // The queries of a file may need what is missing.
        return Ok(faults);
    }
    for (checks, code) in [
        (&definition.prechecks, &CHECK_FAILED),
        (&definition.health_checks, &UNHEALTHY),
    ] {
        for words in failing(session, checks).await? {
            faults.push(Fault::new(code, words));
        }
    }
    Ok(faults)
}

/// What an operation would be refused for, as the database is now.
#[derive(Debug)]
pub struct Foreseen {
    /// Why.
    pub fault: Fault,
    /// Nothing that comes before it in the migration could change that.
    pub is_certain: bool,
}

/// Looks at each move and backfill of the migration `name`, in their order.
pub async fn foreseen(
    session: &mut Session,
    mover: Option<&dyn Mover>,
    name: &str,
    definition: &Definition,
) -> Result<Vec<Foreseen>> {
    let mut found = Vec::new();
    let mut is_certain = true;
    for operation in &definition.operations {
        let fault = match (operation, mover) {
            (Operation::Move(wanted), Some(mover)) => {
                mover.obstacle(&name_of(name, operation.name()), wanted).await?
            }
            (Operation::Backfill(wanted), _) => match look_ahead(session, wanted).await {
                Err(fault) if fault.code().retry != Retry::Never => return Err(fault),
                looked => looked.err(),
            },
            _ => None,
        };
        if let Some(fault) = fault {
            let words = format!("{} {}: {}", operation.kind(), operation.name(), fault.detail());
            let fault = Fault::new(fault.code(), words);
            found.push(Foreseen { fault, is_certain });
        }
        // These leave tables, keys and grants as they are.
        is_certain &= matches!(
            operation,
            Operation::Check(_) | Operation::Verify(_) | Operation::Backfill(_)
        );
    }
    Ok(found)
}

async fn failing(session: &mut Session, checks: &[Check]) -> Result<Vec<String>> {
    let mut failing = Vec::new();
    for check in checks {
        let answer = ask(session, &check.query).await?;
        if answer != Answer::Yes {
            failing.push(not_passed(&check.name, &check.message, &answer));
        }
    }
    Ok(failing)
}

/// Whether an application of this version can run what is for `range`: as the gate says it, where a candidate counts as its
/// release.
fn can_run(range: &str, version: &Version) -> bool {
    VersionRange::parse(range).is_ok_and(|range| range.place(version) == Place::Inside)
}

fn range_of(text: &str) -> Option<VersionReq> {
    VersionReq::parse(text).ok()
}

/// `1.5` and `15` as a version of three numbers.
fn version_of(text: &str) -> Option<Version> {
    let digits: String = text
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let mut numbers = digits.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
    let (major, minor, patch) = (numbers.next()?, numbers.next(), numbers.next());
    Some(Version::new(major, minor.unwrap_or(0), patch.unwrap_or(0)))
}

/// What the server lacks, in words.
async fn unmet(session: &mut Session, definition: &Definition) -> Result<Vec<String>> {
    let requires = &definition.requires;
    let mut unmet = Vec::new();
    if let Some(range) = &requires.postgres {
        let number = session.server_version_num().unsigned_abs();
        let version = Version::new(u64::from(number / 10_000), u64::from(number % 10_000), 0);
        if !range_of(range).is_some_and(|range| range.matches(&version)) {
            unmet.push(format!(
                "PostgreSQL {range}; this is {}.{}",
                version.major, version.minor
            ));
        }
    }
    for (extension, range) in &requires.extensions {
        let row = session
            .query_opt(
                "select extversion from pg_extension where extname = $1",
                &[extension],
            )
            .await
            .doing(|| format!("looking for the extension {extension}"))?;
        let found: Option<String> = row.map(|row| row.get(0));
        let is_met = found.as_deref().is_some_and(|found| {
            range.trim() == "*"
                || range_of(range)
                    .zip(version_of(found))
                    .is_some_and(|(range, version)| range.matches(&version))
        });
        if !is_met {
            let found = found.unwrap_or_else(|| "not there".to_owned());
            unmet.push(format!("the extension {extension} {range}; it is {found}"));
        }
    }
    for (setting, wanted) in &requires.settings {
        let row = session
            .query_one("select current_setting($1, true)", &[setting])
            .await
            .doing(|| format!("reading the setting {setting}"))?;
        let found: Option<String> = row.get(0);
        if found.as_deref() != Some(wanted.as_str()) {
            let found = found.unwrap_or_else(|| "unknown".to_owned());
            unmet.push(format!("the setting {setting} = {wanted}; it is {found}"));
        }
    }
    Ok(unmet)
}

/// Whether nothing of `names` and of what they depend on is still to be done: each is done, or has not begun and is not needed here.
/// What is not needed changes nothing, so nobody has to wait for it.
pub(super) async fn is_nothing_due(
    session: &mut Session,
    names: &[String],
    standings: &[Standing],
) -> Result<bool> {
    let mut open: Vec<String> = names.to_vec();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(standing) = standings.iter().find(|one| one.name.as_str() == name) else {
            return Ok(false);
        };
        if standing.is_done() {
            continue;
        }
        if standing.state != State::Planned {
            return Ok(false);
        }
        if super::census::is_required(session, standing).await? != Answer::No {
            return Ok(false);
        }
        let plan = standing.plan.as_ref();
        open.extend(
            plan.into_iter()
                .flat_map(|plan| plan.definition.depends_on.iter().cloned()),
        );
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_can_run_what_its_release_can() {
        let can_run = |version: &str| super::can_run(">=1.33.0, <1.42.0", &Version::parse(version).unwrap());
        assert!(can_run("1.33.0-rc.1") && can_run("1.41.9") && can_run("1.40.0-rc.1"));
        assert!(!can_run("1.32.9") && !can_run("1.42.0-rc.1") && !can_run("1.42.0"));
    }

    #[test]
    fn versions_of_extensions_are_read_as_they_are_written() {
        assert_eq!(version_of("1.5"), Some(Version::new(1, 5, 0)));
        assert_eq!(version_of("3.4.2dev"), Some(Version::new(3, 4, 2)));
        assert_eq!(version_of("15"), Some(Version::new(15, 0, 0)));
        assert_eq!(version_of("unpackaged"), Some(Version::new(0, 0, 0)));
    }
}
