//! From figures to findings. Pure.

use super::threshold::{self, Settings};
use super::{Blocker, DEAD_PER_THRESHOLD, LOAD_MAX, Table, Unanalyzed, Vacuum, WORKERS_BUSY, tree};
use crate::fault::{AUTOVACUUM_OFF, NEVER_ANALYZED, VACUUM_DUE, VACUUM_WORKERS};
use crate::finding::{Finding, Gauge, Remedy, Severity};
use crate::probe::Judging;
use crate::probe::words::{grouped, literal, percent, qualified, seconds};
use crate::sample::Point;
use crate::tree::Facts;

/// Fewer rows than this are vacuumed in no time, whenever.
const ROWS_MIN: f64 = 10_000.0;
/// So many dead rows are worth a warning.
const ROWS_MANY: f64 = 1_000_000.0;
/// Twice its threshold, a table is not waiting for its turn any more.
const LATE: f64 = 2.0;
/// By the history, it waits for its turn no longer than this.
const PATIENCE_S: f64 = 3_600.0;
/// Samples that lie further apart than this tell nothing about the time between them.
const GAP_S: f64 = 86_400.0;
/// A lock that is held for less keeps nobody from anything.
const BLOCKED_S: f64 = 10.0;
/// So many tables are named; the others are counted.
const NAMED_MAX: usize = 20;

/// For how long a series that ends now has been at 1 or more.
pub(super) fn overdue_s(series: &[Point], now_s: f64) -> f64 {
    let mut since = now_s;
    for point in series.iter().rev() {
        if point.value < 1.0 || since - point.at_s > GAP_S {
            break;
        }
        since = point.at_s;
    }
    now_s - since
}

impl Vacuum {
    pub(super) fn due_finding(
        &self,
        table: &Table,
        settings: &Settings,
        judging: &Judging<'_>,
    ) -> Option<Finding> {
        let (dead, inserted) = (table.dead_ratio(settings), table.inserted_ratio(settings));
        let is_dead = dead >= 1.0;
        let (rows, due) = if is_dead {
            (table.dead_rows, dead)
        } else {
            (table.inserted_rows, inserted)
        };
        let object = table.object();
        let series = judging.series(&DEAD_PER_THRESHOLD, &object, dead.max(inserted));
        let overdue = overdue_s(&series, judging.now_s);
        if rows < ROWS_MIN || table.is_vacuumed_now || due < LATE && overdue < PATIENCE_S {
            return None;
        }
        let severity = if is_dead && due >= LATE && rows >= ROWS_MANY {
            Severity::Warning
        } else {
            Severity::Notice
        };
        let limit = rows / due;
        let since = if overdue >= PATIENCE_S {
            format!(", for {} at least", seconds(overdue))
        } else {
            String::new()
        };
        let mut finding = Finding::new(
            &VACUUM_DUE,
            object,
            severity,
            format!(
                "{} {} rows, and a vacuum is due from {} on{since}",
                grouped(rows),
                if is_dead { "dead" } else { "inserted" },
                grouped(limit)
            ),
        );
        finding.gauge = Some(Gauge {
            used: rows,
            standard_error: None,
            capacity: limit,
            unit: "rows",
        });
        finding.fact("live rows", grouped(table.live_rows), "pg_stat_all_tables");
        let last = table.vacuumed_s.map(|at_s| (judging.now_s - at_s).max(0.0));
        finding.fact(
            "last vacuum",
            last.map_or("none since the statistics began".to_owned(), |ago| {
                format!("{} ago", seconds(ago))
            }),
            "pg_stat_all_tables",
        );
        if !table.options.is_empty() {
            finding.fact(
                "its own settings",
                table.options.join(", "),
                "pg_class.reloptions",
            );
        }
        let mut facts = self.facts(table, settings);
        let is_in_vain = is_dead && last.is_some_and(|ago| ago < PATIENCE_S);
        facts.flag("is_vacuumed_in_vain", is_in_vain);
        if is_in_vain && let Some(holder) = &self.holder {
            let text = format!("{}, {} transactions ago", holder.title(), grouped(holder.xid_age));
            finding.fact(
                "holds the horizon",
                text,
                "as `corridor check --only horizon` sees it",
            );
        }
        explain_blocker(table, &mut finding, &mut facts);
        finding.advice = Some(tree::DUE_TREE.walk(&facts));
        finding.remedies = vec![Remedy::Vacuum {
            schema: table.relation_schema.clone(),
            relation: table.relation_name.clone(),
        }];
        Some(finding)
    }

    pub(super) fn off_findings(&self, settings: &Settings) -> Vec<Finding> {
        let mut all = Vec::new();
        if !settings.is_on {
            let mut finding = Finding::new(
                &AUTOVACUUM_OFF,
                "the server",
                Severity::Warning,
                "autovacuum is off, or track_counts is: no table is vacuumed before its transaction ids run out",
            );
            let mut facts = Facts::default();
            facts.flag("is_all_off", true);
            finding.advice = Some(tree::OFF_TREE.walk(&facts));
            all.push(finding);
        }
        let mut off: Vec<&Table> = self
            .tables
            .iter()
            .filter(|t| t.is_off() && t.live_rows + t.dead_rows >= ROWS_MIN)
            .collect();
        off.sort_by(|a, b| b.dead_rows.total_cmp(&a.dead_rows));
        for table in off.into_iter().take(NAMED_MAX) {
            let is_due = table.due(settings) >= 1.0;
            let mut finding = Finding::new(
                &AUTOVACUUM_OFF,
                table.object(),
                if is_due {
                    Severity::Warning
                } else {
                    Severity::Notice
                },
                format!(
                    "autovacuum is off for this table: {} live rows, {} dead",
                    grouped(table.live_rows),
                    grouped(table.dead_rows)
                ),
            );
            finding.advice = Some(tree::OFF_TREE.walk(&self.facts(table, settings)));
            all.push(finding);
        }
        all
    }

