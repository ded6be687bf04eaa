//! What is known about a running move from what it said last. Pure: events go in, lines come out.

use corridor_migration::Wait;
use corridor_migration::throttle::Reason;
use corridor_move::run::Progress;

use crate::output::number::{bytes, figure, grouped, millis, percent, seconds};
use crate::output::text::harmless;
use crate::output::verification;

/// Columns of the bar.
const BAR: usize = 40;

/// How far the rows are.
#[derive(Debug, Clone, Default)]
struct Rows {
    is_verification: bool,
    done: u64,
    estimate: u64,
    per_s: f64,
    bytes: u64,
}

/// The picture that the events so far make.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    migration: String,
    operation: Option<String>,
    step: Option<String>,
    rows: Option<Rows>,
    pending: i64,
    held: Vec<String>,
    trouble: Option<String>,
    in_step: Option<InStep>,
}

/// Nothing is left to do without a person.
#[derive(Debug)]
struct InStep {
    /// What is reached.
    what: &'static str,
    /// What it waits for.
    waits: String,
}

impl InStep {
    fn new(waits_for: Wait, migration: &str) -> Self {
        match waits_for {
            Wait::Cutover => InStep {
                what: "ready; kept in step",
                waits: format!("waits for `corridor cutover {migration}`"),
            },
            Wait::Finish => InStep {
                what: "cut over; the old table is kept in step",
                waits: format!("waits for `corridor finish {migration}` or `corridor rollback {migration}`"),
            },
        }
    }
}

impl Scene {
    /// The picture of a migration of which nothing was heard yet.
    pub(crate) fn of(migration: &str) -> Self {
        Scene {
            migration: migration.to_owned(),
            ..Scene::default()
        }
    }

    /// Takes an event in. Returns what deserves a line that stays.
    pub(crate) fn take(&mut self, progress: &Progress) -> Option<String> {
        let is_work = !matches!(
            progress,
            Progress::InStep { .. }
                | Progress::Throttle { .. }
                | Progress::Retrying { .. }
                | Progress::Unfit { .. }
        );
        if is_work {
            self.in_step = None;
        }
        match progress {
            Progress::Operation { name, is_done } => Some(self.operation(name, *is_done)),
            Progress::Rows {
                is_verification,
                rows,
                rows_estimate,
                rows_per_s,
                bytes,
                pending_changes,
            } => {
                self.rows = Some(Rows {
                    is_verification: *is_verification,
                    done: *rows,
                    estimate: *rows_estimate,
                    per_s: *rows_per_s,
                    bytes: *bytes,
                });
                self.pending = *pending_changes;
                self.trouble = None;
                None
            }
            Progress::Throttle { reasons } => self.throttle(reasons),
            Progress::Retrying { fault, pause_ms } => {
                let text = format!("{}; again in {}", harmless(fault), millis(*pause_ms as f64));
                // A server that stays away says the same for minutes; the status line has it.
                let is_news = self
                    .trouble
                    .as_deref()
                    .is_none_or(|t| !t.starts_with(&*harmless(fault)));
                self.trouble = Some(text.clone());
                is_news.then_some(text)
            }
            Progress::LockBusy {
                what,
                holders,
                attempt,
                attempts_max,
                ..
            } => {
                let who = match holders.as_slice() {
                    [] => "nobody that can be seen".to_owned(),
                    holders => holders.join("; "),
                };
                let text =
                    format!("lock busy for {what}, attempt {attempt} of {attempts_max}; held by {who}");
                let text = harmless(&text);
                self.trouble = Some(text.clone());
                Some(text)
            }
            Progress::Step { what } => {
                self.step = Some(harmless(what));
                self.trouble = None;
                None
            }
            Progress::InStep {
                waits_for,
                pending_changes,
            } => {
                let is_news = self.in_step.is_none();
                let now = InStep::new(*waits_for, &self.migration);
                let text = format!("{}; {}", now.what, now.waits);
                (self.operation, self.step, self.rows, self.trouble) = (None, None, None, None);
                self.in_step = Some(now);
                self.pending = *pending_changes;
                is_news.then_some(text)
            }
            Progress::Unfit { rows } if rows.is_empty() => {
                Some("every row fits into the old table again; rollback is open".to_owned())
            }
            Progress::Unfit { rows } => Some(harmless(&format!(
                "the old table cannot take these rows, and rollback is refused while they are there: {}",
                rows.join("; ")
            ))),
            Progress::Truncated => {
                self.rows = None;
                Some("the source was truncated; the new table is emptied and copied again".to_owned())
            }
            Progress::Verified { report } => Some(format!("verified, {}", verification::words(report))),
            Progress::Swapped {
                is_back,
                waited_ms,
                held_ms,
                attempts,
            } => {
                self.trouble = None;
                Some(swapped(*is_back, *waited_ms, *held_ms, *attempts))
            }
        }
    }

