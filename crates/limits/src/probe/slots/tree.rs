//! The ways out when WAL, replicas, connections or the disk become a trouble.

use crate::fault::{
    ARCHIVE_FAILS, CHECKPOINTS_FORCED, CONNECTIONS_SHORT, DISK_SHORT, REPLICA_LAGS, SLOT_KEEPS_WAL,
    TEMP_FILES,
};
use crate::tree::{Facts, Node, Question, Say, Tree, Way};

fn of_session(facts: &Facts) -> Option<String> {
    let pid = facts.get_whole("pid")?;
    Some(format!(
        "select pid, application_name, state, sent_lsn, flush_lsn, replay_lsn, reply_time from pg_stat_replication where pid = {pid}"
    ))
}

/// Drop it.
pub static DROP_SLOT: Way = Way {
    id: "drop-slot",
    title: "Drop the slot, when its consumer will not come back; otherwise start the consumer",
    cost: "The consumer must be made anew: what it did not get is lost to it. A limit for all slots, \
           `max_slot_wal_keep_size`, lets the server give up a slot before the disk is full.",
    command: |facts| {
        Some(format!(
            "select pg_drop_replication_slot({})",
            facts.get_text("slot")?
        ))
    },
    verify: "The slot is gone; after the next checkpoint, so is the WAL.",
    go_back: "None: a new slot begins now.",
    is_applicable: false,
};

