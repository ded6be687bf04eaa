//! The session that a file runs in, statement by statement: its transaction, its timeouts, the locks that it holds.

use std::collections::BTreeMap;

use crate::facts::Mode;
use crate::ir::{Kind, Name, Setting, Span};

/// The settings that decide how long a statement may wait and run, in milliseconds; 0 is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// `lock_timeout`
    pub lock_ms: Option<u64>,
    /// `statement_timeout`
    pub statement_ms: Option<u64>,
}

impl Timeouts {
    fn field(&mut self, name: &str) -> Option<&mut Option<u64>> {
        match name {
            "lock_timeout" => Some(&mut self.lock_ms),
            "statement_timeout" => Some(&mut self.statement_ms),
            _ => None,
        }
    }

    /// A limit for the wait for a lock is in effect.
    pub fn bounds_waits(self) -> bool {
        self.lock_ms.is_some_and(|ms| ms > 0) || self.statement_ms.is_some_and(|ms| ms > 0)
    }
}

/// A lock that the transaction holds.
#[derive(Debug, Clone)]
pub struct Held {
    /// On what.
    pub table: Name,
    /// How.
    pub mode: Mode,
    /// The statement that took it.
    pub span: Span,
}

/// A transaction.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    /// The runner opened it, and will end it.
    pub is_of_runner: bool,
    /// What it holds.
    pub locks: Vec<Held>,
    /// Its statements so far, without those that control it.
    pub statements: usize,
    /// Constraints that it added without a check of the rows.
    pub not_valid: Vec<(Name, String)>,
    /// Values that it added to enum types.
    pub enum_values: Vec<String>,
    /// Tables whose rows it wrote, without those that it made.
    pub written: Vec<(Name, Span)>,
    saved: Vec<(String, usize, Timeouts)>,
    /// Session settings as they were at its begin, for a rollback.
    at_begin: Timeouts,
}

/// The session.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// The open transaction.
    pub transaction: Option<Transaction>,
    /// Set for the session.
    session: Timeouts,
    /// Set for the transaction.
    local: Timeouts,
    /// What the runner, or the configuration, sets before the file.
    defaults: Timeouts,
    /// `timezone`, where the file sets it.
    pub timezone: Option<String>,
    other: BTreeMap<String, String>,
}

impl Session {
    /// A session whose runner sets `defaults`, and opens a transaction perhaps.
    pub fn new(defaults: Timeouts, in_transaction: bool) -> Session {
        let mut session = Session {
            defaults,
            ..Session::default()
        };
        if in_transaction {
            session.transaction = Some(Transaction {
                is_of_runner: true,
                ..Transaction::default()
            });
        }
        session
    }

    /// What is in effect now.
    pub fn timeouts(&self) -> Timeouts {
        Timeouts {
            lock_ms: self
                .local
                .lock_ms
                .or(self.session.lock_ms)
                .or(self.defaults.lock_ms),
            statement_ms: self
                .local
                .statement_ms
                .or(self.session.statement_ms)
                .or(self.defaults.statement_ms),
        }
    }

    /// The strongest lock that the transaction holds on a table.
    pub fn holds(&self, table: &Name) -> Option<Mode> {
        self.transaction
            .as_ref()?
            .locks
            .iter()
            .filter(|held| held.table.is(table))
            .map(|held| held.mode)
            .max()
    }

    /// Follows what a statement does to the session itself.
    pub fn apply(&mut self, kind: &Kind) {
        match kind {
            Kind::Begin if self.transaction.is_none() => self.begin(false),
            Kind::Commit { chain } => self.end(true, *chain),
            Kind::Rollback { chain } => self.end(false, *chain),
            Kind::Savepoint(name) => {
                let session = self.session;
                if let Some(transaction) = &mut self.transaction {
                    let held = transaction.locks.len();
                    transaction.saved.push((name.clone(), held, session));
                }
            }
            Kind::RollbackTo(name) => {
                if let Some(transaction) = &mut self.transaction
                    && let Some(at) = transaction.saved.iter().rposition(|(saved, ..)| saved == name)
                {
                    let (_, held, session) = transaction.saved[at].clone();
                    transaction.locks.truncate(held);
                    transaction.saved.truncate(at + 1);
                    self.session = session;
                    // What was set for the transaction since then is gone; what was set before cannot be told apart here.
                    self.local = Timeouts::default();
                }
            }
            Kind::Set(setting) => self.set(setting),
            Kind::Select {
                set: Some(setting), ..
            } => self.set(setting),
            Kind::ResetAll => {
                self.session = Timeouts::default();
                self.local = Timeouts::default();
                // Back to the server's; what the runner set was set for the session too.
                self.defaults = Timeouts::default();
            }
            _ => {}
        }
    }