    fn operation(&mut self, name: &str, is_done: bool) -> String {
        let name = harmless(name);
        self.step = None;
        self.rows = None;
        self.trouble = None;
        if is_done {
            self.operation = None;
            return format!("{name}: done");
        }
        self.operation = Some(name.clone());
        if self.is_held() {
            return format!("{name}: begun, held: {}", self.held.join("; "));
        }
        format!("{name}: begun")
    }

    fn throttle(&mut self, reasons: &[Reason]) -> Option<String> {
        let was_held = self.is_held();
        self.held = reasons
            .iter()
            .map(|reason| harmless(&reason.to_string()))
            .collect();
        match (was_held, self.is_held()) {
            (false, true) => Some(format!("held: {}", self.held.join("; "))),
            (true, false) => Some("goes on".to_owned()),
            _ => None,
        }
    }

    /// The throttle measures all the time, but holds only the copy and the verification.
    fn is_held(&self) -> bool {
        let operation = self.operation.as_deref().unwrap_or_default();
        !self.held.is_empty() && matches!(operation, "copy" | "verify")
    }

    /// Everything in one line; nothing while there is nothing to say.
    pub(crate) fn line(&self) -> Option<String> {
        let mut parts = Vec::new();
        if let Some(InStep { what, waits }) = &self.in_step {
            parts.extend([(*what).to_owned(), waits.clone()]);
        } else if let Some(rows) = &self.rows {
            let share = percent(rows.done, rows.estimate);
            parts.push(format!("{} {share}, {}", rows.word(), rows.words()));
        } else if let Some(operation) = &self.operation {
            parts.push(operation.clone());
        }
        if let Some(step) = &self.step {
            parts.push(step.clone());
        }
        parts.extend(self.state());
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Lines for a terminal, at most three.
    pub(crate) fn block(&self) -> Vec<String> {
        if let Some(InStep { what, waits }) = &self.in_step {
            let state = self.state().join("; ");
            return vec![(*what).to_owned(), format!("  {waits}"), format!("  {state}")];
        }
        let head = match (&self.rows, &self.operation) {
            (Some(rows), _) => {
                let share = rows.done as f64 / rows.estimate.max(1) as f64;
                format!(
                    "{:<9} {} {}",
                    rows.word(),
                    bar(share),
                    percent(rows.done, rows.estimate)
                )
            }
            (None, Some(operation)) => operation.clone(),
            (None, None) => String::new(),
        };
        let second = match (&self.rows, &self.step) {
            (_, Some(step)) => format!("  {step}"),
            (Some(rows), None) => format!("  {}", rows.words()),
            (None, None) => String::new(),
        };
        let state = self.state().join("; ");
        let third = match state.as_str() {
            "" => String::new(),
            state => format!("  {state}"),
        };
        [head, second, third]
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect()
    }

    /// What waits, and why.
    fn state(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if self.is_held() {
            parts.push(format!("held: {}", self.held.join("; ")));
        }
        if let Some(trouble) = &self.trouble {
            parts.push(trouble.clone());
        }
        if self.rows.is_some() || self.in_step.is_some() {
            parts.push(pending(self.pending));
        }
        parts
    }
}

impl Rows {
    fn word(&self) -> &'static str {
        if self.is_verification { "verify" } else { "copy" }
    }

    fn words(&self) -> String {
        let mut text = format!(
            "{} of about {} rows, {} rows/s",
            grouped(self.done),
            grouped(self.estimate),
            figure(self.per_s.round())
        );
        if self.bytes > 0 {
            text.push_str(&format!(", {}", bytes(self.bytes)));
        }
        if self.per_s >= 1.0 && self.estimate > self.done {
            let left = (self.estimate - self.done) as f64 / self.per_s;
            text.push_str(&format!(", about {} left", seconds(left)));
        }
        text
    }
}

/// Changes that wait in the log; they are counted up to 10,000.
pub(crate) fn pending(changes: i64) -> String {
    match changes {
        ..=0 => "no change pending".to_owned(),
        1 => "1 change pending".to_owned(),
        10_000.. => "10,000 or more changes pending".to_owned(),
        n => format!("{} changes pending", grouped(n.unsigned_abs())),
    }
}

fn swapped(is_back: bool, waited_ms: f64, held_ms: f64, attempts: u32) -> String {
    let what = if is_back { "swapped back" } else { "swapped" };
    let tries = match attempts {
        0 | 1 => String::new(),
        n => format!(" in {n} attempts"),
    };
    let (waited, held) = (millis(waited_ms), millis(held_ms));
    format!("{what}{tries}: locks waited for {waited}, held for {held}")
}

fn bar(share: f64) -> String {
    let done = (share.clamp(0.0, 1.0) * BAR as f64) as usize;
    format!("[{}{}]", "#".repeat(done), "-".repeat(BAR - done))
}

#[cfg(test)]
mod tests {
    use corridor_migration::setting::Unit;
    use corridor_migration::throttle::Signal;

    use super::*;
    use crate::output::WIDTH;

