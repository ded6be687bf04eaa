//! Transaction ids, MultiXact ids and MultiXact members: how far each database is from the point at which the server
//! refuses writes, what holds it back, and whether the vacuum that is due will be done in time.
//!
//! Ids go round after 2^32; the oldest one in use may be 2^31 behind the next. See [`vacuum`] for the estimate,
//! `read` for what is read, [`tree`] for the ways out.

pub mod facts;
mod read;
pub mod tree;
pub mod vacuum;

use corridor_pg::{Code, Result};
use serde::Serialize;

use crate::fault::{MULTIXACT_MEMBERS, MULTIXACT_WRAPAROUND, XID_WRAPAROUND};
use crate::finding::{AgingIds, Finding, Gauge, Remedy, Severity};
use crate::forecast::{self, Growth, Runway};
use crate::metric::{Metric, Unit};
use crate::probe::words::{grouped, percent, seconds};
use crate::probe::{Judging, Probe, Scope};
use crate::reader::Reader;
use crate::sample::Sample;
use crate::tree::{Facts, Tree};
use facts::{Counters, Database, Running, Settings, Table};
use vacuum::{WRONG_BY, Work};

const DAY_S: f64 = 86_400.0;
/// The server refuses writes 3 million ids before the oldest id would be 2^31 behind (since PostgreSQL 14).
pub const STOP: f64 = 2_147_483_648.0 - 3_000_000.0;
/// Members are numbered with 32 bits (to PostgreSQL 18).
pub const MEMBERS: f64 = 4_294_967_296.0;
/// Members in one file.
pub const MEMBERS_PER_FILE: f64 = 52_352.0;
/// With fewer ids left than this somebody is woken (OneSignal's limit, after an incident).
const LEFT_ALERT: f64 = 250e6;
/// From here on every vacuum freezes more than it would; from [`MEMBERS_CRITICAL`] on, everything.
const MEMBERS_WARNING: f64 = MEMBERS / 2.0;
const MEMBERS_CRITICAL: f64 = MEMBERS * 0.75;
/// A vacuum should be done in this share of the time that is left.
const SAFETY: f64 = 3.0;

/// The counter of transaction ids.
pub static XID_COUNTER: Metric = Metric::counter(
    "xid_counter",
    Unit::Count,
    "Transaction ids that the cluster has taken since it was made.",
);
/// Age of a database.
pub static XID_AGE: Metric = Metric::gauge(
    "database_xid_age",
    Unit::Count,
    "Transactions since the oldest one that a database still needs to know; writes stop at 2,144,483,648.",
);
/// The counter of MultiXact ids.
pub static MXID_COUNTER: Metric = Metric::wrapping(
    "mxid_counter",
    Unit::Count,
    MEMBERS,
    "The cluster's counter of MultiXact ids at its last checkpoint; it goes round.",
);
/// MultiXact age of a database.
pub static MXID_AGE: Metric = Metric::gauge(
    "database_mxid_age",
    Unit::Count,
    "MultiXacts since the oldest one that a database still needs to know; writes stop at 2,144,483,648.",
);
/// The counter of members.
pub static MEMBER_COUNTER: Metric = Metric::wrapping(
    "mxid_member_counter",
    Unit::Count,
    MEMBERS,
    "The cluster's counter of MultiXact members at its last checkpoint; it goes round.",
);
/// Share of members in use.
pub static MEMBERS_USED: Metric = Metric::gauge(
    "mxid_members_used_ratio",
    Unit::Ratio,
    "Share of the 4.29 billion MultiXact members that are in use, by the files that hold them.",
);

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Wraparound {
    /// The counters.
    pub counters: Option<Counters>,
    /// The settings.
    pub settings: Settings,
    /// The oldest first.
    pub databases: Vec<Database>,
    /// Of this database, the oldest first.
    pub tables: Vec<Table>,
    /// What is due in this database.
    pub due: Option<Work>,
    /// What runs.
    pub vacuums: Vec<Running>,
    /// Age of the oldest transaction that somebody holds.
    pub horizon_age: Option<f64>,
    /// Files of members.
    pub member_files: Option<f64>,
}

