//! The ways out when TOAST ids run short.

use crate::fault::TOAST_IDS;
use crate::probe::words::shell_word;
use crate::tree::{Facts, Node, Question, Say, Tree, Way, no_command};

fn vacuum(facts: &Facts) -> Option<String> {
    let toast = facts.get_text("toast")?;
    Some(format!("vacuum (index_cleanup on, verbose) {toast}"))
}

fn jump(facts: &Facts) -> Option<String> {
    facts.get("wall_ids")?;
    let table = facts.get_text("table")?;
    Some(format!(
        "corridor check --apply LIM-001 --table {} --way jump --execute",
        shell_word(&table)
    ))
}

fn raise_target(facts: &Facts) -> Option<String> {
    let table = facts.get_text("table")?;
    Some(format!("alter table {table} set (toast_tuple_target = 8160)"))
}

fn partition(facts: &Facts) -> Option<String> {
    let table = facts.get_text("table")?;
    let column = facts.get_text("key_column")?;
    let partitions = facts.get_whole("partitions")?;
    Some(format!(
        "corridor move {} --partition-by {} --partitions {partitions} --execute",
        shell_word(&table),
        shell_word(&format!("hash({column})"))
    ))
}

/// Keep what can be kept in its row.
pub static INLINE: Way = Way {
    id: "inline",
    title: "Raise toast_tuple_target, so that new values stay in their rows and need no id",
    cost: "`SHARE UPDATE EXCLUSIVE` for milliseconds, no rewrite. Works at once for each insert and each update that \
           writes the value anew. The table itself grows, fewer updates are HOT; values beyond 8 kB still need an id.",
    command: raise_target,
    verify: "`corridor check --only toast` says how many look-ups a new value needs; inserts are fast at once.",
    go_back: "`alter table … reset (toast_tuple_target)`; values that are in their rows stay there until they are \
              written again.",
    is_applicable: true,
};

/// Move the counter over the wall.
pub static JUMP: Way = Way {
    id: "jump",
    title: "Move the counter of object ids over the stretch of used ids",
    cost: "Superuser. About a second of one core for each million ids. It holds until the counter comes round, and does \
           not free one id.",
    command: jump,
    verify: "The next stretch in `corridor check --only toast` is another one; inserts are fast at once.",
    go_back: "Nothing to go back to: ids that were passed over are free in the next lap.",
    is_applicable: true,
};

/// Vacuum, when nobody holds the horizon.
pub static VACUUM: Way = Way {
    id: "vacuum",
    title: "Let go of what holds the horizon, then vacuum the TOAST relation: dead values hold their ids",
    cost: "Reads the TOAST relation and all of its index once. Blocks nobody; `vacuum` does not take away what an old \
           snapshot, slot or prepared transaction still sees (`corridor check --only horizon` names them).",
    command: vacuum,
    verify: "The share of dead chunks falls to nothing, and with it the share of ids in use.",
    go_back: "Nothing to go back to.",
    is_applicable: true,
};

/// Partitions, each with an id space of its own.
pub static MOVE: Way = Way {
    id: "move",
    title: "Move the table into partitions: each has an id space of its own",
    cost: "A copy of the table, online, at the pace that the application allows; reversible until `finish`.",
    command: partition,
    verify: "`corridor status NAME` shows the proof; afterwards each partition has its own line in `corridor check`.",
    go_back: "`corridor rollback NAME`, until `corridor finish NAME`.",
    is_applicable: false,
};

/// Use fewer.
pub static FEWER: Way = Way {
    id: "fewer",
    title: "Store fewer values out of line: merge wide columns into one, compress with lz4, keep less",
    cost: "A change of the application. One row with five wide columns takes five ids.",
    command: no_command,
    verify: "The share of ids in use stops growing in `corridor check --only toast`.",
    go_back: "Undo the change of the application.",
    is_applicable: false,
};

