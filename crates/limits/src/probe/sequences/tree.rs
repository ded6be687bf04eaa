//! The ways out when an integer key or its sequence nears its end.

use crate::fault::{KEY_ENDS, KEY_NARROWER};
use crate::probe::words::shell_word;
use crate::tree::{Facts, Node, Question, Say, Tree, Way};

fn move_it(facts: &Facts) -> Option<String> {
    let table = facts.get_text("table")?;
    Some(format!(
        "corridor move {} --to shape.sql --execute",
        shell_word(&table)
    ))
}

fn alter_column(facts: &Facts) -> Option<String> {
    let (table, column) = (facts.get_text("table")?, facts.get_text("column")?);
    Some(format!("alter table {table} alter column {column} type bigint"))
}

fn widen(facts: &Facts) -> Option<String> {
    let sequence = facts.get_text("sequence")?;
    Some(format!(
        "alter sequence {sequence} as bigint no minvalue no maxvalue"
    ))
}

fn negative(facts: &Facts) -> Option<String> {
    let (sequence, lowest) = (facts.get_text("sequence")?, facts.get_text("lowest")?);
    Some(format!(
        "alter sequence {sequence} minvalue {lowest} restart with {lowest}"
    ))
}

/// Move to bigint.
pub static MOVE: Way = Way {
    id: "move-to-bigint",
    title: "Move the table to a bigint key: shape.sql is its `create table` with the column as bigint",
    cost: "A copy of the table, online, at the pace that the application allows; reversible until `finish`. Its sequence \
           becomes bigint in the swap, foreign keys of other tables are carried. The application must read 64 bits.",
    command: move_it,
    verify: "`corridor status NAME` shows the proof; afterwards `corridor check --only sequences` names the key no more.",
    go_back: "`corridor rollback NAME`, until `corridor finish NAME`.",
    is_applicable: false,
};

/// Small enough to rewrite.
pub static ALTER: Way = Way {
    id: "alter-type",
    title: "Change the column's type: the table is small enough to be rewritten within a second",
    cost: "`ACCESS EXCLUSIVE` while table and indexes are rewritten; set `lock_timeout` before. The application must read 64 \
           bits. A sequence of type integer needs `alter sequence … as bigint` too.",
    command: alter_column,
    verify: "`corridor check --only sequences` names the column no more; a sequence of type integer is named until it is bigint, \
             too.",
    go_back: "The same with the old type, as long as all values fit.",
    is_applicable: false,
};

/// The sequence alone.
pub static WIDEN: Way = Way {
    id: "widen-sequence",
    title: "Move the sequence's own end: the column has room",
    cost: "Milliseconds; sessions that draw from the sequence wait for as long.",
    command: widen,
    verify: "`corridor check --only sequences` names it no more.",
    go_back: "`alter sequence … as integer`, as long as its value fits.",
    is_applicable: false,
};

/// Time for a move.
pub static NEGATIVE: Way = Way {
    id: "negative-half",
    title: "Buy time: go on in the negative numbers, and move to bigint meanwhile",
    cost: "Milliseconds, for another two billion values. Only where the application takes negative keys and does not sort by \
           them.",
    command: negative,
    verify: "Inserts go on; then plan the move: `corridor move TABLE --to shape.sql`.",
    go_back: "`alter sequence … restart` behind the highest value, where there is room.",
    is_applicable: false,
};

static IS_COLUMN: Question = Question {
    text: "Is it the column's type that ends, and not the sequence alone?",
    figure: "the column's type ends",
    fact: "is_column_limit",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_FED: Question = Question {
    text: "Does a column draw from it?",
    figure: "a column draws from it",
    fact: "is_fed",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_LARGE: Question = Question {
    text: "Is the table larger than 16 MB?",
    figure: "the table's size",
    fact: "table_bytes",
    at_least: 16.0 * 1024.0 * 1024.0,
    say: Say::Bytes,
};
static IS_LAST_MOMENT: Question = Question {
    text: "Are at least 99 % of the values used up?",
    figure: "values used up",
    fact: "used_share",
    at_least: 0.99,
    say: Say::Percent,
};
static HAS_NEGATIVES: Question = Question {
    text: "Are the negative numbers unused?",
    figure: "negative numbers are unused",
    fact: "has_negatives",
    at_least: 1.0,
    say: Say::YesNo,
};

static TAKE_MOVE: Node = Node::Take(&MOVE);
static TAKE_WIDEN: Node = Node::Take(&WIDEN);
static TAKE_ALTER: Node = Node::Take(&ALTER);
static LARGE: Node = Node::Ask {
    question: &IS_LAST_MOMENT,
    yes: &Node::Ask {
        question: &HAS_NEGATIVES,
        yes: &Node::Take(&NEGATIVE),
        no: &TAKE_MOVE,
        unknown: &TAKE_MOVE,
    },
    no: &TAKE_MOVE,
    unknown: &TAKE_MOVE,
};

/// The tree of `LIM-017`.
pub static ENDS: Tree = Tree {
    code: &KEY_ENDS,
    symptoms: "\
- `nextval: reached maximum value of sequence` or `integer out of range`: every insert into the table fails\n\
- nothing before that",
    look: "\
`corridor check --only sequences --long` shows the last value, where it ends and why there, and the days left once there \
is a history.",
    root: &Node::Ask {
        question: &IS_COLUMN,
        yes: &Node::Ask {
            question: &IS_FED,
            yes: &Node::Ask {
                question: &IS_LARGE,
                yes: &LARGE,
                no: &TAKE_ALTER,
                unknown: &LARGE,
            },
            no: &TAKE_WIDEN,
            unknown: &TAKE_WIDEN,
        },
        no: &TAKE_WIDEN,
        unknown: &TAKE_MOVE,
    },
};

/// The tree of `LIM-018`.
pub static NARROWER: Tree = Tree {
    code: &KEY_NARROWER,
    symptoms: "\
- `integer out of range` in this table, on the day on which the key that it refers to passes 2,147,483,647: that key is \
wide enough, so that nobody watches it",
    look: "`corridor check --only sequences --long` names the column, what it refers to and the last value there.",
    root: &Node::Ask {
        question: &IS_LARGE,
        yes: &TAKE_MOVE,
        no: &TAKE_ALTER,
        unknown: &TAKE_MOVE,
    },
};
