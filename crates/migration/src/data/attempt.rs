//! Tries that are written down before they begin.

use corridor_pg::{FaultContext, Isolation, Result, Session};
use serde_json::{Value, json};
use tokio_postgres::{GenericClient, Transaction};

use crate::lease::Lease;

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Failed,
    /// Nobody knows.
    Lost,
}

impl End {
    const fn as_str(self) -> &'static str {
        match self {
            End::Done => "done",
            End::Failed => "failed",
            End::Lost => "lost",
        }
    }
}

/// The newest try of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) number: i32,
    pub(super) is_rollback: bool,
    /// The server's process that carries it out still does.
    pub(super) is_running: bool,
    pub(super) worker: String,
    /// Names it, wherever it left a trace.
    pub(super) tag: String,
    /// `None` while it is not known.
    pub(super) outcome: Option<String>,
}

/// What a try is of, and by whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) lease: &'a Lease,
    pub(super) operation: &'a str,
    pub(super) is_rollback: bool,
}

impl Place<'_> {
    /// Writes a try down, committed, before it begins. `backend_pid`: the server's process that will carry it out; `query_ids`: of
    /// what it will run, the first one first, where they are known before. Returns its number, and the comment that stands before its statement.
    pub(super) async fn begin(
        &self,
        session: &mut Session,
        backend_pid: Option<i32>,
        query_ids: &[i64],
    ) -> Result<(i32, String)> {
        let id = self.lease.fence().migration_id;
        let detail = match query_ids {
            [] | [_] => json!({}),
            several => json!({ "query_ids": several }),
        };
        let tx = session.begin(Isolation::ReadCommitted).await?;
        self.lease.fence().hold(&tx).await?;
        if backend_pid.is_some() {
            self.give_up(&tx).await?;
        }
        let row = tx
            .query_one(
                include_str!("../../sql/data/begin_attempt.sql"),
                &[
                    &id,
                    &self.operation,
                    &self.is_rollback,
                    &backend_pid,
                    &self.lease.holder(),
                    &query_ids.first(),
                    &detail.to_string(),
                ],
            )
            .await
            .doing(|| format!("writing down a try of {}", self.operation))?;
        corridor_pg::failpoint::step("attempt", tx.commit())
            .await
            .doing(|| "writing down a try")?;
        Ok((row.get("number"), row.get("tag")))
    }

    /// Closes the tries whose end nobody told, once it does not matter any more: another one begins that is kept apart from them,
    /// or the operation is over.
    pub(super) async fn give_up(&self, tx: &Transaction<'_>) -> Result<()> {
        let id = self.lease.fence().migration_id;
        tx.execute(
            include_str!("../../sql/data/give_up.sql"),
            &[&id, &self.operation],
        )
        .await
        .doing(|| format!("closing the tries of {}", self.operation))?;
        Ok(())
    }

    /// Says how the try ended, in the caller's transaction.
    pub(super) async fn end(
        &self,
        tx: &Transaction<'_>,
        number: i32,
        end: End,
        detail: &Value,
    ) -> Result<()> {
        self.lease.fence().hold(tx).await?;
        tx.execute(
            include_str!("../../sql/data/end_attempt.sql"),
            &[
                &self.lease.fence().migration_id,
                &self.operation,
                &number,
                &end.as_str(),
                &crate::store::object_text(detail),
            ],
        )
        .await
        .doing(|| format!("saying how a try of {} ended", self.operation))?;
        Ok(())
    }

    /// As [`Place::end`], in a transaction of its own.
    pub(super) async fn end_alone(
        &self,
        session: &mut Session,
        number: i32,
        end: End,
        detail: &Value,
    ) -> Result<()> {
        let tx = session.begin(Isolation::ReadCommitted).await?;
        self.end(&tx, number, end, detail).await?;
        corridor_pg::failpoint::step("attempt-end", tx.commit())
            .await
            .doing(|| "saying how a try ended")
    }

    /// The newest try, in this direction.
    pub(super) async fn newest(&self, client: &impl GenericClient) -> Result<Option<Attempt>> {
        let row = client
            .query_opt(
                include_str!("../../sql/data/newest_attempt.sql"),
                &[
                    &self.lease.fence().migration_id,
                    &self.operation,
                    &self.is_rollback,
                ],
            )
            .await
            .doing(|| format!("looking for tries of {}", self.operation))?;
        Ok(row.map(|row| Attempt {
            number: row.get("number"),
            is_rollback: self.is_rollback,
            is_running: row.get("is_running"),
            worker: row.get("worker"),
            tag: row.get("tag"),
            outcome: row.get("outcome"),
        }))
    }
}
