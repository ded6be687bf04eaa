//! A migration on a whole terminal: what `status --watch` draws, again and again in the same place. Pure: sights go in,
//! lines come out.

use std::time::Duration;

use corridor_migration::store::{Entry, Operation};
use corridor_migration::{OperationState, Side, StateName};
use serde_json::Value;

use super::journal;
use super::number::{figure, grouped, percent, seconds};
use super::pace::{Eta, Pace, Trend};
use super::progress::pending;
use super::row::Row;
use super::status::{self, View};
use super::text::{Paint, width};
use super::{WIDTH, verification};

/// Columns of the bar of the copy or the verification, and of a lane's.
const BAR: usize = 34;
const LANE_BAR: usize = 8;
/// Columns of a trend: seconds, since it is looked once a second.
const TREND: usize = 24;
/// Lanes that are shown one by one, and in one line.
const LANES_MAX: usize = 9;
const LANES_ABREAST: usize = 3;
/// Reasons and locks that are shown.
const REASONS_MAX: usize = 2;
const LOCKS_MAX: usize = 3;
/// Fewer pending changes than this are a flat line.
const PENDING_TOP_MIN: f64 = 100.0;

/// What was seen at one look.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) view: View,
    /// The newest entries of the journal, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// Who keeps the worker from its locks right now, a line each.
    pub(crate) in_the_way: Vec<String>,
}

/// What is drawn, from all that was seen.
#[derive(Debug)]
pub(crate) struct Board {
    sight: Option<Sight>,
    /// Why nothing new is seen.
    away: Option<String>,
    phase: Option<Phase>,
    pace: Pace,
    rate: Trend,
    pending: Trend,
    /// Lines that were drawn last.
    drawn: usize,
}

/// Rows on their way: the copy's or the verification's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Phase {
    operation: String,
    done: u64,
    estimate: u64,
    at: Duration,
}

impl Default for Board {
    fn default() -> Self {
        Board {
            sight: None,
            away: None,
            phase: None,
            pace: Pace::default(),
            rate: Trend::new(TREND, 1.0),
            pending: Trend::new(TREND, PENDING_TOP_MIN),
            drawn: 0,
        }
    }
}

impl Board {
    /// Takes in what was seen `at` a time that only grows.
    pub(crate) fn take(&mut self, at: Duration, sight: Sight) {
        self.away = None;
        let phase = phase(&sight.view, at);
        match (&self.phase, &phase) {
            (Some(before), Some(now)) if before.operation == now.operation => {
                let passed = now.at.saturating_sub(before.at).as_secs_f64();
                if passed > 0.0 {
                    self.rate
                        .note(now.done.saturating_sub(before.done) as f64 / passed);
                }
            }
            // Another operation: what was measured says nothing about it.
            _ => {
                self.pace.forget();
                self.rate = Trend::new(TREND, 1.0);
            }
        }
        match &phase {
            // Standing still is no rate.
            Some(now) if status::throttle(&sight.view.status).is_empty() => self.pace.note(at, now.done),
            _ => self.pace.forget(),
        }
        if let Some(changes) = status::pending_changes(&sight.view) {
            self.pending.note(changes as f64);
        }
        self.phase = phase;
        self.sight = Some(sight);
    }

    /// The server cannot be asked; what was seen last stays.
    pub(crate) fn lose(&mut self, why: &str) {
        self.away = Some(why.to_owned());
        self.pace.forget();
    }

    /// What takes a terminal of this size from the last frame to this one.
    pub(crate) fn frame(&mut self, (columns, rows): (usize, usize)) -> String {
        let lines = self.lines(columns.min(WIDTH), rows);
        let mut frame = match self.drawn {
            0 => String::new(),
            drawn => format!("\x1b[{drawn}A\r"),
        };
        for line in &lines {
            frame.push_str(line);
            // Over what stood there, without an empty screen in between.
            frame.push_str("\x1b[K\n");
        }
        frame.push_str("\x1b[J");
        self.drawn = lines.len();
        frame
    }

    /// The lines, none wider than `columns`, and one fewer than `rows` at most: the cursor stands under them.
    fn lines(&self, columns: usize, rows: usize) -> Vec<String> {
        let Some(sight) = &self.sight else {
            let why = self.away.as_deref().unwrap_or("looking");
            return vec![Row::labelled("", why).render(columns)];
        };
        let mut upper = self.head(sight);
        upper.push(Row::default());
        upper.extend(self.work(sight));
        upper.extend(self.surroundings(sight));
        upper.push(Row::default());
        upper.extend(operations(&sight.view.status.operations, columns));
        let footer = footer(sight);
        let room = rows.saturating_sub(upper.len() + 3);
        if room > 0 && !sight.entries.is_empty() {
            upper.push(Row::default());
            let newest = sight.entries.len().saturating_sub(room);
            upper.extend(sight.entries.iter().skip(newest).map(entry));
        }
        upper.truncate(rows.saturating_sub(2));
        upper.push(footer);
        upper.iter().map(|row| row.render(columns)).collect()
    }

