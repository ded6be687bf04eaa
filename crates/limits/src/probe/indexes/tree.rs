//! The ways out for indexes that cost and do not serve.

use crate::fault::{INDEX_DUPLICATE, INDEX_INVALID, INDEX_UNUSED};
use crate::tree::{Facts, Node, Question, Say, Tree, Way, no_command};

fn drop_index(facts: &Facts) -> Option<String> {
    Some(format!("drop index concurrently {}", facts.get_text("index")?))
}

fn drop_plainly(facts: &Facts) -> Option<String> {
    Some(format!("drop index {}", facts.get_text("index")?))
}

fn drop_constraint(facts: &Facts) -> Option<String> {
    Some(format!(
        "alter table {} drop constraint {}",
        facts.get_text("table")?,
        facts.get_text("constraint")?
    ))
}

fn rebuild(facts: &Facts) -> Option<String> {
    Some(format!("reindex index concurrently {}", facts.get_text("index")?))
}

fn rebuild_locked(facts: &Facts) -> Option<String> {
    Some(format!("reindex index {}", facts.get_text("index")?))
}

/// Away with it.
pub static DROP: Way = Way {
    id: "drop",
    title: "Drop it",
    cost: "`drop index concurrently` waits for transactions that may use it, and blocks nobody while it waits.",
    command: drop_index,
    verify: "`corridor check --only indexes` does not name it any more.",
    go_back: "`create index concurrently` with the definition that `pg_get_indexdef` shows before; keep it.",
    is_applicable: false,
};
/// Away with it, with a lock.
pub static DROP_PLAINLY: Way = Way {
    id: "drop-with-lock",
    title: "Drop it; of a partitioned table that takes a short exclusive lock on the table and all partitions",
    cost: "`ACCESS EXCLUSIVE` for milliseconds: set a `lock_timeout`, and try again when it ends.",
    command: drop_plainly,
    verify: "`corridor check --only indexes` does not name it any more.",
    go_back: "`create index … on only`, then `create index concurrently` for each partition, and attach.",
    is_applicable: false,
};
/// The constraint with it.
pub static DROP_CONSTRAINT: Way = Way {
    id: "drop-constraint",
    title: "Drop the constraint that it stands for: another one keeps the same values unique",
    cost: "`ACCESS EXCLUSIVE` for milliseconds: set a `lock_timeout`. It is refused when a foreign key rests on it.",
    command: drop_constraint,
    verify: "`corridor check --only indexes` does not name it any more.",
    go_back: "`create unique index concurrently`, then `alter table … add constraint … unique using index`.",
    is_applicable: false,
};
/// Build it again.
pub static REBUILD: Way = Way {
    id: "rebuild",
    title: "Build it again beside itself",
    cost: "Two scans of the table and room for a second copy; writers go on. It waits for old transactions. For a \
           unique index, remove the duplicates that made it fail first.",
    command: rebuild,
    verify: "`corridor check --only indexes` does not name it any more; no index ends with `_ccnew`.",
    go_back: "When it fails it leaves an index `…_ccnew` behind: drop that one.",
    is_applicable: false,
};
/// Build it again, with a lock.
pub static REBUILD_LOCKED: Way = Way {
    id: "rebuild-with-lock",
    title: "Build it again in a quiet hour: this one cannot be built beside itself",
    cost: "Writers of the table wait for as long as it takes. (Exclusion constraints cannot be rebuilt concurrently; on \
           PostgreSQL 14.0 to 14.3 a concurrent rebuild can lose entries: update first.)",
    command: rebuild_locked,
    verify: "`corridor check --only indexes` does not name it any more.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};
/// The partitions first.
pub static ATTACH: Way = Way {
    id: "attach",
    title: "Build the index on each partition that lacks it, concurrently, and attach it; the last one makes it valid",
    cost: "Two scans of each partition that lacks it; `alter index … attach partition` takes milliseconds.",
    command: no_command,
    verify: "`pg_index.indisvalid` of the partitioned index is true.",
    go_back: "`drop index` of the partitioned index drops all of its parts.",
    is_applicable: false,
};
/// Look at the parent's deletes first.
pub static KEEP_FOR_REFERENCE: Way = Way {
    id: "keep",
    title: "Keep it as long as rows of the table that it refers to may be deleted: without it each delete reads this table",
    cost: "What it costs now.",
    command: no_command,
    verify: "Its scans rise when the other table's rows are deleted.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

static IS_PARTITIONED: Question = Question {
    text: "Is it an index of a partitioned table?",
    figure: "of a partitioned table",
    fact: "is_partitioned",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_SPARE: Question = Question {
    text: "Is it a left-over of a concurrent rebuild, or does a valid index do the same?",
    figure: "left over, or the same as a valid one",
    fact: "is_spare",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_EXCLUSION: Question = Question {
    text: "Does it belong to an exclusion constraint?",
    figure: "of an exclusion constraint",
    fact: "is_exclusion",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_FAULTY: Question = Question {
    text: "Is the server one of 14.0 to 14.3?",
    figure: "PostgreSQL 14.0 to 14.3",
    fact: "is_faulty_version",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_CONSTRAINT: Question = Question {
    text: "Does it stand for a constraint?",
    figure: "stands for a constraint",
    fact: "is_constraint",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_FOR_REFERENCE: Question = Question {
    text: "Does a foreign key of the table begin with its first column?",
    figure: "serves a foreign key",
    fact: "is_for_reference",
    at_least: 1.0,
    say: Say::YesNo,
};

static TAKE_DROP: Node = Node::Take(&DROP);
static TAKE_DROP_PLAINLY: Node = Node::Take(&DROP_PLAINLY);
static TAKE_DROP_CONSTRAINT: Node = Node::Take(&DROP_CONSTRAINT);
static TAKE_REBUILD: Node = Node::Take(&REBUILD);
static TAKE_REBUILD_LOCKED: Node = Node::Take(&REBUILD_LOCKED);
static TAKE_ATTACH: Node = Node::Take(&ATTACH);
static TAKE_KEEP: Node = Node::Take(&KEEP_FOR_REFERENCE);

static HOW_TO_REBUILD: Node = Node::Ask {
    question: &IS_EXCLUSION,
    yes: &TAKE_REBUILD_LOCKED,
    no: &Node::Ask {
        question: &IS_FAULTY,
        yes: &TAKE_REBUILD_LOCKED,
        no: &TAKE_REBUILD,
        unknown: &TAKE_REBUILD,
    },
    unknown: &TAKE_REBUILD_LOCKED,
};
static SPARE_OR_REBUILD: Node = Node::Ask {
    question: &IS_SPARE,
    yes: &TAKE_DROP,
    no: &HOW_TO_REBUILD,
    unknown: &HOW_TO_REBUILD,
};
static HOW_TO_DROP: Node = Node::Ask {
    question: &IS_PARTITIONED,
    yes: &TAKE_DROP_PLAINLY,
    no: &TAKE_DROP,
    unknown: &TAKE_DROP,
};

/// The tree of `LIM-045`.
pub static INVALID_TREE: Tree = Tree {
    code: &INDEX_INVALID,
    symptoms: "\
- a query reads the whole table though `\\d` shows an index for it, marked `INVALID`\n\
- `create index concurrently` or `reindex concurrently` was ended, or found duplicate values",
    look: "`select indexrelid::regclass, indisready from pg_index where not indisvalid`.",
    root: &Node::Ask {
        question: &IS_PARTITIONED,
        yes: &TAKE_ATTACH,
        no: &SPARE_OR_REBUILD,
        unknown: &SPARE_OR_REBUILD,
    },
};
/// The tree of `LIM-046`.
pub static DUPLICATE_TREE: Tree = Tree {
    code: &INDEX_DUPLICATE,
    symptoms: "- each write maintains two indexes where one would do; both compete for the cache",
    look: "`\\d` of the table: the same columns, or the first columns of another index.",
    root: &Node::Ask {
        question: &IS_CONSTRAINT,
        yes: &TAKE_DROP_CONSTRAINT,
        no: &HOW_TO_DROP,
        unknown: &HOW_TO_DROP,
    },
};
/// The tree of `LIM-047`.
pub static UNUSED_TREE: Tree = Tree {
    code: &INDEX_UNUSED,
    symptoms: "- each write maintains an index that nothing reads; it keeps updates from being HOT, and takes disk",
    look: "`idx_scan` in `pg_stat_user_indexes`, here and on each replica.",
    root: &Node::Ask {
        question: &IS_FOR_REFERENCE,
        yes: &TAKE_KEEP,
        no: &TAKE_DROP,
        unknown: &TAKE_DROP,
    },
};