    fn begin(&mut self, is_of_runner: bool) {
        self.transaction = Some(Transaction {
            is_of_runner,
            at_begin: self.session,
            ..Transaction::default()
        });
    }

    fn end(&mut self, is_commit: bool, chain: bool) {
        self.local = Timeouts::default();
        if let Some(transaction) = self.transaction.take()
            && !is_commit
        {
            self.session = transaction.at_begin;
        }
        if chain {
            self.begin(false);
        }
    }

    fn set(&mut self, setting: &Setting) {
        if setting.name == "timezone" && !setting.is_local {
            self.timezone.clone_from(&setting.value);
        }
        self.other
            .insert(setting.name.clone(), setting.value.clone().unwrap_or_default());
        let value = setting
            .value
            .as_deref()
            .map(|text| milliseconds(text).unwrap_or(0));
        if setting.is_local {
            // Outside of a transaction it has no effect at all.
            if self.transaction.is_some()
                && let Some(field) = self.local.field(&setting.name)
            {
                *field = value;
            }
            return;
        }
        for timeouts in [&mut self.session, &mut self.local] {
            if let Some(field) = timeouts.field(&setting.name) {
                *field = None;
            }
        }
        if value.is_none()
            && let Some(field) = self.defaults.field(&setting.name)
        {
            *field = None;
        }
        if let Some(field) = self.session.field(&setting.name) {
            *field = value;
        }
    }
}

/// A time as the server reads one: milliseconds, where no unit stands there.
pub fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.len()
        - text
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
            .len();
    let number: f64 = text[..digits].parse().ok()?;
    let factor = match text[digits..].trim() {
        "" | "ms" => 1.0,
        "us" => 0.001,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is positive, and times of years fit"
    )]
    Some((number * factor).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn lock_ms(sql: &str) -> Option<u64> {
        let mut session = Session::default();
        for statement in parse::read(sql).statements {
            session.apply(&statement.kind);
        }
        session.timeouts().lock_ms
    }

    #[test]
    fn a_timeout_counts_only_while_it_is_in_effect() {
        for (sql, expected) in [
            ("set lock_timeout = '2s'", Some(2_000)),
            ("set lock_timeout to 500", Some(500)),
            ("set lock_timeout = '2s'; reset lock_timeout", None),
            ("set lock_timeout = '2s'; set lock_timeout = 0", Some(0)),
            ("set lock_timeout = '2s'; set lock_timeout to default", None),
            ("set lock_timeout = '2s'; reset all", None),
            ("set local lock_timeout = '2s'", None),
            ("begin; set local lock_timeout = '2s'", Some(2_000)),
            ("begin; set local lock_timeout = '2s'; commit", None),
            ("begin; set lock_timeout = '2s'; rollback", None),
            ("begin; set lock_timeout = '2s'; commit", Some(2_000)),
            (
                "set lock_timeout = '5s'; begin; set local lock_timeout = 0",
                Some(0),
            ),
            ("begin; savepoint a; set lock_timeout = '2s'; rollback to a", None),
            ("select set_config('lock_timeout', '3s', false)", Some(3_000)),
            ("select pg_catalog.set_config('lock_timeout', '3s', true)", None),
            ("begin; set local lock_timeout = '1s'; commit and chain", None),
        ] {
            assert_eq!(lock_ms(sql), expected, "{sql}");
        }
    }
}
