//! `corridor status NAME --watch`: looks once a second, and draws or says what it sees. It only reads.

use std::time::{Duration, Instant};

use corridor_migration::{Name, store};
use corridor_pg::{ApplicationName, Fault, Result, Retry, Session};

use super::status::read;
use super::{Context, DONE};
use crate::output::board::{Board, Sight};
use crate::output::status::{self as shown, View};
use crate::output::text::{hang, harmless};
use crate::terminal::{self, Cockpit};

/// Time between two looks.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// Without a terminal: time between two lines when nothing changes but figures.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// How long it waits for a server that went away.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// Journal entries that are read; a high terminal shows as many.
const ENTRIES_MAX: u32 = 50;
/// Waiting sessions of the worker that are looked at.
const WAITING_MAX: usize = 3;

/// Shows it until it has ended: drawn anew on a terminal, else a line for each change and each interval.
pub(crate) async fn watch(context: &Context, session: &mut Session, name: &Name) -> Result<u8> {
    match !context.output.is_json() && terminal::is_drawable() {
        true => draw(context, session, name).await,
        false => say(context, session, name).await,
    }
}

async fn draw(context: &Context, session: &mut Session, name: &Name) -> Result<u8> {
    let cockpit = Cockpit::enter();
    let mut left = std::pin::pin!(cockpit.until_left());
    let mut board = Board::default();
    let begun = Instant::now();
    loop {
        let seen = tokio::select! {
            seen = see(session, name) => seen,
            () = &mut left => return Ok(DONE),
        };
        let sight = match seen {
            Ok(sight) => sight,
            Err(fault) if is_lost(&fault, session) => {
                board.lose(&format!("{fault}; connecting again"));
                context.output.frame(&board.frame(terminal::size()))?;
                tokio::select! {
                    again = connect_again(context, name) => *session = again?,
                    () = &mut left => return Ok(DONE),
                }
                continue;
            }
            Err(fault) => return Err(fault),
        };
        let is_over = sight.view.status.finished_at.is_some();
        board.take(begun.elapsed(), sight);
        context.output.frame(&board.frame(terminal::size()))?;
        if is_over || context.output.is_reader_gone() {
            return Ok(DONE);
        }
        tokio::select! {
            () = tokio::time::sleep(WATCH_INTERVAL) => {}
            () = &mut left => return Ok(DONE),
        }
    }
}

async fn say(context: &Context, session: &mut Session, name: &Name) -> Result<u8> {
    let output = &context.output;
    let mut last = String::new();
    let mut said = Instant::now();
    loop {
        let now = look(context, session, name).await?;
        let gist = shown::gist(&now);
        let is_time = !output.is_json() && said.elapsed() >= LINE_INTERVAL;
        if gist != last || is_time {
            match output.is_json() {
                true => output.bare_document(&now, false)?,
                false => output.data(&shown::line(&now))?,
            }
            last = gist;
            said = Instant::now();
        }
        if now.status.finished_at.is_some() || output.is_reader_gone() {
            return Ok(DONE);
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

/// The status, and what only the board shows.
async fn see(session: &mut Session, name: &Name) -> Result<Sight> {
    let view = read(session, name).await?;
    let entries = store::logs(&**session, view.status.id, 0, ENTRIES_MAX)
        .await
        .unwrap_or_default();
    // A look that fails shows nothing; the next one connects again where that is what it takes.
    let in_the_way = match view.status.worker.is_alive {
        true => in_the_way(session, &view).await.unwrap_or_default(),
        false => Vec::new(),
    };
    Ok(Sight {
        view,
        entries,
        in_the_way,
    })
}

/// Who keeps sessions of the worker from their locks, right now.
async fn in_the_way(session: &Session, view: &View) -> Result<Vec<String>> {
    let rows = session
        .query(
            include_str!("../../sql/watch/waiting.sql"),
            &[&view.status.worker.backend_pids],
        )
        .await?;
    let mut found = Vec::new();
    for row in rows.iter().take(WAITING_MAX) {
        for holder in corridor_pg::lock_budget::blockers(session, row.get("pid")).await? {
            // The worker's own sessions wait for each other for moments; that is nobody's business.
            let application = holder.application_name.as_deref().unwrap_or_default();
            if !application.starts_with("corridor:") {
                found.push(holder.to_string());
            }
        }
    }
    found.dedup();
    Ok(found)
}

/// Reads the status; connects again when the connection was lost.
async fn look(context: &Context, session: &mut Session, name: &Name) -> Result<View> {
    loop {
        match read(session, name).await {
            Err(fault) if is_lost(&fault, session) => {
                let text = format!("{fault}; connecting again");
                context.output.note(&hang("", &harmless(&text)));
                *session = connect_again(context, name).await?;
            }
            read => return read,
        }
    }
}

fn is_lost(fault: &Fault, session: &Session) -> bool {
    fault.code().retry == Retry::AfterReconnect || session.is_closed()
}

async fn connect_again(context: &Context, name: &Name) -> Result<Session> {
    context
        .connect_options()?
        .connect_with_retry(
            &ApplicationName::new("control", name.as_str()),
            AWAY_MAX,
            |_, _| (),
        )
        .await
}
