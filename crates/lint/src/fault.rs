//! Faults of the room: what keeps a file from being judged. Findings have their codes in [`rules`](crate::rules).

use corridor_pg::{Code, Exit, Retry};

macro_rules! faults {
    ($($name:ident $id:literal $exit:ident $title:literal $hint:literal $page:literal)*) => {
        $(
            #[doc = $title]
            pub static $name: Code = Code { id: $id, title: $title, retry: Retry::Never, exit: Exit::$exit, hint: $hint, page: $page };
        )*
        /// All faults.
        pub static FAULTS: &[&Code] = &[$(&$name),*];
    };
}

faults! {
    UNREADABLE "LNT-901" Usage
        "a file cannot be read"
        "Check the path; a file is text in UTF-8, of at most 64 MiB."
        "A file that was named does not exist, is no text, or is too large. Nothing was judged: a linter that passes over a file says that it is safe."
    BAD_CONFIG "LNT-902" Usage
        "the configuration of lint cannot be read"
        "See the message; the guide lists the keys of corridor-lint.toml."
        "`corridor-lint.toml`, or what `--config` or `--policy` names, cannot be read, or has a key that does not exist or a value that makes no sense. A rule that was misspelt would be on while somebody believes that it is off, so nothing was judged."
    BAD_BASELINE "LNT-903" Usage
        "the baseline cannot be read"
        "Write it anew with `--write-baseline`."
        "The file that `--baseline` names is not one that `--write-baseline` wrote."
    NO_REVISION "LNT-904" Usage
        "git does not know what has changed"
        "Check the revision, and that the files are in a working tree of git."
        "`--since` asks git which lines have changed. git is not there, does not know the revision, or the files are in no working tree."
    PLAN_IN_THE_WAY "LNT-905" Refused
        "a plan is there already"
        "Remove it, or name another directory."
        "`--plan` writes a new file for each file with findings, and overwrites none. Nothing was written."
    NO_SERVER "LNT-908" Refused
        "there is no place for a rehearsal"
        "Install the server programs that the message names, or name a server with `--rehearse-on`."
        "`--rehearse` starts a throwaway cluster of the database's own major, and clones the schema with a `pg_dump` that reads it. The server programs, or the `pg_dump`, are not on this machine, or the cluster did not start. Nothing was run, and nothing was changed.\n\n`--rehearse-on URL` takes a server that is there: of the same major, and another one than the database's. A database of its own is made there, and dropped at the end."
    NOT_DUMPED "LNT-909" Refused
        "the schema cannot be read"
        "See what `pg_dump` says; `pg_read_all_data` lets a role read every table."
        "`pg_dump --schema-only` failed on the database. It locks every table in the weakest mode, which wants the right to read the table, and waits ten seconds for a lock at most. The message is its own. Nothing was changed.\n\n```sql\ngrant pg_read_all_data to ROLE;\n```\n\nlets a role read every table; without it, grant `select` on the tables that the message names."
    WRONG_SERVER "LNT-910" Refused
        "a rehearsal cannot be held on this server"
        "Name another server with `--rehearse-on`, or leave it out for a throwaway cluster."
        "The server that `--rehearse-on` names has another major than the database, is the database's own server (or a copy of it, which has the same identifier), or does not let us make a database. Locks and rewrites differ from major to major. On the own server a rehearsal would take processor and disk from the application, and roles belong to all databases of a server. Nothing was run."
    LEFT_BEHIND "LNT-911" BadResult
        "the database of a rehearsal was not dropped"
        "Drop the database that the message names by hand."
        "A rehearsal makes a database of its own on the server of `--rehearse-on`, named `corridor_rehearsal_…`, and the roles that are missing there. It could not be dropped at the end: the connection was lost, perhaps. Nothing else uses it."
    BAD_USAGE "LNT-912" Usage
        "the earlier moment of usage cannot be used"
        "Take a new one on this server, in this database, with `--usage-snapshot`."
        "`--usage-since` compares what pg_stat_statements counts now with what `--usage-snapshot` wrote then. The file is no such one, or it is of another server, of another database, or of the future: comparing would prove nothing."
    NO_STATEMENTS "LNT-913" Refused
        "pg_stat_statements cannot be read"
        "shared_preload_libraries = 'pg_stat_statements', a restart, `create extension pg_stat_statements`; `grant pg_read_all_stats` to the role."
        "`--usage-snapshot` and `--usage-since` rest on what the server has counted, and nothing is counted here, or this role may not see it. Nothing was judged: that a table is not used would be a guess."
}
