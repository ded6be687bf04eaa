//! The ways out when transaction ids, MultiXact ids or their members run short.

use crate::fault::{MULTIXACT_MEMBERS, MULTIXACT_WRAPAROUND, XID_WRAPAROUND};
use crate::tree::{Facts, Node, Question, Say, Tree, Way};

fn vacuum(facts: &Facts) -> Option<String> {
    let table = facts.get_text("table")?;
    Some(format!("vacuum (freeze, verbose) {table}"))
}

fn vacuum_fast(facts: &Facts) -> Option<String> {
    let table = facts.get_text("table")?;
    Some(format!(
        "vacuum (freeze, index_cleanup off, truncate off, verbose) {table}"
    ))
}

fn elsewhere(facts: &Facts) -> Option<String> {
    let database = corridor_pg::Ident::new(facts.get_text("database")?).ok()?;
    // Inside of a connection string a name stands in single quotes, which a name can hold too.
    let name = database.as_str().replace('\\', r"\\").replace('\'', r"\'");
    let word = format!("dbname='{name}'").replace('\'', r"'\''");
    Some(format!("corridor check --only wraparound --database '{word}'"))
}

/// Somebody holds it.
pub static LET_GO: Way = Way {
    id: "let-go",
    title: "End what holds the horizon first: no vacuum can freeze what an old transaction may still see",
    cost: "The session, prepared transaction or slot that is named loses its work.",
    command: |_| Some("corridor check --only horizon --long".to_owned()),
    verify: "`corridor check --only horizon` names nobody; the age falls once the next vacuum is through.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// A temporary table.
pub static END_TEMPORARY: Way = Way {
    id: "end-temporary",
    title: "End the session that owns the temporary table, or drop the table: no automatic vacuum comes there",
    cost: "That session's work. A temporary table that nobody owns any more (after a crash) can be dropped by its name.",
    command: |facts| Some(format!("drop table {}", facts.get_text("table")?)),
    verify: "The table is no longer named by `corridor check --only wraparound`.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// It is at work, and will be done.
pub static WAIT: Way = Way {
    id: "wait",
    title: "Let the vacuum that runs go on: it will be done in time",
    cost: "Nothing. It must not be cancelled: it would begin anew.",
    command: |_| Some("corridor check --only wraparound --long".to_owned()),
    verify: "Its pages scanned grow; afterwards the age falls.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// It is at work, and too slow.
pub static HURRY: Way = Way {
    id: "hurry",
    title: "Let automatic vacuums run without delay: the one that runs takes it over at once",
    cost: "More reading and writing: as much as the disk can. Needs the right to set it (superuser, or the provider's \
           console).",
    command: |_| {
        Some("alter system set autovacuum_vacuum_cost_delay = 0; select pg_reload_conf()".to_owned())
    },
    verify: "`pg_stat_progress_vacuum` moves faster; `corridor check --only wraparound` says that it will be done in time.",
    go_back: "`alter system reset autovacuum_vacuum_cost_delay; select pg_reload_conf()`",
    is_applicable: false,
};

/// By hand.
pub static VACUUM: Way = Way {
    id: "vacuum",
    title: "Vacuum the table that holds the database back, by hand: without delay",
    cost: "Reads the table, and its indexes once; writes what it freezes to the WAL. Blocks no reader and no writer, but \
           changes of the table's definition wait for it.",
    command: vacuum,
    verify: "The table is no longer the first that `corridor check --only wraparound --long` names; the age has fallen.",
    go_back: "Nothing to go back to.",
    is_applicable: true,
};

/// By hand, and only what counts.
pub static VACUUM_FAST: Way = Way {
    id: "vacuum-fast",
    title: "Vacuum the table that holds the database back, without its indexes: the shortest way to freeze it",
    cost: "As a vacuum, without the indexes: dead rows stay until the next one. In single-user mode nothing is faster; \
           leave the server up.",
    command: vacuum_fast,
    verify: "The age of the database has fallen; then vacuum the table once more, with its indexes.",
    go_back: "Nothing to go back to.",
    is_applicable: true,
};

/// Another database.
pub static ELSEWHERE: Way = Way {
    id: "elsewhere",
    title: "Check that database: only a session in it sees which tables hold it back",
    cost: "Nothing.",
    command: elsewhere,
    verify: "It names the tables.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// `template0`.
pub static AUTOMATIC: Way = Way {
    id: "automatic",
    title: "See why no automatic vacuum comes there: nobody can connect to this database, and only they freeze it",
    cost: "Nothing. The server runs them even when `autovacuum` is off; the log says when they fail.",
    command: |_| {
        Some("select pid, query, state, wait_event from pg_stat_activity where backend_type = 'autovacuum worker'".to_owned())
    },
    verify: "The age of the database has fallen.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// A standby.
pub static PRIMARY: Way = Way {
    id: "primary",
    title: "Check the primary: a standby cannot vacuum",
    cost: "Nothing.",
    command: crate::tree::no_command,
    verify: "The primary names the tables.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

static IS_STANDBY: Question = Question {
    text: "Is this a standby?",
    figure: "standby",
    fact: "is_standby",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_HELD: Question = Question {
    text: "Does somebody hold a transaction that is at least half as old as the database?",
    figure: "age of the oldest transaction held, as a share of the database's",
    fact: "held_share",
    at_least: 0.5,
    say: Say::Percent,
};
static IS_HERE: Question = Question {
    text: "Is it the database of this session?",
    figure: "the database of this session",
    fact: "is_here",
    at_least: 1.0,
    say: Say::YesNo,
};
static CAN_CONNECT: Question = Question {
    text: "Does it allow connections?",
    figure: "allows connections",
    fact: "can_connect",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_TEMPORARY: Question = Question {
    text: "Is the oldest table a temporary one?",
    figure: "the oldest table is a temporary one",
    fact: "is_temporary",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_VACUUMED: Question = Question {
    text: "Is the oldest table being vacuumed?",
    figure: "the oldest table is being vacuumed",
    fact: "is_vacuumed",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_LATE: Question = Question {
    text: "Will that vacuum need at least a third of the time that is left?",
    figure: "what that vacuum still needs, as a share of the time that is left",
    fact: "time_share",
    at_least: 1.0 / 3.0,
    say: Say::Percent,
};
static IS_ROOM: Question = Question {
    text: "Are at least 100 million ids left?",
    figure: "ids left",
    fact: "left",
    at_least: 100e6,
    say: Say::Number,
};

static TAKE_WAIT: Node = Node::Take(&WAIT);
static BY_HAND: Node = Node::Ask {
    question: &IS_ROOM,
    yes: &Node::Take(&VACUUM),
    no: &Node::Take(&VACUUM_FAST),
    unknown: &Node::Take(&VACUUM),
};
static TABLE: Node = Node::Ask {
    question: &IS_TEMPORARY,
    yes: &Node::Take(&END_TEMPORARY),
    no: &Node::Ask {
        question: &IS_VACUUMED,
        yes: &Node::Ask {
            question: &IS_LATE,
            yes: &Node::Take(&HURRY),
            no: &TAKE_WAIT,
            unknown: &TAKE_WAIT,
        },
        no: &BY_HAND,
        unknown: &BY_HAND,
    },
    unknown: &Node::Take(&ELSEWHERE),
};
static OTHER: Node = Node::Ask {
    question: &CAN_CONNECT,
    yes: &Node::Take(&ELSEWHERE),
    no: &Node::Take(&AUTOMATIC),
    unknown: &Node::Take(&ELSEWHERE),
};
static DATABASE: Node = Node::Ask {
    question: &IS_HERE,
    yes: &TABLE,
    no: &OTHER,
    unknown: &OTHER,
};
static ROOT: Node = Node::Ask {
    question: &IS_STANDBY,
    yes: &Node::Take(&PRIMARY),
    no: &Node::Ask {
        question: &IS_HELD,
        yes: &Node::Take(&LET_GO),
        no: &DATABASE,
        unknown: &DATABASE,
    },
    unknown: &DATABASE,
};

/// The tree of `LIM-010`.
pub static XIDS: Tree = Tree {
    code: &XID_WRAPAROUND,
    symptoms: "\
- the log says `database \"…\" must be vacuumed within … transactions` (from 40 million left on)\n\
- automatic vacuums `(to prevent wraparound)` run and do not give way: changes of a table's definition wait for them\n\
- in the end: `database is not accepting commands that assign new transaction IDs` (`to avoid wraparound data loss`); \
reads go on",
    look: "\
`corridor check --only wraparound --long` shows the age of each database, the ten tables that hold this one back, and \
the vacuums that run; `corridor check --only horizon` who keeps them from freezing.",
    root: &ROOT,
};

/// The tree of `LIM-011`.
pub static MXIDS: Tree = Tree {
    code: &MULTIXACT_WRAPAROUND,
    symptoms: "\
- the log says `database \"…\" must be vacuumed before … more MultiXactIds are used`\n\
- updates, `select … for share` and foreign-key checks fail, other statements do not",
    look: "\
`corridor check --only wraparound --long` shows the MultiXact age of each database and the tables that hold it back. \
MultiXacts are made where several transactions lock one row: foreign keys to a few busy rows, most of all.",
    root: &ROOT,
};

/// The tree of `LIM-012`.
pub static MEMBERS: Tree = Tree {
    code: &MULTIXACT_MEMBERS,
    symptoms: "\
- `multixact \"members\" limit exceeded`: updates, row locks and foreign-key checks fail\n\
- the directory `pg_multixact/members` has grown to gigabytes (20 GB is the end)\n\
- automatic vacuums `(to prevent wraparound)` although the ages of ids look harmless",
    look: "\
`select count(*) from pg_ls_dir('pg_multixact/members')`: each file holds 52,352 members, 82,040 files are the end. A \
row that n transactions lock one after the other takes about n²/2 members.",
    root: &ROOT,
};
