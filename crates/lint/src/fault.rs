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
    BAD_USAGE "LNT-906" Usage
        "the earlier moment of usage cannot be used"
        "Take a new one on this server, in this database, with `--usage-snapshot`."
        "`--usage-since` compares what pg_stat_statements counts now with what `--usage-snapshot` wrote then. The file is no such one, or it is of another server, of another database, or of the future: comparing would prove nothing."
    NO_STATEMENTS "LNT-907" Refused
        "pg_stat_statements cannot be read"
        "shared_preload_libraries = 'pg_stat_statements', a restart, `create extension pg_stat_statements`; `grant pg_read_all_stats` to the role."
        "`--usage-snapshot` and `--usage-since` rest on what the server has counted, and nothing is counted here, or this role may not see it. Nothing was judged: that a table is not used would be a guess."
}
