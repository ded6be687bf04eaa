//! The ways out when a write touches far more than it should.

use crate::fault::{HOT_COLUMNS, HOT_UPDATES, READ_AMPLIFICATION};
use crate::probe::words::shell_word;
use crate::tree::{Facts, Node, Question, Say, Tree, Way, no_command};

fn toast(facts: &Facts) -> Option<String> {
    let table = facts.get_text("table")?;
    Some(format!(
        "corridor check --only toast --table {}",
        shell_word(&table)
    ))
}

fn vacuum(facts: &Facts) -> Option<String> {
    let table = facts.get_text("table")?;
    Some(format!("vacuum (verbose) {table}"))
}

fn index_child(facts: &Facts) -> Option<String> {
    let child = facts.get_text("child")?;
    let columns = facts.get_text("child_columns")?;
    Some(format!("create index concurrently on {child} ({columns})"))
}

fn fill_factor(facts: &Facts) -> Option<String> {
    let table = facts.get_text("table")?;
    Some(format!("alter table {table} set (fillfactor = 85)"))
}

fn side_table(facts: &Facts) -> Option<String> {
    let side = facts.get_text("side_table")?;
    let (key, columns) = (facts.get_text("key_column")?, facts.get_text("columns")?);
    let table = facts.get_text("table")?;
    Some(format!(
        "create table {side} as select {key}, {columns} from {table} with no data"
    ))
}