/// The two kinds of ids, which are judged alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    Transactions,
    MultiXacts,
}

impl Ids {
    fn word(self) -> &'static str {
        match self {
            Ids::Transactions => "transactions",
            Ids::MultiXacts => "MultiXacts",
        }
    }

    fn code(self) -> &'static Code {
        match self {
            Ids::Transactions => &XID_WRAPAROUND,
            Ids::MultiXacts => &MULTIXACT_WRAPAROUND,
        }
    }

    fn tree(self) -> &'static Tree {
        match self {
            Ids::Transactions => &tree::XIDS,
            Ids::MultiXacts => &tree::MXIDS,
        }
    }

    fn source(self) -> &'static str {
        match self {
            Ids::Transactions => "pg_database.datfrozenxid",
            Ids::MultiXacts => "pg_database.datminmxid",
        }
    }

    fn age_of(self, database: &Database) -> f64 {
        match self {
            Ids::Transactions => database.xid_age,
            Ids::MultiXacts => database.mxid_age,
        }
    }

    fn age_of_table(self, table: &Table) -> f64 {
        match self {
            Ids::Transactions => table.xid_age,
            Ids::MultiXacts => table.mxid_age,
        }
    }
}

impl Probe for Wraparound {
    const NAME: &'static str = "wraparound";
    const METRICS: &'static [&'static Metric] = &[
        &XID_COUNTER,
        &XID_AGE,
        &MXID_COUNTER,
        &MXID_AGE,
        &MEMBER_COUNTER,
        &MEMBERS_USED,
    ];
    const TREES: &'static [&'static Tree] = &[&tree::XIDS, &tree::MXIDS, &tree::MEMBERS];

    async fn read(reader: &mut Reader, _: &Scope) -> Result<Self> {
        read::read(reader).await
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        if let Some(counters) = self.counters {
            samples.push(Sample::new(&XID_COUNTER, "", counters.next_xid));
            samples.push(Sample::new(&MXID_COUNTER, "", counters.next_mxid));
            samples.push(Sample::new(&MEMBER_COUNTER, "", counters.next_member));
        }
        for database in &self.databases {
            samples.push(Sample::new(&XID_AGE, &database.name, database.xid_age));
            samples.push(Sample::new(&MXID_AGE, &database.name, database.mxid_age));
        }
        if let Some(used) = self.members_used() {
            samples.push(Sample::new(&MEMBERS_USED, "", used / MEMBERS));
        }
        samples
    }

    fn judge(&self, judging: &Judging<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for ids in [Ids::Transactions, Ids::MultiXacts] {
            let growth = self.growth(ids, judging);
            for database in &self.databases {
                findings.extend(self.judge_database(ids, database, &growth));
            }
        }
        findings.extend(self.judge_members(judging));
        findings
    }
}

impl Wraparound {
    /// Members in use, by the files that hold them: never less than there are, and at most one file more.
    pub fn members_used(&self) -> Option<f64> {
        self.member_files
            .map(|files| (files * MEMBERS_PER_FILE).min(MEMBERS))
    }

    fn growth(&self, ids: Ids, judging: &Judging<'_>) -> Result<Growth, Runway> {
        let Some(counters) = self.counters else {
            return Err(Runway::Unknown);
        };
        let (metric, now) = match ids {
            Ids::Transactions => (&XID_COUNTER, counters.next_xid),
            Ids::MultiXacts => (&MXID_COUNTER, counters.next_mxid),
        };
        forecast::growth(&judging.series(metric, "", now), metric.kind)
    }

    fn forced_age(&self, ids: Ids) -> f64 {
        match ids {
            Ids::Transactions => self.settings.freeze_max_age,
            Ids::MultiXacts => self.settings.mxid_freeze_max_age,
        }
    }

