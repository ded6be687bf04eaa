//! The horizon: the oldest transaction that somebody may still look back at. No row that died after it can be taken away,
//! none that was written after it can be frozen. Here is who holds it: sessions, prepared transactions, replication slots,
//! standbys; each by its name, with what to end. Ending is a person's.

pub mod tree;

use corridor_pg::{Code, Result};
use serde::Serialize;

use crate::finding::{Finding, Severity};
use crate::metric::{Metric, Unit};
use crate::probe::words::{grouped, literal, seconds};
use crate::probe::{Judging, Probe, Scope};
use crate::reader::Reader;
use crate::sample::Sample;
use crate::tree::{Facts, Tree};

const HOUR_S: f64 = 3_600.0;
/// A session that holds the horizon for so long is worth a line.
const SESSION_NOTICE_S: f64 = 600.0;
/// A prepared transaction is finished within seconds; one that is this old has been forgotten.
const PREPARED_WARNING_S: f64 = 600.0;
/// An hour of dead rows is felt in busy tables.
const WARNING_S: f64 = HOUR_S;
/// After a day, in all of them.
const CRITICAL_S: f64 = 24.0 * HOUR_S;
/// The same by transactions, where nobody knows since when.
const WARNING_AGE: f64 = 10e6;
/// Half of what makes the server vacuum by force: it will, and win nothing.
const CRITICAL_AGE: f64 = 100e6;

/// The oldest of all.
pub static HORIZON_AGE: Metric = Metric::gauge(
    "horizon_xid_age",
    Unit::Count,
    "Transactions since the oldest one that a session, prepared transaction, slot or standby holds.",
);
/// The oldest open transaction.
pub static OLDEST_TRANSACTION: Metric = Metric::gauge(
    "oldest_transaction_seconds",
    Unit::Seconds,
    "How long the oldest transaction of a client has been open.",
);
/// Sessions that wait in a transaction.
pub static IDLE_IN_TRANSACTION: Metric = Metric::gauge(
    "idle_in_transaction_sessions",
    Unit::Count,
    "Sessions that wait for their client inside of a transaction.",
);
/// Prepared transactions.
pub static PREPARED: Metric = Metric::gauge(
    "prepared_transactions",
    Unit::Count,
    "Transactions that are prepared and neither committed nor rolled back.",
);

/// What kind of thing holds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HolderKind {
    /// A session with a snapshot or a transaction id.
    #[default]
    Session,
    /// A prepared transaction.
    Prepared,
    /// A replication slot.
    Slot,
    /// A standby with `hot_standby_feedback`, without a slot.
    Standby,
}

/// Who holds it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Holder {
    /// What.
    pub kind: HolderKind,
    /// Its session, where it has one.
    pub pid: Option<i32>,
    /// A session's pid, a transaction's gid, a slot's name, a standby's name.
    pub name: String,
    /// Whose.
    pub role: Option<String>,
    /// In which database.
    pub database: Option<String>,
    /// `application_name`.
    pub application: Option<String>,
    /// `idle in transaction`; of a slot, `wal_status`.
    pub state: Option<String>,
    /// Somebody uses the slot.
    pub is_active: Option<bool>,
    /// A slot of logical decoding.
    pub is_logical: Option<bool>,
    /// Transactions since then.
    pub xid_age: f64,
    /// Seconds since then; of a slot, since nobody has used it (from PostgreSQL 17 on).
    pub held_s: Option<f64>,
    /// The beginning of its statement, or of its last one.
    pub query: Option<String>,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Horizon {
    /// The oldest first.
    pub holders: Vec<Holder>,
    /// Sessions that wait in a transaction.
    pub idle_in_transaction: Option<f64>,
    /// Prepared transactions.
    pub prepared: Option<f64>,
    /// How long the oldest transaction of a client has been open.
    pub oldest_s: Option<f64>,
}

