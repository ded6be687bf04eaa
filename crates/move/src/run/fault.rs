//! The codes of the runner. Planning has its own, in [`crate::fault`].

use corridor_pg::{Code, Exit, Retry};

macro_rules! codes {
    ($($name:ident $id:literal $retry:ident $exit:ident $title:literal $hint:literal $page:literal)*) => {
        $(
            #[doc = $title]
            pub static $name: Code = Code {
                id: $id, title: $title, retry: Retry::$retry, exit: Exit::$exit, hint: $hint, page: $page,
            };
        )*
        /// All codes of the runner.
        pub static RUN_CODES: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    DEFINITION_CHANGED "MOV-101" Never Refused
        "the table's definition changed during the move"
        "Undo the change and `resume`, or `rollback` and plan again with the new definition."
        "Somebody altered the table (or what hangs on it) after the plan was made: the message names the aspect. The plan \
         is frozen, and carrying it out would lose the change, so the move stops before the next chunk or before the \
         cut-over. The application is not affected. Undo the change and `resume`, or `rollback` and move again."
    CUTOVER_BLOCKED "MOV-102" Never NotFinished
        "the locks of the swap were not free in all attempts"
        "See who stands in the way (`corridor logs NAME`), let them end, then `cutover` again; or raise cutover.lock_budget_ms."
        "Each attempt at the swap waits for its locks no longer than its budget, then steps back so that the application \
         goes on. All attempts met somebody who held a conflicting lock: usually a long transaction or a vacuum to \
         prevent wraparound. Nothing was changed; the mirror stays in step. Ask again with `cutover`."
    NAME_TAKEN_OVER "MOV-103" Never Ambiguous
        "the name belongs to another table than expected"
        "Look at the tables in the message; put the names right by hand, then `resume`."
        "Before and after each swap Corridor compares object ids, not only names. The moved table's name is now on a table \
         that is neither the old nor the new one, or on nobody: somebody renamed, dropped or restored a table in between. \
         Corridor changes nothing before a person has looked."
    NOT_PROVEN "MOV-104" Never Refused
        "the cut-over lacks its proof"
        "Run `corridor verify NAME`, then `cutover`."
        "A cut-over needs a verification that compared every row and found no unexplained difference. There is none, or \
         the target was emptied (a truncate was replayed) after it."
    SWAP_UNANSWERED "MOV-105" AfterReconnect Ambiguous
        "the answer to the swap was lost"
        "Run `corridor resume NAME`: it looks up who has the name before it does anything."
        "The connection broke while the swap was being committed, and the server did not come back in time to be asked. \
         The server did either all of it or nothing. The next `resume` finds out which before it does anything else."
    ANOTHER_PLAN_VERSION "MOV-106" Never Refused
        "the plan was made by another version of Corridor"
        "Use the version that made it, or `rollback` with that version."
        "Plans are frozen with a version number, and a plan of another version is not carried out."
    BUG "MOV-107" Never Bug
        "a task of the runner ended in a way that it must not"
        "Please report this with the message. The database is consistent; `resume` goes on."
        "An internal task ended without result. What it wrote was committed with its ledger or not at all."
    REVERSE_BROKEN "MOV-108" Never Refused
        "the way back is closed"
        "`finish`, or repair what the message names and ask for `rollback` again."
        "After the cut-over the new table was changed in a way that cannot be mirrored back: its definition is another \
         one, a partition was detached or dropped, or it holds rows that the old table's unique keys do not allow."
    WORKER_FAILED "MOV-110" Never BadResult
        "the worker that carried the order out failed"
        "See the fault in the message and `corridor logs NAME`; `resume` tries again."
        "The order was handed to a worker that was alive, and that worker met a fault that it may not try again. The \
         message is the worker's own."
    OLD_SNAPSHOT "MOV-111" AfterPause NotFinished
        "a transaction with an older snapshot is open"
        "Let it end; Corridor tries again by itself. The message names it."
        "A repeatable read or serializable transaction (or an open cursor) keeps the snapshot that it took before the swap. The \
         rows of the new table were written by Corridor, many of them after that snapshot: such a transaction would find \
         the table empty or old, without an error. So the swap steps back while one is open, and tries again."
    FALLBACK_NAME_TAKEN "MOV-112" Never Refused
        "the name of the fallback view is taken"
        "Give --fallback-view a name that nothing has."
        "The view that reads both tables during the copy is made for the move and dropped with it, so its name must be free. \
         What has the name now is left alone."
    ONE_WAY "MOV-113" Never Refused
        "the move has no way back"
        "`finish` it; to go back, move the table into its old shape."
        "The move was made with --one-way: after the cut-over nothing flows back to the old table, which has what it had at \
         that moment. There is nothing to roll back to, and nothing to compare with. Before the cut-over, rollback and \
         verification work as in every move."
    UNREADABLE_PLAN "MOV-109" Never Bug
        "the stored plan cannot be read"
        "Please report this with the message."
        "The plan in the migration's row is not one that this version of Corridor can read."
}
