//! Reading the signals: a few cheap queries in one read-only transaction, on a connection of its own.
//!
//! Each signal degrades by itself: when its query fails, the transaction begins again and goes on with the next.

use std::fmt::Display;

use corridor_pg::{Fault, FaultContext, Ident, Result, Session};
use tokio_postgres::Row;

use super::statements::{StatementTotals, totals};
use super::{Limits, Reading, Readings, Signal};
use crate::setting::Settings;

/// What a remote server is taken to have when nobody said.
const CORES_UNKNOWN: f64 = 4.0;

/// Reads the signals; keeps what the rates need from one sample to the next.
#[derive(Debug, Default)]
pub struct Sampler {
    server: Option<Server>,
    wal: Option<WalMark>,
    statements: Option<StatementTotals>,
}

/// What does not change while a connection lasts.
#[derive(Debug, Clone)]
struct Server {
    is_local: bool,
    statements_schema: Option<Ident>,
}

/// How much WAL there was, and when, by the server's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
struct WalMark {
    bytes: f64,
    at_s: f64,
}

/// What one signal's query came to: `Err` ends the transaction it ran in.
type Read = std::result::Result<Reading, Fault>;

impl Sampler {
    /// A sampler that knows nothing yet: the rates are absent in its first sample.
    pub fn new() -> Self {
        Sampler::default()
    }

    /// Forgets what belongs to a connection. Call it when the sampler goes on with another one.
    pub fn reconnected(&mut self) {
        *self = Sampler::default();
    }

    /// One sample. The cheap signals are always read, so that their figures can be shown; the mean time of
    /// statements and the custom query only when their limits are on.
    ///
    /// Never fails: what goes wrong is in the readings, and holds. Bounded by a second for each signal.
    pub async fn sample(&mut self, session: &Session, settings: &Settings) -> Readings {
        match self.try_sample(session, settings).await {
            Ok(readings) => readings,
            Err(fault) => {
                self.reconnected();
                Readings::all_failed(&fault.to_string())
            }
        }
    }

    async fn try_sample(&mut self, session: &Session, settings: &Settings) -> Result<Readings> {
        let server = match &self.server {
            Some(server) => server.clone(),
            None => self.server.insert(look_at(session).await?).clone(),
        };
        let mut readings = Readings::default();
        begin(session).await?;
        for signal in Signal::ALL {
            if !is_wanted(signal, &settings.limits) {
                continue;
            }
            let read = match signal {
                Signal::ReplicaLagMs => replica_lag(session).await,
                Signal::LockWaiters => {
                    plain(session, include_str!("../../sql/throttle/lock_waiters.sql")).await
                }
                Signal::ActivePerCore => active_per_core(session, cores(&server, settings)).await,
                Signal::OldestTransactionS => oldest_transaction(session).await,
                Signal::WalBytesPerS => self.wal_rate(session).await,
                Signal::SlotRetainedBytes => {
                    plain(session, include_str!("../../sql/throttle/slots.sql")).await
                }
                Signal::StatementMeanMs => self.statement_mean(session, &server).await,
                Signal::Custom => custom(session, settings.custom_query.as_deref()).await,
            };
            match read {
                Ok(reading) => readings.put(signal, reading),
                Err(fault) => {
                    let why = one_line(&fault);
                    readings.put(signal, Reading::Failed { why });
                    // The fault ended the transaction, and with it the limits on time. A connection that is gone
                    // fails here, and with it everything.
                    session.batch_execute("rollback").await.doing(|| "sampling")?;
                    begin(session).await?;
                }
            }
        }
        session.batch_execute("commit").await.doing(|| "sampling")?;
        Ok(readings)
    }

    async fn wal_rate(&mut self, session: &Session) -> Read {
        let row = one(session, include_str!("../../sql/throttle/wal.sql")).await?;
        let now = WalMark {
            bytes: row.get("bytes"),
            at_s: row.get("at_s"),
        };
        let before = self.wal.replace(now);
        Ok(match before.and_then(|before| rate(before, now)) {
            Some(figure) => Reading::Measured { figure },
            None => first_sample(),
        })
    }

    async fn statement_mean(&mut self, session: &Session, server: &Server) -> Read {
        let Some(schema) = &server.statements_schema else {
            return Ok(absent(
                "the extension pg_stat_statements is not installed in this database",
            ));
        };
        let now = totals(session, schema).await?;
        let before = self.statements.replace(now.clone());
        Ok(match before {
            Some(before) => Reading::Measured {
                figure: now.mean_ms_since(&before),
            },
            None => first_sample(),
        })
    }
}

/// True when a signal is read at all.
fn is_wanted(signal: Signal, limits: &Limits) -> bool {
    match signal {
        Signal::StatementMeanMs | Signal::Custom => limits.get(signal).is_some(),
        _ => true,
    }
}

fn rate(before: WalMark, now: WalMark) -> Option<f64> {
    let seconds = now.at_s - before.at_s;
    let bytes = now.bytes - before.bytes;
    (seconds > 0.0 && bytes >= 0.0).then(|| bytes / seconds)
}

