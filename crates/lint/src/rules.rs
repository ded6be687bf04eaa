//! The rules. One rule, one file: its code with its page, what it asks, cases that fire and near misses that do not.
//!
//! `cargo xtask new-rule NAME` makes a file and its line below. A rule asks the facts who is locked, what is rewritten
//! and what is read; it asserts no lock of its own.

macro_rules! rule {
    ($id:literal $name:literal $class:ident $severity:ident $title:literal $hint:literal $page:literal) => {
        static CODE: corridor_pg::Code = corridor_pg::Code {
            id: $id,
            title: $title,
            retry: corridor_pg::Retry::Never,
            exit: corridor_pg::Exit::BadResult,
            hint: $hint,
            page: $page,
        };

        #[doc = $title]
        pub static RULE: crate::finding::Rule = crate::finding::Rule {
            code: &CODE,
            name: $name,
            class: crate::finding::Class::$class,
            severity: crate::finding::Severity::$severity,
        };
    };
}

macro_rules! rules {
    (checks: $($module:ident)* ; beside: $($other:ident)*) => {
        $(pub mod $module;)*
        $(pub mod $other;)*

        /// Every rule that looks at statements, by code.
        pub(crate) static ALL: &[(&crate::finding::Rule, Check)] = &[$((&$module::RULE, $module::check)),*];

        /// Every rule, those too that speak of the file's own words.
        pub fn all() -> Vec<&'static crate::finding::Rule> {
            vec![$(&$module::RULE,)* $(&$other::RULE),*]
        }

        #[cfg(test)]
        const MODULES: &[&str] = &[$(stringify!($module),)* $(stringify!($other)),*];
    };
}

/// What a rule does.
pub(crate) type Check = fn(&crate::judge::Look<'_>, &mut Vec<crate::judge::Hit>);

rules! {
    checks:
        index_blocks_writes
        index_drop_blocks
        reindex_blocks
        concurrently_in_transaction
        concurrent_build_hidden
        concurrent_build_cut_short
        concurrent_on_partitioned
        add_column_rewrites
        add_column_reads_rows
        add_column_not_null_fails
        type_change_rewrites
        type_change_reads_rows
        set_not_null_reads_rows
        check_reads_rows
        foreign_key_reads_rows
        unique_builds_index
        primary_key_proves_not_null
        exclusion_builds_index
        validate_under_own_lock
        foreign_key_locks_other_table
        several_foreign_keys
        domain_reads_tables
        attach_reads_rows
        partition_made_in_place
        detach_blocks
        partition_dropped_in_place
        table_rewritten
        matview_refreshed
        table_emptied
        table_locked
        trigger_blocks
        row_security_hides_rows
        whole_table_written
        rows_written_under_lock
        lock_kept_over_more
        no_lock_timeout
        enum_value_used_at_once
        hot_table_changed
        open_transaction
        transaction_of_runner_ended
        column_dropped
        column_renamed
        table_dropped
        table_renamed
        inserts_lack_column
        type_narrowed
        null_allowed
        default_taken_away
        enum_value_renamed
        replica_identity_lost
        function_dropped
        type_with_a_trap
        key_too_small
        table_without_key
        foreign_key_without_index
        not_repeatable
        name_too_long
        constraint_without_name
        cascade_takes_along
    ;
    beside:
        not_evaluated
        unused_allow
}

/// The codes of all rules.
pub fn codes() -> Vec<&'static corridor_pg::Code> {
    let mut codes: Vec<_> = all().iter().map(|rule| rule.code).collect();
    codes.sort_by_key(|code| code.id);
    codes
}

/// The rule of a code or a name.
pub fn find(word: &str) -> Option<&'static crate::finding::Rule> {
    all()
        .into_iter()
        .chain(crate::clickhouse::RULES.iter().copied())
        .find(|rule| rule.code.id.eq_ignore_ascii_case(word) || rule.name == word)
}

/// Says what the server has counted: who still names a column, or a table.
fn still_used(
    look: &crate::judge::Look<'_>,
    hit: &mut crate::judge::Hit,
    table: &crate::ir::Name,
    column: Option<&str>,
) {
    use crate::finding::Severity;
    let Some(live) = look.live.filter(|live| live.has_statements) else {
        hit.unknown
            .push("whether anybody still names it: `--database` looks in pg_stat_statements".to_owned());
        return;
    };
    let all = live.users(table, column);
    let calls_of = |query: &crate::evidence::Query| query.calls_since.unwrap_or(query.calls);
    let users: Vec<_> = all.iter().filter(|query| calls_of(query) > 0).collect();
    let calls: i64 = users.iter().map(|query| calls_of(query)).sum();
    let when = live.between.as_ref().map(|between| {
        let lasted = crate::evidence::seconds(between.lasted_s);
        format!("in the {lasted} since {}", between.since)
    });
    let sessions = live.applications(table, column);
    match (users.first(), &when) {
        (Some(query), when) => {
            let mut roles: Vec<&str> = users.iter().map(|query| query.role.as_str()).collect();
            roles.sort_unstable();
            roles.dedup();
            let when = when.as_deref().unwrap_or("so far");
            hit.what.push_str(&format!(
                "; {} do, {calls} calls {when} by {}, one of them: {}",
                users.len(),
                roles.join(", "),
                shortened(&query.text)
            ));
        }
        (None, Some(when)) => {
            let before = match all.len() {
                0 => String::new(),
                some => format!("; {some} that name it were called before that only"),
            };
            hit.what.push_str(&format!("; {when}, 0 calls{before}"));
        }
        (None, None) => hit.what.push_str("; none that the server has counted does"),
    }
    if !sessions.is_empty() {
        let names = sessions.join(", ");
        hit.what.push_str(&format!(
            "; sessions name it in what they run or ran last: {names}"
        ));
    }
    let doubts = live
        .doubts()
        .map(|doubt| format!("whether it is named all the same: {doubt}"));
    if !users.is_empty() || !sessions.is_empty() {
        hit.severity = Some(Severity::Error);
    } else if live.doubts().next().is_none() {
        hit.severity = Some(Severity::Notice);
    } else {
        hit.unknown.extend(doubts);
    }
}

/// A statement in one short line.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(100) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
pub(crate) mod trial;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_is_listed_once_and_every_code_is_its_own() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rules");
        let files: BTreeSet<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .filter(|name| name != "trial")
            .collect();
        let listed: BTreeSet<String> = MODULES.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(files, listed);
        let ids: BTreeSet<&str> = all().iter().map(|rule| rule.code.id).collect();
        let names: BTreeSet<&str> = all().iter().map(|rule| rule.name).collect();
        assert_eq!((ids.len(), names.len()), (all().len(), all().len()));
    }
}
