//! A truncate amid the traffic: every client waits at a point at which it knows its rows.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Traffic;
use super::session::{Failure, Session};
use crate::error::{Error, Result};

/// Pause between two attempts to reach the server, or to see a session gone.
const PAUSE: Duration = Duration::from_millis(20);

impl Traffic {
    /// Truncates the table, and with `cascade` those that refer to it; the ledger then knows that all rows are gone.
    ///
    /// Waits until every client has its answer. False when the server refused it, or when the answer was lost and the
    /// truncate was not done; also when the table had no row then, which makes no difference.
    ///
    /// # Errors
    /// When the server stays away for longer than `patience`.
    pub async fn truncate(&self, patience: Duration) -> Result<bool> {
        let deadline = Instant::now() + patience;
        let _alone = self.shared.turns.write().await;
        let session = self.session(deadline).await?;
        let table = &self.options.table.name;
        let is_done = match session.command(&format!("truncate {table} cascade")).await {
            Ok(()) => true,
            Err(Failure::Refused { sqlstate, message }) => {
                self.shared
                    .meter()
                    .record_error(Instant::now(), &sqlstate, &message);
                false
            }
            // Nobody else writes now, so an empty table says that it was done.
            Err(_) => loop {
                let other = self.session(deadline).await?;
                if let Ok(true) = other.put_to_rest(&session.backend).await
                    && let Ok(is_empty) = other.is_empty(table).await
                {
                    break is_empty;
                }
                tokio::time::sleep(PAUSE).await;
            },
        };
        if is_done {
            self.shared.truncations.fetch_add(1, Ordering::SeqCst);
        }
        Ok(is_done)
    }

    async fn session(&self, deadline: Instant) -> Result<Session> {
        loop {
            match Session::connect(&self.url, self.options.mode, self.options.timeout).await {
                Ok(session) => return Ok(session),
                Err(_) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                Err(failure) => {
                    return Err(Error::Request(format!(
                        "no connection to truncate with: {failure:?}"
                    )));
                }
            }
        }
    }
}