    fn failsafe_age(&self, ids: Ids) -> f64 {
        match ids {
            Ids::Transactions => self.settings.failsafe_age,
            Ids::MultiXacts => self.settings.mxid_failsafe_age,
        }
    }

    /// The table that holds this database back the most.
    fn holder(&self, ids: Ids, database: &Database) -> Option<&Table> {
        let oldest = |a: &&Table, b: &&Table| ids.age_of_table(a).total_cmp(&ids.age_of_table(b));
        self.tables.iter().filter(|_| database.is_here).max_by(oldest)
    }

    /// Seconds until what is due in this database is vacuumed.
    fn due_s(&self, database: &Database) -> Option<f64> {
        let due = self.due.filter(|due| database.is_here && due.tables > 0.0)?;
        Some(self.settings.cost.seconds(&due))
    }

    fn judge_database(
        &self,
        ids: Ids,
        database: &Database,
        growth: &Result<Growth, Runway>,
    ) -> Option<Finding> {
        let age = ids.age_of(database);
        let left = STOP - age;
        let runway = match growth {
            _ if left <= 0.0 => Runway::Reached,
            Ok(growth) => forecast::days_left(left, growth),
            Err(not_enough) => *not_enough,
        };
        let severity = self.severity(ids, database, runway)?;
        let headline = if left <= 0.0 {
            format!("no {} are left: writes are refused", ids.word())
        } else {
            format!(
                "{} {} are left until writes are refused",
                grouped(left),
                ids.word()
            )
        };
        let mut finding = Finding::new(
            ids.code(),
            format!("database {}", database.name),
            severity,
            headline,
        );
        finding.runway = runway;
        finding.gauge = Some(Gauge {
            used: age,
            standard_error: None,
            capacity: STOP,
            unit: ids.word(),
        });
        self.explain(ids, database, growth, &mut finding);
        if let Some(share) = self.time_share(database, runway) {
            let late = if share >= 1.0 {
                ": at this pace they cannot be done before the limit"
            } else {
                ""
            };
            finding.fact(
                "of the time that is left they need",
                format!("{}{late}", percent(share)),
                "the estimate, and the counter's history",
            );
        }
        finding.advice = Some(ids.tree().walk(&self.facts(ids, database, runway)));
        finding.remedies = self.remedies(ids, database);
        Some(finding)
    }

    /// What the vacuums that are due need of the time that is left; from 1 on they cannot be done in time.
    fn time_share(&self, database: &Database, runway: Runway) -> Option<f64> {
        let days = runway.days_mid().filter(|days| *days > 0.0)?;
        Some(self.due_s(database)? / DAY_S / days)
    }

    fn severity(&self, ids: Ids, database: &Database, runway: Runway) -> Option<Severity> {
        let age = ids.age_of(database);
        let forced = self.forced_age(ids);
        if STOP - age < LEFT_ALERT {
            return Some(Severity::Critical);
        }
        if age < forced {
            return None;
        }
        // From here on a vacuum is due. What is vacuumed in time is no finding.
        let days = runway.days_mid();
        let late = self.time_share(database, runway).unwrap_or(0.0);
        if days.is_some_and(|days| days < 3.0) || late >= 1.0 {
            return Some(Severity::Critical);
        }
        if age >= self.failsafe_age(ids) || days.is_some_and(|days| days < 14.0) || late * SAFETY >= 1.0 {
            return Some(Severity::Warning);
        }
        // The server began to vacuum half a lap of its own limit ago, and it is not done.
        (age >= forced * 1.5).then_some(Severity::Notice)
    }

