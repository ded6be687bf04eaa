//! The ways out when vacuum does not keep up.

use crate::fault::{AUTOVACUUM_OFF, NEVER_ANALYZED, VACUUM_DUE, VACUUM_WORKERS};
use crate::tree::{Facts, Node, Question, Say, Tree, Way};

fn vacuum(facts: &Facts) -> Option<String> {
    Some(format!("vacuum (verbose) {}", facts.get_text("relation")?))
}

fn unblock(facts: &Facts) -> Option<String> {
    if let Some(gid) = facts.get_text("blocker_gid") {
        return Some(format!("rollback prepared {gid}"));
    }
    let pid = facts.get_whole("blocker_pid")?;
    Some(format!("select pg_terminate_backend({pid})"))
}

fn enable(facts: &Facts) -> Option<String> {
    let table = facts.get_text("table")?;
    if facts.get("is_toast") == Some(1.0) {
        return Some(format!(
            "alter table {table} reset (toast.autovacuum_enabled, autovacuum_enabled)"
        ));
    }
    Some(format!("alter table {table} reset (autovacuum_enabled)"))
}

fn enable_all(_: &Facts) -> Option<String> {
    Some(
        "alter system set autovacuum = on; alter system set track_counts = on; select pg_reload_conf()"
            .to_owned(),
    )
}

fn more_budget(facts: &Facts) -> Option<String> {
    let limit = facts.get_whole("wanted_cost_limit")?;
    Some(format!(
        "alter system set autovacuum_vacuum_cost_limit = {limit}; select pg_reload_conf()"
    ))
}

fn more_workers(facts: &Facts) -> Option<String> {
    let workers = facts.get_whole("wanted_workers")?;
    Some(format!("alter system set autovacuum_max_workers = {workers}"))
}

fn analyze(facts: &Facts) -> Option<String> {
    Some(format!("analyze (verbose) {}", facts.get_text("table")?))
}

