//! What `corridor check` says in the incident, how long it took to say it, and its quick ways out.

use std::time::Instant;

use corridor_limits::apply;
use corridor_limits::check;
use corridor_limits::probe::Scope;
use corridor_limits::{Finding, Past, Severity};
use corridor_pg::{ApplicationName, ConnectOptions, Result};
use serde::Serialize;

use super::Way;
use super::figures::Figures;
use super::stage::TABLE;
use super::verdict::Claim;
use crate::output::number::{figure, millis};

/// In the incident that this began with it took a day and a half. Under its load, on a small machine, this is generous.
const NAMED_WITHIN_MS: f64 = 10_000.0;
/// A quick way out has helped when a write touches so many times fewer buffers.
const LESS_BY: f64 = 3.0;

/// The cause, as it was named.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Diagnosis {
    /// From the command to the answer, connecting included.
    pub(super) took_ms: f64,
    /// The worst finding's code.
    pub(super) code: &'static str,
    /// What it is about.
    pub(super) object: String,
    /// What it says.
    pub(super) headline: String,
    /// The table of the incident is what is named, as critical.
    pub(super) is_right: bool,
    /// The recommended way.
    pub(super) way: Option<&'static str>,
    /// What it says to type.
    pub(super) command: Option<String>,
    /// All of it.
    #[serde(skip)]
    finding: Finding,
}

impl Diagnosis {
    /// The recommended way, where the demo can show it.
    pub(super) fn recommended(&self) -> Option<Way> {
        self.way.and_then(Way::named)
    }

    /// That way can be taken.
    fn can(&self, way: Option<Way>) -> bool {
        match way {
            None => false,
            Some(Way::Move) => true,
            Some(quick) => apply::plan(&self.finding, Some(quick.as_str())).is_ok(),
        }
    }
}

/// Takes a quick way out, as `corridor check --apply LIM-001 --way WAY --execute` does.
pub(super) async fn relieve(
    url: &str,
    found: &Diagnosis,
    way: Way,
    news: impl Fn(&str),
) -> Result<apply::Effect> {
    let plan = apply::plan(&found.finding, Some(way.as_str()))?;
    apply::execute(&ConnectOptions::from_process(Some(url))?, &plan, news).await
}

/// Checks, as `corridor check` does. `None`: nothing was found.
///
/// The incident is held by sending the counter round: between two rounds it stands among free ids for some milliseconds.
/// A look that falls into them finds what the statements cost, and advises to look at the TOAST ids, or finds the search
/// but no stretch ahead. So it is looked again, as a person would; the time counts.
pub(super) async fn diagnose(url: &str, way: Option<Way>) -> Result<Option<Diagnosis>> {
    let begun = Instant::now();
    let options = ConnectOptions::from_process(Some(url))?;
    let mut only: &[String] = &[];
    let toast = ["toast".to_owned()];
    loop {
        let session = options
            .clone()
            .connect(&ApplicationName::new("check", "demo"))
            .await?;
        let report = check::run(session, &Scope::default(), only, &Past::default()).await?;
        let took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        let found = report.findings.first().map(|worst| of(worst, took_ms));
        let is_whole = found
            .as_ref()
            .is_some_and(|found| found.is_right && found.can(way.or_else(|| found.recommended())));
        if is_whole || took_ms * 2.0 > NAMED_WITHIN_MS {
            return Ok(found);
        }
        only = &toast;
    }
}

fn of(worst: &Finding, took_ms: f64) -> Diagnosis {
    let advice = worst.advice.as_ref();
    Diagnosis {
        took_ms,
        code: worst.code.id,
        object: worst.object.clone(),
        headline: worst.headline.clone(),
        is_right: worst.code.id == corridor_limits::fault::TOAST_IDS.id
            && worst.object == TABLE
            && worst.severity == Severity::Critical,
        way: advice.map(|advice| advice.way),
        command: advice.and_then(|advice| advice.command.clone()),
        finding: worst.clone(),
    }
}

/// What was recommended was done, and helped.
pub(super) fn followed(found: Option<&Diagnosis>, way: Way, during: &Figures, relief: &Figures) -> Claim {
    let (before_ms, after_ms) = (during.summary.write_p99_ms, relief.summary.write_p99_ms);
    let (before, after) = (during.buffers_per_write, relief.buffers_per_write);
    // Latency is everybody's on a busy machine; the buffers are the writes' own.
    let is_less = match before.zip(after) {
        Some((before, after)) => after * LESS_BY < before,
        None => after_ms < before_ms,
    };
    let is_recommended = found.and_then(Diagnosis::recommended) == Some(way);
    let buffers = |number: Option<f64>| number.map_or("an unknown number of".to_owned(), figure);
    Claim {
        name: "followed",
        holds: is_recommended && relief.summary.writes > 0 && is_less,
        words: format!(
            "the recommended way, {}, was taken first: a write went from {} buffers and a p99 of {} to {} and {}",
            way.as_str(),
            buffers(before),
            millis(before_ms),
            buffers(after),
            millis(after_ms)
        ),
    }
}

/// Whether the cause was named, and in time.
pub(super) fn named(found: Option<&Diagnosis>) -> Claim {
    let words = match found {
        None => "corridor check found nothing in the incident".to_owned(),
        Some(found) => format!(
            "corridor check took {} to name the cause: {} {}: {}",
            millis(found.took_ms),
            found.code,
            found.object,
            found.headline
        ),
    };
    Claim {
        name: "named",
        holds: found.is_some_and(|found| found.is_right && found.took_ms <= NAMED_WITHIN_MS),
        words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_cause_in_time_counts() {
        let right = Diagnosis {
            took_ms: 1_500.0,
            code: "LIM-001",
            object: TABLE.to_owned(),
            headline: "writers search".to_owned(),
            is_right: true,
            way: None,
            command: None,
            finding: Finding::new(
                &corridor_limits::fault::TOAST_IDS,
                TABLE,
                Severity::Critical,
                "writers search",
            ),
        };
        assert!(named(Some(&right)).holds);
        assert!(!named(None).holds);
        let late = Diagnosis {
            took_ms: 60_000.0,
            ..right.clone()
        };
        assert!(!named(Some(&late)).holds);
        let wrong = Diagnosis {
            is_right: false,
            ..right
        };
        assert!(!named(Some(&wrong)).holds);
    }
}