    fn explain(&self, ids: Ids, database: &Database, growth: &Result<Growth, Runway>, finding: &mut Finding) {
        let (word, age) = (ids.word(), ids.age_of(database));
        finding.fact("age", format!("{} {word}", grouped(age)), ids.source());
        finding.fact(
            "a vacuum is forced, and hurries",
            format!(
                "from {} on, and from {} on without delay and without indexes",
                grouped(self.forced_age(ids)),
                grouped(self.failsafe_age(ids))
            ),
            "pg_settings",
        );
        if let Ok(growth) = growth {
            finding.fact(
                "taken",
                format!("{} a day, {}", grouped(growth.per_s * DAY_S), growth.over()),
                "the counter's history",
            );
        }
        if let Some(held) = self.horizon_age.filter(|_| database.is_here) {
            finding.fact(
                "oldest transaction that somebody holds",
                format!("{} transactions ago", grouped(held)),
                "pg_stat_activity, pg_prepared_xacts, pg_replication_slots",
            );
        }
        if database.is_here {
            self.explain_tables(ids, finding);
        }
        for vacuum in self.vacuums.iter().filter(|v| v.database == database.name) {
            finding.fact("a vacuum runs", self.progress(vacuum), "pg_stat_progress_vacuum");
        }
    }

    fn explain_tables(&self, ids: Ids, finding: &mut Finding) {
        let mut oldest: Vec<&Table> = self.tables.iter().collect();
        oldest.sort_by(|a, b| ids.age_of_table(b).total_cmp(&ids.age_of_table(a)));
        for table in oldest.into_iter().take(10) {
            let temporary = if table.is_temporary { ", temporary" } else { "" };
            finding.fact(
                "held back by",
                format!(
                    "{}: {} {}, {} pages{temporary}",
                    table.title(),
                    grouped(ids.age_of_table(table)),
                    ids.word(),
                    grouped(table.pages)
                ),
                "pg_class",
            );
        }
        if let Some(due) = self.due.filter(|due| due.tables > 0.0) {
            let estimate = self.settings.cost.seconds(&due);
            finding.fact(
                "the vacuums that are due take",
                format!(
                    "about {} (an estimate: {} to {}) for {} tables, {} pages and {} pages of indexes",
                    seconds(estimate),
                    seconds(estimate / WRONG_BY),
                    seconds(estimate * WRONG_BY),
                    grouped(due.tables),
                    grouped(due.pages),
                    grouped(due.index_pages)
                ),
                "pg_class, and the cost settings of automatic vacuums",
            );
        }
    }

    fn progress(&self, vacuum: &Running) -> String {
        let name = self.tables.iter().find(|t| t.oid == vacuum.oid).map_or_else(
            || format!("of the relation with oid {}", vacuum.oid),
            |t| format!("of {}", t.title()),
        );
        let (Some(phase), Some(running_s)) = (&vacuum.phase, vacuum.running_s) else {
            return format!("pid {} {name}", vacuum.pid);
        };
        let scanned = vacuum.scanned_pages / vacuum.pages.max(1.0);
        let kind = match vacuum.is_against_wraparound {
            Some(true) => ", against wraparound: it does not give way",
            _ => "",
        };
        format!(
            "pid {} {name}: {phase}, {} scanned in {}{kind}",
            vacuum.pid,
            percent(scanned),
            seconds(running_s)
        )
    }

    fn facts(&self, ids: Ids, database: &Database, runway: Runway) -> Facts {
        let age = ids.age_of(database);
        let mut facts = Facts::default();
        facts
            .flag("is_here", database.is_here)
            .flag("can_connect", database.can_connect)
            .flag("is_standby", self.counters.is_some_and(|c| c.is_standby))
            .number("left", STOP - age)
            // Who holds half of the age holds what a vacuum could win.
            .maybe(
                "held_share",
                self.horizon_age
                    .filter(|_| database.is_here)
                    .map(|held| held / age.max(1.0)),
            )
            .text("database", &database.name);
        if let Some(holder) = self.holder(ids, database) {
            facts
                .flag("is_temporary", holder.is_temporary)
                .text("table", &holder.name);
            if let Some(vacuum) = self.vacuums.iter().find(|v| v.oid == holder.oid) {
                facts.flag("is_vacuumed", true);
                let left_s = vacuum.running_s.and_then(|running_s| {
                    vacuum::seconds_left(vacuum.pages, vacuum.scanned_pages, running_s)
                });
                if let (Some(left_s), Some(days)) = (left_s, runway.days_mid()) {
                    facts.number("time_share", left_s / DAY_S / days.max(0.001));
                }
            } else {
                facts.flag("is_vacuumed", false);
            }
        }
        facts
    }