    fn head(&self, sight: &Sight) -> Vec<Row> {
        let status = &sight.view.status;
        let title = Row::default()
            .painted(Paint::Bold, status.name.as_str())
            .text(&format!("  {}", status.description));
        let how = match status.state {
            StateName::Failed => Some(Paint::Bad),
            StateName::Waiting | StateName::Paused => Some(Paint::Wait),
            StateName::Finished => Some(Paint::Good),
            _ => None,
        };
        let worker = status::worker(status);
        let mut rows = vec![
            title,
            Row::label("state").part(how, &status.words),
            Row::label("worker").part(status.needs_worker.then_some(Paint::Bad), &worker),
        ];
        if let Some(why) = &self.away {
            rows.push(Row::label("away").painted(Paint::Bad, why));
        }
        rows
    }

    /// How far it is, how fast, and how long it will still take.
    fn work(&self, sight: &Sight) -> Vec<Row> {
        let view = &sight.view;
        let Some(phase) = &self.phase else {
            let step = step(view).map(|step| Row::labelled("step", &step));
            return step.into_iter().collect();
        };
        let is_held = !status::throttle(&view.status).is_empty();
        let whole = phase.estimate.max(phase.done);
        let (how, eta) = match self.pace.eta(phase.estimate) {
            _ if is_held => (Some(Paint::Wait), "held".to_owned()),
            _ if !view.status.worker.is_alive => (Some(Paint::Wait), "nobody works".to_owned()),
            Eta::Measuring => (Some(Paint::Dim), "measuring".to_owned()),
            Eta::Ready { seconds: left } => (None, format!("about {} left", seconds(left))),
            Eta::Due => (Some(Paint::Good), "due".to_owned()),
        };
        let mut rows = vec![
            Row::label(&phase.operation)
                .text(&bar(phase.done, whole, BAR))
                .text(&format!("  {}  ", percent(phase.done, whole)))
                .part(how, &eta),
        ];
        let mut counts = format!("{} of about {}", grouped(phase.done), grouped(whole));
        if let Some(per_s) = self.pace.per_s() {
            counts.push_str(&format!(", {} rows/s", figure(per_s.round())));
        }
        let trend = self.rate.line();
        rows.push(
            Row::labelled("rows", &counts)
                .text("  ")
                .painted(Paint::Good, &trend),
        );
        if phase.operation == "copy" {
            rows.extend(lanes(view, phase));
        }
        rows
    }

    /// What stands in the way, what waits, and what was proven.
    fn surroundings(&self, sight: &Sight) -> Vec<Row> {
        let view = &sight.view;
        let mut rows = Vec::new();
        match (status::pending_changes(view), status::waiting_changes(view)) {
            (Some(changes), _) => rows.push(
                Row::labelled("pending", &pending(changes))
                    .text("  ")
                    .painted(Paint::Good, &self.pending.line()),
            ),
            (None, Some(text)) => rows.push(Row::labelled("pending", &text)),
            (None, None) => {}
        }
        let reasons = status::throttle(&view.status);
        rows.extend(several("held", &reasons, REASONS_MAX, Paint::Wait));
        if reasons.is_empty() && view.status.worker.is_alive && self.phase.is_some() {
            rows.push(Row::label("throttle").painted(Paint::Dim, "lets it go on"));
        }
        let trouble: Vec<String> = match sight.in_the_way.is_empty() {
            true => status::trouble(&view.status).into_iter().collect(),
            false => sight.in_the_way.clone(),
        };
        rows.extend(several("locks", &trouble, LOCKS_MAX, Paint::Bad));
        if trouble.is_empty() && view.status.worker.is_alive {
            rows.push(Row::label("locks").painted(Paint::Dim, "nobody is in the way"));
        }
        if let Some(newest) = view.status.verifications.first() {
            rows.extend(
                verification::lines(newest)
                    .iter()
                    .map(|(label, text)| Row::labelled(label, text)),
            );
        }
        rows
    }
}

/// The copy's rows by its ledger, whether a worker lives or not; the verification's by what its worker said last.
fn phase(view: &View, at: Duration) -> Option<Phase> {
    let running = |name: &str| {
        let mut operations = view.status.operations.iter();
        operations.any(|one| one.name == name && one.state == OperationState::Running)
    };
    let phase = |operation: &str, done: u64, estimate: u64| Phase {
        operation: operation.to_owned(),
        done,
        estimate,
        at,
    };
    let mirror = view.mirror.as_ref();
    if running("copy") {
        let mirror = mirror.filter(|mirror| mirror.side == Side::BeforeCutover)?;
        let estimate = mirror.rows_estimate.max(0) as u64;
        return Some(phase("copy", mirror.rows_copied?.max(0) as u64, estimate));
    }
    let rows = view.status.worker.progress.get("rows")?;
    let is_verification = rows.get("is_verification").and_then(Value::as_bool) == Some(true);
    if !(running("verify") && is_verification && view.status.worker.is_alive) {
        return None;
    }
    let number = |key: &str| rows.get(key).and_then(Value::as_u64);
    Some(phase("verify", number("rows")?, number("rows_estimate")?))
}

