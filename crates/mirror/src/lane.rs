//! Lanes: the key space cut into consecutive half-open ranges, each copied from its low end to its high end.

use corridor_pg::fence::Fence;
use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use serde::Serialize;
use tokio_postgres::{GenericClient, Row};

use crate::Mirror;
use crate::fault::LEDGER_MISSING;
use crate::spec::MirrorSpec;
use crate::statement::{KeyText, Range};

/// Below this many rows one lane is enough: cutting costs more than it saves.
const ROWS_FOR_LANES_MIN: f32 = 20_000.0;
/// Pages read to find the cuts. Enough for 64 lanes of equal size within a few per cent.
const SAMPLE_PAGES: f64 = 2_000.0;

/// Where one lane stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// 0-based, in key order.
    pub lane: i32,
    /// The lane's range.
    #[serde(skip)]
    pub range: Range,
    /// Copied up to here (exclusive); `None`: nothing yet.
    #[serde(skip)]
    pub at: Option<KeyText>,
    /// Copied to its end.
    pub is_done: bool,
    /// Rows copied so far.
    pub rows: i64,
}

impl Lane {
    /// What is still to be copied.
    pub fn rest(&self) -> Range {
        Range {
            from: self.at.clone().or_else(|| self.range.from.clone()),
            to: self.range.to.clone(),
        }
    }
}

/// Reads a key of `columns` consecutive text columns; `None` when the first is null.
pub(crate) fn key_at(row: &Row, first: usize, columns: usize) -> Option<KeyText> {
    (0..columns)
        .map(|i| row.get::<_, Option<String>>(first + i))
        .collect()
}

impl MirrorSpec {
    pub(crate) fn own_text(&self, prefix: &str) -> String {
        corridor_pg::ident::join((1..=self.key.len()).map(|i| format!("{prefix}{i}::text")), ", ")
    }

    /// `null, null` or the key's constants.
    pub(crate) fn key_or_nulls(&self, key: Option<&KeyText>) -> String {
        match key {
            Some(key) => self.key_literal(key),
            None => corridor_pg::ident::join(self.key.iter().map(|_| "null"), ", "),
        }
    }
}

impl Mirror {
    /// The lanes as the ledger has them, in key order; empty before they are planned.
    pub async fn lanes(&self, client: &impl GenericClient) -> Result<Vec<Lane>> {
        let spec = self.spec();
        let sql = format!(
            "select lane, is_done, rows, {}, {}, {} from {} order by lane",
            spec.own_text("lo"),
            spec.own_text("hi"),
            spec.own_text("at"),
            spec.table("lane")
        );
        let rows = client.query(&sql, &[]).await.doing(|| "reading the lanes")?;
        let width = spec.key.len();
        Ok(rows
            .iter()
            .map(|row| Lane {
                lane: row.get(0),
                is_done: row.get(1),
                rows: row.get(2),
                range: Range {
                    from: key_at(row, 3, width),
                    to: key_at(row, 3 + width, width),
                },
                at: key_at(row, 3 + 2 * width, width),
            })
            .collect())
    }

    /// True when every lane is copied to its end.
    pub async fn is_copied(&self, client: &impl GenericClient) -> Result<bool> {
        let sql = format!(
            "select coalesce(pg_catalog.bool_and(is_done), false) from {}",
            self.spec().table("lane")
        );
        Ok(client
            .query_one(&sql, &[])
            .await
            .doing(|| "reading the lanes")?
            .get(0))
    }

    /// Cuts the key space into about `lanes` parts of equal size, from a sample of the source's pages.
    ///
    /// Does nothing when lanes exist already. Capture must be installed, so that nothing is missed.
    pub async fn plan_lanes(&self, session: &mut Session, fence: &Fence, lanes: u32) -> Result<usize> {
        let cuts = self.cuts(session, lanes).await?;
        let mut values = Vec::new();
        let ends: Vec<Option<&KeyText>> = std::iter::once(None)
            .chain(cuts.iter().map(Some))
            .chain(std::iter::once(None))
            .collect();
        for (lane, pair) in ends.windows(2).enumerate() {
            values.push((lane, pair[0], pair[1]));
        }
        self.insert_lanes(session, fence, &values, false).await
    }

