//! The ways out when somebody holds the horizon. None is carried out: whose work ends is a person's to say.

use crate::fault::{HELD_BY_PREPARED, HELD_BY_SESSION, HELD_BY_SLOT, HELD_BY_STANDBY};
use crate::tree::{Node, Question, Say, Tree, Way};

/// End the session.
pub static TERMINATE: Way = Way {
    id: "end-session",
    title: "End the session: it waits for its client, which has forgotten it",
    cost: "Its transaction is rolled back and its client loses the connection. Afterwards let the server do it: \
           `idle_in_transaction_session_timeout`, for the role or the database.",
    command: |facts| {
        Some(format!(
            "select pg_terminate_backend({})",
            facts.get_whole("pid")?
        ))
    },
    verify: "`corridor check --only horizon` names it no more; the next vacuum takes dead rows away.",
    go_back: "The client connects anew; its transaction is gone.",
    is_applicable: false,
};

/// Cancel the statement.
pub static CANCEL: Way = Way {
    id: "cancel",
    title: "Cancel the statement that runs, or let it end and run it elsewhere: on a standby, or in smaller parts",
    cost: "The statement's work. The transaction stays open until its client ends it.",
    command: |facts| Some(format!("select pg_cancel_backend({})", facts.get_whole("pid")?)),
    verify: "`corridor check --only horizon` names it no more.",
    go_back: "Run it again.",
    is_applicable: false,
};

