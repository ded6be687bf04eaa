//! The codes of this room.

use corridor_pg::{Code, Exit, Retry};

/// The target refused a row that the source holds.
pub static ROW_DOES_NOT_FIT: Code = Code {
    id: "MIR-001",
    title: "a row of the source does not fit into the target",
    retry: Retry::Never,
    exit: Exit::BadResult,
    hint: "See the keys and the server's words in the message; change these rows, then `resume`; or `rollback`.",
    page: "Copying or catching up, the target table could not take rows: no partition takes them, a constraint of the \
           target does not hold, a value cannot be converted, is too long or out of range, or two rows would have the same \
           unique key. The first keys are named with the server's words. The application is not affected: it writes to the \
           source. Correct the rows (the correction is captured like every other write) and `resume`, or `rollback` and \
           choose another shape.",
};

/// The ledger is missing or does not belong to this mirror.
pub static LEDGER_MISSING: Code = Code {
    id: "MIR-002",
    title: "the mirror's ledger is missing",
    retry: Retry::Never,
    exit: Exit::Refused,
    hint: "Somebody dropped Corridor's tables; `rollback` removes what is left, then start the move again.",
    page: "A table that records what was copied is not there, or a lane is missing in it. Without it nobody can say \
           which rows were copied. Nothing was changed. Roll the migration back and start it again.",
};

/// Verification found differences that a repair did not end.
pub static UNEXPLAINED_DIFFERENCE: Code = Code {
    id: "MIR-003",
    title: "source and target still differ after the repair",
    retry: Retry::Never,
    exit: Exit::BadResult,
    hint: "Do not cut over (after the cut-over: do not roll back). `corridor status NAME` has the first differing keys, with `--json` how each differs.",
    page: "A key range was compared, differing keys were refreshed from the source and compared again, and they still \
           differ. Either something else writes to the target table, or this is a bug in Corridor. The cut-over stays \
           refused. `corridor status NAME` has the report of the run, with the first 100 differing keys, and keeps it; all \
           of them are in the table corridor.difference_N_fwd (after the cut-over: _rev), N being the migration's id, \
           until the migration ends. Look for foreign writers on the target first.",
};

/// A truncate of the source waits to be replayed.
pub static TRUNCATED: Code = Code {
    id: "MIR-004",
    title: "the source was truncated and the target has not followed yet",
    retry: Retry::AfterPause,
    exit: Exit::NotFinished,
    hint: "Corridor empties the target and copies again by itself.",
    page: "Somebody ran TRUNCATE on the source. It is captured like every other change: the target is emptied and the \
           copy starts again. This message ends a step that cannot go on before that has happened.",
};

/// There is more left to refresh than fits under a lock.
pub static TOO_MANY_PENDING: Code = Code {
    id: "MIR-005",
    title: "too many changes are pending",
    retry: Retry::AfterPause,
    exit: Exit::NotFinished,
    hint: "Corridor gives the locks back, catches up and tries again.",
    page: "Under the lock of the cut-over only a few last changes may be left to refresh, because the application waits \
           meanwhile. There were more; the locks were given back at once. It is tried again when the mirror has caught up.",
};

/// Somebody switched the capture triggers off, or dropped them.
pub static CAPTURE_SWITCHED_OFF: Code = Code {
    id: "MIR-006",
    title: "the capture triggers do not all fire",
    retry: Retry::Never,
    exit: Exit::Refused,
    hint: "Writes may have passed unseen: `rollback` (before the cut-over) or `finish` (after it), and move again.",
    page: "Every write to the source must be captured by Corridor's triggers, which are ENABLE ALWAYS. Somebody disabled, \
           dropped or re-enabled them in another mode (`alter table … disable trigger all` does it), or a partition \
           was attached without them. What was written meanwhile may be missing in the change log, so the move stops. \
           Before the cut-over, `rollback` and move again. After it the way back is closed: `finish`.",
};

/// A name belongs to another table than the one that is mirrored.
pub static IMPOSTOR: Code = Code {
    id: "MIR-007",
    title: "another table has the name of the source or the target",
    retry: Retry::Never,
    exit: Exit::Ambiguous,
    hint: "Give the names back to the tables in the message, then `resume`.",
    page: "Somebody renamed the source or the target, and another table has its name now. Refreshing from that table \
           would write its rows over the real ones, so nothing is refreshed or compared, and no change is forgotten. Put \
           the names right, then `resume`.",
};

/// Rows are noted that the target could not take.
pub static HOLDS_UNFIT: Code = Code {
    id: "MIR-008",
    title: "the old table could not take rows that the new one has",
    retry: Retry::Never,
    exit: Exit::Refused,
    hint: "Change the rows in the message so that they fit (or delete them), then ask for `rollback` again; or `finish`.",
    page: "After the cut-over the application wrote rows that the old table has no place for: an id beyond the old type, a \
           null in a column that was not null, a value that a check of the old table forbids. The application is not \
           affected. The reverse mirror has noted the keys, with the server's words, in the table corridor.unfit_N_rev, N \
           being the migration's id. Going back would lose these rows, so `rollback` is refused while there are any. A row \
           that is changed so that it fits leaves the table by itself.",
};

/// All codes of this room.
pub static CODES: &[&Code] = &[
    &ROW_DOES_NOT_FIT,
    &LEDGER_MISSING,
    &UNEXPLAINED_DIFFERENCE,
    &TRUNCATED,
    &TOO_MANY_PENDING,
    &CAPTURE_SWITCHED_OFF,
    &IMPOSTOR,
    &HOLDS_UNFIT,
];
