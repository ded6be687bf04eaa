//! The ways out when one thing grows too large.

use crate::fault::{COLUMNS_SHORT, LOCKS_SHORT, RELATION_SIZE, TREE_LOCKS};
use crate::probe::words::shell_word;
use crate::tree::{Facts, Node, Question, Say, Tree, Way, no_command};

fn partition(facts: &Facts) -> Option<String> {
    let (table, column) = (facts.get_text("whole")?, facts.get_text("key_column")?);
    let partitions = facts.get_whole("partitions")?;
    Some(format!(
        "corridor move {} --partition-by {} --partitions {partitions} --execute",
        shell_word(&table),
        shell_word(&format!("hash({column})"))
    ))
}

fn fewer(facts: &Facts) -> Option<String> {
    let (table, columns) = (facts.get_text("table")?, facts.get_text("hash_columns")?);
    let partitions = facts.get_whole("partitions")?;
    Some(format!(
        "corridor move {} --partition-by {} --partitions {partitions} --execute",
        shell_word(&table),
        shell_word(&format!("hash({columns})"))
    ))
}

fn vacuum(facts: &Facts) -> Option<String> {
    Some(format!("vacuum (verbose) {}", facts.get_text("relation")?))
}

fn repack(facts: &Facts) -> Option<String> {
    Some(format!(
        "corridor move {} --same-shape --execute",
        shell_word(&facts.get_text("whole")?)
    ))
}

fn rebuild(facts: &Facts) -> Option<String> {
    Some(format!(
        "reindex index concurrently {}",
        facts.get_text("relation")?
    ))
}

fn more_locks(facts: &Facts) -> Option<String> {
    let wanted = facts.get_whole("wanted_locks")?;
    Some(format!("alter system set max_locks_per_transaction = {wanted}"))
}

fn look_at_holder(facts: &Facts) -> Option<String> {
    let pid = facts.get_whole("pid")?;
    Some(format!(
        "select usename, application_name, state, xact_start, left(query, 200) from pg_stat_activity where pid = {pid}"
    ))
}

