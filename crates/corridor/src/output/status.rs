//! Migrations as they stand: the list, the block about one, the line for a change.

use corridor_migration::status::Status;
use corridor_migration::store::{Operation, Summary};
use corridor_migration::{Name, OperationState, State, Verb, Wait};
use serde_json::Value;

use super::journal::{moment, words};
use super::number::{figure, grouped, millis, percent, seconds};
use super::progress::pending;
use super::table::Table;
use super::text::{Paint, hang, harmless, paint};

/// There is nothing to list.
pub(crate) fn none(dbname: &str) -> String {
    hang(
        "",
        &format!(
            "No migrations in database {}. `corridor move TABLE …` plans one.",
            harmless(dbname)
        ),
    )
}

/// All migrations.
pub(crate) fn list(migrations: &[Summary]) -> String {
    let mut table = Table::new(&["name", "state", "worker", "created", "what"]);
    for one in migrations {
        let worker = match (one.is_worker_alive, one.state.is_worked_on()) {
            (true, _) => "alive",
            (false, true) => "none",
            (false, false) => "",
        };
        table.push(vec![
            one.name.to_string(),
            state_word(&one.state).to_owned(),
            worker.to_owned(),
            one.created_at.split('T').next().unwrap_or_default().to_owned(),
            harmless(&one.description),
        ]);
    }
    table.render()
}

fn state_word(state: &State) -> &'static str {
    match state {
        State::Waiting {
            for_what: Wait::Cutover,
        } => "waits for cutover",
        State::Waiting {
            for_what: Wait::Finish,
        } => "waits for finish",
        State::CuttingOver => "cutting over",
        State::RollingBack { .. } => "rolling back",
        State::RolledBack => "rolled back",
        state => state.name().as_str(),
    }
}

/// Everything about one migration.
pub(crate) fn block(status: &Status) -> String {
    let mut lines = vec![format!(
        "{}  {}",
        paint(Paint::Bold, status.name.as_str()),
        hang(
            &" ".repeat(status.name.as_str().len() + 2),
            &harmless(&status.description)
        )
        .trim_start()
    )];
    let mut say = |label: &str, text: &str| lines.push(hang(&format!("  {label:<10}"), &harmless(text)));
    say("state", &status.words);
    say("worker", &worker(status));
    for reason in throttle(status) {
        say("held", &reason);
    }
    if let Some(trouble) = trouble(status) {
        say("trouble", &trouble);
    }
    if status.worker.is_alive
        && let Some(changes) = status
            .worker
            .progress
            .get("pending_changes")
            .and_then(Value::as_i64)
    {
        say("pending", &pending(changes));
    }
    let set: Vec<String> = status
        .settings
        .iter()
        .filter(|setting| setting.set_by.is_some())
        .map(|setting| format!("{} = {}", setting.key, setting.value))
        .collect();
    if !set.is_empty() {
        say("set", &set.join(", "));
    }
    say(
        "created",
        &format!("{} by {}", moment(&status.created_at), status.created_by),
    );
    if let Some(at) = &status.finished_at {
        say("ended", &moment(at));
    }
    lines.push(String::new());
    lines.extend(status.operations.iter().map(|one| operation(one, status)));
    let next = next_commands(&status.name, &status.allowed);
    if !next.is_empty() {
        lines.push(String::new());
    }
    for (command, why) in next {
        lines.push(hang(&format!("  {command:<30}  "), why));
    }
    lines.join("\n")
}

fn worker(status: &Status) -> String {
    let worker = &status.worker;
    let age = millis(worker.heartbeat_age_ms);
    match (&worker.holder, worker.is_alive) {
        (Some(holder), true) => format!("{holder}, heard of {age} ago"),
        (Some(holder), false) => {
            format!(
                "none; {holder} was last heard of {age} ago (its lease was {})",
                millis(worker.ttl_ms as f64)
            )
        }
        (None, _) if status.waits_for.is_some() => {
            "none; changes wait in the log for the next command, or for `resume`".to_owned()
        }
        (None, _) if status.needs_worker => "none; there is work to do: `resume` takes it up".to_owned(),
        (None, _) => "none".to_owned(),
    }
}

