//! Who stands in the way of a lock.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use super::LockMode;
use crate::fault::{FaultContext, Result};
use crate::ident::{Ident, QualifiedName, join};
use crate::session::Session;

/// How much of a statement is kept; a server keeps 1,024 bytes unless it was told otherwise.
const QUERY_CHARS_MAX: usize = 10_000;
/// How much of a statement is shown in a line.
const SHOWN_CHARS_MAX: usize = 60;

/// A session, or a prepared transaction, that holds a lock or waits for one.
///
/// Displays as one line: `pid 4711 (app "worker", user bob) holds ROW EXCLUSIVE on public.persons, in transaction for
/// 12.3 s: update persons …`. Of the statement the line has the first 60 characters, none of which steers a terminal; the
/// field has it whole. Without the privileges of `pg_read_all_stats`, state, age and statement of other roles'
/// sessions are not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The server process; `None` for a prepared transaction.
    pub pid: Option<i32>,
    /// The name of the prepared transaction.
    pub prepared_gid: Option<String>,
    /// The role.
    pub user: Option<String>,
    /// The session's `application_name`, when it has one.
    pub application_name: Option<String>,
    /// For example `active` or `idle in transaction`.
    pub state: Option<String>,
    /// What kind of object is locked, as `pg_locks.locktype` says it (`relation`, `transactionid`, `tuple`…).
    pub lock_type: Option<String>,
    /// The relation, when a relation is what is locked. A partition or child of the one that was asked for counts.
    pub relation: Option<QualifiedName>,
    /// The strongest mode.
    pub mode: Option<LockMode>,
    /// False when it waits in the queue; one that waits is in the way of those behind it.
    pub is_granted: bool,
    /// How long its transaction has been open, or prepared.
    pub transaction_age_ms: Option<i64>,
    /// Its current, or last, statement, as it was sent; the first 10,000 characters of it.
    pub query: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.prepared_gid) {
            (Some(pid), _) => write!(f, "pid {pid}")?,
            (None, Some(gid)) => write!(f, "prepared transaction {gid:?}")?,
            (None, None) => f.write_str("a prepared transaction")?,
        }
        let application = self.application_name.as_deref().filter(|name| !name.is_empty());
        let who = [
            application.map(|name| format!("app {name:?}")),
            self.user.as_ref().map(|user| format!("user {user}")),
        ];
        let who = join(who.into_iter().flatten(), ", ");
        if !who.is_empty() {
            write!(f, " ({who})")?;
        }
        f.write_str(if self.is_granted { " holds" } else { " waits for" })?;
        match (&self.relation, self.mode, self.lock_type.as_deref()) {
            (Some(relation), Some(mode), _) => write!(f, " {mode} on {relation}")?,
            (_, _, Some("transactionid" | "tuple")) => f.write_str(" a row that is waited for")?,
            (_, _, Some(other)) => write!(f, " a lock on {other}")?,
            _ => f.write_str(" a lock")?,
        }
        if let Some(age_ms) = self.transaction_age_ms {
            let seconds = age_ms.max(0) as f64 / 1000.0;
            match self.state.as_deref() {
                _ if self.pid.is_none() => write!(f, ", prepared {seconds:.1} s ago")?,
                Some(state) if state.starts_with("idle in transaction") => {
                    write!(f, ", {state} for up to {seconds:.1} s")?;
                }
                _ => write!(f, ", in transaction for {seconds:.1} s")?,
            }
        }
        if let Some(query) = self.query.as_deref().filter(|query| !query.is_empty()) {
            write!(f, ": {}", one_line(query))?;
        }
        Ok(())
    }
}

/// Who holds or waits for a lock on `relations`, or on a partition or child of theirs; those who hold come first, the
/// oldest transaction before the younger ones. Each session appears once per relation, with its strongest mode.
///
/// `observer` is a session that does not itself wait. `except_pids` are our own.
pub async fn holders(
    observer: &Session,
    relations: &[QualifiedName],
    except_pids: &[i32],
) -> Result<Vec<Holder>> {
    let schemas: Vec<&str> = relations.iter().map(|name| name.schema.as_str()).collect();
    let names: Vec<&str> = relations.iter().map(|name| name.name.as_str()).collect();
    let rows = observer
        .query(
            include_str!("../../sql/lock/holders.sql"),
            &[&schemas, &names, &except_pids],
        )
        .await
        .doing(|| format!("asking who holds locks on {}", join(relations, ", ")))?;
    strongest(&rows)
}

/// Who keeps the session of server process `pid` from the lock that it waits for now.
pub async fn blockers(observer: &Session, pid: i32) -> Result<Vec<Holder>> {
    let rows = observer
        .query(include_str!("../../sql/lock/blockers.sql"), &[&pid])
        .await
        .doing(|| format!("asking who blocks pid {pid}"))?;
    strongest(&rows)
}

