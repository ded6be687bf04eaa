//! Questions to the server: booleans, and figures of a verification.

use corridor_pg::{Fault, FaultContext, Isolation, Result, Retry, Session};
use serde::Serialize;
use tokio_postgres::SimpleQueryMessage;

use super::fault::ANSWER_IS_NO_BOOLEAN;

/// The longest that a question may take.
const QUESTION_MS_MAX: u64 = 60_000;

/// What a question was answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// True.
    Yes,
    /// False.
    No,
    /// No row, NULL, or an error: nobody knows.
    Unknown {
        /// Why.
        why: String,
    },
}

/// Asks in a transaction that reads only. A lost connection is a fault; every other error is *unknown*.
pub(super) async fn ask(session: &mut Session, query: &str) -> Result<Answer> {
    ask_within(session, query, QUESTION_MS_MAX).await
}

/// As [`ask`], with another limit: for whoever only shows the answer.
pub(super) async fn ask_within(session: &mut Session, query: &str, ms_max: u64) -> Result<Answer> {
    match read(session, query, ms_max).await {
        Ok(answer) => Ok(answer),
        // The server ended the session (a restart, an administrator): it has not answered, and can be asked again.
        Err(fault) if fault.code().retry == Retry::AfterReconnect => Err(fault),
        Err(fault) if fault.sqlstate().is_none() && fault.code().id != ANSWER_IS_NO_BOOLEAN.id => Err(fault),
        Err(fault) => Ok(Answer::Unknown {
            why: fault.to_string(),
        }),
    }
}

async fn read(session: &mut Session, query: &str, ms_max: u64) -> Result<Answer> {
    let rows = rows(session, query, ms_max).await?;
    let answer = match &rows[..] {
        [] => Answer::Unknown {
            why: "the query answered with no row".to_owned(),
        },
        [row] if row.len() == 1 => match row.try_get::<_, Option<bool>>(0) {
            Ok(Some(true)) => Answer::Yes,
            Ok(Some(false)) => Answer::No,
            Ok(None) => Answer::Unknown {
                why: "the query answered with NULL".to_owned(),
            },
            Err(_) => {
                let detail = format!("the column is of type {}", row.columns()[0].type_());
                return Err(Fault::new(&ANSWER_IS_NO_BOOLEAN, detail));
            }
        },
        rows => {
            let columns = rows.first().map_or(0, tokio_postgres::Row::len);
            let detail = format!("{} rows of {columns} columns", rows.len());
            return Err(Fault::new(&ANSWER_IS_NO_BOOLEAN, detail));
        }
    };
    Ok(answer)
}

async fn rows(session: &mut Session, query: &str, ms_max: u64) -> Result<Vec<tokio_postgres::Row>> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    tx.batch_execute(&format!(
        "set transaction read only; set local statement_timeout = {ms_max}; set local search_path to default"
    ))
    .await
    .doing(|| "beginning to ask")?;
    tx.query(query, &[])
        .await
        .doing(|| "asking a query of the migration")
}

/// How many are bad, and of how many, when the query says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Count {
    pub(super) bad: Option<f64>,
    pub(super) total: Option<f64>,
}

/// Asks for the figures of a verification. It may take as long as the statement may.
pub(super) async fn count(session: &mut Session, query: &str) -> Result<Count> {
    let tx = session.begin(Isolation::RepeatableRead).await?;
    tx.batch_execute(
        "set transaction read only; set local statement_timeout = 0; set local search_path to default",
    )
    .await
    .doing(|| "beginning to verify")?;
    // By the simple protocol, so that figures come as text whatever their type is, and by their place: two counts have the
    // same name.
    let answer = tx.simple_query(query).await.doing(|| "verifying")?;
    let rows: Vec<_> = answer
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .collect();
    let [row] = &rows[..] else {
        return Ok(Count {
            bad: None,
            total: None,
        });
    };
    let figure = |place: usize| match place < row.len() {
        true => row.get(place)?.parse::<f64>().ok(),
        false => None,
    };
    Ok(Count {
        bad: figure(0),
        total: figure(1),
    })
}