fn cores(server: &Server, settings: &Settings) -> f64 {
    settings.cores.unwrap_or_else(|| {
        if server.is_local {
            std::thread::available_parallelism().map_or(CORES_UNKNOWN, |n| n.get() as f64)
        } else {
            CORES_UNKNOWN
        }
    })
}

fn absent(why: impl Into<String>) -> Reading {
    Reading::Absent { why: why.into() }
}

fn first_sample() -> Reading {
    absent("a rate needs two samples")
}

fn one_line(fault: &impl Display) -> String {
    fault.to_string().replace('\n', " ")
}

async fn look_at(session: &Session) -> Result<Server> {
    let row = one(session, include_str!("../../sql/throttle/server.sql")).await?;
    let schema: Option<String> = row.get("statements_schema");
    Ok(Server {
        is_local: row.get("is_local"),
        statements_schema: schema.map(Ident::new).transpose()?,
    })
}

async fn begin(session: &Session) -> Result<()> {
    session
        .batch_execute(include_str!("../../sql/throttle/begin.sql"))
        .await
        .doing(|| "beginning a sample")
}

/// One row of a static query without parameters, in one round trip.
async fn one(session: &Session, sql: &str) -> Result<Row> {
    session.query_typed_one(sql, &[]).await.map_err(Fault::from)
}

async fn plain(session: &Session, sql: &str) -> Read {
    let row = one(session, sql).await?;
    Ok(Reading::Measured {
        figure: row.get("figure"),
    })
}

async fn replica_lag(session: &Session) -> Read {
    let row = one(session, include_str!("../../sql/throttle/replica_lag.sql")).await?;
    let hidden: i64 = row.get("hidden");
    if hidden > 0 {
        return Ok(absent(format!(
            "{hidden} replication connections are hidden from this role; grant pg_monitor to it"
        )));
    }
    Ok(Reading::Measured {
        figure: row.get("figure"),
    })
}

/// Partly hidden: what can be seen is still a lower bound, and breaks the limit when it is above it. `None` when all
/// is visible.
fn hidden_sessions(row: &Row) -> Option<Reading> {
    let hidden: i64 = row.get("hidden");
    (hidden > 0).then(|| {
        absent(format!(
            "{hidden} sessions of other roles are hidden from this role; grant pg_monitor to it"
        ))
    })
}

async fn active_per_core(session: &Session, cores: f64) -> Read {
    let row = one(session, include_str!("../../sql/throttle/active.sql")).await?;
    let active: f64 = row.get("figure");
    Ok(hidden_sessions(&row).unwrap_or(Reading::Measured {
        figure: active / cores,
    }))
}

async fn oldest_transaction(session: &Session) -> Read {
    let row = one(session, include_str!("../../sql/throttle/oldest_transaction.sql")).await?;
    Ok(hidden_sessions(&row).unwrap_or(Reading::Measured {
        figure: row.get("figure"),
    }))
}

async fn custom(session: &Session, query: Option<&str>) -> Read {
    let Some(query) = query else {
        return Ok(absent("throttle.custom.query is not set"));
    };
    let measured = probe(session, query)
        .await
        .map_err(|fault| match fault.sqlstate() {
            // The server's words on data and of `raise` hold values of rows, and these words are shown to everybody who may look.
            Some(state) if state.starts_with("22") || state.starts_with("P0") => {
                let why = format!("throttle.custom.query: it fails with SQLSTATE {state}");
                Fault::new(&crate::fault::BAD_SETTING, why)
            }
            _ => fault,
        });
    measured.map(|figure| Reading::Measured { figure })
}

/// Runs a user's query that returns one number. Call it in a read-only transaction with a `statement_timeout`.
///
/// The query is prepared by itself first: so it is one whole statement, and wrapping it cannot change its meaning.
pub async fn probe(session: &Session, query: &str) -> Result<f64> {
    let bad = |why: &str| {
        Fault::new(
            &crate::fault::BAD_SETTING,
            format!("throttle.custom.query: {why}"),
        )
    };
    let prepared = session
        .prepare(query)
        .await
        .doing(|| "preparing throttle.custom.query")?;
    if prepared.columns().len() != 1 || !prepared.params().is_empty() {
        return Err(bad("it must return one column and take no parameters"));
    }
    let rows = session
        .query(
            &format!("select figure::float8 from (\n{query}\n) as custom (figure) limit 2"),
            &[],
        )
        .await
        .doing(|| "running throttle.custom.query")?;
    match &rows[..] {
        [row] => row
            .get::<_, Option<f64>>(0)
            .ok_or_else(|| bad("it returned NULL; a number is needed")),
        _ => Err(bad("it must return one row")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_needs_time_and_growth() {
        let mark = |bytes, at_s| WalMark { bytes, at_s };
        assert_eq!(rate(mark(100.0, 1.0), mark(300.0, 3.0)), Some(100.0));
        assert_eq!(rate(mark(100.0, 1.0), mark(300.0, 1.0)), None);
        // Another server behind the same address.
        assert_eq!(rate(mark(300.0, 1.0), mark(100.0, 2.0)), None);
    }
}
