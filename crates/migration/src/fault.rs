//! The codes of this room.

use corridor_pg::{Code, Exit, Retry};

use crate::definition::fault as definition;

macro_rules! code {
    ($name:ident, $id:literal, $title:literal, $retry:ident, $exit:ident, $hint:literal, $page:literal) => {
        #[doc = $title]
        pub static $name: Code = Code {
            id: $id,
            title: $title,
            retry: Retry::$retry,
            exit: Exit::$exit,
            hint: $hint,
            page: $page,
        };
    };
}
pub(crate) use code;

code!(
    FOREIGN_SCHEMA,
    "MIG-001",
    "the schema corridor belongs to something else",
    Never,
    Refused,
    "Rename that schema, or use another database.",
    "The database has a schema named `corridor` that Corridor did not make: it has no table `schema_version`. \
     Corridor keeps its own state in a schema of that name and never writes into one that it does not know. \
     Nothing was changed. Rename the schema, or move the application's objects elsewhere."
);
code!(
    SCHEMA_TOO_NEW,
    "MIG-002",
    "the schema corridor was made by a newer Corridor",
    Never,
    Refused,
    "Use a Corridor that is at least as new as the one that made the schema.",
    "A newer Corridor has worked on this database and has changed the tables that hold its state. This one does \
     not know them and refuses to guess. Nothing was changed. Upgrade this binary; an older one never works \
     beside a newer one on one database."
);
code!(
    NO_SUCH_MIGRATION,
    "MIG-003",
    "there is no migration of this name",
    Never,
    Usage,
    "See the names with `corridor status`.",
    "The database has no migration of the name that was given. Migrations live in the database that they change: \
     check the name and that `--database` points to the right one."
);
code!(
    BAD_MIGRATION_NAME,
    "MIG-004",
    "the name of the migration cannot be used",
    Never,
    Usage,
    "Use 1 to 41 characters: lower-case letters, digits, `-` and `_`, the first a letter or digit.",
    "Names of migrations are typed at night, stand in file names and in `application_name`, so they are plain: \
     `[a-z0-9][a-z0-9_-]{0,40}`."
);
code!(
    NAME_TAKEN,
    "MIG-005",
    "a migration of this name exists already",
    Never,
    Refused,
    "Give another `--name`, or leave it out to get a free one.",
    "Each migration of a database has a name of its own, also after it has ended: its journal is kept under that \
     name. Nothing was changed."
);
code!(
    PLAN_CHANGED,
    "MIG-006",
    "the stored plan is not the one that was agreed to",
    Never,
    Refused,
    "Somebody changed corridor.migration by hand; roll the migration back, or restore the row.",
    "A plan is frozen when it is stored, together with a digest of it. The plan that was read does not match its \
     digest, so the row was changed outside of Corridor, or a restore went wrong. Corridor does not carry out a \
     plan that nobody has agreed to."
);
code!(
    VERB_REFUSED,
    "MIG-007",
    "this cannot be asked for now",
    Never,
    Refused,
    "The message says what can be asked for now.",
    "Each state of a migration allows some commands and refuses others: for example `stop` is refused after the \
     cut-over, because the application already writes to the new table; `rollback` brings the old one back with \
     every later write, `finish` keeps the new one. The message lists the commands that are allowed now. Nothing \
     was changed."
);
code!(
    EVENT_OUT_OF_PLACE,
    "MIG-008",
    "an event does not fit the state",
    Never,
    Bug,
    "Please report this with `corridor logs NAME`.",
    "A worker reported something that cannot happen in the state that the database holds. The transaction was \
     rolled back whole, so state and data still agree. This is a bug in Corridor."
);
code!(
    LEASE_HELD,
    "MIG-009",
    "another worker is at work",
    Never,
    Refused,
    "Let it go on, or `pause` it first; after a crash, wait until the lease has run out.",
    "Exactly one worker may write for a migration. The message names the one that holds the lease and how long ago \
     it was last heard of. When it has died, the lease runs out (10 seconds by default, `lease.ttl_ms`) and \
     `resume` takes over."
);
code!(
    TAKEOVER_BLOCKED,
    "MIG-010",
    "taking over is blocked",
    AfterPause,
    NotFinished,
    "See the sessions in the message; end them, or wait and `resume` again.",
    "The worker before this one is gone, but a transaction still holds the lease row. Corridor ends only the \
     backends of that worker, recognised by their application_name, and only where its role may. What is left \
     belongs to somebody else: the message lists the process ids. End them, or wait."
);
code!(
    NO_SUCH_SETTING,
    "MIG-011",
    "there is no such setting",
    Never,
    Usage,
    "`corridor set NAME` lists the settings.",
    "The key after `set` is not a setting. The message names the closest one."
);
code!(
    BAD_SETTING,
    "MIG-012",
    "the value does not fit the setting",
    Never,
    Usage,
    "The message says which values fit.",
    "Every setting has a kind and a range. Sizes may be written as `16MiB`, times as `500ms`, `5s` or `30min`; \
     limits of the throttle may be `off`."
);
code!(
    UNREADABLE_ROW,
    "MIG-013",
    "a row of the schema corridor cannot be read",
    Never,
    Bug,
    "Please report this with the message.",
    "A row in the schema `corridor` holds something that this Corridor cannot understand. Its CHECK constraints \
     should make that impossible, unless a newer version wrote it or the constraints were dropped."
);
code!(
    TOO_MANY_REQUESTS,
    "MIG-014",
    "too many requests are waiting",
    AfterPause,
    Refused,
    "Wait until the worker has answered, or `resume` when there is none.",
    "Requests to a worker wait in a table until it takes them. At most 100 of one migration may wait; more mean \
     that no worker takes them, or that a script asks in a loop. Nothing was changed."
);
code!(
    NO_SUCH_OPERATION,
    "MIG-015",
    "the plan has no such operation",
    Never,
    Bug,
    "Please report this with `corridor logs NAME`.",
    "A worker spoke of an operation that the frozen plan does not have. Nothing was changed. This is a bug in \
     Corridor, or the worker's version does not know this kind of plan."
);
code!(
    BAD_PLAN,
    "MIG-016",
    "the plan cannot be stored",
    Never,
    Bug,
    "Please report this with the message.",
    "A plan needs between 1 and 1,000 operations, each with a name of its own. Nothing was changed."
);