/// Why the copy holds.
fn throttle(status: &Status) -> Vec<String> {
    let reasons = match status.throttle.get("reasons") {
        Some(reasons) => reasons.as_array(),
        None => status.throttle.as_array(),
    };
    reasons.into_iter().flatten().filter_map(reason).collect()
}

/// A reason of the throttle, read back from the heartbeat.
fn reason(reason: &Value) -> Option<String> {
    let signal = reason.get("signal").and_then(Value::as_str)?;
    let unit = match reason.get("unit").and_then(Value::as_str) {
        Some("ms") => " ms",
        Some("seconds") => " s",
        Some("bytes") => " bytes",
        Some("bytes_per_second") => " bytes/s",
        _ => "",
    };
    let number = |key: &str| reason.get(key).and_then(Value::as_f64).map(figure);
    let limit = number("limit").unwrap_or_else(|| "unknown".to_owned());
    Some(
        match (number("figure"), reason.get("why").and_then(Value::as_str)) {
            (Some(figure), _) => format!("{signal} is {figure}{unit}, limit {limit}{unit}"),
            (None, Some(why)) => format!("{signal} is not known: {why}; limit {limit}{unit}"),
            (None, None) => format!("{signal} is not known; limit {limit}{unit}"),
        },
    )
}

/// What the living worker last tried in vain, when nothing came after it.
fn trouble(status: &Status) -> Option<String> {
    if !status.worker.is_alive {
        return None;
    }
    let text = |event: &str, key: &str| status.worker.progress.get(event)?.get(key).and_then(words);
    let busy = text("lock_busy", "what").map(|what| {
        let who = text("lock_busy", "holders").unwrap_or_else(|| "nobody that can be seen".to_owned());
        format!("lock busy for {what}; held by {who}")
    });
    // The heartbeat keeps the last word of each kind; only while cutting over is a busy lock the present.
    busy.filter(|_| matches!(status.state, corridor_migration::StateName::CuttingOver))
}

fn operation(operation: &Operation, status: &Status) -> String {
    let is_live = operation.state == OperationState::Running && status.worker.is_alive;
    let (mark, how) = match operation.state {
        OperationState::Pending => ("[ ]", Paint::Dim),
        OperationState::Running => ("[>]", Paint::Wait),
        OperationState::Done => ("[x]", Paint::Good),
        OperationState::Failed => ("[!]", Paint::Bad),
        OperationState::Undone => ("[-]", Paint::Dim),
    };
    let mut parts = Vec::new();
    match (operation.state, operation.took_ms) {
        (OperationState::Pending, _) | (_, None) => {}
        (OperationState::Running, Some(ms)) => parts.push(format!("for {}", seconds(ms / 1_000.0))),
        (_, Some(ms)) => parts.push(format!("took {}", seconds(ms / 1_000.0))),
    }
    if is_live {
        parts.extend(live(operation, &status.worker.progress));
    }
    parts.extend(kept(&operation.progress));
    if operation.attempts > 1 {
        parts.push(format!("begun {} times", operation.attempts));
    }
    if let Some(error) = &operation.error {
        parts.push(error.clone());
    }
    let state = match operation.state {
        OperationState::Undone => "taken back",
        state => state.as_str(),
    };
    let first = format!("  {} {:<10} {:<8}  ", "[.]", operation.name, state);
    let text = hang(&first, &harmless(&parts.join("; ")));
    text.replacen("[.]", &paint(how, mark), 1)
}

