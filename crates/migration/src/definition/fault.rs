//! The codes of files: what can be wrong with a migration before a server is asked.

use corridor_pg::{Code, Exit, Retry};

use crate::fault::code;

code!(
    UNREADABLE_FILE,
    "MIG-100",
    "a migration file cannot be read",
    Never,
    Usage,
    "The message names the line and what was expected there.",
    "A migration is a TOML file, or a SQL file that begins with the line `-- corridor migration`. What stands in the \
     line of the message is neither. Nothing was stored. The guide's page on migrations shows both forms."
);
code!(
    UNKNOWN_KEY,
    "MIG-101",
    "a migration file has a key that means nothing",
    Never,
    Usage,
    "The message names the line and the closest key; check also under which heading the key stands.",
    "A key that Corridor does not know is refused and not passed over: a mistyped `irreversible` or `versions` would \
     change what the migration does, silently. Nothing was stored. In TOML a key belongs to the last `[heading]` \
     above it, so a key of the whole migration must stand above the first heading."
);
code!(
    UNFIT_VALUE,
    "MIG-102",
    "a value of a migration file does not fit",
    Never,
    Usage,
    "The message names the line and what fits.",
    "The key is known, but its value is of another kind or out of range: a number where a text belongs, a word that \
     is not one of the choices, a timeout without a unit. Nothing was stored."
);
code!(
    MISSING_KEY,
    "MIG-103",
    "something is missing in a migration file",
    Never,
    Usage,
    "Write the key that the message names.",
    "A migration needs a `description` and at least one operation; each kind of operation has keys that it cannot do \
     without. The message names the one that is absent or empty. Nothing was stored."
);
code!(
    FILE_TOO_LARGE,
    "MIG-104",
    "a migration file is too large",
    Never,
    Usage,
    "Load data with the application's own tools, and keep the migration to what is done with it.",
    "A migration file may have 1 MiB. It is stored whole and shown on pages, and data in it would be sent to the \
     server as one statement. Nothing was stored."
);
code!(
    BAD_SQL_FILE,
    "MIG-105",
    "a SQL file is not laid out as a migration",
    Never,
    Usage,
    "Begin with `-- corridor migration`, then the head, then `-- operation: NAME` above each statement.",
    "A SQL file begins with the line `-- corridor migration`. The lines behind it that begin with `-- ` are its head, \
     in TOML. Then each `-- operation: NAME` begins an operation, and `-- roll back: NAME`, `-- done when: NAME`, \
     `-- irreversible: NAME why`, `-- no transaction: NAME`, `-- timeout: NAME 10min`, `-- lock timeout: NAME 1s` and \
     `-- lock budget: NAME 5min` say more about it. A line that is nearly one of these is refused, because as a mere \
     comment it would join two operations into one. Nothing was stored."
);
code!(
    BAD_OPERATIONS,
    "MIG-106",
    "the operations of a migration cannot be told apart",
    Never,
    Usage,
    "Give each operation a name of its own: `[a-z][a-z0-9_-]{0,60}`.",
    "An operation is known by its name, whatever place it has in the list: in the ledger, in the journal and in what \
     people type. A migration has between 1 and 1,000 operations, each with another name. Nothing was stored."
);
code!(
    NO_WAY_BACK,
    "MIG-107",
    "an operation does not say how it is taken back",
    Never,
    Usage,
    "Write `rollback` (empty when nothing needs to be done) or `irreversible` with the reason, not both.",
    "Somebody will ask for the way back at night. So each `sql`, `backfill`, `command` and `http` operation says it \
     beforehand: `rollback` holds what takes it back and tolerates that there is nothing to take back; `irreversible` \
     says why it cannot be. An `http` call has only `irreversible`: its counterpart would be another call. Nothing was \
     stored."
);
code!(
    BAD_BACKFILL,
    "MIG-108",
    "a backfill does not say what it does",
    Never,
    Usage,
    "Write `set`, or a `statement` with `:range` in it.",
    "A backfill works along the key of a table, batch by batch. With `set` (and `where`) Corridor writes the update; \
     with `statement` you write it, and `:range` stands where the condition on the batch's keys belongs: without it \
     each batch would do the whole. Exactly one of the two is given. Nothing was stored."
);
code!(
    BAD_PLACEHOLDER,
    "MIG-109",
    "a placeholder stands for nothing",
    Never,
    Usage,
    "Declare the parameter under `[parameters.NAME]`, or correct the name.",
    "In SQL, `:name` is a parameter of the migration, `:each` the value that a backfill with `for_each` is at, and \
     `:range` the keys of its batch. The message names one that is not declared, or stands where it has no value. \
     Nothing is replaced inside of quotes and comments. psql's `:'name'` and `:\"name\"` are not needed: `:name` is \
     a literal of the parameter's type already. Nothing was stored."
);
code!(
    BAD_PARAMETER,
    "MIG-110",
    "a parameter is not declared as it must be",
    Never,
    Usage,
    "The message says what to change.",
    "A parameter's name is lower-case (`[a-z_][a-z0-9_]*`, at most 63 characters) and not `each` or `range`; its \
     default fits its type; and something uses it: a statement, or a `command`, which gets all of them in its \
     environment. What `required_when` uses needs a default, because the gate asks it before anybody has started the \
     migration. Nothing was stored."
);
code!(
    PARAMETER_MISSING,
    "MIG-111",
    "a parameter has no value",
    Never,
    Usage,
    "Give it with `--set NAME=VALUE`.",
    "The parameter has no default, so it must be said when the migration is started. Nothing was started."
);
code!(
    PARAMETER_UNKNOWN,
    "MIG-112",
    "there is no such parameter",
    Never,
    Usage,
    "`corridor migration show NAME` lists the parameters.",
    "The name before `=` is not a parameter of this migration. The message names the closest one. Nothing was started."
);
code!(
    PARAMETER_UNFIT,
    "MIG-113",
    "the value does not fit the parameter",
    Never,
    Usage,
    "The message says what fits.",
    "Values are looked at before anything is started: `integer` is a whole number of 64 bits, `numeric` a number, \
     `boolean` true or false, `timestamp` begins like `2026-11-20` or `2026-11-20 19:30:00+00`, `json` is JSON. \
     Nothing was started."
);
code!(
    BAD_VERSIONS,
    "MIG-114",
    "a range of versions cannot be read",
    Never,
    Usage,
    "Write it as `>=1.33.0, <1.42.0`.",
    "Versions have up to three numbers. A range is one or more conditions with commas between them, all of which must \
     hold: `>=1.33.0, <1.42.0`; `1.33` means `>=1.33.0, <2.0.0`, `=1.33` means `>=1.33.0, <1.34.0`, and `*` is every \
     version. A range that no version is in is refused. Nothing was changed."
);
code!(
    BAD_STATEMENT,
    "MIG-115",
    "a statement is not whole",
    Never,
    Usage,
    "Close the quote, the comment or the bracket that the message names.",
    "A quote, a dollar quote or a comment begins in the statement and does not end in it; or an expression of `set` or a \
     condition of `where`, which Corridor puts into brackets, would reach out of them. In a SQL file this is often \
     a marker such as `-- operation: NAME` inside of a function's body, which cuts the statement in two. Nothing was \
     stored."
);
code!(
    BAD_DEPENDENCY,
    "MIG-116",
    "a migration depends on something that is not there",
    Never,
    Usage,
    "Correct the name under `depends_on`, or add that migration too.",
    "`depends_on` names migrations that must be done before. The message shows a name that is neither stored in this \
     database nor among the files, is written twice, or is the migration itself. Nothing was stored."
);
code!(
    DEPENDENCY_CYCLE,
    "MIG-117",
    "migrations wait for each other",
    Never,
    Usage,
    "Take one of the dependencies in the message out.",
    "Each migration in the message's circle must be done before the next, so none could ever begin. Nothing was stored."
);
code!(
    SAME_NAME_TWICE,
    "MIG-118",
    "two files hold migrations of one name",
    Never,
    Usage,
    "Give one of them another `name`.",
    "A migration is known by its name. Two of the files say the same one, in `name` or as the file's own name. Nothing \
     was stored."
);
code!(
    BAD_APP_VERSION,
    "MIG-119",
    "the version of the application cannot be read",
    Never,
    Usage,
    "Write it as `1.42.0`.",
    "The gate compares the application's version with the ranges of the migrations. A version has up to three numbers, \
     and perhaps a mark of a pre-release (`1.42.0-rc.1`), which counts as its release. Nothing was asked or changed."
);
code!(
    NEEDS_DONE_WHEN,
    "MIG-120",
    "an operation without a transaction does not say when it is done",
    Never,
    Usage,
    "Write `done_when`, a query that returns true once it is done.",
    "A statement in a transaction is done exactly when its entry in the ledger is. Outside of one, a worker may die \
     between the two, and only the database can tell: `done_when` is asked before each try, so that what is done is \
     not done again. Nothing was stored."
);
code!(
    UNFIT_STATEMENT,
    "MIG-121",
    "a statement cannot run where it stands",
    Never,
    Usage,
    "The message says what stands in its way.",
    "Statements and rollbacks run in a transaction of Corridor's, together with their entry in the ledger: `commit` in \
     them would tear the two apart, and `vacuum` or `create index concurrently` would be refused by the server when \
     their turn comes, perhaps in a rollback at night. A query, a batch of a backfill and an operation with \
     `no_transaction` are one statement. Nothing was stored."
);

