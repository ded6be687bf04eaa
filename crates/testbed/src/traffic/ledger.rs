//! What the traffic was promised, and whether a table keeps it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use futures_util::{StreamExt, pin_mut};
use serde::Serialize;

use super::client::Ambiguity;
use super::meter::{ErrorCount, Summary};
use super::table::{Found, Row, Table};
use crate::cluster::connect;
use crate::error::{Error, Result};

/// Differences of one kind that are listed; all are counted.
const LISTED_MAX: usize = 1000;

/// The last acknowledged state of every row, and the questions that stayed open.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(crate) table: Arc<Table>,
    pub(crate) key_space: u64,
    pub(crate) clients: u64,
    pub(crate) next_token: u64,
    /// True once the table was truncated.
    pub(crate) are_first_rows_gone: bool,
    pub(crate) touched: HashMap<u64, Option<Row>>,
    /// By client.
    pub(crate) ambiguities: BTreeMap<u64, Ambiguity>,
    /// What the clients saw go wrong while they worked: a row that did not read as written, a key that was not free.
    pub anomalies: Vec<String>,
    /// Errors by SQLSTATE; `connection` and `connecting` are failures without one.
    pub errors: BTreeMap<String, ErrorCount>,
    /// The whole run.
    pub summary: Summary,
}

/// A row that is not as the ledger says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The key, each column as text.
    pub key: Vec<String>,
    /// What the ledger says; empty for none.
    pub expected: String,
    /// What is in the table; empty for none.
    pub found: String,
}

/// A table beside the ledger.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Rows that the ledger knows.
    pub rows_expected: u64,
    /// Rows in the table.
    pub rows_found: u64,
    /// Rows of the ledger that the table lacks.
    pub lost_rows: u64,
    /// Rows of the table that the ledger does not know.
    pub invented_rows: u64,
    /// Rows that are in both and not the same.
    pub differing_rows: u64,
    /// The first thousand of the lost.
    pub lost: Vec<Difference>,
    /// The first thousand of the invented.
    pub invented: Vec<Difference>,
    /// The first thousand of the differing.
    pub differing: Vec<Difference>,
    /// What the clients saw go wrong while they worked.
    pub anomalies: Vec<String>,
    /// Rows for which two states were allowed, since an answer stayed lost.
    pub ambiguous_rows: u64,
}

impl Comparison {
    /// True when the table is exactly what was promised, at the end and all the way there.
    pub fn is_exact(&self) -> bool {
        self.lost_rows == 0
            && self.invented_rows == 0
            && self.differing_rows == 0
            && self.anomalies.is_empty()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rows expected, {} found; {} lost, {} invented, {} differing, {} anomalies",
            self.rows_expected,
            self.rows_found,
            self.lost_rows,
            self.invented_rows,
            self.differing_rows,
            self.anomalies.len()
        )?;
        for (what, list) in [
            ("lost", &self.lost),
            ("invented", &self.invented),
            ("differing", &self.differing),
        ] {
            for d in list.iter().take(5) {
                write!(
                    f,
                    "\n  {what} {:?}: expected [{}], found [{}]",
                    d.key, d.expected, d.found
                )?;
            }
        }
        for anomaly in self.anomalies.iter().take(5) {
            write!(f, "\n  anomaly: {anomaly}")?;
        }
        Ok(())
    }
}

impl Ledger {
    fn row(&self, n: u64) -> Option<Row> {
        match self.touched.get(&n) {
            Some(state) => *state,
            None if self.are_first_rows_gone => None,
            None => self.table.first_row(n),
        }
    }

    /// How many transactions that wrote were acknowledged.
    pub fn acknowledged_writes(&self) -> u64 {
        self.summary.writes
    }

    /// Reads `table` (by name, as written in SQL) whole and compares every column of every row.
    ///
    /// Nothing may write to it meanwhile. Rows of negative teams are left out (see the toast module).
    pub async fn compare(&self, url: &str, table: &str) -> Result<Comparison> {
        let client = connect(url).await?;
        let doing = || format!("comparing {table} with the ledger");
        // The server builds each row's content anew to compare it: worth all its cores.
        client
            .batch_execute(
                "set max_parallel_workers_per_gather = 4; set parallel_setup_cost = 0; set parallel_tuple_cost = 0",
            )
            .await
            .map_err(Error::postgres(doing()))?;
        let rows = client
            .query_raw(&self.table.compare_sql(table), std::iter::empty::<i32>())
            .await
            .map_err(Error::postgres(doing()))?;
        pin_mut!(rows);
        let mut tally = Tally::new(self);
        while let Some(row) = rows.next().await {
            let row = row.map_err(Error::postgres(doing()))?;
            let key: Vec<String> = row.get(0);
            let found = Found {
                token: row.get(1),
                born_microseconds: row.get(2),
                version: row.get(3),
                slot: row.get(4),
                is_content_right: row.get(5),
            };
            tally.take(key, found);
        }
        Ok(tally.finish())
    }
}