fn strongest(rows: &[Row]) -> Result<Vec<Holder>> {
    let mut found: Vec<Holder> = Vec::new();
    for row in rows {
        let holder = read(row)?;
        let same = found.iter_mut().find(|other| {
            other.pid == holder.pid
                && other.prepared_gid == holder.prepared_gid
                && other.relation == holder.relation
                && other.is_granted == holder.is_granted
        });
        match same {
            Some(other) => other.mode = other.mode.max(holder.mode),
            None => found.push(holder),
        }
    }
    Ok(found)
}

fn read(row: &Row) -> Result<Holder> {
    let relation = match (
        row.get::<_, Option<String>>("schema_name"),
        row.get::<_, Option<String>>("relation_name"),
    ) {
        (Some(schema), Some(name)) => Some(QualifiedName::new(Ident::new(schema)?, Ident::new(name)?)),
        _ => None,
    };
    let mode: Option<String> = row.get("mode");
    let query: Option<String> = row.get("query");
    Ok(Holder {
        pid: row.get("pid"),
        prepared_gid: row.get("prepared_gid"),
        user: row.get("user_name"),
        application_name: row.get("application_name"),
        state: row.get("state"),
        lock_type: row.get("lock_type"),
        relation,
        mode: mode.as_deref().and_then(LockMode::from_pg_locks),
        is_granted: row.get("is_granted"),
        transaction_age_ms: row.get("transaction_age_ms"),
        query: query.map(|text| cut(&text, QUERY_CHARS_MAX)),
    })
}

/// The beginning of a statement, for a line: white space is one blank, and what would steer a terminal or turn the
/// direction of writing is one too.
fn one_line(query: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let words = query.split(|c: char| c.is_whitespace() || is_harmful(c));
    let line = join(words.filter(|word| !word.is_empty()), " ");
    cut(&line, SHOWN_CHARS_MAX)
}

/// The first `chars_max` characters, with `…` when there are more.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder() -> Holder {
        Holder {
            pid: Some(4711),
            prepared_gid: None,
            user: Some("bob".to_owned()),
            application_name: Some("worker".to_owned()),
            state: Some("active".to_owned()),
            lock_type: Some("relation".to_owned()),
            relation: Some(QualifiedName::new(
                Ident::new("public").unwrap(),
                Ident::new("persons").unwrap(),
            )),
            mode: Some(LockMode::RowExclusive),
            is_granted: true,
            transaction_age_ms: Some(12_345),
            query: Some("update persons\n   set a = 1".to_owned()),
        }
    }

    #[test]
    fn a_holder_is_one_line() {
        insta::assert_snapshot!(holder(), @r#"pid 4711 (app "worker", user bob) holds ROW EXCLUSIVE on public.persons, in transaction for 12.3 s: update persons set a = 1"#);
        let waiting = Holder {
            is_granted: false,
            application_name: Some(String::new()),
            state: Some("idle in transaction".to_owned()),
            ..holder()
        };
        insta::assert_snapshot!(waiting, @"pid 4711 (user bob) waits for ROW EXCLUSIVE on public.persons, idle in transaction for up to 12.3 s: update persons set a = 1");
        let prepared = Holder {
            pid: None,
            prepared_gid: Some("tx-1".to_owned()),
            application_name: None,
            state: None,
            query: None,
            ..holder()
        };
        insta::assert_snapshot!(prepared, @r#"prepared transaction "tx-1" (user bob) holds ROW EXCLUSIVE on public.persons, prepared 12.3 s ago"#);
        let row = Holder {
            relation: None,
            lock_type: Some("transactionid".to_owned()),
            ..prepared
        };
        insta::assert_snapshot!(row, @r#"prepared transaction "tx-1" (user bob) holds a row that is waited for, prepared 12.3 s ago"#);
    }

    #[test]
    fn a_long_statement_is_cut_at_a_character() {
        assert_eq!(cut(&"é".repeat(200), 200), "é".repeat(200));
        assert_eq!(cut(&"é".repeat(201), 200), "é".repeat(200) + "…");
    }

    #[test]
    fn a_line_has_the_beginning_of_a_statement_and_nothing_harmful() {
        let long = Holder {
            query: Some(format!(
                "select '\x1b[2J\u{202e}x\0'\r\n\tfrom t where id in ({})",
                "1, ".repeat(3_000)
            )),
            ..holder()
        };
        let line = long.to_string();
        assert!(
            line.ends_with(": select ' [2J x ' from t where id in (1, 1, 1, 1, 1, 1, 1, 1,…"),
            "{line}"
        );
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'));
        assert_eq!(serde_json::to_value(&long).unwrap()["query"], long.query.unwrap());
    }
}