/// A dump.
pub static DUMP: Way = Way {
    id: "let-it-end",
    title: "Let the dump end: it keeps one snapshot from its beginning to its end; take the next one from a standby",
    cost: "Dead rows until it ends. `pg_dump --jobs` shortens it.",
    command: |_| Some("corridor check --only horizon --long".to_owned()),
    verify: "`corridor check --only horizon` names it no more.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// Our own.
pub static OWN: Way = Way {
    id: "pause",
    title: "See what Corridor does there, and pause it if it must not wait",
    cost: "The move takes longer; nothing is lost.",
    command: |_| Some("corridor status".to_owned()),
    verify: "`corridor check --only horizon` names it no more.",
    go_back: "`corridor resume NAME`",
    is_applicable: false,
};

/// Roll it back.
pub static ROLL_BACK: Way = Way {
    id: "roll-back-prepared",
    title: "Roll the prepared transaction back, in its database: nobody has come for it in an hour",
    cost: "What it did is gone. If its manager committed the other half elsewhere, the two disagree: ask first.",
    command: |facts| Some(format!("rollback prepared {}", facts.get_text("name")?)),
    verify: "`select * from pg_prepared_xacts` is without it.",
    go_back: "None.",
    is_applicable: false,
};

/// Ask first.
pub static ASK: Way = Way {
    id: "ask-its-manager",
    title: "Ask its manager of transactions whether it will still come for it",
    cost: "Nothing.",
    command: |facts| {
        let name = facts.get_text("name")?;
        Some(format!(
            "select gid, prepared, owner, database from pg_prepared_xacts where gid = {name}"
        ))
    },
    verify: "It is committed or rolled back.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// Drop it.
pub static DROP_SLOT: Way = Way {
    id: "drop-slot",
    title: "Drop the slot, when its consumer will not come back; otherwise start the consumer",
    cost: "The consumer must be made anew: what it did not get is lost to it.",
    command: |facts| {
        Some(format!(
            "select pg_drop_replication_slot({})",
            facts.get_text("name")?
        ))
    },
    verify: "`corridor check --only horizon,slots` names it no more.",
    go_back: "None: a new slot begins now.",
    is_applicable: false,
};

/// Its consumer.
pub static CONSUMER: Way = Way {
    id: "consumer",
    title: "See why its consumer does not confirm what it gets: it is connected, and lags or does not send its position",
    cost: "Nothing.",
    command: |facts| {
        let pid = facts.get_whole("pid")?;
        Some(format!(
            "select pid, application_name, state, sent_lsn, flush_lsn, reply_time from pg_stat_replication where pid = {pid}"
        ))
    },
    verify: "The age that the slot holds falls.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// What runs there.
pub static ON_STANDBY: Way = Way {
    id: "on-standby",
    title: "End the long statement on the standby",
    cost: "That statement's work. `hot_standby_feedback = off` there would free the primary, and cancel such statements \
           whenever they are in the way.",
    command: |_| {
        Some(
            "select pid, xact_start, state, query from pg_stat_activity where backend_xmin is not null \
             order by age(backend_xmin) desc limit 5"
                .to_owned(),
        )
    },
    verify: "`corridor check --only horizon` on the primary names it no more.",
    go_back: "Run it again.",
    is_applicable: false,
};

static IS_OWN: Question = Question {
    text: "Is it one of Corridor's own sessions?",
    figure: "one of Corridor's own sessions",
    fact: "is_corridor",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_DUMP: Question = Question {
    text: "Is it a dump?",
    figure: "a dump",
    fact: "is_dump",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_IDLE: Question = Question {
    text: "Does it wait for its client, inside of a transaction?",
    figure: "waits for its client",
    fact: "is_idle",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_FORGOTTEN: Question = Question {
    text: "Is it prepared since an hour or more?",
    figure: "hours since it was prepared",
    fact: "held_h",
    at_least: 1.0,
    say: Say::Number,
};
static IS_USED: Question = Question {
    text: "Does somebody use the slot?",
    figure: "somebody uses the slot",
    fact: "is_active",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_LOGICAL: Question = Question {
    text: "Is it a slot of logical decoding?",
    figure: "a slot of logical decoding",
    fact: "is_logical",
    at_least: 1.0,
    say: Say::YesNo,
};

static IDLE: Node = Node::Ask {
    question: &IS_IDLE,
    yes: &Node::Take(&TERMINATE),
    no: &Node::Take(&CANCEL),
    unknown: &Node::Take(&CANCEL),
};
static DUMPS: Node = Node::Ask {
    question: &IS_DUMP,
    yes: &Node::Take(&DUMP),
    no: &IDLE,
    unknown: &IDLE,
};

/// The tree of `LIM-013`.
pub static SESSION: Tree = Tree {
    code: &HELD_BY_SESSION,
    symptoms: "\
- tables and indexes grow although their rows do not\n\
- vacuums end with `dead but not yet removable`\n\
- an index that is built concurrently, or a swap, waits and waits",
    look: "\
`corridor check --only horizon --long` names the session with its role, its application and its statement.",
    root: &Node::Ask {
        question: &IS_OWN,
        yes: &Node::Take(&OWN),
        no: &DUMPS,
        unknown: &DUMPS,
    },
};

/// The tree of `LIM-014`.
pub static PREPARED: Tree = Tree {
    code: &HELD_BY_PREPARED,
    symptoms: "\
- as with an old session, but no session is to be found\n\
- a lock that nobody seems to hold: `pg_locks` shows it without a pid",
    look: "`select gid, prepared, owner, database from pg_prepared_xacts order by prepared`",
    root: &Node::Ask {
        question: &IS_FORGOTTEN,
        yes: &Node::Take(&ROLL_BACK),
        no: &Node::Take(&ASK),
        unknown: &Node::Take(&ASK),
    },
};

static PHYSICAL: Node = Node::Take(&ON_STANDBY);

/// The tree of `LIM-015`.
pub static SLOT: Tree = Tree {
    code: &HELD_BY_SLOT,
    symptoms: "\
- tables of the catalogue grow, and planning slows down (a logical slot); all tables grow (a standby's slot)\n\
- `pg_wal` grows",
    look: "`select slot_name, active, xmin, catalog_xmin, restart_lsn from pg_replication_slots`",
    root: &Node::Ask {
        question: &IS_USED,
        yes: &Node::Ask {
            question: &IS_LOGICAL,
            yes: &Node::Take(&CONSUMER),
            no: &PHYSICAL,
            unknown: &PHYSICAL,
        },
        no: &Node::Take(&DROP_SLOT),
        unknown: &Node::Take(&CONSUMER),
    },
};

/// The tree of `LIM-016`.
pub static STANDBY: Tree = Tree {
    code: &HELD_BY_STANDBY,
    symptoms: "- tables and indexes of the primary grow while a long statement runs on the standby",
    look: "`select application_name, backend_xmin, age(backend_xmin) from pg_stat_replication`",
    root: &PHYSICAL,
};