/// What the worker last said about the rows of the operation that runs.
fn live(operation: &Operation, progress: &Value) -> Option<String> {
    let rows = progress.get("rows")?;
    let is_verification = rows.get("is_verification").and_then(Value::as_bool)?;
    let wanted = if is_verification { "verify" } else { "copy" };
    if operation.name != wanted {
        return None;
    }
    let done = rows.get("rows").and_then(Value::as_u64)?;
    let estimate = rows.get("rows_estimate").and_then(Value::as_u64)?;
    let per_s = rows.get("rows_per_s").and_then(Value::as_f64).unwrap_or(0.0);
    let mut text = format!(
        "{}, {} of about {} rows, {} rows/s",
        percent(done, estimate),
        grouped(done),
        grouped(estimate),
        figure(per_s.round())
    );
    if per_s >= 1.0 && estimate > done {
        text.push_str(&format!(
            ", about {} left",
            seconds((estimate - done) as f64 / per_s)
        ));
    }
    Some(text)
}

/// What the operation itself keeps about its progress, as far as it is for people.
fn kept(progress: &Value) -> Vec<String> {
    let Some(members) = progress.as_object() else {
        return Vec::new();
    };
    let shown = |key: &str| matches!(key, "steps_done" | "last_step" | "run" | "drop");
    members
        .iter()
        .filter(|(key, _)| shown(key))
        .filter_map(|(key, value)| Some(format!("{} {}", key.replace('_', " "), words(value)?)))
        .collect()
}

/// The commands that make sense now, with what they do, the most likely first. `start` is `resume` on the command
/// line.
pub(crate) fn next_commands(name: &Name, verbs: &[Verb]) -> Vec<(String, &'static str)> {
    const ORDER: [Verb; 8] = [
        Verb::Start,
        Verb::Cutover,
        Verb::Finish,
        Verb::Rollback,
        Verb::Verify,
        Verb::Resume,
        Verb::Pause,
        Verb::Stop,
    ];
    let is_cut_over = verbs.contains(&Verb::Finish);
    ORDER
        .iter()
        .filter(|verb| verbs.contains(verb))
        .map(|verb| {
            let (command, why) = match verb {
                Verb::Start => ("resume", "begin"),
                Verb::Resume => ("resume", "take it up, in the foreground"),
                Verb::Pause => ("pause", "checkpoint and leave"),
                Verb::Stop => ("stop", "end; the database is left as it was"),
                Verb::Verify => ("verify", "compare every row again"),
                Verb::Cutover => ("cutover", "swap the tables"),
                Verb::Rollback if is_cut_over => ("rollback", "swap back; every later write is kept"),
                Verb::Rollback => ("rollback", "go back; the database is left as it was"),
                Verb::Finish => ("finish", "retire the old table; no way back"),
            };
            (format!("corridor {command} {name}"), why)
        })
        .collect()
}

/// What has to differ for a change to be worth a line: not the figures, which differ always.
pub(crate) fn gist(status: &Status) -> String {
    let operations: Vec<String> = status
        .operations
        .iter()
        .map(|one| format!("{}={}", one.name, one.state))
        .collect();
    format!(
        "{} {} {:?} {} {}",
        status.words,
        status.worker.is_alive,
        status.worker.holder,
        throttle(status).is_empty(),
        operations.join(" ")
    )
}

/// One line: when nobody can be shown a block.
pub(crate) fn line(status: &Status) -> String {
    let mut parts = vec![status.words.clone()];
    let running = status
        .operations
        .iter()
        .find(|one| one.state == OperationState::Running);
    if let Some(running) = running {
        let mut text = format!("{} runs", running.name);
        if status.worker.is_alive
            && let Some(live) = live(running, &status.worker.progress)
        {
            text.push_str(&format!(", {live}"));
        }
        parts.push(text);
    }
    if status.needs_worker {
        parts.push("no worker is alive".to_owned());
    }
    parts.extend(
        throttle(status)
            .into_iter()
            .map(|reason| format!("held: {reason}")),
    );
    hang(&format!("{}: ", status.name), &harmless(&parts.join("; ")))
}

/// What was drawn last, to be drawn over.
#[derive(Debug, Default)]
pub(crate) struct Canvas {
    lines: usize,
}

impl Canvas {
    /// `text` in the place of what was drawn before. For a terminal only.
    pub(crate) fn draw(&mut self, text: &str) -> String {
        let before = match self.lines {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\x1b[J"),
        };
        self.lines = text.lines().count();
        format!("{before}{text}")
    }
}