/// All codes of this room.
pub static CODES: &[&Code] = &[
    &FOREIGN_SCHEMA,
    &SCHEMA_TOO_NEW,
    &NO_SUCH_MIGRATION,
    &BAD_MIGRATION_NAME,
    &NAME_TAKEN,
    &PLAN_CHANGED,
    &VERB_REFUSED,
    &EVENT_OUT_OF_PLACE,
    &LEASE_HELD,
    &TAKEOVER_BLOCKED,
    &NO_SUCH_SETTING,
    &BAD_SETTING,
    &UNREADABLE_ROW,
    &TOO_MANY_REQUESTS,
    &NO_SUCH_OPERATION,
    &BAD_PLAN,
    &definition::UNREADABLE_FILE,
    &definition::UNKNOWN_KEY,
    &definition::UNFIT_VALUE,
    &definition::MISSING_KEY,
    &definition::FILE_TOO_LARGE,
    &definition::BAD_SQL_FILE,
    &definition::BAD_OPERATIONS,
    &definition::NO_WAY_BACK,
    &definition::BAD_BACKFILL,
    &definition::BAD_PLACEHOLDER,
    &definition::BAD_PARAMETER,
    &definition::PARAMETER_MISSING,
    &definition::PARAMETER_UNKNOWN,
    &definition::PARAMETER_UNFIT,
    &definition::BAD_VERSIONS,
    &definition::BAD_STATEMENT,
    &definition::BAD_DEPENDENCY,
    &definition::DEPENDENCY_CYCLE,
    &definition::SAME_NAME_TWICE,
    &definition::BAD_APP_VERSION,
    &definition::NEEDS_DONE_WHEN,
    &definition::UNFIT_STATEMENT,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbered_without_gaps_and_explained() {
        // Those of files begin at 100.
        let own: Vec<&&Code> = CODES.iter().filter(|code| code.id < "MIG-100").collect();
        for (i, code) in own.iter().enumerate() {
            assert_eq!(code.id, format!("MIG-{:03}", i + 1));
            assert!(
                code.page.matches(". ").count() >= 1 || code.page.ends_with('.'),
                "{}",
                code.id
            );
            assert!(code.hint.ends_with('.'), "{}", code.id);
        }
    }
}
