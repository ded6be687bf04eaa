//! Capture: the mirror's own tables, and the triggers on the source that write the change log.
//!
//! Row triggers, because they also fire for a write that goes straight to a partition, and are cloned to partitions
//! that come later; statement triggers do neither. `ENABLE ALWAYS`, because a subscriber's apply passes ordinary
//! triggers by. Names carry the mirror's tag, so that two moves never share a function.

use std::fmt::Write as _;

use corridor_pg::fence::Fence;
use corridor_pg::{Fault, FaultContext, Ident, Literal, QualifiedName, Result};
use tokio_postgres::GenericClient;

use crate::Mirror;
use crate::fault::CAPTURE_SWITCHED_OFF;
use crate::spec::MirrorSpec;

impl MirrorSpec {
    /// Creates the mirror's own tables and its capture functions. Locks nothing of the application's.
    pub fn create_statements(&self) -> Vec<String> {
        let keys = |prefix: &str, constraint: &str| -> String {
            let mut out = String::new();
            for (i, key) in self.key.iter().enumerate() {
                let collate = key
                    .collation
                    .as_ref()
                    .map(|c| format!(" collate {c}"))
                    .unwrap_or_default();
                let _ = write!(out, ", {prefix}{} {}{collate}{constraint}", i + 1, key.type_sql);
            }
            out
        };
        let mut out = self.log_statements(&keys("k", ""));
        out.extend([
            format!(
                "create table {} (lane integer primary key, is_done boolean not null default false, \
                 claim_kind text not null default 'none' check (claim_kind in ('none', 'key', 'end')), \
                 rows bigint not null default 0{}{}{}{}, \
                 check ((claim_kind = 'key') = (claim1 is not null)), check (not is_done or claim_kind = 'none'))",
                self.table("lane"),
                keys("lo", ""),
                keys("hi", ""),
                keys("at", ""),
                keys("claim", "")
            ),
            format!(
                "create table {} (id bigint generated always as identity primary key, lane integer not null, \
                 rows bigint not null, duration_ms bigint not null, copied_at timestamptz not null default pg_catalog.clock_timestamp(){}{})",
                self.table("chunk"),
                keys("from", ""),
                keys("to", "")
            ),
            format!(
                "create table {} (run integer not null, lane integer not null, seq integer not null, \
                 source_rows bigint not null, target_rows bigint not null, \
                 source_digest bigint not null, target_digest bigint not null, pending_keys bigint not null, \
                 differing_keys bigint not null, is_last boolean not null, duration_ms bigint not null, \
                 checked_at timestamptz not null default pg_catalog.clock_timestamp(){}{}, primary key (run, lane, seq))",
                self.table("check"),
                keys("from", ""),
                keys("to", "")
            ),
            format!(
                "create table {} (id bigint generated always as identity primary key, run integer not null, \
                 kind text not null check (kind in ('missing', 'extra', 'differing')), \
                 found_at timestamptz not null default pg_catalog.clock_timestamp(){})",
                self.table("difference"),
                keys("k", " not null")
            ),
            format!(
                "create table {} (run integer not null{})",
                self.table("left"),
                keys("k", " not null")
            ),
            format!(
                "create table {} (sqlstate text not null, message text not null, \
                 found_at timestamptz not null default pg_catalog.clock_timestamp(){}, primary key ({}))",
                self.table("unfit"),
                keys("k", " not null"),
                self.own_columns("k")
            ),
        ]);
        out.extend(self.function_statements("create function", 0));
        out
    }

    /// The functions that write into this slot of the log. They hold no operator and no unqualified name, so no search path
    /// can change what they do; a `SET search_path` clause would cost each row of the application more than the insert's
    /// own parsing.
    pub(crate) fn function_statements(&self, create: &str, slot: u32) -> Vec<String> {
        let slot = self.slot(slot);
        let function = |what: &str, columns: String, values: String| {
            let body = format!("begin insert into {slot} ({columns}) values ({values}); return null; end");
            format!(
                "{create} corridor.{}() returns trigger language plpgsql security definer as {}",
                self.capture_name(what),
                Literal(&body)
            )
        };
        vec![
            function("new", self.own_columns("k"), self.key_of("new")),
            function("old", self.own_columns("k"), self.key_of("old")),
            function("truncate", "is_truncate".into(), "true".into()),
        ]
    }

    /// Creates the capture triggers on the source. `leaves`: its partitions at every level, when it has any.
    ///
    /// Locks: `SHARE ROW EXCLUSIVE` on the source (and on its partitions), until the transaction ends.
    pub fn trigger_statements(&self, leaves: &[QualifiedName]) -> Vec<String> {
        let source = &self.source;
        let old_key = self.key_of("old");
        let new_key = self.key_of("new");
        let mut out = Vec::new();
        let mut trigger = |on: &QualifiedName, what: &str, when: &str, each: &str, function: &str| {
            let name = self.capture_name(what);
            let function = self.capture_name(function);
            out.push(format!("create trigger {name} after {when} on {on} for each {each}execute function corridor.{function}()"));
            out.push(format!("alter table {on} enable always trigger {name}"));
        };
        trigger(source, "new", "insert or update", "row ", "new");
        trigger(source, "old", "delete", "row ", "old");
        // A key change leaves two keys to refresh. The condition is parsed here and now, under our search path.
        trigger(
            source,
            "key",
            "update",
            &format!("row when (({old_key}) is distinct from ({new_key})) "),
            "old",
        );
        // A statement trigger of the parent does not fire when a partition itself is truncated.
        for table in std::iter::once(source).chain(leaves) {
            trigger(table, "truncate", "truncate", "statement ", "truncate");
        }
        out
    }

