//! Rows that do not fit: the target cannot take what the source's row becomes.
//!
//! A cast fails, a value is too long or out of range, a null meets a not-null column, a check does not hold, no partition
//! takes the row, or (with every change of one snapshot taken in) another row has its unique key. Such a row is never the
//! application's trouble: it writes to the source, and all that fires there is the capture.
//!
//! What does not fit is found by doing: when a statement for many rows fails, the same is done for each row by itself, each
//! in a subtransaction, on the server. A mirror that [notes](crate::MirrorSpec::is_noting_unfit) such rows keeps their keys in
//! its table `unfit` and goes on; each refresh of a key takes its note away first. Any other mirror ends with the keys, and
//! nothing that was done since the statement began stays.
//!
//! **Invariant.** For each key that is copied and has no pending change, the target has what the source's row becomes, or the
//! table `unfit` has the key and the target has no such row.

use corridor_pg::{Fault, FaultContext, Literal, QualifiedName, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::{GenericClient, Transaction};

use crate::Mirror;
use crate::fault::{HOLDS_UNFIT, ROW_DOES_NOT_FIT};
use crate::lane::key_at;
use crate::refresh::is_conflict;
use crate::spec::MirrorSpec;
use crate::statement::Side;

/// Rows that a fault names, and after which the search for more ends.
const NAMED_MAX: usize = 10;

/// A row that the target cannot take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfitRow {
    /// The key's columns as text.
    pub key: Vec<String>,
    /// The server's code for why.
    pub sqlstate: String,
    /// The server's words.
    pub message: String,
}

impl std::fmt::Display for UnfitRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "({}): {} ({})",
            self.key.join(", "),
            self.message,
            self.sqlstate
        )
    }
}

/// What a conflict with another row of the target means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflicts {
    /// The other row may be stale: take in every change of one snapshot first, and come back.
    ComeBack,
    /// Every change of one snapshot is taken in: the two rows cannot stand side by side.
    AreUnfit,
}

/// The row itself is at fault, not the moment: a data exception, a violated constraint, or what a function of the user
/// raised.
pub(crate) fn is_unfit(fault: &Fault, conflicts: Conflicts) -> bool {
    if is_conflict(fault) {
        return conflicts == Conflicts::AreUnfit;
    }
    let class = fault.sqlstate().map(|state| &state[..2]);
    matches!(class, Some("22" | "23" | "38" | "P0"))
}

impl Mirror {
    /// Runs `insert`, a statement that writes what the keys `k` of the FROM item `keys` are in the source; returns how many
    /// rows were written. When a row does not fit, each is written by itself.
    ///
    /// Errors: `MIR-001` with the keys, unless this mirror notes them; then the transaction must be rolled back.
    pub(crate) async fn insert_what_fits(
        &self,
        tx: &Transaction<'_>,
        insert: &str,
        keys: &str,
        conflicts: Conflicts,
    ) -> Result<u64> {
        let doing = || format!("writing to {}", self.spec().target);
        tx.batch_execute("savepoint corridor_insert").await.doing(doing)?;
        let fault = match tx.execute(insert, &[]).await.map_err(Fault::from) {
            Ok(written) => {
                tx.batch_execute("release savepoint corridor_insert")
                    .await
                    .doing(doing)?;
                return Ok(written);
            }
            Err(fault) if is_unfit(&fault, conflicts) => fault,
            Err(fault) => return Err(fault),
        };
        tx.batch_execute("rollback to savepoint corridor_insert")
            .await
            .doing(doing)?;
        let limit = (!self.spec().is_noting_unfit).then_some(NAMED_MAX);
        let one_by_one = self
            .spec()
            .insert_one_by_one(keys, &self.spec().table("unfit"), limit);
        tx.batch_execute(&one_by_one)
            .await
            .doing(|| format!("looking for rows that do not fit into {}", self.spec().target))?;
        if self.spec().is_noting_unfit {
            return Ok(0); // the rows that fit are written, and nobody needs to know how many
        }
        let rows = self.unfit(tx, NAMED_MAX).await?;
        if rows.is_empty() {
            // Only side by side do they not fit; or the row at fault has just gone.
            return Err(fault);
        }
        Err(Fault::new(&ROW_DOES_NOT_FIT, self.unfit_words(&rows)).caused_by(fault))
    }

    fn unfit_words(&self, rows: &[UnfitRow]) -> String {
        let first: Vec<String> = rows.iter().map(UnfitRow::to_string).collect();
        let count = match rows.len() {
            NAMED_MAX => format!("at least {NAMED_MAX} rows"),
            1 => "1 row".to_owned(),
            n => format!("{n} rows"),
        };
        format!(
            "{}: {count} of {}, by key: {}",
            self.spec().target,
            self.spec().source,
            first.join("; ")
        )
    }

