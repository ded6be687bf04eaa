//! From figures to findings: words, facts and the walk through the trees. Pure.

use super::rate::{Alarm, Rate};
use super::statement::Verb;
use super::{Amplification, COPIED_MANY, HOT_FEW, Statement, Table, UPDATES_MIN, WIDE_BYTES, tree, written};
use crate::fault::{HOT_COLUMNS, HOT_UPDATES, READ_AMPLIFICATION};
use crate::finding::{Finding, Remedy, Severity};
use crate::probe::words::{bytes, grouped, identifier, percent, qualified, seconds};
use crate::tree::Facts;

const PAGE_BYTES: f64 = 8_192.0;

impl Amplification {
    pub(super) fn statement_finding(&self, statement: &Statement, rate: &Rate, alarm: Alarm) -> Finding {
        let write = written(statement);
        let table = write.as_ref().and_then(|w| self.table_of(w));
        let mut finding = begin(format!("statement {}", statement.query_id), rate, alarm);
        let text: String = statement.text.chars().take(300).collect();
        finding.fact("statement", text, "pg_stat_statements");
        finding.fact(
            "since the counters were reset",
            format!(
                "{} blocks, {} rows, {} calls",
                grouped(statement.blocks),
                grouped(statement.rows),
                grouped(statement.calls)
            ),
            "pg_stat_statements",
        );
        if let Some(table) = table {
            finding.fact("table", table.object(), "the statement's text");
        }
        let is_delete = write.is_some_and(|w| w.verb != Verb::Insert);
        finding.advice = Some(tree::TREE.walk(&table.map_or_else(Facts::default, |t| facts(t, is_delete))));
        finding.remedies = table.map(vacuum).into_iter().collect();
        finding
    }

    pub(super) fn table_finding(&self, table: &Table, rate: &Rate, alarm: Alarm) -> Finding {
        let mut finding = begin(table.object(), rate, alarm);
        finding.fact(
            "blocks since the counters were reset",
            format!(
                "{} of the table, {} of its indexes, {} of its TOAST relation, {} of the index of that",
                grouped(table.heap_blocks),
                grouped(table.index_blocks),
                grouped(table.toast_blocks),
                grouped(table.toast_index_blocks)
            ),
            "pg_statio_all_tables",
        );
        finding.fact("rows written", grouped(table.writes()), "pg_stat_all_tables");
        finding.advice = Some(tree::TREE.walk(&facts(table, table.deletes > 0.0)));
        finding.remedies = vec![vacuum(table)];
        finding
    }

    pub(super) fn hot_finding(&self, table: &Table) -> Option<Finding> {
        let share = table.hot_share().filter(|share| *share < HOT_FEW)?;
        // A table without an index loses nothing.
        if table.updates < UPDATES_MIN || table.indexes == 0 {
            return None;
        }
        let mut finding = Finding::new(
            &HOT_UPDATES,
            table.object(),
            Severity::Notice,
            format!(
                "{} of {} updates were HOT: the others wrote to {} indexes each",
                percent(share),
                grouped(table.updates),
                table.indexes
            ),
        );
        finding.fact("fillfactor", grouped(table.fill_factor), "pg_class.reloptions");
        let mut facts = facts(table, false);
        let updates: Vec<_> = self.updates_of(table).collect();
        if !updates.is_empty() && !table.columns.is_empty() {
            let set: Vec<&str> = table
                .columns
                .iter()
                .filter(|c| c.is_indexed && updates.iter().any(|(_, columns)| columns.contains(&c.name)))
                .map(|c| c.name.as_str())
                .collect();
            facts.flag("is_set_column_indexed", !set.is_empty());
            if !set.is_empty() {
                finding.fact(
                    "columns that updates set and an index has",
                    set.join(", "),
                    "pg_stat_statements, pg_index",
                );
            }
        }
        finding.advice = Some(tree::HOT_TREE.walk(&facts));
        Some(finding)
    }

