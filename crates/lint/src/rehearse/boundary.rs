//! What a rehearsal does not run: it would reach beyond its database. Pure.

/// Why a statement of a file is not run. `is_given`: the server is not a throwaway one.
pub fn beyond(sql: &str, is_given: bool) -> Option<&'static str> {
    if sql.starts_with('\\') {
        return Some("it is psql's own");
    }
    let words: Vec<String> = crate::script::words(sql);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let has = |word: &str| words.contains(&word);
    match words.as_slice() {
        ["create" | "alter" | "drop", "subscription", ..] => {
            Some("a subscription connects to another server")
        }
        ["create" | "alter", "server", ..]
        | ["create" | "alter", "user", "mapping", ..]
        | ["import", "foreign", ..] => Some("it leads to another server"),
        ["copy", ..] if has("program") => Some("it starts a program"),
        ["copy", ..] if has("stdin") || has("stdout") => {
            Some("rows that come with the file, or go to it, are not rehearsed")
        }
        [
            "create" | "alter" | "drop",
            "database" | "role" | "user" | "group" | "tablespace",
            ..,
        ]
        | ["alter", "system", ..]
        | ["reassign", "owned", ..]
        | ["drop", "owned", ..]
            if is_given =>
        {
            Some("it changes the server, not only the database")
        }
        ["grant" | "revoke", ..] if is_given && !has("on") => {
            Some("it changes the server, not only the database")
        }
        _ => None,
    }
}

/// What is left out of a clone, and how it is called there.
pub fn left_out(sql: &str) -> Option<&'static str> {
    let words = crate::script::words(sql);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["create" | "alter" | "comment", "subscription", ..] | ["comment", "on", "subscription", ..] => {
            Some("subscriptions: they connect to another server")
        }
        ["create" | "alter", "server", ..]
        | ["comment", "on", "server", ..]
        | ["create" | "alter", "user", "mapping", ..] => {
            Some("foreign servers, and the tables there: they lead to another server")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_beyond_the_database_is_not_run() {
        for sql in [
            "create subscription s connection '' publication p",
            "/* x */ COPY t FROM PROGRAM 'cat'",
            "copy t from stdin",
            "create user mapping for a server s",
        ] {
            assert!(beyond(sql, false).is_some(), "{sql}");
        }
        for sql in [
            "create role a",
            "drop database x",
            "alter system set a = 1",
            "grant a to b",
        ] {
            assert!(
                beyond(sql, true).is_some() && beyond(sql, false).is_none(),
                "{sql}"
            );
        }
        for sql in [
            "grant select on t to a",
            "create table t (a int)",
            "copy t to '/tmp/x'",
        ] {
            assert!(beyond(sql, true).is_none(), "{sql}");
        }
    }
}
