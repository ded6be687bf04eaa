//! What tells of the batches of a backfill while they run: one try for each connection that they go over, with the ids of its
//! statements.

use corridor_pg::{Result, Session};
use serde_json::json;

use super::Hands;
use crate::data::attempt::{End, Place};

/// The try that is open.
#[derive(Debug, Default)]
pub(super) struct Trace {
    open: Option<Open>,
    /// Of the statement for the batch that comes first, and of the other one: a first batch has no lower bound.
    query_ids: Option<Vec<i64>>,
}

#[derive(Debug)]
struct Open {
    backend_pid: i32,
    number: i32,
    /// Stands before each statement.
    tag: String,
}

impl Trace {
    /// What stands before the statement of a batch.
    pub(super) fn tag(&self) -> &str {
        self.open.as_ref().map_or("", |open| open.tag.as_str())
    }

    /// The number of the try that is open.
    pub(super) fn number(&self) -> Option<i32> {
        self.open.as_ref().map(|open| open.number)
    }

    /// Whether the try that is open goes over this connection.
    pub(super) fn is_of(&self, session: &Session) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.backend_pid == session.backend_pid())
    }

    /// Whether the ids of its statements have been asked for.
    pub(super) fn is_known(&self) -> bool {
        self.query_ids.is_some()
    }

    pub(super) fn learn(&mut self, query_ids: Vec<i64>) {
        self.query_ids = Some(query_ids);
    }

    /// Writes down, committed, that batches come over this connection.
    pub(super) async fn begin(&mut self, hands: &mut Hands<'_>) -> Result<()> {
        let (lease, operation) = (&hands.deck.lease, hands.operation);
        let place = Place {
            lease,
            operation,
            is_rollback: false,
        };
        let session = hands.session().await?;
        let backend_pid = session.backend_pid();
        let ids = self.query_ids.as_deref().unwrap_or_default();
        let (number, tag) = place.begin(session, Some(backend_pid), ids).await?;
        self.open = Some(Open {
            backend_pid,
            number,
            tag,
        });
        Ok(())
    }

    /// All batches are through.
    pub(super) async fn end(&mut self, hands: &mut Hands<'_>) -> Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let (lease, operation) = (&hands.deck.lease, hands.operation);
        let place = Place {
            lease,
            operation,
            is_rollback: false,
        };
        let session = hands.session().await?;
        place.end_alone(session, open.number, End::Done, &json!({})).await
    }
}
