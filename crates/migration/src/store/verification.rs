//! Verifications that came to a verdict, as rows: what a run found is still there when its tables are gone.

use corridor_pg::{Fault, FaultContext, Result};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_postgres::{GenericClient, Transaction};

use super::{journal, json as json_column, object_text};
use crate::fault::UNREADABLE_ROW;
use crate::lease::Lease;
use crate::state::Side;

/// The newest reports of each migration that are kept; older ones are removed as new ones come.
pub const VERIFICATIONS_KEPT_MAX: i32 = 100;

/// One verification that came to a verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Counts the verdicts of the migration, from 1.
    pub number: i32,
    /// Before the cut-over the new table was compared with the old one, after it the old one with the new.
    pub side: Side,
    /// When the verdict was recorded; RFC 3339, UTC, the server's clock.
    pub recorded_at: String,
    /// What was found, a JSON object. Its form belongs to whoever compared.
    pub report: Value,
}

/// Keeps a report, in the transaction that records the verdict, and notes it in the journal. Returns its number.
/// Holds the fence, and the migration's row until the transaction ends.
pub async fn record_verification(
    tx: &Transaction<'_>,
    lease: &Lease,
    side: Side,
    report: &Value,
) -> Result<i32> {
    lease.fence().hold(tx).await?;
    let id = lease.fence().migration_id;
    // First: it locks the migration's row, and the number is counted under that.
    journal::append(
        tx,
        id,
        lease.holder(),
        "verified",
        None,
        None,
        &json!({ "side": side }),
    )
    .await?;
    let row = tx
        .query_one(
            include_str!("../../sql/store/record_verification.sql"),
            &[&id, &side.as_str(), &object_text(report)],
        )
        .await
        .doing(|| "keeping the report of a verification")?;
    let number: i32 = row.get("number");
    if number > VERIFICATIONS_KEPT_MAX {
        tx.execute(
            include_str!("../../sql/store/trim_verifications.sql"),
            &[&id, &(number - VERIFICATIONS_KEPT_MAX)],
        )
        .await
        .doing(|| "removing old reports of verifications")?;
    }
    Ok(number)
}

/// The newest `limit` verdicts after number `after` (0 for all), the newest first.
pub async fn verifications(
    client: &impl GenericClient,
    migration_id: i64,
    after: i32,
    limit: i64,
) -> Result<Vec<Verification>> {
    let rows = client
        .query(
            include_str!("../../sql/store/verifications.sql"),
            &[&migration_id, &after, &limit],
        )
        .await
        .doing(|| "reading the reports of verifications")?;
    rows.iter()
        .map(|row| {
            let text: &str = row.get("side");
            Ok(Verification {
                number: row.get("number"),
                side: Side::parse(text)
                    .ok_or_else(|| Fault::new(&UNREADABLE_ROW, format!("side {text:?}")))?,
                recorded_at: row.get("recorded_at"),
                report: json_column(row, "report")?,
            })
        })
        .collect()
}