/// Into partitions, or smaller ones.
pub static PARTITION: Way = Way {
    id: "partition",
    title: "Move the table into partitions (or into more of them): the limit is one of each partition and each index",
    cost: "A copy of everything beside it, online, at the pace that the application allows: some 50 MB in a second on a \
           good disk, so that 20 TB take five days. Reversible until `finish`.",
    command: partition,
    verify: "`corridor status NAME` shows the proof; afterwards `corridor check --only size` names it no more.",
    go_back: "`corridor rollback NAME`, until `corridor finish NAME`.",
    is_applicable: false,
};
/// Time for a move.
pub static VACUUM: Way = Way {
    id: "vacuum",
    title: "Let go of what holds the horizon, then vacuum: dead rows become room for new ones, which is time for a move",
    cost: "Reads the table and its indexes; blocks nobody. The file gets no smaller, save where its end is empty.",
    command: vacuum,
    verify: "Dead rows fall to nothing; the table stops growing.",
    go_back: "Nothing to go back to.",
    is_applicable: true,
};
/// Anew, without bloat.
pub static REPACK: Way = Way {
    id: "repack",
    title: "Write the table anew, online: most of it is dead or free",
    cost: "A copy of what lives beside it, at the pace that the application allows; reversible until `finish`.",
    command: repack,
    verify: "`corridor check --only size` shows the size; `corridor status NAME` the proof of the copy.",
    go_back: "`corridor rollback NAME`, until `corridor finish NAME`.",
    is_applicable: false,
};
/// The index anew.
pub static REBUILD: Way = Way {
    id: "rebuild",
    title: "Build the index again beside itself: most of it is free",
    cost: "Two scans of the table and room for a second copy of the index; writers go on. It waits for old transactions.",
    command: rebuild,
    verify: "`corridor check --only size` names it no more; no index ends with `_ccnew`.",
    go_back: "When it fails it leaves an index `…_ccnew` behind: `drop index concurrently` that one.",
    is_applicable: false,
};
/// Column numbers anew.
pub static RENUMBER: Way = Way {
    id: "renumber",
    title: "Write the table anew, online: the copy's columns are numbered from 1, without the dropped ones",
    cost: "A copy of the table beside it, at the pace that the application allows; reversible until `finish`. `vacuum full` \
           and `cluster` do not help: they keep the numbers.",
    command: repack,
    verify: "`select relnatts from pg_class where oid = 'TABLE'::regclass` is the number of its columns.",
    go_back: "`corridor rollback NAME`, until `corridor finish NAME`.",
    is_applicable: false,
};
/// Fewer columns.
pub static NARROW: Way = Way {
    id: "fewer-columns",
    title: "Store fewer columns: keep the rare ones in a jsonb column, or in a table of their own with the same key",
    cost: "A change of the application. A row of so many columns often does not fit a page before the limit is reached.",
    command: no_command,
    verify: "`corridor check --only size` says the columns in use.",
    go_back: "Undo the change of the application.",
    is_applicable: false,
};
/// More room for locks.
pub static MORE_LOCKS: Way = Way {
    id: "more-locks",
    title: "Make the table of locks larger: `max_locks_per_transaction`, and a restart",
    cost: "A restart, and some 300 bytes of shared memory for each lock. Replicas first: one with less than its primary stops.",
    command: more_locks,
    verify: "`show max_locks_per_transaction`; `corridor check --only size` names it no more.",
    go_back: "`alter system reset max_locks_per_transaction`, and a restart.",
    is_applicable: false,
};
/// Fewer partitions.
pub static FEWER: Way = Way {
    id: "fewer-partitions",
    title: "Fewer, larger partitions: these are small, and each costs its locks in every query that cannot leave it out",
    cost: "A copy of the table beside it, online; reversible until `finish`. Partitions by time that nobody needs can be \
           detached at once: `alter table … detach partition … concurrently`.",
    command: fewer,
    verify: "`corridor check --only size` says the relations of the tree.",
    go_back: "`corridor rollback NAME`, until `corridor finish NAME`.",
    is_applicable: false,
};
/// Whoever it is.
pub static HOLDER: Way = Way {
    id: "look-at-the-holder",
    title: "Look at the session that holds most of the locks, and let it end: a dump, or one transaction over all tables",
    cost: "What it was doing. `pg_dump` of fewer tables at once, a migration in several transactions.",
    command: look_at_holder,
    verify: "`select count(*) from pg_locks where not fastpath` falls.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

static IS_INDEX: Question = Question {
    text: "Is it an index?",
    figure: "an index",
    fact: "is_index",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_DEAD: Question = Question {
    text: "Is at least a fifth of its rows dead?",
    figure: "dead rows",
    fact: "dead_share",
    at_least: 0.2,
    say: Say::Percent,
};
static IS_BLOAT: Question = Question {
    text: "Is at least half of it dead or free?",
    figure: "dead or free",
    fact: "bloat",
    at_least: 0.5,
    say: Say::Percent,
};
static ARE_DROPPED: Question = Question {
    text: "Is at least a quarter of the columns dropped?",
    figure: "dropped columns",
    fact: "dropped_share",
    at_least: 0.25,
    say: Say::Percent,
};
static IS_ALONE: Question = Question {
    text: "Can one session fill the table of locks?",
    figure: "one session fills it",
    fact: "is_alone",
    at_least: 1.0,
    say: Say::YesNo,
};
static ARE_LARGE: Question = Question {
    text: "Is a partition larger than 1 GB on average?",
    figure: "average partition",
    fact: "partition_bytes",
    at_least: 1024.0 * 1024.0 * 1024.0,
    say: Say::Bytes,
};
static IS_ONE: Question = Question {
    text: "Does one session hold at least half of the locks?",
    figure: "held by one session",
    fact: "top_share",
    at_least: 0.5,
    say: Say::Percent,
};

static TAKE_PARTITION: Node = Node::Take(&PARTITION);
static TAKE_RENUMBER: Node = Node::Take(&RENUMBER);
static TAKE_NARROW: Node = Node::Take(&NARROW);
static TAKE_MORE_LOCKS: Node = Node::Take(&MORE_LOCKS);
static TAKE_FEWER: Node = Node::Take(&FEWER);
static TABLE_BLOAT: Node = Node::Ask {
    question: &IS_BLOAT,
    yes: &Node::Take(&REPACK),
    no: &TAKE_PARTITION,
    unknown: &TAKE_PARTITION,
};
static TABLE_DEAD: Node = Node::Ask {
    question: &IS_DEAD,
    yes: &Node::Take(&VACUUM),
    no: &TABLE_BLOAT,
    unknown: &TABLE_BLOAT,
};
static INDEX_BLOAT: Node = Node::Ask {
    question: &IS_BLOAT,
    yes: &Node::Take(&REBUILD),
    no: &TAKE_PARTITION,
    unknown: &TAKE_PARTITION,
};
static LARGE: Node = Node::Ask {
    question: &ARE_LARGE,
    yes: &TAKE_MORE_LOCKS,
    no: &TAKE_FEWER,
    unknown: &TAKE_MORE_LOCKS,
};

/// The tree of `LIM-026`.
pub static RELATION: Tree = Tree {
    code: &RELATION_SIZE,
    symptoms: "\
- `cannot extend file … beyond 4294967295 blocks`: every insert into the table fails, and every update that needs a new page\n\
- before that: vacuums of days, indexes that take days to build, a restore that takes a week",
    look: "`select relname, pg_size_pretty(pg_relation_size(oid)) from pg_class order by relpages desc limit 10`; the share \
that is dead or free: `corridor check --only bloat --table SCHEMA.TABLE`.",
    root: &Node::Ask {
        question: &IS_INDEX,
        yes: &INDEX_BLOAT,
        no: &TABLE_DEAD,
        unknown: &TABLE_DEAD,
    },
};
/// The tree of `LIM-027`.
pub static COLUMNS: Tree = Tree {
    code: &COLUMNS_SHORT,
    symptoms: "- `tables can have at most 1600 columns` at the next `alter table … add column`; nothing before that",
    look: "`select relnatts from pg_class where oid = 'TABLE'::regclass`, and how many of them are dropped: `select count(*) \
from pg_attribute where attrelid = 'TABLE'::regclass and attisdropped`.",
    root: &Node::Ask {
        question: &ARE_DROPPED,
        yes: &TAKE_RENUMBER,
        no: &TAKE_NARROW,
        unknown: &TAKE_RENUMBER,
    },
};
/// The tree of `LIM-028`.
pub static PARTITIONS: Tree = Tree {
    code: &TREE_LOCKS,
    symptoms: "\
- `out of shared memory`, `You might need to increase max_locks_per_transaction`, in any session of the cluster\n\
- before that: sessions that wait at `LWLock: LockManager`; planning that takes longer than the query",
    look: "`begin; explain select * from TABLE; select count(*), count(*) filter (where fastpath) from pg_locks where pid = \
pg_backend_pid(); rollback`",
    root: &Node::Ask {
        question: &IS_ALONE,
        yes: &TAKE_MORE_LOCKS,
        no: &LARGE,
        unknown: &LARGE,
    },
};
/// The tree of `LIM-029`.
pub static LOCKS: Tree = Tree {
    code: &LOCKS_SHORT,
    symptoms: "- `out of shared memory`, `You might need to increase max_locks_per_transaction`, in any session of the cluster",
    look: "`select pid, count(*) from pg_locks where not fastpath group by 1 order by 2 desc limit 10`",
    root: &Node::Ask {
        question: &IS_ONE,
        yes: &Node::Take(&HOLDER),
        no: &TAKE_MORE_LOCKS,
        unknown: &TAKE_MORE_LOCKS,
    },
};
