//! Looking at a small incident, as `corridor check` does, and what is claimed of it.

use std::time::{Duration, Instant};

use corridor_limits::check::{self, Report};
use corridor_limits::probe::Scope;
use corridor_limits::sample::store;
use corridor_limits::{Finding, Past};
use corridor_pg::{ApplicationName, Code, ConnectOptions, Fault, FaultContext, Session};

use super::account::Look;
use super::scene::Scene;
use crate::demo::Halt;
use crate::demo::verdict::Claim;
use crate::fault::DEMO;
use crate::output::number::{millis, seconds};

/// Between two looks of somebody who watches.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What is not named by then is not named.
const NAMED_WITHIN: Duration = Duration::from_secs(120);
/// One check: far more than it takes on a busy machine.
const CHECK_MS_MAX: f64 = 10_000.0;
/// A history that is locked or slow to read is left out.
const HISTORY_LOCK_MS: u32 = 50;
const HISTORY_MS: u32 = 1_000;

impl Scene<'_> {
    /// Checks, as `corridor check` does, its history included. Returns how long that took, connecting included.
    pub(super) async fn check(&mut self, only: &[&str]) -> Result<(Report, f64), Halt> {
        let begun = Instant::now();
        let url = self.url();
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        let work = async move {
            let session = session(&url).await?;
            session.set_timeouts(HISTORY_LOCK_MS, HISTORY_MS).await?;
            let (past, _): (Past, _) = store::load(&session, &check::metrics()).await?;
            check::run(session, &Scope::default(), &only, &past).await
        };
        let report = self.beside(work).await??;
        Ok((report, begun.elapsed().as_secs_f64() * 1_000.0))
    }

    /// Looks once, by these probes; none means all. The finding with `code` about `object` is taken down, with the place that it has.
    pub(super) async fn look(
        &mut self,
        only: &[&str],
        code: &Code,
        object: &str,
    ) -> Result<Option<Finding>, Halt> {
        let (report, took_ms) = self.check(only).await?;
        let is_it = |finding: &Finding| finding.code.id == code.id && finding.object == object;
        let Some(at) = report.findings.iter().position(is_it) else {
            return Ok(None);
        };
        let finding = report.findings[at].clone();
        let after_s = self.stood.map_or(0.0, |stood| stood.elapsed().as_secs_f64());
        let ahead = &report.findings[..at];
        let look = Look::of(&finding, ahead, took_ms, after_s);
        self.board.note(&format!(
            "corridor check: {} {}: {} (in {})",
            look.code,
            look.object,
            look.headline,
            millis(took_ms)
        ));
        if let Some(days) = look.days_left {
            self.board
                .note(&format!("that lasts for {}", seconds(days * 86_400.0)));
        }
        if let Some(command) = &look.command {
            self.board.note(&format!("the way out: {command}"));
        }
        self.looks.push(look);
        Ok(Some(finding))
    }

    /// Looks again and again, as somebody who watches does, until it is named.
    pub(super) async fn watch(&mut self, code: &Code, object: &str) -> Result<Finding, Halt> {
        let begun = Instant::now();
        self.board.begin("corridor check, again and again");
        loop {
            if let Some(finding) = self.look(&[], code, object).await? {
                return Ok(finding);
            }
            if begun.elapsed() > NAMED_WITHIN {
                let why = format!(
                    "corridor check did not name {} of {object} within {}",
                    code.id,
                    seconds(NAMED_WITHIN.as_secs_f64())
                );
                return Err(Fault::new(&DEMO, why).into());
            }
            self.wait(LOOK_EVERY).await?;
        }
    }

    /// The claim that the incident was named: by the right code, for the right object, before everything else.
    pub(super) fn named(&self, code: &Code, object: &str) -> Claim {
        let found = self
            .looks
            .iter()
            .find(|look| look.code == code.id && look.object == object);
        let words = match found {
            None => format!("corridor check did not name {} of {object}", code.id),
            Some(look) => format!(
                "corridor check named it {} after it began, in {}, {}: {} {}: {}",
                seconds(look.after_s),
                millis(look.took_ms),
                match look.ahead.as_slice() {
                    [] => "before all else".to_owned(),
                    ahead => format!("behind {}", ahead.join(", ")),
                },
                look.code,
                look.object,
                look.headline
            ),
        };
        // Something else that is said of the same object is no other cause.
        let is_same = |other: &String| other.ends_with(&format!(" {object}"));
        let is_right = |look: &Look| look.ahead.iter().all(is_same) && look.took_ms <= CHECK_MS_MAX;
        Claim {
            name: "named",
            holds: found.is_some_and(is_right),
            words,
        }
    }

    /// The claim that the same check finds nothing of that kind any more.
    pub(super) async fn named_no_more(&mut self, code: &Code, object: &str) -> Result<Claim, Halt> {
        let (report, took_ms) = self.check(&[]).await?;
        let left = report
            .findings
            .iter()
            .find(|finding| finding.code.id == code.id && finding.object == object);
        let words = match left {
            None => format!(
                "corridor check does not name it any more (in {})",
                millis(took_ms)
            ),
            Some(finding) => format!("corridor check still names it: {object}: {}", finding.headline),
        };
        Ok(Claim {
            name: "named_no_more",
            holds: left.is_none(),
            words,
        })
    }
}

/// A session as a check has one.
pub(super) async fn session(url: &str) -> corridor_pg::Result<Session> {
    let options = ConnectOptions::from_process(Some(url))?;
    options
        .connect(&ApplicationName::new("check", "demo"))
        .await
        .doing(|| "connecting to the demo's server".to_owned())
}