/// A comparison in the making.
struct Tally<'a> {
    ledger: &'a Ledger,
    /// One bit per row number.
    seen: Vec<u64>,
    /// What was found of the rows that two states are allowed for.
    ambiguous: BTreeMap<u64, Option<Found>>,
    comparison: Comparison,
}

impl<'a> Tally<'a> {
    fn new(ledger: &'a Ledger) -> Self {
        Tally {
            ledger,
            seen: vec![0; ledger.key_space.div_ceil(64) as usize],
            ambiguous: ledger
                .ambiguities
                .values()
                .flat_map(|a| a.after.keys())
                .map(|n| (*n, None))
                .collect(),
            comparison: Comparison {
                rows_expected: 0,
                rows_found: 0,
                lost_rows: 0,
                invented_rows: 0,
                differing_rows: 0,
                lost: Vec::new(),
                invented: Vec::new(),
                differing: Vec::new(),
                anomalies: ledger.anomalies.clone(),
                ambiguous_rows: 0,
            },
        }
    }

    fn take(&mut self, key: Vec<String>, found: Found) {
        self.comparison.rows_found += 1;
        let n = self.ledger.table.key.decode(&key);
        let Some(n) = n.filter(|n| *n < self.ledger.key_space) else {
            return self.invented(key, &found);
        };
        let (word, bit) = ((n / 64) as usize, 1 << (n % 64));
        let was_seen = self.seen.get(word).is_some_and(|w| w & bit != 0);
        if let Some(w) = self.seen.get_mut(word) {
            *w |= bit;
        }
        if was_seen {
            // The same key twice: the key's index is missing or broken.
            return self.invented(key, &found);
        }
        if let Some(slot) = self.ambiguous.get_mut(&n) {
            *slot = Some(found);
            return;
        }
        match self.ledger.row(n) {
            None => self.invented(key, &found),
            Some(row) if !self.ledger.table.is_row(&row, &found) => self.differing(key, &row, &found),
            Some(_) => {}
        }
    }

    fn invented(&mut self, key: Vec<String>, found: &Found) {
        self.comparison.invented_rows += 1;
        push(&mut self.comparison.invented, key, None, Some(found));
    }

    fn differing(&mut self, key: Vec<String>, row: &Row, found: &Found) {
        self.comparison.differing_rows += 1;
        push(&mut self.comparison.differing, key, Some(row), Some(found));
    }

    fn lost(&mut self, key: Vec<String>, row: &Row) {
        self.comparison.lost_rows += 1;
        push(&mut self.comparison.lost, key, Some(row), None);
    }

    fn finish(mut self) -> Comparison {
        let ledger = self.ledger;
        self.comparison.ambiguous_rows = self.ambiguous.len() as u64;
        for ambiguity in ledger.ambiguities.values() {
            self.judge(ambiguity);
        }
        for n in 0..ledger.key_space {
            if self.ambiguous.contains_key(&n) {
                continue;
            }
            let Some(row) = ledger.row(n) else { continue };
            self.comparison.rows_expected += 1;
            if self
                .seen
                .get((n / 64) as usize)
                .is_none_or(|w| w & (1 << (n % 64)) == 0)
            {
                self.lost(ledger.table.key.encode(n), &row);
            }
        }
        self.comparison
    }

    /// All rows of a transaction whose answer stayed lost are as before, or all as after.
    fn judge(&mut self, ambiguity: &Ambiguity) {
        let table = &self.ledger.table;
        let found: BTreeMap<u64, Option<Found>> = ambiguity
            .after
            .keys()
            .map(|n| (*n, self.ambiguous.get_mut(n).and_then(Option::take)))
            .collect();
        let wrong = |states: &super::model::States| -> Vec<u64> {
            found
                .iter()
                .filter(|(n, found)| match (states.get(n).copied().flatten(), found) {
                    (None, None) => false,
                    (Some(row), Some(found)) => !table.is_row(&row, found),
                    _ => true,
                })
                .map(|(n, _)| *n)
                .collect()
        };
        let (wrong_before, wrong_after) = (wrong(&ambiguity.before), wrong(&ambiguity.after));
        let (states, wrong) = match wrong_after.len() <= wrong_before.len() {
            true => (&ambiguity.after, wrong_after),
            false => (&ambiguity.before, wrong_before),
        };
        self.comparison.rows_expected += states.values().flatten().count() as u64;
        for n in wrong {
            let key = table.key.encode(n);
            match (
                states.get(&n).copied().flatten(),
                found.get(&n).and_then(Option::as_ref),
            ) {
                (Some(row), Some(found)) => self.differing(key, &row, found),
                (Some(row), None) => self.lost(key, &row),
                (None, Some(found)) => self.invented(key, found),
                (None, None) => {}
            }
        }
    }
}

fn push(list: &mut Vec<Difference>, key: Vec<String>, expected: Option<&Row>, found: Option<&Found>) {
    if list.len() < LISTED_MAX {
        list.push(Difference {
            key,
            expected: expected.map(|r| format!("{r:?}")).unwrap_or_default(),
            found: found.map(|f| format!("{f:?}")).unwrap_or_default(),
        });
    }
}
