//! The codes of a person's own migrations, while they are carried out.

use corridor_pg::{Code, Exit, Retry};

macro_rules! codes {
    ($($name:ident $id:literal $retry:ident $exit:ident $title:literal $hint:literal $page:literal)*) => {
        $(
            #[doc = $title]
            pub static $name: Code = Code {
                id: $id,
                title: $title,
                retry: Retry::$retry,
                exit: Exit::$exit,
                hint: $hint,
                page: $page,
            };
        )*
        /// All codes of this module.
        pub static CODES: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    DEFINITION_FROZEN "MIG-130" Never Refused
        "the migration has been started with another definition"
        "Give the changed file a new name; a migration that has been started is not changed."
        "A migration is frozen when it starts, and stays what it was for ever: that is what makes it possible to go on after a \
         crash, and to know later what was done. The file now says something else. Nothing was changed."
    NOT_READY "MIG-131" Never Refused
        "another migration must be done first"
        "See `corridor migration list`; start the one that is named."
        "The migration depends on another one that is not done. Nothing was changed."
    OUT_OF_RANGE "MIG-132" Never Refused
        "this version of the application cannot run the migration"
        "Run it with a version in the range that is named."
        "The migration's file says for which versions of the application it was written, and the version that was given is not \
         one of them. Nothing was changed."
    REQUIREMENT_UNMET "MIG-133" Never Refused
        "the server lacks what the migration requires"
        "The message says what is required and what there is."
        "The migration's file requires a version of PostgreSQL, an extension or a setting that this server does not have. \
         Nothing was changed."
    CHECK_FAILED "MIG-134" Never Refused
        "a check of the migration was not passed"
        "The message is the migration's own; mend what it names and try again."
        "A precheck is asked before anything is done, an operation of kind check in its place. The query must answer with true; \
         false, NULL and no row are not true."
    UNHEALTHY "MIG-135" Never BadResult
        "a health check of the migration failed"
        "Mend what the message names, then `corridor resume NAME`; or `corridor rollback NAME`."
        "Health checks are asked before a migration begins and again and again while it runs. One of them did not answer with \
         true, so the work stopped at its next safe point. What was done stays until you roll it back."
    OUTCOME_UNKNOWN "MIG-136" Never Ambiguous
        "it is not known whether an operation was done"
        "Look, then say: `corridor migration settle NAME OPERATION --done` or `--again`, and `corridor resume NAME`."
        "The operation was begun by a worker that died or lost its connection, and nothing that Corridor can ask tells whether \
         it came to its end. It is not done a second time without a person's word. An operation with `done_when`, or with \
         `repeat = \"safe\"`, never comes here."
    IRREVERSIBLE "MIG-137" Never Refused
        "an operation that was begun cannot be taken back"
        "`corridor stop NAME` ends the migration and leaves what is done; `corridor resume NAME` goes on."
        "The migration's file says of one of its operations that it cannot be taken back, and that one was begun. Nothing was \
         undone."
    COMMAND_FAILED "MIG-138" Never BadResult
        "a command of the migration failed"
        "See its output with `corridor logs NAME`; `corridor resume NAME` runs it again."
        "The program that the migration runs ended with another exit code than 0, was killed after its timeout, or could not be \
         started. The end of its output is kept."
    HTTP_FAILED "MIG-139" Never BadResult
        "a call of the migration failed"
        "See the answer in the message; `corridor resume NAME` calls again."
        "The address did not answer with a status that the migration expects."
    WAITED_TOO_LONG "MIG-140" Never NotFinished
        "what the migration waits for did not come"
        "`corridor resume NAME` waits again."
        "The operation waits until a query answers with true, and gives up after the time that the file says."
    NOT_VERIFIED "MIG-141" Never BadResult
        "the verification of the migration found more than it tolerates"
        "The message has the figures; mend the rows and `corridor resume NAME`, or `corridor rollback NAME`."
        "The operation counts rows that are not as they should be, and there are more than the file tolerates, or they could not \
         be counted. A verification that cannot tell is not passed."
    NO_KEY "MIG-142" Never Refused
        "the table has no key that a backfill could follow"
        "Give the table a primary key, or a unique index on columns that are not null."
        "A backfill goes through a table along a unique key whose columns are not null, so that each batch is a range and the \
         next one begins where it ended."
    NOT_FOR_THIS_KIND "MIG-143" Never Refused
        "there is no such step in this kind of migration"
        "See `corridor status NAME` for what can be asked for."
        "A cut-over, and comparing tables, belong to moves. This migration is one of your own operations."
    UNREADABLE_PLAN "MIG-144" Never Refused
        "the stored plan cannot be read"
        "Use the version of Corridor that stored it."
        "The plan was stored by a version of Corridor that this one does not understand. Nothing was changed."
    BUSY_INDEX "MIG-145" Never Refused
        "there is another index of this name"
        "Give the index of the migration another name, or drop the one that is there."
        "An index of the name that the migration builds is there already, on another table or with another definition: other \
         columns, another condition, unique or not. Nothing was changed. One of the same definition is taken as it is when it is \
         valid; one that a build left over is dropped and built again, once nobody builds it any more."
    ANSWER_IS_NO_BOOLEAN "MIG-146" Never Usage
        "the answer of a query is not one boolean"
        "Write a query that answers with one row of one boolean column."
        "`required_when`, checks, `done_when` and `wait_until` are queries for one boolean: one row, one column."
    MOVE_LEFT "MIG-147" Never NotFinished
        "the move that the migration waits for was left"
        "See `corridor status` for the move; then `corridor resume NAME`."
        "A move of a migration is a migration of its own, which was paused, stopped or rolled back by somebody. What was done \
         stays."
    NOT_PLANNED "MIG-148" Never Refused
        "the migration has been started already"
        "See `corridor status NAME`."
        "Only a migration that has not been started can be started, skipped or given parameters."
    NOTHING_TO_SETTLE "MIG-149" Never Refused
        "no operation of this name waits for a word"
        "See `corridor status NAME`."
        "Only an operation whose end is not known can be settled. Nothing was changed."
    NO_MOVER "MIG-150" Never Refused
        "this program cannot move tables"
        "Use the command `corridor`."
        "The library was asked to carry out a move without somebody who can."
    LOCK_NOT_FREE "MIG-151" Never NotFinished
        "the locks of a statement were not free within its budget"
        "`corridor resume NAME` tries again; end what holds the lock, or give `lock_budget` more time."
        "The statement waits for its locks for a moment at a time, so that nobody waits behind it for long, and is tried again \
         after a pause. All tries were used up. Nothing of it was done."
    WORKER_FAILED "MIG-152" Never BadResult
        "the worker that carried the order out failed"
        "See the fault in the message and `corridor logs NAME`; `corridor resume NAME` tries again."
        "The order was handed to a worker that was alive, and that worker met a fault that it may not try again. The \
         message is the worker's own."
    BUSY_CONSTRAINT "MIG-155" Never Refused
        "there is another constraint of this name"
        "Give the constraint of the migration another name, or drop the one that is there."
        "A constraint of the name that the migration uses is on the table already, and it is another one: another kind, another \
         expression, other columns. The server writes both down, and the words are compared; where it cannot (foreign keys), the \
         words of the file are. Nothing was changed."
    TIMED_OUT "MIG-156" Never NotFinished
        "a statement ran longer than its timeout"
        "`corridor resume NAME` tries again; give `timeout` more time in a new file, or make the statement smaller."
        "The migration's file says how long one try of the statement may run. The server ended it then. In a transaction nothing of \
         it was done."
    BATCH_FAILED "MIG-157" Never BadResult
        "a batch of a backfill failed again and again, however few rows it had"
        "Mend what the message names, then `corridor resume NAME`."
        "The server had no memory or no room on its disk for a batch, or ended it, and not for one of an eighth of the rows either, \
         and so on. What was done before it stands, with its entry in the ledger."
}
