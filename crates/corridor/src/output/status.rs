//! Migrations as they stand: the list, the block about one, the line for a change.

use corridor_migration::data::unsettled;
use corridor_migration::status::Status;
use corridor_migration::store::{self, Operation, Summary};
use corridor_migration::{Name, OperationState, Side, State, Verb, Wait};
use corridor_move::run::gauge::Gauge;
use serde::Serialize;
use serde_json::Value;

use super::journal::{moment, words};
use super::number::{figure, grouped, percent, seconds, took};
use super::progress::pending;
use super::table::Table;
use super::text::{Paint, hang, harmless, paint};
use super::verification;
pub(super) use corridor_migration::words::{throttle, worker};
pub(crate) use corridor_move::run::verdict::{ONE_WAY, has_sense_one_way, take_way_back};

/// All that is shown about one migration.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    /// What the migration's own rows say.
    #[serde(flatten)]
    pub(crate) status: Status,
    /// What the mirror's tables say; `null` while there are none.
    pub(crate) mirror: Option<Gauge>,
}

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
            match one.unsettled.is_empty() {
                true => state_word(&one.state).to_owned(),
                false => "waits for settle".to_owned(),
            },
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
pub(crate) fn block(view: &View) -> String {
    let status = &view.status;
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
    if let Some(asked) = &status.asked {
        say("asked", &asked.words());
    }
    for reason in throttle(status) {
        say("held", &reason);
    }
    if let Some(trouble) = trouble(status) {
        say("trouble", &trouble);
    }
    if let Some(text) = waiting_changes(view) {
        say("pending", &text);
    }
    for (label, text) in status
        .verifications
        .first()
        .map(verification::lines)
        .unwrap_or_default()
    {
        say(label, &text);
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
    if let Some(ms) = status.took_ms {
        say("took", &took(ms, status.paused_ms));
    }
    lines.push(String::new());
    lines.extend(status.operations.iter().map(|one| operation(one, view)));
    // Going on before somebody has said whether it was done comes to the same again.
    let mut verbs = status.allowed.clone();
    verbs.retain(|verb| status.unsettled.is_empty() || *verb != Verb::Resume);
    let next = next_commands_of(&status.kind, &status.name, &verbs);
    if !next.is_empty() || !status.unsettled.is_empty() {
        lines.push(String::new());
    }
    for operation in &status.unsettled {
        let command = unsettled::command(status.name.as_str(), operation);
        lines.push(format!("  {command}"));
        lines.push(hang(
            "      ",
            "say whether it was done; then `corridor resume` goes on",
        ));
    }
    for (command, why) in next {
        lines.push(hang(&format!("  {command:<30}  "), why));
    }
    lines.join("\n")
}

/// What the living worker last tried in vain, when nothing came after it.
pub(super) fn trouble(status: &Status) -> Option<String> {
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

/// Changes that wait: what the log says, else what the living worker said last.
pub(super) fn pending_changes(view: &View) -> Option<i64> {
    let worker = &view.status.worker;
    let said = worker.progress.get("pending_changes").and_then(Value::as_i64);
    let counted = view.mirror.as_ref().and_then(|mirror| mirror.pending_changes);
    counted.or(said.filter(|_| worker.is_alive))
}

/// The same in words, or why nobody can say.
pub(super) fn waiting_changes(view: &View) -> Option<String> {
    match pending_changes(view) {
        Some(changes) => Some(pending(changes)),
        None => view
            .mirror
            .as_ref()?
            .unread
            .as_ref()
            .map(|why| format!("unknown: {why}")),
    }
}

/// The mark of an operation's state.
pub(super) fn mark(state: OperationState) -> (&'static str, Paint) {
    match state {
        OperationState::Pending => ("[ ]", Paint::Dim),
        OperationState::Running => ("[>]", Paint::Wait),
        OperationState::Done => ("[x]", Paint::Good),
        OperationState::Failed => ("[!]", Paint::Bad),
        OperationState::Undone => ("[-]", Paint::Dim),
    }
}

fn operation(operation: &Operation, view: &View) -> String {
    let worker = &view.status.worker;
    let is_live = operation.state == OperationState::Running && worker.is_alive;
    let (mark, how) = mark(operation.state);
    let mut parts = Vec::new();
    let paused_ms = operation.paused_ms.unwrap_or(0.0);
    match (operation.state, operation.took_ms) {
        (OperationState::Pending, _) | (_, None) => {}
        (OperationState::Running, Some(ms)) => parts.push(format!("for {}", took(ms, paused_ms))),
        (_, Some(ms)) => parts.push(format!("took {}", took(ms, paused_ms))),
    }
    let said = live(operation, &worker.progress).filter(|_| is_live);
    parts.extend(said.or_else(|| copied(operation, view.mirror.as_ref())));
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

/// What the ledger says about a copy that is not done.
fn copied(operation: &Operation, mirror: Option<&Gauge>) -> Option<String> {
    let mirror = mirror.filter(|mirror| mirror.side == Side::BeforeCutover && !mirror.is_copied)?;
    let is_open = operation.attempts > 0 && operation.state != OperationState::Done;
    if operation.name != "copy" || !is_open {
        return None;
    }
    let (done, estimate) = (
        mirror.rows_copied?.max(0) as u64,
        mirror.rows_estimate.max(0) as u64,
    );
    Some(format!(
        "{}, {} of about {} rows",
        percent(done, estimate.max(done)),
        grouped(done),
        grouped(estimate.max(done))
    ))
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

/// As [`next_commands`], in the words of the migration's kind.
pub(crate) fn next_commands_of(kind: &str, name: &Name, verbs: &[Verb]) -> Vec<(String, &'static str)> {
    let all = next_commands(name, verbs);
    if kind != corridor_migration::data::KIND {
        return all;
    }
    all.into_iter()
        .map(|(command, why)| {
            let verb = command.split(' ').nth(1).unwrap_or_default();
            if verb == "resume" && verbs.contains(&Verb::Start) {
                return (format!("corridor migration start {name}"), "begin");
            }
            let why = match verb {
                "stop" => "end; what is done stays",
                "rollback" => "take back what is done, the newest first",
                "finish" => "keep it; no way back",
                _ => why,
            };
            (command, why)
        })
        .collect()
}

/// What has to differ for a change to be worth a line: not the figures, which differ always.
pub(crate) fn gist(view: &View) -> String {
    let status = &view.status;
    let operations: Vec<String> = status
        .operations
        .iter()
        .map(|one| format!("{}={}", one.name, one.state))
        .collect();
    format!(
        "{} {} {} {:?} {} {:?} {}",
        status.words,
        status.asked.is_some(),
        status.worker.is_alive,
        status.worker.holder,
        throttle(status).is_empty(),
        status.verifications.first().map(|one| one.number),
        operations.join(" ")
    )
}

/// One line: when nobody can be shown a block.
pub(crate) fn line(view: &View) -> String {
    let status = &view.status;
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
    parts.extend(status.asked.iter().map(store::Asked::words));
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