/// Look at the TOAST ids.
pub static TOAST: Way = Way {
    id: "toast",
    title: "Most blocks are of the index of the TOAST relation: its writers search for a free id",
    cost: "Nothing: the probe reads at most 64 MiB.",
    command: toast,
    verify: "`LIM-001` names the stretch of used ids, and the way out.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};
/// Index the other side.
pub static INDEX_CHILD: Way = Way {
    id: "index-reference",
    title: "Index the foreign key that points here: each delete and each change of the key reads the other table",
    cost: "`SHARE UPDATE EXCLUSIVE` on the other table, two scans of it; writers go on.",
    command: index_child,
    verify: "Blocks for each delete fall at once.",
    go_back: "`drop index concurrently`.",
    is_applicable: false,
};
/// Take away dead versions.
pub static VACUUM: Way = Way {
    id: "vacuum",
    title: "Let go of what holds the horizon, then vacuum: each write passes over dead versions",
    cost: "Reads the table and its indexes; blocks nobody. It takes nothing away that an old snapshot, a slot or a \
           prepared transaction still sees.",
    command: vacuum,
    verify: "Dead rows fall to nothing, and blocks for each write with them.",
    go_back: "Nothing to go back to.",
    is_applicable: true,
};
/// An index for the search.
pub static INDEX: Way = Way {
    id: "index",
    title: "The statement reads the table from end to end to find its rows: index the columns that it searches by",
    cost: "`create index concurrently`: two scans of the table, then a little for each write.",
    command: no_command,
    verify: "`explain` of the statement shows an index scan; rows read for each write fall to about one.",
    go_back: "`drop index concurrently`.",
    is_applicable: false,
};
/// See what it does.
pub static EXPLAIN: Way = Way {
    id: "explain",
    title: "See where the blocks go: `explain (analyze, buffers, wal)` of the statement, in a transaction that is rolled back",
    cost: "One run of the statement, with its locks until the rollback.",
    command: no_command,
    verify: "The node with most buffers is the cause: an index, a trigger, a foreign key.",
    go_back: "`rollback`.",
    is_applicable: false,
};

static IS_TOAST: Question = Question {
    text: "Is at least half of the table's blocks of the TOAST relation's index?",
    figure: "blocks of the TOAST relation's index",
    fact: "toast_index_share",
    at_least: 0.5,
    say: Say::Percent,
};
static IS_REFERENCED: Question = Question {
    text: "Does it delete, and does a foreign key without an index point at the table?",
    figure: "foreign keys without an index that its deletes look through",
    fact: "unindexed_references",
    at_least: 1.0,
    say: Say::Number,
};
static IS_DEAD: Question = Question {
    text: "Is at least a fifth of the table's rows dead?",
    figure: "dead rows",
    fact: "dead_share",
    at_least: 0.2,
    say: Say::Percent,
};
static IS_SCANNED: Question = Question {
    text: "Are at least 100 rows read from end to end for each one written?",
    figure: "rows read from end to end for each one written",
    fact: "scanned_per_write",
    at_least: 100.0,
    say: Say::Number,
};

static TAKE_TOAST: Node = Node::Take(&TOAST);
static TAKE_INDEX_CHILD: Node = Node::Take(&INDEX_CHILD);
static TAKE_VACUUM: Node = Node::Take(&VACUUM);
static TAKE_INDEX: Node = Node::Take(&INDEX);
static TAKE_EXPLAIN: Node = Node::Take(&EXPLAIN);
static ASK_SCANNED: Node = Node::Ask {
    question: &IS_SCANNED,
    yes: &TAKE_INDEX,
    no: &TAKE_EXPLAIN,
    unknown: &TAKE_EXPLAIN,
};
static ASK_DEAD: Node = Node::Ask {
    question: &IS_DEAD,
    yes: &TAKE_VACUUM,
    no: &ASK_SCANNED,
    unknown: &ASK_SCANNED,
};
static ASK_REFERENCED: Node = Node::Ask {
    question: &IS_REFERENCED,
    yes: &TAKE_INDEX_CHILD,
    no: &ASK_DEAD,
    unknown: &ASK_DEAD,
};

/// The tree of `LIM-040`.
pub static TREE: Tree = Tree {
    code: &READ_AMPLIFICATION,
    symptoms: "\
- single inserts, updates or deletes are slow, and read megabytes for a row\n\
- the buffer cache turns over, reads from disk rise, though nobody reads more\n\
- it came without a change of the application: a stretch of used ids, dead versions, a table that has grown",
    look: "\
`corridor check --only amplification --long` names the statements and tables with their blocks for each row, and what \
was usual. By hand: `select (shared_blks_hit + shared_blks_read) / greatest(rows, 1), query from pg_stat_statements \
order by 1 desc`.",
    root: &Node::Ask {
        question: &IS_TOAST,
        yes: &TAKE_TOAST,
        no: &ASK_REFERENCED,
        unknown: &ASK_REFERENCED,
    },
};

/// Room on the page.
pub static FILL_FACTOR: Way = Way {
    id: "fillfactor",
    title: "Leave room on each page for new versions of its rows",
    cost: "`SHARE UPDATE EXCLUSIVE` for milliseconds. Pages that are written from now on keep 15 % free; to give that \
           to all: `corridor move 'TABLE' --same-shape --execute`.",
    command: fill_factor,
    verify: "The share of HOT updates rises within days.",
    go_back: "`alter table … reset (fillfactor)`.",
    is_applicable: false,
};
/// One index less.
pub static FEWER_INDEXES: Way = Way {
    id: "unindex",
    title: "Updates set a column that is in an index: drop that index when nobody needs it, or move the column out",
    cost: "Queries that use the index would read the table: look at `corridor check --only indexes` first.",
    command: no_command,
    verify: "The share of HOT updates rises at once.",
    go_back: "`create index concurrently`.",
    is_applicable: false,
};

static IS_SET_COLUMN_INDEXED: Question = Question {
    text: "Do the updates set a column that is in an index?",
    figure: "the updates set a column that is in an index",
    fact: "is_set_column_indexed",
    at_least: 1.0,
    say: Say::YesNo,
};
static TAKE_FILL_FACTOR: Node = Node::Take(&FILL_FACTOR);
static TAKE_FEWER_INDEXES: Node = Node::Take(&FEWER_INDEXES);

/// The tree of `LIM-041`.
pub static HOT_TREE: Tree = Tree {
    code: &HOT_UPDATES,
    symptoms: "\
- updates write to every index of the table, though no indexed column changes\n\
- indexes and the table bloat fast, autovacuum is busy with it, much WAL is written",
    look: "`select relname, n_tup_upd, n_tup_hot_upd from pg_stat_user_tables order by n_tup_upd - n_tup_hot_upd desc`.",
    root: &Node::Ask {
        question: &IS_SET_COLUMN_INDEXED,
        yes: &TAKE_FEWER_INDEXES,
        no: &TAKE_FILL_FACTOR,
        unknown: &TAKE_FILL_FACTOR,
    },
};

/// A table of their own.
pub static SIDE_TABLE: Way = Way {
    id: "side-table",
    title: "Move the columns that change often into a narrow table of their own, with the same key",
    cost: "A change of the application: reads join, writes go to the narrow table. Fill it in batches; the command \
           only makes the empty table, to begin with.",
    command: side_table,
    verify: "WAL and bloat of the wide table fall; its updates become rare.",
    go_back: "Write the columns back, drop the narrow table.",
    is_applicable: false,
};
/// Leave it.
pub static LEAVE: Way = Way {
    id: "leave",
    title: "Nothing: new versions stay on their page, touch no index, and are pruned there",
    cost: "Nothing but the WAL of whole rows.",
    command: no_command,
    verify: "The share of HOT updates stays high.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};
static IS_VERY_WIDE: Question = Question {
    text: "Are at least 40 bytes copied for each byte changed?",
    figure: "bytes copied for each byte changed",
    fact: "copied_per_changed",
    at_least: 40.0,
    say: Say::Number,
};
static IS_HOT: Question = Question {
    text: "Are at least 90 % of the updates HOT?",
    figure: "HOT updates",
    fact: "hot_share",
    at_least: 0.9,
    say: Say::Percent,
};
static TAKE_SIDE_TABLE: Node = Node::Take(&SIDE_TABLE);
static TAKE_LEAVE: Node = Node::Take(&LEAVE);
static ASK_HOT: Node = Node::Ask {
    question: &IS_HOT,
    yes: &TAKE_LEAVE,
    no: &TAKE_SIDE_TABLE,
    unknown: &TAKE_SIDE_TABLE,
};

/// The tree of `LIM-042`.
pub static COLUMNS_TREE: Tree = Tree {
    code: &HOT_COLUMNS,
    symptoms: "\
- much WAL for few changed bytes; replicas lag behind counters and time stamps\n\
- the table bloats though it hardly grows",
    look: "The `set` lists in `pg_stat_statements`, and `avg_width` in `pg_stats`.",
    root: &Node::Ask {
        question: &IS_VERY_WIDE,
        yes: &TAKE_SIDE_TABLE,
        no: &ASK_HOT,
        unknown: &ASK_HOT,
    },
};