/// All codes of files.
pub static CODES: &[&Code] = &[
    &UNREADABLE_FILE,
    &UNKNOWN_KEY,
    &UNFIT_VALUE,
    &MISSING_KEY,
    &FILE_TOO_LARGE,
    &BAD_SQL_FILE,
    &BAD_OPERATIONS,
    &NO_WAY_BACK,
    &BAD_BACKFILL,
    &BAD_PLACEHOLDER,
    &BAD_PARAMETER,
    &PARAMETER_MISSING,
    &PARAMETER_UNKNOWN,
    &PARAMETER_UNFIT,
    &BAD_VERSIONS,
    &BAD_STATEMENT,
    &BAD_DEPENDENCY,
    &DEPENDENCY_CYCLE,
    &SAME_NAME_TWICE,
    &BAD_APP_VERSION,
    &NEEDS_DONE_WHEN,
    &UNFIT_STATEMENT,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbered_without_gaps() {
        for (i, code) in CODES.iter().enumerate() {
            assert_eq!(code.id, format!("MIG-{:03}", i + 100));
            assert!(
                code.page.ends_with('.') && code.hint.ends_with('.'),
                "{}",
                code.id
            );
            assert!(
                crate::CODES.iter().any(|known| known.id == code.id),
                "{} is not explained",
                code.id
            );
        }
    }
}