    /// Drops the capture triggers. Locks: `ACCESS EXCLUSIVE` on the source (and on its partitions).
    pub fn drop_trigger_statements(&self, leaves: &[QualifiedName]) -> Vec<String> {
        let source = &self.source;
        let drop = |what: &str, on: &QualifiedName| {
            format!("drop trigger if exists {} on {on}", self.capture_name(what))
        };
        let mut out = vec![drop("new", source), drop("old", source), drop("key", source)];
        out.extend(
            std::iter::once(source)
                .chain(leaves)
                .map(|table| drop("truncate", table)),
        );
        out
    }

    /// Drops the mirror's functions and tables. The triggers must be gone.
    pub fn drop_statements(&self) -> Vec<String> {
        let mut out: Vec<String> = ["new", "old", "truncate"]
            .iter()
            .map(|what| format!("drop function if exists corridor.{}()", self.capture_name(what)))
            .collect();
        for kind in ["unfit", "left", "difference", "check", "chunk", "lane", "slot"] {
            out.push(format!("drop table if exists {}", self.table(kind)));
        }
        // With its slots: nobody knows from the plan how many there came to be.
        out.push(format!("drop table if exists {} cascade", self.table("change")));
        out
    }
}

impl Mirror {
    /// Fails with `MIR-006` unless every capture trigger is on the source, and fires always. `table_count`: the source
    /// and its partitions. A switch of triggers (`disable trigger all`, and back) leaves its trace here.
    pub async fn check_capture(&self, client: &impl GenericClient, table_count: usize) -> Result<()> {
        let spec = self.spec();
        let names = self.trigger_names();
        let row = client
            .query_one(
                include_str!("../sql/capture/count.sql"),
                &[&spec.source.to_string(), &names],
            )
            .await
            .doing(|| "looking at the capture triggers")?;
        let firing: i64 = row.get("firing");
        let wanted = names.len() * table_count;
        if usize::try_from(firing) == Ok(wanted) {
            return Ok(());
        }
        Err(Fault::new(
            &CAPTURE_SWITCHED_OFF,
            format!(
                "{}: {firing} of {wanted} capture triggers fire always",
                spec.source
            ),
        ))
    }

    /// Statements that drop the capture triggers wherever they are now: a partition that was detached or renamed
    /// meanwhile keeps the one that was made on itself.
    pub async fn drop_found_triggers(&self, client: &impl GenericClient) -> Result<Vec<String>> {
        let rows = client
            .query(include_str!("../sql/capture/found.sql"), &[&self.trigger_names()])
            .await
            .doing(|| "looking for the capture triggers")?;
        rows.iter()
            .map(|row| {
                let table = QualifiedName::new(
                    Ident::new(row.get::<_, &str>("schema"))?,
                    Ident::new(row.get::<_, &str>("name"))?,
                );
                let trigger = Ident::new(row.get::<_, &str>("trigger"))?;
                Ok(format!("drop trigger if exists {trigger} on {table}"))
            })
            .collect()
    }

    /// A digest of the capture triggers' ids: it changes when one is dropped and made again.
    pub async fn capture_digest(&self, client: &impl GenericClient) -> Result<String> {
        let row = client
            .query_one(
                include_str!("../sql/capture/digest.sql"),
                &[&self.spec().source.to_string(), &self.trigger_names()],
            )
            .await
            .doing(|| "looking at the capture triggers")?;
        Ok(row.get("digest"))
    }

    /// Row triggers are cloned to partitions under their own name; the one for truncates is made on each table.
    fn trigger_names(&self) -> Vec<String> {
        let name = |what: &str| self.spec().capture_name(what).as_str().to_owned();
        ["new", "old", "key", "truncate"].into_iter().map(name).collect()
    }

    /// How many changes wait in the log, counted up to `limit` (the log may be long, the answer is for a display).
    pub async fn pending(&self, client: &impl GenericClient, limit: i64) -> Result<i64> {
        let sql = format!(
            "select count(*) from (select from {} limit $1) as counted",
            self.spec().table("change")
        );
        let row = client
            .query_one(&sql, &[&limit])
            .await
            .doing(|| "counting pending changes")?;
        Ok(row.get(0))
    }

    /// Holds the fence, then runs `statements` in the caller's transaction.
    pub async fn run_fenced(
        &self,
        tx: &tokio_postgres::Transaction<'_>,
        fence: &Fence,
        statements: &[String],
    ) -> Result<()> {
        fence.hold(tx).await?;
        for sql in statements {
            tx.batch_execute(sql).await.doing(|| format!("running `{sql}`"))?;
        }
        Ok(())
    }
}
