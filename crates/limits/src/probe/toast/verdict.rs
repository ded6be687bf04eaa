//! From the facts of one relation to a finding: how bad, in what words, resting on what. Pure.

use corridor_pg::Result;

use super::space::{self, lookups_per_value};
use super::{Relation, SHARE_CRITICAL, SHARE_WARNING, Toast, USED_RATIO, WALL_MS, tree};
use crate::fault::TOAST_IDS;
use crate::finding::{Density, Finding, Gauge, Severity};
use crate::forecast::{self, Runway};
use crate::probe::Judging;
use crate::probe::words::{bytes, grouped, identifier, percent, qualified, seconds};
use crate::tree::Facts;

const DAY_S: f64 = 86_400.0;

/// How bad one relation is, and in what words.
struct Verdict {
    severity: Severity,
    headline: String,
    runway: Runway,
}

impl Toast {
    pub(super) fn judge_one(
        &self,
        relation: &Relation,
        judging: &Judging<'_>,
        oid_growth: &Result<forecast::Growth, Runway>,
    ) -> Option<Finding> {
        let table = relation.table();
        let (share, standard_error) = relation.used();
        let used_series = judging.series(&USED_RATIO, &table, share);
        let full = forecast::runway(&used_series, USED_RATIO.kind, share, 1.0);
        let wall = relation.stretch.map(|stretch| match oid_growth {
            _ if stretch.distance == 0 => Runway::Reached,
            Ok(growth) => forecast::days_left(stretch.distance as f64, growth),
            Err(not_enough) => *not_enough,
        });
        let verdict = verdict(relation, share, full, wall)?;
        let mut finding = Finding::new(&TOAST_IDS, table, verdict.severity, verdict.headline);
        finding.runway = verdict.runway;
        finding.gauge = Some(Gauge {
            used: share * space::IDS,
            standard_error: standard_error.map(|se| se * space::IDS),
            capacity: space::IDS,
            unit: "ids",
        });
        finding.density = self.density(relation);
        let growth = forecast::growth(&used_series, USED_RATIO.kind).ok();
        finding.growth(growth.as_ref(), |share| format!("{} of the ids", percent(share)));
        self.explain(relation, wall, oid_growth, &mut finding);
        let facts = self.facts(relation, judging, full, wall);
        finding.advice = Some(tree::TREE.walk(&facts));
        finding.remedies = relation.remedies();
        Some(finding)
    }

    /// Where the used ids lie, and where the counter is among them.
    fn density(&self, relation: &Relation) -> Option<Density> {
        let space = relation.space.as_ref().filter(|space| !space.map.is_empty())?;
        let at = self
            .counter
            .map(|counter| space::part(counter.next, space.map.len()));
        Some(Density {
            of: "ids in use",
            shares: space.map.clone(),
            at,
            at_word: "the counter",
        })
    }

    fn explain(
        &self,
        relation: &Relation,
        wall: Option<Runway>,
        oid_growth: &Result<forecast::Growth, Runway>,
        finding: &mut Finding,
    ) {
        let (share, standard_error) = relation.used();
        let error = standard_error.map_or(String::new(), |se| format!(" ± {}", percent(se)));
        finding.fact(
            "ids in use",
            format!("{}{error} of {}", percent(share), grouped(space::IDS)),
            if relation.space.is_some() {
                "random points of the id space"
            } else {
                "chunks, and the share of first chunks in random pages"
            },
        );
        if let Some(live) = relation.live() {
            finding.fact(
                "look-ups for each new value now",
                format!(
                    "{} ({} look-ups of used ids, {} values in {})",
                    grouped((live.walked + live.values) / live.values.max(1.0)),
                    grouped(live.walked),
                    grouped(live.values),
                    seconds(live.seconds)
                ),
                "two looks at the statistics of the TOAST relation's index",
            );
        }
        if let Some(writers) = relation.writers {
            finding.fact(
                "sessions that write out of line right now",
                format!(
                    "{}, the oldest statement for {}",
                    writers.sessions,
                    seconds(writers.oldest_s)
                ),
                "pg_locks, pg_stat_activity",
            );
        }
        if let Some(stretch) = relation.stretch {
            let place = if stretch.distance == 0 {
                "the counter is in it".to_owned()
            } else {
                format!("{} ids ahead of the counter", grouped(stretch.distance as f64))
            };
            finding.fact(
                "next stretch of used ids",
                format!(
                    "about {} ids from {}, {place}",
                    grouped(stretch.ids as f64),
                    stretch.first
                ),
                "windows of 64 ids",
            );
        }
        if let (Some(us), Some(ms)) = (relation.lookup_us, relation.wall_ms()) {
            finding.fact(
                "the slowest write in it",
                format!("about {} ({us:.1} µs for each id)", seconds(ms / 1_000.0)),
                "look-ups in that stretch, timed",
            );
        }
        if let (Some(Runway::Days { low, mid, .. }), Ok(growth)) = (wall, oid_growth) {
            finding.fact(
                "the counter reaches it",
                format!(
                    "in {} ({} at the earliest), at {} ids a day, {}",
                    seconds(mid * DAY_S),
                    seconds(low * DAY_S),
                    grouped(growth.per_s * DAY_S),
                    growth.over()
                ),
                "the counter's history",
            );
        }
        finding.fact(
            "dead chunks that hold their ids",
            percent(relation.dead_share()),
            "pg_stat_all_tables",
        );
        finding.fact(
            "chunks of a value",
            format!("{:.1}", relation.chunks_per_value()),
            "random pages of the TOAST relation",
        );
        finding.fact(
            "size",
            bytes(relation.pages as f64 * 8_192.0),
            "pg_class, as of the last vacuum",
        );
        if let Some(inline) = relation.inline.filter(|inline| inline.wide_rows > 0.0) {
            finding.fact(
                "wide rows that a page would take",
                format!(
                    "{} ({} of {} sampled)",
                    percent(inline.fitting_rows / inline.wide_rows),
                    grouped(inline.fitting_rows),
                    grouped(inline.wide_rows)
                ),
                "random pages of the table",
            );
        }
    }

