//! What a verification run has found, for people and for machines.

use corridor_pg::{FaultContext, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::GenericClient;

use crate::Mirror;
use crate::lane::key_at;

/// Differing keys that a report lists; the table `difference_<tag>` has all of them.
const LISTED_MAX: i64 = 100;

/// How the digests of a report come about, for whoever wants to compute them again.
const DIGEST_METHOD: &str = "exclusive or of hash_record_extended(row(columns), 0) over the compared rows; a column \
                             whose equality is looser than identity, or whose type has no hash function, enters as text";

/// How the two sides differ in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The target lacks the row.
    Missing,
    /// The target has a row that the source lacks.
    Extra,
    /// Both have it, with different values.
    Differing,
}

/// A key that differed when its range was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// How.
    pub kind: DifferenceKind,
    /// The key's columns as text.
    pub key: Vec<String>,
}

/// The machine-readable result of one verification run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Number of the run, from 1; the two directions count for themselves.
    pub run: i32,
    /// Passed: every range was compared to its end, the last time without differences.
    pub is_proven: bool,
    /// When its first range was compared, by the server's clock; RFC 3339, UTC. `None` when none was.
    pub started_at: Option<String>,
    /// When its last range was compared.
    pub finished_at: Option<String>,
    /// Ranges compared, repeated comparisons included.
    pub ranges: i64,
    /// Rows of the source in the last comparison of each range.
    pub source_rows: i64,
    /// Rows of the target.
    pub target_rows: i64,
    /// Exclusive-or of the ranges' digests, in hexadecimal.
    pub source_digest: String,
    /// The same for the target.
    pub target_digest: String,
    /// How the digests are computed.
    pub digest_method: String,
    /// Explained: keys left out because a change of theirs was pending. They are compared by themselves afterwards.
    pub pending_keys: i64,
    /// Those of them that are not compared yet, counted up to 1,001; the swap compares the last ones under its locks.
    #[serde(default)]
    pub left_out_keys: i64,
    /// Keys that differed without explanation, each counted once.
    pub differing_keys: i64,
    /// Those of them that the target lacked.
    pub missing_keys: i64,
    /// Those of them that the source lacked.
    pub extra_keys: i64,
    /// Those of them that were repaired: their ranges were compared again and did not differ any more.
    pub repaired_keys: i64,
    /// The first 100 of [`Report::differing_keys`], in the order in which they were found.
    pub differences: Vec<Difference>,
}

impl Mirror {
    /// True when verification `run` has compared every lane to its end, each range the last time without differences.
    /// Cheap enough to be asked under the locks of a swap.
    pub async fn is_proven(&self, client: &impl GenericClient, run: i32) -> Result<bool> {
        let spec = self.spec();
        let sql = format!(
            "with latest as (select distinct on (lane, {from}) differing_keys, is_last from {check} \
             where run = $1 order by lane, {from}, seq desc) \
             select coalesce(bool_and(differing_keys = 0), false) \
             and count(*) filter (where is_last) = (select count(*) from {lane}) from latest",
            from = spec.own_columns("from"),
            check = spec.table("check"),
            lane = spec.table("lane"),
        );
        Ok(client
            .query_one(&sql, &[&run])
            .await
            .doing(|| "looking for the proof")?
            .get(0))
    }

    /// What verification `run` has found so far.
    pub async fn verify_report(&self, client: &impl GenericClient, run: i32) -> Result<Report> {
        let spec = self.spec();
        let sql = format!(
            "with latest as (select distinct on (lane, {from}) * from {check} where run = $1 order by lane, {from}, seq desc), \
             named as (select distinct on ({key}) kind from {difference} where run = $1 order by {key}, id desc), \
             found as (select count(*) as differing_keys, count(*) filter (where kind = 'missing') as missing_keys, \
             count(*) filter (where kind = 'extra') as extra_keys from named), \
             span as (select count(*) as ranges, {started} as started_at, {finished} as finished_at from {check} where run = $1), \
             sums as (select coalesce(sum(source_rows), 0)::bigint as source_rows, \
             coalesce(sum(target_rows), 0)::bigint as target_rows, \
             coalesce(bit_xor(source_digest), 0) as source_digest, coalesce(bit_xor(target_digest), 0) as target_digest, \
             coalesce(sum(pending_keys), 0)::bigint as pending_keys, \
             coalesce(sum(differing_keys), 0)::bigint as unrepaired_keys from latest) \
             select * from found, span, sums",
            from = spec.own_columns("from"),
            key = spec.own_columns("k"),
            check = spec.table("check"),
            difference = spec.table("difference"),
            started = moment("min(checked_at)"),
            finished = moment("max(checked_at)"),
        );
        let is_proven = self.is_proven(client, run).await?;
        let row = client
            .query_one(&sql, &[&run])
            .await
            .doing(|| "reading the verification")?;
        let differing_keys: i64 = row.get("differing_keys");
        Ok(Report {
            run,
            is_proven,
            started_at: row.get("started_at"),
            finished_at: row.get("finished_at"),
            ranges: row.get("ranges"),
            source_rows: row.get("source_rows"),
            target_rows: row.get("target_rows"),
            source_digest: format!("{:016x}", row.get::<_, i64>("source_digest")),
            target_digest: format!("{:016x}", row.get::<_, i64>("target_digest")),
            digest_method: DIGEST_METHOD.to_owned(),
            pending_keys: row.get("pending_keys"),
            left_out_keys: self.count_left_out(client, run).await?.cast_signed(),
            differing_keys,
            missing_keys: row.get("missing_keys"),
            extra_keys: row.get("extra_keys"),
            repaired_keys: (differing_keys - row.get::<_, i64>("unrepaired_keys")).max(0),
            differences: self.differences(client, run, LISTED_MAX).await?,
        })
    }

    /// The first differing keys of a run, each once, in the order in which they were found.
    pub async fn differences(
        &self,
        client: &impl GenericClient,
        run: i32,
        limit: i64,
    ) -> Result<Vec<Difference>> {
        let spec = self.spec();
        let sql = format!(
            "select kind, {} from (select distinct on ({key}) * from {} where run = $1 order by {key}, id) as first \
             order by id limit $2",
            spec.own_text("k"),
            spec.table("difference"),
            key = spec.own_columns("k"),
        );
        let rows = client
            .query(&sql, &[&run, &limit])
            .await
            .doing(|| "reading differences")?;
        Ok(rows
            .iter()
            .map(|row| Difference {
                kind: match row.get::<_, &str>(0) {
                    "missing" => DifferenceKind::Missing,
                    "extra" => DifferenceKind::Extra,
                    _ => DifferenceKind::Differing,
                },
                key: key_at(row, 1, spec.key.len()).unwrap_or_default(),
            })
            .collect())
    }
}

/// A timestamp as all documents have it.
fn moment(sql: &str) -> String {
    format!("to_char({sql} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
}
