//! How far the work is, over time: notes in `corridor.pace`, for charts. They only inform.

use std::time::{Duration, Instant};

use corridor_migration::data;
use corridor_migration::store::Summary;
use corridor_move::run::gauge::rows_copied;
use corridor_pg::{FaultContext, Result, Session};

/// Between two notes. Of several services one writes: a note that is younger than four seconds is enough.
const NOTE_EVERY: Duration = Duration::from_secs(5);
/// Notes of each migration that are kept: almost three hours of work.
const NOTES_KEPT_MAX: i64 = 2_000;

/// When the last note was taken.
#[derive(Debug, Default)]
pub(super) struct Pace {
    noted: Option<Instant>,
}

impl Pace {
    /// Notes how far each migration is that somebody works, when it is time.
    pub(super) async fn note(&mut self, session: &Session, migrations: &[Summary]) -> Result<()> {
        if self.noted.is_some_and(|at| at.elapsed() < NOTE_EVERY) {
            return Ok(());
        }
        self.noted = Some(Instant::now());
        let worked: Vec<&Summary> = migrations.iter().filter(|one| one.is_worker_alive).collect();
        if worked.is_empty() {
            return Ok(());
        }
        let (mut moves, mut rows) = (Vec::new(), Vec::new());
        for one in worked.iter().filter(|one| one.kind != data::KIND) {
            if let Some(copied) = rows_copied(&**session, one.id).await? {
                moves.push(one.id);
                rows.push(copied);
            }
        }
        let noted = session
            .execute(include_str!("../../sql/serve/pace.sql"), &[&moves, &rows])
            .await
            .doing(|| "noting how far the work is");
        match noted {
            // Made by an older Corridor: there is no such table before something is worked by this one.
            Err(fault) if fault.sqlstate().is_some_and(|state| state == "42P01") => return Ok(()),
            noted => drop(noted?),
        }
        let ids: Vec<i64> = worked.iter().map(|one| one.id).collect();
        session
            .execute(
                include_str!("../../sql/serve/trim_pace.sql"),
                &[&ids, &NOTES_KEPT_MAX],
            )
            .await
            .doing(|| "removing old notes of how far the work is")?;
        Ok(())
    }
}