/// What the worker does, where rows do not tell it.
fn step(view: &View) -> Option<String> {
    let worker = &view.status.worker;
    let is_running = view
        .status
        .operations
        .iter()
        .any(|one| one.state == OperationState::Running);
    let what = worker.progress.get("step")?.get("what")?.as_str()?;
    (worker.is_alive && is_running).then(|| what.to_owned())
}

fn lanes(view: &View, phase: &Phase) -> Vec<Row> {
    let lanes = view
        .mirror
        .as_ref()
        .map(|mirror| mirror.lanes.as_slice())
        .unwrap_or_default();
    if lanes.len() < 2 {
        return Vec::new();
    }
    // Lanes are cut to the same number of rows, as far as a sample can tell.
    let share = phase.estimate.div_ceil(lanes.len() as u64).max(1);
    let done = lanes.iter().filter(|lane| lane.is_done).count();
    // Those at work first; who is done needs no bar where there are many.
    let shown: Vec<_> = match lanes.len() > LANES_MAX {
        true => lanes
            .iter()
            .filter(|lane| !lane.is_done && lane.rows > 0)
            .collect(),
        false => lanes.iter().collect(),
    };
    let mut rows = Vec::new();
    if lanes.len() > LANES_MAX {
        rows.push(Row::labelled("lanes", &format!("{done} of {} done", lanes.len())));
    }
    for (i, abreast) in shown
        .chunks(LANES_ABREAST)
        .take(LANES_MAX / LANES_ABREAST)
        .enumerate()
    {
        let mut row = Row::label(if i == 0 && rows.is_empty() { "lanes" } else { "" });
        for lane in abreast {
            let copied = lane.rows.max(0) as u64;
            let (whole, how) = match lane.is_done {
                true => (copied, Some(Paint::Good)),
                // What it will come to is an estimate; only the end is known for certain.
                false => (share.max(copied + 1), None),
            };
            let cell = format!(
                "{:>2} {} {:>7}  ",
                lane.lane + 1,
                bar(copied, whole, LANE_BAR),
                if lane.is_done {
                    "done".to_owned()
                } else {
                    percent(copied, whole)
                }
            );
            row = row.part(how, &cell);
        }
        rows.push(row);
    }
    rows
}

/// The first of several lines under one label, and how many more there are.
fn several(label: &str, texts: &[String], max: usize, how: Paint) -> Vec<Row> {
    let mut rows: Vec<Row> = texts
        .iter()
        .take(max)
        .enumerate()
        .map(|(i, text)| Row::label(if i == 0 { label } else { "" }).painted(how, text))
        .collect();
    if texts.len() > max {
        rows.push(Row::labelled("", &format!("and {} more", texts.len() - max)));
    }
    rows
}

/// All operations with their times, as many in a line as there is room for.
fn operations(operations: &[Operation], columns: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut row, mut taken) = (Row::label("plan"), 10);
    for one in operations {
        let (mark, how) = status::mark(one.state);
        let took = match (one.state, one.took_ms) {
            (OperationState::Pending, _) | (_, None) => String::new(),
            // A word for each is all there is room for: the time without pauses.
            (_, Some(ms)) => {
                let worked_ms = (ms - one.paused_ms.unwrap_or(0.0)).max(0.0);
                format!(" {}", seconds(worked_ms / 1_000.0))
            }
        };
        let text = format!(" {}{took}", one.name);
        let needed = width(mark) + width(&text) + 2;
        if taken + needed > columns + 2 && taken > 10 {
            rows.push(std::mem::replace(&mut row, Row::label("")));
            taken = 10;
        }
        row = row.painted(how, mark).text(&text).text("  ");
        taken += needed;
    }
    rows.push(row);
    rows
}

fn entry(entry: &Entry) -> Row {
    let (time, text) = journal::brief(entry);
    Row::default()
        .painted(Paint::Dim, &format!("{time:<10}"))
        .text(&text)
}

fn footer(sight: &Sight) -> Row {
    let status = &sight.view.status;
    let row = Row::default();
    if status.finished_at.is_some() {
        return row.painted(Paint::Dim, "It has ended.");
    }
    let next: Vec<String> = status::next_commands_of(&status.kind, &status.name, &status.allowed)
        .into_iter()
        .take(2)
        .map(|(command, _)| command)
        .collect();
    row.painted(Paint::Dim, "q leaves, the work goes on.  ")
        .text(&next.join("   "))
}

fn bar(done: u64, whole: u64, columns: usize) -> String {
    let filled = match whole {
        0 => 0,
        whole => ((done as f64 / whole as f64).clamp(0.0, 1.0) * columns as f64) as usize,
    };
    format!("[{}{}]", "#".repeat(filled), "-".repeat(columns - filled))
}