    pub(super) fn workers_finding(&self, settings: &Settings, judging: &Judging<'_>) -> Option<Finding> {
        let waiting: Vec<&Table> = self
            .due()
            .into_iter()
            .filter(|t| !t.is_vacuumed_now && !t.is_off())
            .collect();
        let busy = settings.workers_busy / settings.workers_max.max(1.0);
        let series = judging.series(&WORKERS_BUSY, "", busy);
        let busy_s = overdue_s(&series, judging.now_s);
        let are_all_busy = busy >= 1.0 && !waiting.is_empty();
        let load = self.load();
        let is_loaded = load.is_some_and(|load| load >= LOAD_MAX);
        if !are_all_busy && !is_loaded {
            return None;
        }
        let is_lasting = are_all_busy && busy_s >= PATIENCE_S || load.is_some_and(|load| load >= 1.0);
        let headline = if are_all_busy {
            format!(
                "all {} workers of autovacuum are busy, and {} tables wait",
                grouped(settings.workers_max),
                grouped(waiting.len() as f64)
            )
        } else {
            format!(
                "the vacuums of this database need {} of what the workers may spend",
                percent(load.unwrap_or(0.0))
            )
        };
        let severity = if is_lasting {
            Severity::Warning
        } else {
            Severity::Notice
        };
        let mut finding = Finding::new(&VACUUM_WORKERS, "autovacuum", severity, headline);
        if busy_s >= PATIENCE_S {
            finding.fact("all busy for", seconds(busy_s), "the history of checks");
        }
        let named: Vec<String> = waiting.iter().take(5).map(|t| t.object()).collect();
        if !named.is_empty() {
            finding.fact("waiting, most due first", named.join(", "), "pg_stat_all_tables");
        }
        if let Some(load) = load {
            finding.fact(
                "load",
                format!("{}; more than 70 % falls behind", percent(load)),
                "the price of each table's vacuum, as often as it came, against the workers' budget",
            );
        }
        let wanted = settings.cost_limit * (load.unwrap_or(0.0) / 0.5).max(2.0);
        let mut facts = Facts::default();
        facts
            .maybe("load", load)
            .flag("are_all_busy", are_all_busy)
            // The server takes 10,000 at most.
            .number("wanted_cost_limit", wanted.min(10_000.0).round())
            .number("wanted_workers", settings.workers_max + 2.0);
        finding.advice = Some(tree::WORKERS_TREE.walk(&facts));
        Some(finding)
    }

    fn facts(&self, table: &Table, settings: &Settings) -> Facts {
        let mut facts = Facts::default();
        facts
            .flag("is_all_off", !settings.is_on)
            .flag("is_off", table.is_off())
            .flag("is_toast", table.is_toast)
            .maybe("load", self.load())
            .text("table", qualified(&table.schema, &table.table))
            .text(
                "relation",
                qualified(&table.relation_schema, &table.relation_name),
            );
        if threshold::budget_per_s(settings).is_none() {
            facts.number("load", 0.0);
        }
        facts
    }
}

/// Who locks it: not somebody who has just begun.
fn explain_blocker(table: &Table, finding: &mut Finding, facts: &mut Facts) {
    let lasts = |blocker: &&Blocker| blocker.held_s.is_none_or(|held_s| held_s >= BLOCKED_S);
    let blocker = table.blocker.as_ref().filter(lasts);
    facts.flag("is_blocked", blocker.is_some());
    let Some(blocker) = blocker else { return };
    let since = blocker
        .held_s
        .map_or_else(String::new, |held_s| format!(" for {}", seconds(held_s)));
    let who = match (blocker.pid, &blocker.gid) {
        (Some(pid), _) => match &blocker.state {
            Some(state) => format!("session {pid} ({state})"),
            None => format!("session {pid}"),
        },
        (None, Some(gid)) => format!("prepared transaction {gid}"),
        (None, None) => "a prepared transaction".to_owned(),
    };
    let text = format!("{who} holds {}{since}", blocker.mode);
    finding.fact("no vacuum can begin", text, "pg_locks");
    facts.maybe("blocker_pid", blocker.pid.map(f64::from));
    if let Some(gid) = &blocker.gid {
        facts.text("blocker_gid", literal(gid));
    }
}

pub(super) fn unanalyzed(table: &Unanalyzed) -> Finding {
    let what = if table.is_partitioned {
        "partitioned, and never analyzed: autovacuum analyzes partitions only, never the whole".to_owned()
    } else {
        format!(
            "never analyzed: {} rows, and no statistics",
            grouped(table.live_rows)
        )
    };
    let mut finding = Finding::new(
        &NEVER_ANALYZED,
        format!("{}.{}", table.schema, table.table),
        Severity::Notice,
        what,
    );
    let mut facts = Facts::default();
    facts.text("table", qualified(&table.schema, &table.table));
    finding.advice = Some(tree::ANALYZE_TREE.walk(&facts));
    finding
}