    pub(super) fn columns_finding(&self, table: &Table) -> Option<Finding> {
        let (statement, set, copied) = self
            .updates_of(table)
            .filter(|(statement, _)| statement.rows >= UPDATES_MIN)
            .filter_map(|(statement, set)| {
                let copied = table.copied(&set)?;
                Some((statement, set, copied))
            })
            .max_by(|a, b| (a.0.rows * a.2.row).total_cmp(&(b.0.rows * b.2.row)))?;
        let times = copied.row / copied.changed;
        if times < COPIED_MANY || copied.row < WIDE_BYTES {
            return None;
        }
        let mut finding = Finding::new(
            &HOT_COLUMNS,
            table.object(),
            Severity::Notice,
            format!(
                "an update of {} copies {} to change {}: {} bytes for each byte",
                set.join(", "),
                bytes(copied.row),
                bytes(copied.changed),
                grouped(times)
            ),
        );
        let text: String = statement.text.chars().take(300).collect();
        finding.fact("statement", text, "pg_stat_statements");
        finding.fact(
            "copied since the counters were reset",
            format!(
                "{} in {} rows",
                bytes(statement.rows * copied.row),
                grouped(statement.rows)
            ),
            "pg_stat_statements, avg_width in pg_stats",
        );
        let mut facts = facts(table, false);
        let columns: Vec<String> = set.iter().map(|c| identifier(c)).collect();
        facts
            .number("copied_per_changed", times)
            .text("columns", columns.join(", "))
            .text(
                "side_table",
                qualified(&table.schema, &format!("{}_hot", table.name)),
            );
        if let Some(key) = &table.key_column {
            facts.text("key_column", identifier(key));
        }
        finding.advice = Some(tree::COLUMNS_TREE.walk(&facts));
        Some(finding)
    }
}

fn begin(object: String, rate: &Rate, alarm: Alarm) -> Finding {
    let of = |blocks: f64| format!("{} blocks ({})", grouped(blocks), bytes(blocks * PAGE_BYTES));
    let (severity, usual) = match (alarm, rate.usual) {
        (Alarm::UnusualAndBad, Some(usual)) => (Severity::Critical, format!(", {usual:.1} are usual")),
        (_, Some(usual)) => (Severity::Warning, format!(", {usual:.1} are usual")),
        (_, None) => (Severity::Warning, String::new()),
    };
    let mut finding = Finding::new(
        &READ_AMPLIFICATION,
        object,
        severity,
        format!("touches {} for each row that it writes{usual}", of(rate.now)),
    );
    let since = rate
        .seconds
        .map_or("since the counters were reset".to_owned(), |s| {
            format!("in the last {}", seconds(s))
        });
    finding.fact(
        "blocks for each row",
        format!("{} {since}", of(rate.now)),
        "counters",
    );
    if let Some(usual) = rate.usual {
        finding.fact(
            "usual",
            format!("{usual:.1} blocks: the median of up to seven days"),
            "the history of the counters",
        );
    }
    finding
}

fn vacuum(table: &Table) -> Remedy {
    Remedy::Vacuum {
        schema: table.schema.clone(),
        relation: table.name.clone(),
    }
}

fn facts(table: &Table, is_delete: bool) -> Facts {
    let mut facts = Facts::default();
    let blocks = table.blocks();
    facts
        .maybe(
            "toast_index_share",
            (blocks > 0.0).then(|| table.toast_index_blocks / blocks),
        )
        .maybe("dead_share", table.dead_share())
        .maybe("hot_share", table.hot_share())
        .maybe(
            "scanned_per_write",
            (table.updates + table.deletes > 0.0)
                .then(|| table.rows_scanned / (table.updates + table.deletes)),
        )
        .text("table", qualified(&table.schema, &table.name));
    if is_delete {
        facts.number("unindexed_references", table.references.len() as f64);
        if let Some(first) = table.references.first() {
            let columns: Vec<String> = first.columns.iter().map(|c| identifier(c)).collect();
            facts
                .text("child", qualified(&first.schema, &first.table))
                .text("child_columns", columns.join(", "));
        }
    }
    facts
}