/// Wait and see.
pub static WATCH: Way = Way {
    id: "watch",
    title: "Nothing yet: keep the history going, so that the next check can say when",
    cost: "Nothing.",
    command: |_| Some("corridor watch".to_owned()),
    verify: "`corridor check --only toast` says the days left once six hours of history are there.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

static IS_DEAD: Question = Question {
    text: "Is at least a fifth of the stored chunks dead?",
    figure: "dead chunks",
    fact: "dead_share",
    at_least: 0.2,
    say: Say::Percent,
};
static IS_FULL: Question = Question {
    text: "Are at least 85 % of the ids used by live values?",
    figure: "ids used by live values",
    fact: "used_share",
    at_least: 0.85,
    say: Say::Percent,
};
static IS_HALF: Question = Question {
    text: "Are at least half of the ids used by live values?",
    figure: "ids used by live values",
    fact: "used_share",
    at_least: 0.5,
    say: Say::Percent,
};
static IS_AT_WALL: Question = Question {
    text: "Do writers search now, or will they within 30 days?",
    figure: "writers search now or within 30 days",
    fact: "is_at_the_wall",
    at_least: 1.0,
    say: Say::YesNo,
};
static DOES_LAST: Question = Question {
    text: "Does the space last for at least 180 days more?",
    figure: "days until the space is full",
    fact: "days_to_full",
    at_least: 180.0,
    say: Say::Days,
};
static DOES_FIT: Question = Question {
    text: "Would a page take at least 80 % of the rows that are wide now?",
    figure: "wide rows that a page would take",
    fact: "inline_share",
    at_least: 0.8,
    say: Say::Percent,
};
static IS_RAISED: Question = Question {
    text: "Is toast_tuple_target raised already?",
    figure: "toast_tuple_target is raised",
    fact: "is_target_raised",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_SUPERUSER: Question = Question {
    text: "May this role move the counter (superuser)?",
    figure: "superuser",
    fact: "is_superuser",
    at_least: 1.0,
    say: Say::YesNo,
};

static TAKE_INLINE: Node = Node::Take(&INLINE);
static TAKE_JUMP: Node = Node::Take(&JUMP);
static TAKE_VACUUM: Node = Node::Take(&VACUUM);
static TAKE_MOVE: Node = Node::Take(&MOVE);
static TAKE_FEWER: Node = Node::Take(&FEWER);
static TAKE_WATCH: Node = Node::Take(&WATCH);

static JUMP_OR_MOVE: Node = Node::Ask {
    question: &IS_SUPERUSER,
    yes: &TAKE_JUMP,
    no: &TAKE_MOVE,
    unknown: &TAKE_MOVE,
};
static INLINE_OR_JUMP: Node = Node::Ask {
    question: &DOES_FIT,
    yes: &Node::Ask {
        question: &IS_RAISED,
        yes: &JUMP_OR_MOVE,
        no: &TAKE_INLINE,
        unknown: &TAKE_INLINE,
    },
    no: &JUMP_OR_MOVE,
    unknown: &JUMP_OR_MOVE,
};
static AT_THE_WALL: Node = Node::Ask {
    question: &IS_HALF,
    yes: &TAKE_MOVE,
    no: &INLINE_OR_JUMP,
    unknown: &INLINE_OR_JUMP,
};
static NOT_AT_THE_WALL: Node = Node::Ask {
    question: &IS_HALF,
    yes: &TAKE_FEWER,
    no: &TAKE_WATCH,
    unknown: &TAKE_WATCH,
};
static WALL: Node = Node::Ask {
    question: &IS_AT_WALL,
    yes: &AT_THE_WALL,
    no: &NOT_AT_THE_WALL,
    unknown: &NOT_AT_THE_WALL,
};

/// The tree of `LIM-001`.
pub static TREE: Tree = Tree {
    code: &TOAST_IDS,
    symptoms: "\
- inserts and updates of rows with large values are slow, those of small rows are not\n\
- one insert reads megabytes: `pg_stat_statements` shows thousands of blocks for a row\n\
- the same insert into a fresh table is fast\n\
- sessions wait at `LWLock: OidGen`; the log says `still searching for an unused OID` (only from a million look-ups on)",
    look: "\
`corridor check --only toast --table SCHEMA.TABLE` shows the share of ids in use, the next stretch of used ids, and how \
many look-ups a new value needs at this moment.",
    root: &Node::Ask {
        question: &IS_DEAD,
        yes: &TAKE_VACUUM,
        no: &Node::Ask {
            question: &IS_FULL,
            yes: &TAKE_MOVE,
            no: &Node::Ask {
                question: &DOES_LAST,
                yes: &WALL,
                no: &TAKE_MOVE,
                unknown: &WALL,
            },
            unknown: &WALL,
        },
        unknown: &WALL,
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A command is copied into a shell: a name must stay one word there, whatever the application called its table.
    #[test]
    fn a_name_cannot_end_its_quotes() {
        let mut facts = Facts::default();
        facts
            .text("table", r#"public."x'; rm -rf ~; '""#)
            .text("key_column", r#""o'brien""#)
            .number("partitions", 16.0);
        assert_eq!(
            partition(&facts).unwrap(),
            r#"corridor move 'public."x'\''; rm -rf ~; '\''"' --partition-by 'hash("o'\''brien")' --partitions 16 --execute"#
        );
    }
}