    fn facts(&self, relation: &Relation, judging: &Judging<'_>, full: Runway, wall: Option<Runway>) -> Facts {
        let (share, _) = relation.used();
        let live_share = share * (1.0 - relation.dead_share());
        let mut facts = Facts::default();
        facts
            .number("dead_share", relation.dead_share())
            .number("used_share", live_share)
            .flag("is_superuser", self.is_superuser)
            .flag(
                "is_target_raised",
                relation.tuple_target.is_some_and(|t| t > 4_000),
            )
            .flag(
                "is_at_the_wall",
                relation.lookups_now().is_some()
                    || wall.is_some_and(|w| w.days_mid().is_some_and(|days| days < 30.0))
                        && relation.wall_ms().is_none_or(|ms| ms >= WALL_MS),
            )
            .maybe("days_to_full", full.days_mid())
            .maybe(
                "inline_share",
                relation
                    .inline
                    .filter(|inline| inline.wide_rows >= 20.0)
                    .map(|inline| inline.fitting_rows / inline.wide_rows),
            )
            .maybe("wall_ids", relation.stretch.map(|stretch| stretch.ids as f64))
            .text("table", qualified(&relation.schema_name, &relation.table_name))
            .text("toast", format!("pg_toast.{}", relation.toast_name));
        if let Some(column) = &relation.key_column {
            facts.text("key_column", identifier(column));
        }
        let series = judging.series(&USED_RATIO, &relation.table(), share);
        let per_year = forecast::growth(&series, USED_RATIO.kind)
            .map_or(0.0, |growth| growth.per_s.max(0.0) * space::IDS * DAY_S * 365.25);
        let used = share * space::IDS;
        facts.number("partitions", f64::from(space::partitions(used, per_year, 5.0)));
        facts
    }
}

fn verdict(relation: &Relation, share: f64, full: Runway, wall: Option<Runway>) -> Option<Verdict> {
    let wall_ms = relation.wall_ms().filter(|ms| *ms >= WALL_MS);
    if let Some(each) = relation.lookups_now() {
        return Some(Verdict {
            severity: Severity::Critical,
            headline: format!(
                "writers search for a free TOAST id: {} look-ups for each new value",
                grouped(each)
            ),
            runway: Runway::Reached,
        });
    }
    if let (Some(ms), Some(wall)) = (wall_ms, wall) {
        let days = wall.days_mid();
        let severity = match days {
            Some(days) if days < 7.0 => Severity::Critical,
            Some(days) if days > 365.0 => Severity::Notice,
            _ => Severity::Warning,
        };
        // A nearly full space outweighs a wall that is far away.
        if share < SHARE_CRITICAL || severity == Severity::Critical {
            return Some(Verdict {
                severity,
                headline: format!(
                    "a stretch of used TOAST ids lies ahead: a write there takes {}",
                    seconds(ms / 1_000.0)
                ),
                runway: wall,
            });
        }
    }
    let is_near = full.days_mid().is_some_and(|days| days < 180.0);
    if share < SHARE_WARNING && !is_near {
        return None;
    }
    Some(Verdict {
        severity: if share >= SHARE_CRITICAL || full.days_mid().is_some_and(|days| days < 30.0) {
            Severity::Critical
        } else {
            Severity::Warning
        },
        headline: format!(
            "{} of the TOAST ids are in use: {:.1} look-ups for each new value on average",
            percent(share),
            lookups_per_value(share)
        ),
        runway: full,
    })
}
