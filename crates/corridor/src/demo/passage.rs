//! The move, carried out as `corridor move` carries one out: the very command line that is shown is what is parsed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clap::Parser;
use corridor_migration::Wait;
use corridor_mirror::verify::Report;
use corridor_move::run::{self, Deaf, Order, Outcome, Progress, Watcher, Wish};
use corridor_pg::{ConnectOptions, Fault, Result};
use serde::Serialize;
use tokio::sync::watch;

use super::stage::TABLE;
use super::verdict::Swap;
use crate::args::{Cli, Command};
use crate::command::r#move::wish;
use crate::fault::DEMO;
use crate::output::progress::Scene;

/// A setting that is not the default, and why.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct OpenSetting {
    /// As `--set` takes it.
    pub(super) set: &'static str,
    /// Why.
    pub(super) why: &'static str,
}

/// What the incident itself would make the move wait for.
pub(super) const SETTINGS: &[OpenSetting] = &[OpenSetting {
    set: "throttle.active_per_core=16",
    why: "the incident keeps all clients active; on few cores the default of 4 would wait for it to end",
}];

/// The words of the command, with what is not the default.
pub(super) fn words(settings: &[OpenSetting]) -> Vec<String> {
    let mut words = vec![
        "corridor",
        "move",
        TABLE,
        "--partition-by",
        "hash(team_id)",
        "--partitions",
        "16",
        "--execute",
        "--auto-cutover",
    ];
    for setting in settings {
        words.extend(["--set", setting.set]);
    }
    words.into_iter().map(str::to_owned).collect()
}

/// The command as one types it.
pub(super) fn command(settings: &[OpenSetting]) -> String {
    let quoted = words(settings).into_iter().map(|word| match word.contains('(') {
        true => format!("\"{word}\""),
        false => word,
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn parsed(words: Vec<String>) -> Result<Wish> {
    match Cli::try_parse_from(words) {
        Ok(Cli {
            command: Command::Move(args),
            ..
        }) => wish(&args),
        Ok(_) => Err(Fault::new(&DEMO, "the demo's command is not a move")),
        Err(error) => Err(Fault::new(&DEMO, error.to_string())),
    }
}

/// What a running move has said so far.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// For the display.
    pub(super) scene: Scene,
    /// Lines that nobody has shown yet.
    pub(super) news: VecDeque<String>,
    /// The last verification.
    pub(super) verification: Option<Report>,
    /// The cut-over.
    pub(super) swap: Option<Swap>,
}

/// Hears the move. Never waits: the lock is held only to note something.
#[derive(Debug, Default)]
pub(super) struct Ear(Mutex<Story>);

impl Ear {
    /// What was heard.
    pub(super) fn story(&self) -> MutexGuard<'_, Story> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher for Ear {
    fn on(&self, progress: &Progress) {
        let mut story = self.story();
        let news = story.scene.take(progress);
        story.news.extend(news);
        match progress {
            Progress::Verified { report } => story.verification = Some(report.clone()),
            Progress::Swapped {
                is_back: false,
                waited_ms,
                held_ms,
                attempts,
            } => {
                story.swap = Some(Swap {
                    waited_ms: *waited_ms,
                    held_ms: *held_ms,
                    attempts: *attempts,
                });
            }
            _ => {}
        }
    }
}

/// The environment of whoever runs the demo says nothing about this cluster's connections.
pub(super) fn connect_url(url: &str) -> String {
    format!("{url}?sslmode=disable&channel_binding=disable&target_session_attrs=any")
}

/// As the command line would read it.
fn connect_options(url: &str) -> Result<ConnectOptions> {
    ConnectOptions::from_process(Some(&connect_url(url)))
}

/// Carries out a `corridor move` that cuts over by itself, up to where the old table waits for `finish`. Returns the
/// migration's name; `None` when somebody asked us to leave.
pub(super) async fn carry(
    url: String,
    words: Vec<String>,
    ear: Arc<Ear>,
    interrupt: watch::Receiver<bool>,
) -> Result<Option<String>> {
    let connect = connect_options(&url)?;
    let wish = parsed(words)?;
    let plan = run::plan(&connect, &wish).await?;
    let name = run::store(&connect, &wish, &plan).await?;
    match run::carry_out(&connect, &name, Order::Start, ear, interrupt).await? {
        Outcome::Waits(Wait::Finish) => Ok(Some(name)),
        Outcome::Interrupted => Ok(None),
        other => Err(Fault::new(
            &DEMO,
            format!("the move did not come to its end: {other:?}"),
        )),
    }
}

/// Drops the old table: `corridor finish NAME --drop`.
pub(super) async fn finish(url: String, name: String, interrupt: watch::Receiver<bool>) -> Result<()> {
    let connect = connect_options(&url)?;
    let order = Order::Finish { is_drop: true };
    match run::carry_out(&connect, &name, order, Arc::new(Deaf), interrupt).await? {
        Outcome::Ended(_) | Outcome::Interrupted => Ok(()),
        other => Err(Fault::new(
            &DEMO,
            format!("`corridor finish {name} --drop` did not come to its end: {other:?}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_is_shown_is_the_one_that_is_carried_out() {
        insta::assert_snapshot!(
            command(SETTINGS),
            @r#"corridor move public.persons --partition-by "hash(team_id)" --partitions 16 --execute --auto-cutover --set throttle.active_per_core=16"#
        );
        let wish = parsed(words(SETTINGS)).unwrap();
        assert_eq!(wish.table, TABLE);
        assert!(
            wish.settings
                .contains(&("cutover.auto".to_owned(), "on".to_owned()))
        );
        assert!(
            wish.settings
                .contains(&("throttle.active_per_core".to_owned(), "16".to_owned()))
        );
    }
}