    /// The first `limit` rows that are noted not to fit, in the order of their keys.
    pub async fn unfit(&self, client: &impl GenericClient, limit: usize) -> Result<Vec<UnfitRow>> {
        let spec = self.spec();
        spec.noted_rows(client, &spec.table("unfit").to_string(), limit)
            .await
    }

    /// Fails with `MIR-008` while rows are noted that the target could not take.
    ///
    /// `is_in_step`: every change is taken in. Else notes that the next round may take away are passed over: those with
    /// a pending change, and those that only another row stands in the way of.
    pub async fn check_all_fit(&self, client: &impl GenericClient, is_in_step: bool) -> Result<()> {
        let spec = self.spec();
        let noted = spec.table("unfit");
        let certain = match is_in_step {
            true => noted.to_string(),
            false => {
                let same = (1..=spec.key.len()).map(|i| format!("c.k{i} = u.k{i}"));
                format!(
                    "(select * from {noted} u where u.sqlstate not in ('23505', '23P01') \
                     and not exists (select from {} c where {}))",
                    spec.table("change"),
                    corridor_pg::ident::join(same, " and ")
                )
            }
        };
        let rows = spec.noted_rows(client, &certain, NAMED_MAX).await?;
        if rows.is_empty() {
            return Ok(());
        }
        Err(Fault::new(&HOLDS_UNFIT, self.unfit_words(&rows)))
    }

    /// Lets the keys that another row stood in the way of be refreshed again, by the caller, in this transaction.
    pub(crate) async fn retry_conflicts(&self, tx: &Transaction<'_>) -> Result<()> {
        if !self.spec().is_noting_unfit {
            return Ok(());
        }
        let spec = self.spec();
        let own = spec.own_columns("k");
        let sql = format!(
            "insert into {} ({own}) select {own} from {} where sqlstate in ('23505', '23P01')",
            spec.slot(0),
            spec.table("unfit")
        );
        tx.execute(&sql, &[])
            .await
            .doing(|| "trying again what did not fit")?;
        Ok(())
    }

    /// True when some row is noted that only another row stands in the way of.
    pub(crate) async fn has_conflicts(&self, client: &impl GenericClient) -> Result<bool> {
        if !self.spec().is_noting_unfit {
            return Ok(false);
        }
        let sql = format!(
            "select exists (select from {} where sqlstate in ('23505', '23P01'))",
            self.spec().table("unfit")
        );
        let row = client
            .query_one(&sql, &[])
            .await
            .doing(|| "reading what does not fit")?;
        Ok(row.get(0))
    }
}

impl MirrorSpec {
    /// Rows that stand in a FROM item of notes.
    pub(crate) async fn noted_rows(
        &self,
        client: &impl GenericClient,
        noted: &str,
        limit: usize,
    ) -> Result<Vec<UnfitRow>> {
        let sql = format!(
            "select u.sqlstate, u.message, {} from {noted} u order by {} limit {limit}",
            self.own_text("k"),
            self.own_key("u", "k")
        );
        let rows = client
            .query(&sql, &[])
            .await
            .doing(|| "reading what does not fit")?;
        Ok(rows
            .iter()
            .map(|row| UnfitRow {
                key: key_at(row, 2, self.key.len()).unwrap_or_default(),
                sqlstate: row.get(0),
                message: row.get(1),
            })
            .collect())
    }

    /// Writes the rows of the keys `k` one by one, and notes those that do not fit in the table `noted`; ends after `limit`
    /// of these.
    ///
    /// Only errors of the row are caught: a cancelled statement, a lock or a full disk end all of it.
    pub(crate) fn insert_one_by_one(
        &self,
        keys: &str,
        noted: &QualifiedName,
        limit: Option<usize>,
    ) -> String {
        let key = (1..=self.key.len()).map(|i| format!("corridor_row.k{i}"));
        let body = format!(
            "declare corridor_row record; corridor_found bigint := 0; begin \
             for corridor_row in select {own_of_k} from {keys} loop begin \
             insert into {target} ({columns}) overriding system value select {values} from {source} s where {same}; \
             exception when data_exception or integrity_constraint_violation or plpgsql_error or external_routine_exception then \
             insert into {noted} (sqlstate, message, {own}) values (sqlstate, sqlerrm, {key}); \
             corridor_found := corridor_found + 1; {exit} \
             end; end loop; end",
            own_of_k = self.own_key("k", "k"),
            target = self.target,
            columns = self.column_list(),
            values = self.values(),
            source = self.source,
            same = self.key_equals_own(Side::Source, "s", "corridor_row", "k"),
            own = self.own_columns("k"),
            key = corridor_pg::ident::join(key, ", "),
            exit = match limit {
                Some(limit) => format!("exit when corridor_found >= {limit};"),
                None => String::new(),
            },
        );
        format!("do {}", Literal(&body))
    }
}
