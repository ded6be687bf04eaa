//! The application: writers that know nothing of a move.

use crate::database::{Change, KEYS, Key, Lock, Row, Rows, Session, TRUNCATE, Table, Tx, Write};
use crate::setup::{Setup, WrongWay};
use crate::world::World;

/// A statement. One that finds nothing to do does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// A new row, unless there is one.
    Insert(Key),
    /// A new value for a row.
    Update(Key),
    /// A row goes.
    Delete(Key),
    /// A row gets another key, unless that is taken.
    Move {
        /// From this key.
        from: Key,
        /// To this one.
        to: Key,
    },
    /// Two rows exchange their unique values.
    Exchange(Key, Key),
    /// Every row goes.
    Truncate,
}

impl Op {
    /// The rows that it locks.
    pub fn keys(self) -> Vec<Key> {
        match self {
            Op::Insert(key) | Op::Update(key) | Op::Delete(key) => vec![key],
            Op::Move { from, to } => vec![from, to],
            Op::Exchange(a, b) => vec![a, b],
            Op::Truncate => (0..KEYS as Key).collect(),
        }
    }

    /// Does it to a table's rows; `value` is what it writes. Returns the keys that are changed.
    pub fn run(self, rows: &mut Rows, value: u8) -> Vec<Key> {
        let at = |key: Key| usize::from(key);
        match self {
            Op::Insert(key) if rows[at(key)].is_none() => {
                rows[at(key)] = Some(Row {
                    value,
                    unique: key + 1,
                });
            }
            Op::Update(key) if rows[at(key)].is_some() => {
                if let Some(row) = &mut rows[at(key)] {
                    row.value = value;
                }
            }
            Op::Delete(key) if rows[at(key)].is_some() => rows[at(key)] = None,
            Op::Move { from, to } if rows[at(from)].is_some() && rows[at(to)].is_none() => {
                rows[at(to)] = rows[at(from)].take();
            }
            Op::Exchange(a, b) => {
                let (Some(left), Some(right)) = (rows[at(a)], rows[at(b)]) else {
                    return Vec::new();
                };
                let unique = |row: Row, unique| Some(Row { unique, ..row });
                rows[at(a)] = unique(left, right.unique);
                rows[at(b)] = unique(right, left.unique);
            }
            Op::Truncate => *rows = Rows::default(),
            _ => return Vec::new(),
        }
        self.keys()
    }
}

/// One writer: its transactions, one after the other.
pub type Script = Vec<Vec<Op>>;

impl World {
    /// The next transaction of a writer, unless it waits for a lock: what it would write, and how it leaves the rows.
    fn next_write(&self, setup: &Setup, writer: u8) -> Option<Tx> {
        let session = Session::Writer(writer);
        let done = usize::from(self.written[usize::from(writer)]);
        let ops = setup.scripts[usize::from(writer)].get(done)?;
        if self.db.tx(session).is_some() {
            return None;
        }
        let table = self.db.named;
        let lock = match ops.contains(&Op::Truncate) {
            true => Lock::AccessExclusive,
            false => Lock::RowExclusive,
        };
        let is_blocked = !self.db.may_lock(session, table, lock)
            || ops
                .iter()
                .flat_map(|op| op.keys())
                .any(|key| self.db.is_row_locked(session, table, key));
        if is_blocked {
            return None;
        }
        let mut tx = Tx::begin(session);
        tx.locks[table as usize] = lock;
        tx.is_ready = true;
        let mut rows = *self.db.rows(table);
        let mut truth = self.db.truth;
        let mut next_id = self.db.next_id;
        let mut changed: Vec<Key> = Vec::new();
        for op in ops {
            for key in op.run(&mut truth, value(writer, done)) {
                tx.writes.push(Write::Truth(key, truth[usize::from(key)]));
            }
            let mut keys = op.run(&mut rows, value(writer, done));
            changed.extend(&keys);
            if let (Op::Move { .. }, Some(WrongWay::OldKeyLeftBehind)) = (op, setup.wrong) {
                keys.remove(0);
            }
            if self.db.capture != Some(table) || setup.is_trigger_sync() {
                continue;
            }
            if *op == Op::Truncate {
                keys = vec![TRUNCATE];
            }
            for key in keys {
                tx.writes.push(Write::Note(Change {
                    id: next_id,
                    source: table,
                    key,
                }));
                next_id += 1;
            }
        }
        changed.sort_unstable();
        changed.dedup();
        for key in changed {
            let row = rows[usize::from(key)];
            tx.writes.push(Write::Row(table, key, row));
            if setup.is_trigger_sync() && self.db.capture == Some(table) {
                // The trigger writes to the target itself: an upsert, or a delete of what it finds there.
                let target = table.other();
                let finds = self.db.row(target, key).is_some();
                if self.db.is_row_locked(session, target, key) && (finds || row.is_some()) {
                    return None;
                }
                if finds || row.is_some() {
                    tx.writes.push(Write::Row(target, key, row));
                }
            }
        }
        Some(tx)
    }

    /// The writer's script goes on, and it has no transaction open.
    pub(crate) fn has_more_to_write(&self, setup: &Setup, writer: u8) -> bool {
        let done = usize::from(self.written[usize::from(writer)]);
        done < setup.scripts[usize::from(writer)].len() && self.db.tx(Session::Writer(writer)).is_none()
    }

    /// The statements of a writer's next transaction: its rows are locked, its changes have their ids.
    pub(crate) fn write(&mut self, setup: &Setup, writer: u8) -> Option<()> {
        let tx = self.next_write(setup, writer)?;
        let notes = tx.writes.iter().filter(|w| matches!(w, Write::Note(_))).count();
        self.db.next_id += notes as u8;
        self.db.txs.push(tx);
        Some(())
    }

    /// Every writer has come to the end of its script.
    pub fn is_all_written(&self, setup: &Setup) -> bool {
        let scripts = setup.scripts.iter().map(Vec::len);
        self.written
            .iter()
            .zip(scripts)
            .all(|(done, len)| usize::from(*done) == len)
    }
}

/// A value that no other write has. Rows that were there from the beginning have 0.
fn value(writer: u8, transaction: usize) -> u8 {
    writer * 8 + transaction as u8 + 1
}

/// The rows that are there from the beginning.
pub fn first_rows(keys: &[Key]) -> Rows {
    let mut rows: Rows = Default::default();
    for key in keys {
        rows[usize::from(*key)] = Some(Row {
            value: 0,
            unique: key + 1,
        });
    }
    rows
}

/// A table in short: `0:a 1:- 2:b`.
pub(crate) fn words(rows: &Rows, has_unique: bool) -> String {
    let word = |(key, row): (usize, &Option<Row>)| match row {
        None => format!("{key}:-"),
        Some(row) if has_unique => format!("{key}:v{}/u{}", row.value, row.unique),
        Some(row) => format!("{key}:v{}", row.value),
    };
    rows.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
}

/// The table that a log belongs to, in short.
pub(crate) fn table_word(table: Table) -> &'static str {
    match table {
        Table::Old => "old",
        Table::New => "new",
    }
}