impl HolderKind {
    fn parse(word: &str) -> HolderKind {
        match word {
            "prepared" => HolderKind::Prepared,
            "slot" => HolderKind::Slot,
            "standby" => HolderKind::Standby,
            _ => HolderKind::Session,
        }
    }

    fn code(self) -> &'static Code {
        self.tree().code
    }

    fn tree(self) -> &'static Tree {
        match self {
            HolderKind::Session => &tree::SESSION,
            HolderKind::Prepared => &tree::PREPARED,
            HolderKind::Slot => &tree::SLOT,
            HolderKind::Standby => &tree::STANDBY,
        }
    }

    fn source(self) -> &'static str {
        match self {
            HolderKind::Session => "pg_stat_activity",
            HolderKind::Prepared => "pg_prepared_xacts",
            HolderKind::Slot => "pg_replication_slots",
            HolderKind::Standby => "pg_stat_replication",
        }
    }
}

impl Holder {
    /// `session 4711 (worker as app)`.
    pub fn title(&self) -> String {
        match self.kind {
            HolderKind::Session => {
                let role = self.role.as_deref().unwrap_or("nobody");
                match self.application.as_deref().filter(|name| !name.is_empty()) {
                    Some(application) => format!("session {} ({application} as {role})", self.name),
                    None => format!("session {} (as {role})", self.name),
                }
            }
            HolderKind::Prepared => format!("prepared transaction {}", self.name),
            HolderKind::Slot => format!("slot {}", self.name),
            HolderKind::Standby => format!("standby {}", self.name),
        }
    }

    fn is_idle(&self) -> bool {
        self.state
            .as_deref()
            .is_some_and(|state| state.starts_with("idle in transaction"))
    }

    /// How bad it is; `None` when it is nothing.
    pub fn severity(&self) -> Option<Severity> {
        let held_s = self.held_s.unwrap_or(0.0);
        let (critical_s, warning_s, notice_s) = match self.kind {
            HolderKind::Session => (CRITICAL_S, WARNING_S, SESSION_NOTICE_S),
            HolderKind::Prepared => (CRITICAL_S, PREPARED_WARNING_S, PREPARED_WARNING_S),
            // What counts for them is how far they lie behind; a slot that rests in a quiet database does no harm.
            HolderKind::Slot | HolderKind::Standby => (f64::INFINITY, CRITICAL_S, CRITICAL_S),
        };
        if held_s >= critical_s || self.xid_age >= CRITICAL_AGE {
            Some(Severity::Critical)
        } else if held_s >= warning_s || self.xid_age >= WARNING_AGE {
            Some(Severity::Warning)
        } else {
            (held_s >= notice_s).then_some(Severity::Notice)
        }
    }

    fn headline(&self) -> String {
        let behind = format!("{} transactions", grouped(self.xid_age));
        match (self.kind, self.held_s) {
            (HolderKind::Session, Some(held_s)) if self.is_idle() => format!(
                "idle in a transaction for {}: no row that died in the last {behind} can be taken away",
                seconds(held_s)
            ),
            (HolderKind::Slot, Some(held_s)) => format!(
                "unused for {}: no row that died in the last {behind} can be taken away",
                seconds(held_s)
            ),
            (_, Some(held_s)) => format!(
                "open for {}: no row that died in the last {behind} can be taken away",
                seconds(held_s)
            ),
            (_, None) => format!("no row that died in the last {behind} can be taken away"),
        }
    }

    fn facts(&self) -> Facts {
        let application = self.application.as_deref().unwrap_or("");
        let mut facts = Facts::default();
        facts
            .flag("is_idle", self.is_idle())
            .flag("is_corridor", application.starts_with("corridor:"))
            .flag("is_dump", matches!(application, "pg_dump" | "pg_dumpall"))
            .maybe("held_h", self.held_s.map(|s| s / HOUR_S))
            .maybe("is_active", self.is_active.map(|yes| f64::from(u8::from(yes))))
            .maybe("is_logical", self.is_logical.map(|yes| f64::from(u8::from(yes))))
            .maybe("pid", self.pid.map(f64::from))
            .text("name", literal(&self.name));
        facts
    }
}