    fn rows(done: u64) -> Progress {
        Progress::Rows {
            is_verification: false,
            rows: done,
            rows_estimate: 1_000_000,
            rows_per_s: 23_456.4,
            bytes: 3 << 30,
            pending_changes: 12,
        }
    }

    fn lag(figure: f64) -> Progress {
        Progress::Throttle {
            reasons: vec![Reason {
                signal: Signal::ReplicaLagMs,
                figure: Some(figure),
                limit: 5_000.0,
                unit: Unit::Ms,
                why: None,
            }],
        }
    }

    #[test]
    fn a_copy_says_how_far_it_is_and_why_it_waits() {
        let mut scene = Scene::default();
        assert_eq!(scene.line(), None);
        let begun = Progress::Operation {
            name: "copy".into(),
            is_done: false,
        };
        assert_eq!(scene.take(&begun).as_deref(), Some("copy: begun"));
        assert_eq!(scene.take(&rows(453_000)), None);
        insta::assert_snapshot!(
            scene.line().unwrap(),
            @"copy 45.3 %, 453,000 of about 1,000,000 rows, 23,456 rows/s, 3.0 GB, about 23 s left; 12 changes pending"
        );
        assert!(
            scene
                .take(&lag(7_300.0))
                .unwrap()
                .contains("7300 ms, limit 5000 ms")
        );
        assert_eq!(scene.take(&lag(7_400.0)), None, "the same reason is no news");
        insta::assert_snapshot!(scene.block().join("\n"), @r"
        copy      [##################----------------------] 45.3 %
          453,000 of about 1,000,000 rows, 23,456 rows/s, 3.0 GB, about 23 s left
          held: replica_lag_ms is 7400 ms, limit 5000 ms; 12 changes pending
        ");
        assert!(scene.block().iter().all(|line| line.len() <= WIDTH));
        let free = Progress::Throttle { reasons: Vec::new() };
        assert_eq!(scene.take(&free).as_deref(), Some("goes on"));
        assert_eq!(scene.take(&free), None);
    }

    #[test]
    fn the_throttle_is_told_only_where_it_holds() {
        let mut scene = Scene::default();
        let begun = |name: &str| Progress::Operation {
            name: name.into(),
            is_done: false,
        };
        scene.take(&begun("prepare"));
        assert_eq!(scene.take(&lag(7_300.0)), None);
        assert_eq!(scene.line().as_deref(), Some("prepare"));
        let line = scene.take(&begun("copy")).unwrap();
        assert!(line.starts_with("copy: begun, held: replica_lag_ms"), "{line}");
    }

    #[test]
    fn a_server_that_stays_away_is_told_once() {
        let mut scene = Scene::default();
        let away = |pause_ms| Progress::Retrying {
            fault: "PG-002: cannot connect".into(),
            pause_ms,
        };
        assert!(scene.take(&away(100)).is_some());
        assert!(scene.take(&away(5_000)).is_none());
        assert!(scene.line().unwrap().contains("again in 5.0 s"));
        scene.take(&rows(1));
        assert!(!scene.line().unwrap().contains("PG-002"));
        assert!(scene.take(&away(100)).is_some());
    }

    #[test]
    fn who_waits_for_a_person_says_so_and_for_what() {
        let in_step = |waits_for| Progress::InStep {
            waits_for,
            pending_changes: 12,
        };
        let mut scene = Scene::of("events");
        scene.take(&rows(1));
        insta::assert_snapshot!(
            scene.take(&in_step(Wait::Cutover)).unwrap(),
            @"ready; kept in step; waits for `corridor cutover events`"
        );
        assert_eq!(
            scene.take(&in_step(Wait::Cutover)),
            None,
            "said again, and no news"
        );
        insta::assert_snapshot!(scene.line().unwrap(), @"ready; kept in step; waits for `corridor cutover events`; 12 changes pending");
        insta::assert_snapshot!(scene.block().join("\n"), @r"
        ready; kept in step
          waits for `corridor cutover events`
          12 changes pending
        ");
        // The throttle measures on; it holds nothing now.
        assert_eq!(scene.take(&lag(7_300.0)), None);
        assert!(!scene.line().unwrap().contains("held"), "{scene:?}");
        let verify = Progress::Operation {
            name: "verify".into(),
            is_done: false,
        };
        scene.take(&verify);
        assert!(!scene.line().unwrap().contains("ready"), "{scene:?}");
        insta::assert_snapshot!(
            scene.take(&in_step(Wait::Finish)).unwrap(),
            @"cut over; the old table is kept in step; waits for `corridor finish events` or `corridor rollback events`"
        );
    }

    #[test]
    fn an_estimate_that_was_too_low_does_no_harm() {
        let mut scene = Scene::default();
        scene.take(&rows(2_000_000));
        let line = scene.line().unwrap();
        assert!(line.contains("99.9 %") && !line.contains("left"), "{line}");
        assert!(scene.block()[0].contains(&"#".repeat(BAR)));
    }
}