/// Its consumer.
pub static CONSUMER: Way = Way {
    id: "consumer",
    title: "See why its consumer does not confirm what it gets: slow, blocked, or it does not send its position",
    cost: "Nothing.",
    command: of_session,
    verify: "`corridor check --only slots` says that it keeps less.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// The replica.
pub static LOOK_AT_REPLICA: Way = Way {
    id: "look-at-replica",
    title: "See where it lags: sent, written, flushed or replayed; a long statement on the replica may hold replay up",
    cost: "Nothing.",
    command: of_session,
    verify: "`corridor check --only slots` says less.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// The archive.
pub static ARCHIVE_WAY: Way = Way {
    id: "mend-archive",
    title: "Mend what archives the WAL: the server's log has its last words",
    cost: "Nothing. Until then the server keeps every file, to the end of the disk; backups cannot be restored to a later \
           point than the last file that was archived.",
    command: |_| Some("select * from pg_stat_archiver".to_owned()),
    verify: "`last_archived_time` is newer than `last_failed_time`.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// More room for WAL.
pub static RAISE_WAL: Way = Way {
    id: "raise-max-wal-size",
    title: "Raise max_wal_size, so that checkpoints come by time again",
    cost: "As much more disk, and a longer recovery after a crash.",
    command: |facts| {
        let megabytes = facts.get_whole("wanted")?;
        Some(format!(
            "alter system set max_wal_size = '{megabytes} MB'; select pg_reload_conf()"
        ))
    },
    verify: "`corridor check --only slots` names it no more an hour later.",
    go_back: "`alter system reset max_wal_size; select pg_reload_conf()`",
    is_applicable: false,
};

/// Find the statements.
pub static FIND_SPILLS: Way = Way {
    id: "find-statements",
    title: "Find the statements that spill, and give them an index, or their role more work_mem",
    cost: "Nothing; needs pg_stat_statements.",
    command: |_| {
        Some(
            "select temp_blks_written * 8192 as bytes, calls, left(query, 100) from pg_stat_statements \
             order by temp_blks_written desc limit 5"
                .to_owned(),
        )
    },
    verify: "`temp_bytes` in `pg_stat_database` grows more slowly.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// End those that wait in a transaction.
pub static END_IDLE: Way = Way {
    id: "end-idle-transactions",
    title: "Let the server end sessions that wait inside of a transaction",
    cost: "A client that comes back later finds its transaction rolled back.",
    command: |_| {
        Some(
            "alter system set idle_in_transaction_session_timeout = '5min'; select pg_reload_conf()"
                .to_owned(),
        )
    },
    verify: "Fewer sessions are idle in a transaction.",
    go_back: "`alter system reset idle_in_transaction_session_timeout; select pg_reload_conf()`",
    is_applicable: false,
};

/// A pooler.
pub static POOL: Way = Way {
    id: "pool",
    title: "Put a pooler before the server, or make the application's pools smaller: most sessions do nothing",
    cost: "A change of how the application connects.",
    command: |_| {
        Some(
            "select usename, application_name, state, count(*) from pg_stat_activity \
             where backend_type = 'client backend' group by 1, 2, 3 order by 4 desc limit 10"
                .to_owned(),
        )
    },
    verify: "Fewer sessions are idle.",
    go_back: "The old pools.",
    is_applicable: false,
};

/// They all work.
pub static SLOW: Way = Way {
    id: "find-what-waits",
    title: "See what the sessions wait for: they are at work, and more of them would make it slower",
    cost: "Nothing.",
    command: |_| {
        Some(
            "select wait_event_type, wait_event, count(*) from pg_stat_activity where state = 'active' \
             group by 1, 2 order by 3 desc limit 10"
                .to_owned(),
        )
    },
    verify: "Fewer sessions are active.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// Slots.
pub static FREE_SLOTS: Way = Way {
    id: "free-slots",
    title: "Free the WAL that a replication slot keeps",
    cost: "See the slot's own finding.",
    command: |_| Some("corridor check --only slots --long".to_owned()),
    verify: "The disk has room again after the next checkpoint.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

/// More disk.
pub static GROW: Way = Way {
    id: "grow-disk",
    title: "Make the disk larger, or find what can go: bloat, unused indexes, old partitions",
    cost: "A repack or a move needs as much room as table and indexes take: do it before the disk is too full for it.",
    command: |_| Some("corridor check --only bloat,indexes --long".to_owned()),
    verify: "`corridor check --only slots` says less.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

static IS_LOST: Question = Question {
    text: "Is the slot lost?",
    figure: "lost",
    fact: "is_lost",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_USED: Question = Question {
    text: "Does somebody use it?",
    figure: "somebody uses it",
    fact: "is_active",
    at_least: 1.0,
    say: Say::YesNo,
};
static WAIT_INSIDE: Question = Question {
    text: "Does at least a quarter of the sessions wait inside of a transaction?",
    figure: "sessions that wait inside of a transaction",
    fact: "idle_in_transaction_share",
    at_least: 0.25,
    say: Say::Percent,
};
static DO_NOTHING: Question = Question {
    text: "Does at least half of the sessions do nothing?",
    figure: "sessions that do nothing",
    fact: "idle_share",
    at_least: 0.5,
    say: Say::Percent,
};
static DO_SLOTS: Question = Question {
    text: "Does one slot keep at least a fifth of what is in use?",
    figure: "what one slot keeps of it",
    fact: "slot_share",
    at_least: 0.2,
    say: Say::Percent,
};
static IS_FAILING: Question = Question {
    text: "Does the archive of the WAL fail?",
    figure: "the archive fails",
    fact: "is_archive_failing",
    at_least: 1.0,
    say: Say::YesNo,
};

static TAKE_DROP: Node = Node::Take(&DROP_SLOT);
static TAKE_SLOW: Node = Node::Take(&SLOW);
static TAKE_GROW: Node = Node::Take(&GROW);
static USED: Node = Node::Ask {
    question: &IS_USED,
    yes: &Node::Take(&CONSUMER),
    no: &TAKE_DROP,
    unknown: &TAKE_DROP,
};
static NOTHING: Node = Node::Ask {
    question: &DO_NOTHING,
    yes: &Node::Take(&POOL),
    no: &TAKE_SLOW,
    unknown: &TAKE_SLOW,
};
static FAILING: Node = Node::Ask {
    question: &IS_FAILING,
    yes: &Node::Take(&ARCHIVE_WAY),
    no: &TAKE_GROW,
    unknown: &TAKE_GROW,
};

/// The tree of `LIM-019`.
pub static SLOT: Tree = Tree {
    code: &SLOT_KEEPS_WAL,
    symptoms: "\
- `pg_wal` grows far beyond `max_wal_size`\n\
- in the end the disk is full and the server stops; or, with `max_slot_wal_keep_size`, the slot is lost",
    look: "`select slot_name, active, wal_status, safe_wal_size, restart_lsn from pg_replication_slots`",
    root: &Node::Ask {
        question: &IS_LOST,
        yes: &TAKE_DROP,
        no: &USED,
        unknown: &USED,
    },
};

/// The tree of `LIM-020`.
pub static REPLICA: Tree = Tree {
    code: &REPLICA_LAGS,
    symptoms: "\
- reads on the replica are old\n\
- a failover to it would take long, or lose what it has not got",
    look: "`select application_name, state, replay_lsn, replay_lag from pg_stat_replication`",
    root: &Node::Take(&LOOK_AT_REPLICA),
};

/// The tree of `LIM-021`.
pub static ARCHIVE: Tree = Tree {
    code: &ARCHIVE_FAILS,
    symptoms: "\
- the log says `archive command failed with exit code …`\n\
- `pg_wal` grows; backups cannot be restored to now",
    look: "`select * from pg_stat_archiver`, and the server's log",
    root: &Node::Take(&ARCHIVE_WAY),
};

/// The tree of `LIM-022`.
pub static CHECKPOINTS: Tree = Tree {
    code: &CHECKPOINTS_FORCED,
    symptoms: "\
- the log says `checkpoints are occurring too frequently`\n\
- writes are slow in waves; much more WAL than data, because each page is written in full after each checkpoint",
    look: "`select * from pg_stat_checkpointer` (from 17 on), `pg_stat_bgwriter` (before)",
    root: &Node::Take(&RAISE_WAL),
};

/// The tree of `LIM-023`.
pub static TEMP: Tree = Tree {
    code: &TEMP_FILES,
    symptoms: "- sorts and joins are slow; the disk's free room goes up and down",
    look: "`select datname, temp_files, temp_bytes from pg_stat_database`, and `log_temp_files`",
    root: &Node::Take(&FIND_SPILLS),
};

/// The tree of `LIM-024`.
pub static CONNECTIONS: Tree = Tree {
    code: &CONNECTIONS_SHORT,
    symptoms: "- `sorry, too many clients already`, `remaining connection slots are reserved`",
    look: "`select state, count(*) from pg_stat_activity where backend_type = 'client backend' group by 1`",
    root: &Node::Ask {
        question: &WAIT_INSIDE,
        yes: &Node::Take(&END_IDLE),
        no: &NOTHING,
        unknown: &NOTHING,
    },
};

/// The tree of `LIM-025`.
pub static DISK: Tree = Tree {
    code: &DISK_SHORT,
    symptoms: "- `No space left on device`; with a full `pg_wal` the server stops",
    look: "`df` on the server; `select datname, pg_size_pretty(pg_database_size(datname)) from pg_database`",
    root: &Node::Ask {
        question: &DO_SLOTS,
        yes: &Node::Take(&FREE_SLOTS),
        no: &FAILING,
        unknown: &FAILING,
    },
};