impl Probe for Horizon {
    const NAME: &'static str = "horizon";
    const METRICS: &'static [&'static Metric] =
        &[&HORIZON_AGE, &OLDEST_TRANSACTION, &IDLE_IN_TRANSACTION, &PREPARED];
    const TREES: &'static [&'static Tree] = &[&tree::SESSION, &tree::PREPARED, &tree::SLOT, &tree::STANDBY];

    async fn read(reader: &mut Reader, _: &Scope) -> Result<Self> {
        let sql = include_str!("../../sql/horizon/holders.sql");
        let rows = reader.ask("who holds the horizon", sql, &[]).await?;
        let holder = |row: &tokio_postgres::Row| Holder {
            kind: HolderKind::parse(row.get("kind")),
            pid: row.get("pid"),
            name: row.get::<_, Option<String>>("name").unwrap_or_default(),
            role: row.get("role"),
            database: row.get("database"),
            application: row.get("application"),
            state: row.get("state"),
            is_active: row.get("is_active"),
            is_logical: row.get("is_logical"),
            xid_age: row.get::<_, Option<f64>>("xid_age").unwrap_or_default(),
            held_s: row.get("held_s"),
            query: row.get("query"),
        };
        let holders = rows.unwrap_or_default().iter().map(holder).collect();
        let sql = include_str!("../../sql/horizon/counts.sql");
        let counts = reader.ask_one("open transactions", sql, &[]).await?;
        let Some(counts) = counts else {
            return Ok(Horizon {
                holders,
                ..Horizon::default()
            });
        };
        let hidden: f64 = counts.get("hidden");
        if hidden > 0.0 {
            reader.note(
                "the transactions of other roles",
                format!("{} sessions are hidden from this role", grouped(hidden)),
                "grant pg_monitor to the role",
            );
        }
        Ok(Horizon {
            holders,
            idle_in_transaction: counts.get("idle_in_transaction"),
            prepared: counts.get("prepared"),
            oldest_s: counts.get("oldest_s"),
        })
    }

    fn samples(&self) -> Vec<Sample> {
        let oldest = self.holders.iter().map(|h| h.xid_age).fold(0.0, f64::max);
        let mut samples = vec![Sample::new(&HORIZON_AGE, "", oldest)];
        for (metric, value) in [
            (&OLDEST_TRANSACTION, Some(self.oldest_s.unwrap_or(0.0))),
            (&IDLE_IN_TRANSACTION, self.idle_in_transaction),
            (&PREPARED, self.prepared),
        ] {
            samples.extend(value.map(|value| Sample::new(metric, "", value)));
        }
        samples
    }

    fn judge(&self, _: &Judging<'_>) -> Vec<Finding> {
        let oldest = self.holders.iter().map(|h| h.xid_age).fold(0.0, f64::max);
        self.holders
            .iter()
            .filter_map(|holder| judge_one(holder, oldest))
            .collect()
    }
}

fn judge_one(holder: &Holder, oldest: f64) -> Option<Finding> {
    let severity = holder.severity()?;
    let source = holder.kind.source();
    let mut finding = Finding::new(holder.kind.code(), holder.title(), severity, holder.headline());
    if holder.xid_age >= oldest {
        finding.fact("nobody holds an older one", "yes", source);
    } else {
        finding.fact(
            "somebody holds an older one",
            format!("{} transactions ago", grouped(oldest)),
            source,
        );
    }
    for (name, text) in [
        ("database", &holder.database),
        ("role", &holder.role),
        ("state", &holder.state),
        ("statement, or the last one", &holder.query),
    ] {
        if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
            finding.fact(name, text.clone(), source);
        }
    }
    finding.advice = Some(holder.kind.tree().walk(&holder.facts()));
    Some(finding)
}

#[cfg(test)]
mod tests;