    /// One lane over the whole key space that counts as copied: for a target that is already equal, such as the
    /// old table at the instant of the swap.
    pub async fn plan_copied(&self, session: &mut Session, fence: &Fence) -> Result<usize> {
        self.insert_lanes(session, fence, &[(0, None, None)], true).await
    }

    async fn insert_lanes(
        &self,
        session: &mut Session,
        fence: &Fence,
        lanes: &[(usize, Option<&KeyText>, Option<&KeyText>)],
        is_done: bool,
    ) -> Result<usize> {
        let spec = self.spec();
        let table = spec.table("lane");
        let tx = session.begin(Isolation::ReadCommitted).await?;
        fence.hold(&tx).await?;
        let existing: i64 = tx
            .query_one(&format!("select count(*) from {table}"), &[])
            .await
            .doing(|| "reading the lanes")?
            .get(0);
        if existing == 0 {
            for (lane, from, to) in lanes {
                let sql = format!(
                    "insert into {table} (lane, is_done, {}, {}) values ({lane}, {is_done}, {}, {})",
                    spec.own_columns("lo"),
                    spec.own_columns("hi"),
                    spec.key_or_nulls(*from),
                    spec.key_or_nulls(*to)
                );
                tx.batch_execute(&sql).await.doing(|| "writing the lanes")?;
            }
        }
        corridor_pg::failpoint::step("lanes", tx.commit())
            .await
            .doing(|| "writing the lanes")?;
        Ok(if existing == 0 {
            lanes.len()
        } else {
            existing as usize
        })
    }

    async fn cuts(&self, session: &Session, lanes: u32) -> Result<Vec<KeyText>> {
        let spec = self.spec();
        let size = session
            .query_one(
                include_str!("../sql/lane/source_size.sql"),
                &[&spec.source.to_string()],
            )
            .await
            .doing(|| "estimating the size of the source")?;
        let (rows, pages): (f32, f64) = (size.get("rows"), size.get("pages"));
        // -1: never analysed; then the pages decide (a page holds at least a handful of rows).
        let is_small = if rows < 0.0 {
            pages < 1_000.0
        } else {
            rows < ROWS_FOR_LANES_MIN
        };
        if lanes < 2 || is_small {
            return Ok(Vec::new());
        }
        let percent = (100.0 * SAMPLE_PAGES / pages.max(1.0)).clamp(0.000_1, 100.0);
        let order = spec.key_of("s");
        let sql = format!(
            "/* corridor */ with sample as (select {order}, row_number() over (order by {order}) as position, count(*) over () as total \
             from {} s tablesample system ({percent})) \
             select distinct {key_text}, {order} from sample s, generate_series(1, $1::int - 1) as cut \
             where s.position = s.total * cut / $1::int + 1 order by {order}",
            spec.source,
            key_text = spec.key_as_text("s"),
        );
        let lanes = lanes as i32;
        let rows = session
            .query(&sql, &[&lanes])
            .await
            .doing(|| "sampling the key for lanes")?;
        Ok(rows
            .iter()
            .filter_map(|row| key_at(row, 0, spec.key.len()))
            .collect())
    }

    /// One lane, by number.
    pub(crate) async fn lane(&self, client: &impl GenericClient, lane: i32) -> Result<Lane> {
        let lanes = self.lanes(client).await?;
        lanes.into_iter().find(|l| l.lane == lane).ok_or_else(|| {
            Fault::new(
                &LEDGER_MISSING,
                format!("lane {lane} of {} does not exist", self.spec().table("lane")),
            )
        })
    }
}