/// Who holds the horizon.
pub static HORIZON: Way = Way {
    id: "horizon",
    title: "Let go of what holds the horizon: the last vacuum could not take away what somebody still sees",
    cost: "Whoever holds it: a session that is ended, a slot that is dropped, a prepared transaction that is rolled back.",
    command: |_| Some("corridor check --only horizon".to_owned()),
    verify: "After the next vacuum the dead rows are gone.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};
/// Who locks the table.
pub static UNBLOCK: Way = Way {
    id: "unblock",
    title: "Let go of the lock: no vacuum can begin beside it, and autovacuum passes the table over without a word",
    cost: "The work of the session that is ended. A schema change or an index that is being built: let it end first.",
    command: unblock,
    verify: "`last_autovacuum` in `pg_stat_all_tables` is of today.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};
/// Switch it on again.
pub static ENABLE: Way = Way {
    id: "enable",
    title: "Let autovacuum come to this table again",
    cost: "`SHARE UPDATE EXCLUSIVE` for milliseconds. The first vacuum comes within a minute.",
    command: enable,
    verify: "`last_autovacuum` in `pg_stat_all_tables` is of today.",
    go_back: "`alter table … set (autovacuum_enabled = off)`.",
    is_applicable: false,
};
/// Switch it on again, for all.
pub static ENABLE_ALL: Way = Way {
    id: "enable-all",
    title: "Switch autovacuum on",
    cost: "Superuser. Its first round has much to do: it is throttled.",
    command: enable_all,
    verify: "`show autovacuum`; workers appear in `pg_stat_activity`.",
    go_back: "`alter system reset autovacuum`.",
    is_applicable: false,
};
/// More to spend.
pub static MORE_BUDGET: Way = Way {
    id: "cost-limit",
    title: "Let the workers spend more: they pause too much, and share one budget however many they are",
    cost: "More reads and writes on the disk while they work; no restart.",
    command: more_budget,
    verify: "`corridor check --only vacuum`: tables that are due become fewer within hours.",
    go_back: "`alter system reset autovacuum_vacuum_cost_limit; select pg_reload_conf()`.",
    is_applicable: false,
};
/// More workers.
pub static MORE_WORKERS: Way = Way {
    id: "workers",
    title: "Allow more workers: the budget is not used up, but all of them are busy with large tables",
    cost: "A restart (from PostgreSQL 18 on a reload, up to `autovacuum_worker_slots`).",
    command: more_workers,
    verify: "`corridor check --only vacuum`: small tables are no longer due.",
    go_back: "`alter system reset autovacuum_max_workers`, and a restart.",
    is_applicable: false,
};
/// By hand.
pub static VACUUM: Way = Way {
    id: "vacuum",
    title: "Vacuum it by hand now, without pauses",
    cost: "Reads the table and its indexes; blocks nobody.",
    command: vacuum,
    verify: "Dead rows fall to nothing.",
    go_back: "Nothing to go back to.",
    is_applicable: true,
};
/// Analyze it.
pub static ANALYZE: Way = Way {
    id: "analyze",
    title: "Analyze it; a partitioned table after each large change, because autovacuum never does",
    cost: "Reads 30,000 rows at random, of each partition too; blocks nobody.",
    command: analyze,
    verify: "`pg_stats` has rows for it.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

static IS_ALL_OFF: Question = Question {
    text: "Is autovacuum off for the whole server?",
    figure: "autovacuum is off for the whole server",
    fact: "is_all_off",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_OFF: Question = Question {
    text: "Is autovacuum off for this table?",
    figure: "autovacuum is off for this table",
    fact: "is_off",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_BLOCKED: Question = Question {
    text: "Does somebody hold a lock on it, for ten seconds at least, that no vacuum can share?",
    figure: "somebody holds a lock that no vacuum can share",
    fact: "is_blocked",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_HELD: Question = Question {
    text: "Was it vacuumed within the hour, and its rows are dead all the same?",
    figure: "vacuumed within the hour in vain",
    fact: "is_vacuumed_in_vain",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_BUDGET_USED: Question = Question {
    text: "Do its vacuums need at least 70 % of what the workers may spend?",
    figure: "spent of what the workers may spend",
    fact: "load",
    at_least: 0.7,
    say: Say::Percent,
};
static ARE_ALL_BUSY: Question = Question {
    text: "Are all workers busy?",
    figure: "all workers are busy",
    fact: "are_all_busy",
    at_least: 1.0,
    say: Say::YesNo,
};

static TAKE_HORIZON: Node = Node::Take(&HORIZON);
static TAKE_ENABLE: Node = Node::Take(&ENABLE);
static TAKE_ENABLE_ALL: Node = Node::Take(&ENABLE_ALL);
static TAKE_MORE_BUDGET: Node = Node::Take(&MORE_BUDGET);
static TAKE_MORE_WORKERS: Node = Node::Take(&MORE_WORKERS);
static TAKE_VACUUM: Node = Node::Take(&VACUUM);
static TAKE_ANALYZE: Node = Node::Take(&ANALYZE);

static ASK_HELD: Node = Node::Ask {
    question: &IS_HELD,
    yes: &TAKE_HORIZON,
    no: &TAKE_VACUUM,
    unknown: &TAKE_VACUUM,
};
static ASK_BLOCKED: Node = Node::Ask {
    question: &IS_BLOCKED,
    yes: &Node::Take(&UNBLOCK),
    no: &ASK_HELD,
    unknown: &ASK_HELD,
};
static ASK_OFF: Node = Node::Ask {
    question: &IS_OFF,
    yes: &TAKE_ENABLE,
    no: &ASK_BLOCKED,
    unknown: &ASK_BLOCKED,
};

/// The tree of `LIM-048`.
pub static DUE_TREE: Tree = Tree {
    code: &VACUUM_DUE,
    symptoms: "\
- a table and its indexes grow faster than their rows; queries read dead versions\n\
- scans of the index alone visit the table, because its pages are not marked as visible to all",
    look: "`select relname, n_dead_tup, last_autovacuum from pg_stat_all_tables order by n_dead_tup desc`.",
    root: &Node::Ask {
        question: &IS_ALL_OFF,
        yes: &TAKE_ENABLE_ALL,
        no: &ASK_OFF,
        unknown: &ASK_OFF,
    },
};
/// The tree of `LIM-049`.
pub static OFF_TREE: Tree = Tree {
    code: &AUTOVACUUM_OFF,
    symptoms: "- dead rows grow without an end; statistics grow old; it comes only when transaction ids run out",
    look: "`show autovacuum`; `select relname, reloptions from pg_class where reloptions::text ~ 'autovacuum_enabled'`.",
    root: &Node::Ask {
        question: &IS_ALL_OFF,
        yes: &TAKE_ENABLE_ALL,
        no: &TAKE_ENABLE,
        unknown: &TAKE_ENABLE,
    },
};
/// The tree of `LIM-050`.
pub static WORKERS_TREE: Tree = Tree {
    code: &VACUUM_WORKERS,
    symptoms: "- tables are due for hours, and autovacuum is busy elsewhere all the time",
    look: "`select pid, query, query_start from pg_stat_activity where backend_type = 'autovacuum worker'`.",
    root: &Node::Ask {
        question: &IS_BUDGET_USED,
        yes: &TAKE_MORE_BUDGET,
        no: &Node::Ask {
            question: &ARE_ALL_BUSY,
            yes: &TAKE_MORE_WORKERS,
            no: &TAKE_MORE_BUDGET,
            unknown: &TAKE_MORE_WORKERS,
        },
        unknown: &TAKE_MORE_BUDGET,
    },
};
/// The tree of `LIM-051`.
pub static ANALYZE_TREE: Tree = Tree {
    code: &NEVER_ANALYZED,
    symptoms: "- plans take hundreds of rows where there are millions, or the other way round",
    look: "`select count(*) from pg_stats where schemaname = 'SCHEMA' and tablename = 'TABLE'`.",
    root: &TAKE_ANALYZE,
};