    /// A vacuum of the table that holds this database back, where one can come there.
    fn remedies(&self, ids: Ids, database: &Database) -> Vec<Remedy> {
        let is_standby = self.counters.is_some_and(|c| c.is_standby);
        let holder = self.holder(ids, database);
        let Some(table) = holder.filter(|table| !table.is_temporary && !is_standby) else {
            return Vec::new();
        };
        let freeze = |are_indexes_left| Remedy::Freeze {
            schema: table.schema.clone(),
            relation: table.relation.clone(),
            ids: match ids {
                Ids::Transactions => AgingIds::Transactions,
                Ids::MultiXacts => AgingIds::MultiXacts,
            },
            are_indexes_left,
        };
        vec![freeze(false), freeze(true)]
    }

    fn judge_members(&self, judging: &Judging<'_>) -> Option<Finding> {
        let counters = self.counters?;
        let series = judging.series(&MEMBER_COUNTER, "", counters.next_member);
        let growth = forecast::growth(&series, MEMBER_COUNTER.kind);
        let used = self.members_used();
        let runway = match (&growth, used) {
            (_, Some(used)) if used >= MEMBERS => Runway::Reached,
            (Ok(growth), Some(used)) => forecast::days_left(MEMBERS - used, growth),
            (Err(not_enough), Some(_)) => *not_enough,
            _ => Runway::Unknown,
        };
        let lap_days = growth
            .as_ref()
            .ok()
            .and_then(|g| forecast::days_left(MEMBERS, g).days_mid());
        let (severity, headline) = match used {
            Some(used) => {
                let days = runway.days_mid();
                let severity = if used >= MEMBERS_CRITICAL || days.is_some_and(|d| d < 3.0) {
                    Severity::Critical
                } else if used >= MEMBERS_WARNING || days.is_some_and(|d| d < 14.0) {
                    Severity::Warning
                } else {
                    return None;
                };
                let share = percent(used / MEMBERS);
                (severity, format!("{share} of the MultiXact members are in use"))
            }
            // Nobody may say how many are in use; a lap within two weeks is worth a look all the same.
            None if lap_days.is_some_and(|days| days < 14.0) => (
                Severity::Warning,
                "MultiXact members are taken so fast that their space goes round within two weeks".to_owned(),
            ),
            None => return None,
        };
        let mut finding = Finding::new(&MULTIXACT_MEMBERS, "cluster", severity, headline);
        finding.runway = runway;
        finding.gauge = used.map(|used| Gauge {
            used,
            standard_error: None,
            capacity: MEMBERS,
            unit: "members",
        });
        if let Some(files) = self.member_files {
            finding.fact(
                "files of members",
                format!("{}, with room for 52,352 each", grouped(files)),
                "pg_multixact/members",
            );
        }
        if let (Ok(growth), Some(days)) = (&growth, lap_days) {
            finding.fact(
                "taken",
                format!(
                    "{} a day, {}: once round in {}",
                    grouped(growth.per_s * DAY_S),
                    growth.over(),
                    seconds(days * DAY_S)
                ),
                "the counter's history",
            );
        }
        // They are freed when no database needs the MultiXact that they belong to.
        if let Some(oldest) = self
            .databases
            .iter()
            .max_by(|a, b| a.mxid_age.total_cmp(&b.mxid_age))
        {
            finding.fact(
                "oldest MultiXact",
                format!("{} ago, in database {}", grouped(oldest.mxid_age), oldest.name),
                "pg_database.datminmxid",
            );
            let facts = self.facts(Ids::MultiXacts, oldest, runway);
            finding.advice = Some(tree::MEMBERS.walk(&facts));
            finding.remedies = self.remedies(Ids::MultiXacts, oldest);
        }
        Some(finding)
    }
}

#[cfg(test)]
mod tests;
