//! What one client knows of its rows, and what it does next. No I/O: a plan is data.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::table::{Row, Table};
use super::template::array_text;

/// How often each kind of work is drawn, relative to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// A new row.
    pub insert: u32,
    /// `insert … on conflict do update` of any key.
    pub upsert: u32,
    /// New content for a row.
    pub update: u32,
    /// Only the version changes; large values stay where they are.
    pub touch: u32,
    /// A row goes.
    pub delete: u32,
    /// A row goes and comes back with the same key, in one transaction or in two.
    pub delete_reinsert: u32,
    /// A row gets another key.
    pub key_change: u32,
    /// Two rows exchange their second unique value in one transaction.
    pub unique_swap: u32,
    /// One statement over many rows.
    pub bulk: u32,
    /// Several of the above in one transaction, with a savepoint that may be rolled back to.
    pub transaction: u32,
    /// Such a transaction that stays open for a while between its statements.
    pub long_transaction: u32,
    /// Such a transaction that is prepared, and committed (or rolled back) a little later as a second phase.
    pub two_phase: u32,
    /// Reads a row and checks every column.
    pub read: u32,
}

impl Mix {
    /// An ingestion service: upserts, property updates, deletes, reads.
    pub fn ingestion() -> Mix {
        Mix {
            upsert: 30,
            update: 30,
            touch: 10,
            delete: 5,
            read: 25,
            ..Mix::none()
        }
    }

    /// Everything that has ever broken a copy of a live table.
    pub fn nasty() -> Mix {
        Mix {
            insert: 10,
            upsert: 15,
            update: 15,
            touch: 10,
            delete: 10,
            delete_reinsert: 8,
            key_change: 8,
            unique_swap: 5,
            bulk: 1,
            transaction: 8,
            long_transaction: 0,
            two_phase: 0,
            read: 10,
        }
    }

    /// Nothing at all; to start from.
    pub fn none() -> Mix {
        Mix {
            insert: 0,
            upsert: 0,
            update: 0,
            touch: 0,
            delete: 0,
            delete_reinsert: 0,
            key_change: 0,
            unique_swap: 0,
            bulk: 0,
            transaction: 0,
            long_transaction: 0,
            two_phase: 0,
            read: 0,
        }
    }

    fn weights(&self) -> [(Work, u32); 13] {
        [
            (Work::Insert, self.insert),
            (Work::Upsert, self.upsert),
            (Work::Update, self.update),
            (Work::Touch, self.touch),
            (Work::Delete, self.delete),
            (Work::DeleteReinsert, self.delete_reinsert),
            (Work::KeyChange, self.key_change),
            (Work::UniqueSwap, self.unique_swap),
            (Work::Bulk, self.bulk),
            (Work::Transaction, self.transaction),
            (Work::LongTransaction, self.long_transaction),
            (Work::TwoPhase, self.two_phase),
            (Work::Read, self.read),
        ]
    }

    fn draw(&self, random: &mut fastrand::Rng, allowed: impl Fn(Work) -> bool) -> Option<Work> {
        let weights = self.weights().into_iter().filter(|(work, _)| allowed(*work));
        let total: u32 = weights.clone().map(|(_, weight)| weight).sum();
        if total == 0 {
            return None;
        }
        let mut at = random.u32(0..total);
        for (work, weight) in weights {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return Some(work),
            }
        }
        None
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Insert,
    Upsert,
    Update,
    Touch,
    Delete,
    DeleteReinsert,
    KeyChange,
    UniqueSwap,
    Bulk,
    Transaction,
    LongTransaction,
    TwoPhase,
    Read,
}

const READ_COMMITTED: &str = "read committed";
const REPEATABLE_READ: &str = "repeatable read";
const SERIALIZABLE: &str = "serializable";

/// Which statement a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Statement {
    Insert,
    Upsert,
    Update,
    Touch,
    Delete,
    ChangeKey,
    SetSlot,
    TouchMany,
    Read,
}

/// One exchange with the server, or a pause between two.
#[derive(Debug)]
pub(crate) enum Step {
    /// With its isolation level.
    Begin(&'static str),
    Commit,
    /// The first phase, under this name.
    Prepare(String),
    /// The second phase.
    EndPrepared {
        name: String,
        is_commit: bool,
    },
    Savepoint,
    RollbackToSavepoint,
    Pause(Duration),
    Write {
        statement: Statement,
        values: Vec<Option<String>>,
        /// How many rows it must touch.
        rows: u64,
    },
    Read {
        values: Vec<Option<String>>,
        /// What must come back; `None`: no row.
        expected: Option<Vec<Option<String>>>,
    },
}

/// Rows as they will be: key number, row or none.
pub(crate) type States = BTreeMap<u64, Option<Row>>;

/// What a client does next, and what its rows look like once that is acknowledged.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) effect: States,
    /// The name that it is prepared under.
    pub(crate) prepared_as: Option<String>,
}

impl Plan {
    /// True when it has no statement that writes.
    pub(crate) fn is_read(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step, Step::Write { .. }))
    }
}

/// How a client works.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    pub(crate) mix: Mix,
    pub(crate) bulk_rows: usize,
    pub(crate) long_transaction: Duration,
    /// Of 100 transactions, how many are repeatable read or serializable.
    pub(crate) strict_percent: u8,
}

/// The rows of one client: those whose number leaves the remainder `client` by `clients`.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) table: Arc<Table>,
    pub(crate) base: Arc<str>,
    pub(crate) client: u64,
    pub(crate) clients: u64,
    /// Numbers of rows are below this.
    pub(crate) key_space: u64,
    /// True once the table was truncated.
    pub(crate) are_first_rows_gone: bool,
    /// Rows that are no longer as they were filled in.
    pub(crate) touched: HashMap<u64, Option<Row>>,
    pub(crate) next_token: u64,
}

/// Tries to find a row that is (or is not) there before giving up on that kind of work for now.
const TRIES: usize = 64;

impl Share {
    pub(crate) fn row(&self, n: u64) -> Option<Row> {
        match self.touched.get(&n) {
            Some(state) => *state,
            None if self.are_first_rows_gone => None,
            None => self.table.first_row(n),
        }
    }

    /// The table was truncated.
    pub(crate) fn forget_all(&mut self) {
        self.are_first_rows_gone = true;
        self.touched.clear();
    }

    pub(crate) fn apply(&mut self, states: &States) {
        for (n, state) in states {
            self.touched.insert(*n, *state);
        }
    }

    /// Draws what to do next.
    pub(crate) fn plan(&mut self, habits: &Habits, random: &mut fastrand::Rng) -> Option<Plan> {
        let has_slots = self.table.has_slots();
        let work = habits
            .mix
            .draw(random, |work| work != Work::UniqueSwap || has_slots)?;
        let mut draft = Draft {
            share: self,
            random,
            states: States::new(),
            steps: Vec::new(),
            prepared_as: None,
        };
        match work {
            Work::Transaction => draft.transaction(habits, None)?,
            Work::LongTransaction => draft.transaction(habits, Some(habits.long_transaction))?,
            Work::TwoPhase => draft.two_phase(habits)?,
            work => {
                draft.work(work, habits)?;
                // What takes several statements is one transaction; but a row may also go and come back in two.
                let is_split = work == Work::DeleteReinsert && draft.random.bool();
                if draft.steps.len() > 1 && !is_split {
                    draft.steps.insert(0, Step::Begin(READ_COMMITTED));
                    draft.steps.push(Step::Commit);
                } else if is_split {
                    draft.keep_first_half();
                }
            }
        }
        let Draft {
            states,
            steps,
            prepared_as,
            ..
        } = draft;
        Some(Plan {
            steps,
            effect: states,
            prepared_as,
        })
    }
}

/// A plan in the making: `states` lies over the client's share.
struct Draft<'a> {
    share: &'a mut Share,
    random: &'a mut fastrand::Rng,
    states: States,
    steps: Vec<Step>,
    prepared_as: Option<String>,
}

impl Draft<'_> {
    fn row(&self, n: u64) -> Option<Row> {
        match self.states.get(&n) {
            Some(state) => *state,
            None => self.share.row(n),
        }
    }

    fn any(&mut self) -> u64 {
        let Share {
            client,
            clients,
            key_space,
            ..
        } = *self.share;
        let rows = (key_space.saturating_sub(client)).div_ceil(clients).max(1);
        client + clients * self.random.u64(0..rows)
    }

    fn present(&mut self) -> Option<(u64, Row)> {
        (0..TRIES).find_map(|_| {
            let n = self.any();
            self.row(n).map(|row| (n, row))
        })
    }

    fn absent(&mut self) -> Option<u64> {
        (0..TRIES).find_map(|_| {
            let n = self.any();
            self.row(n).is_none().then_some(n)
        })
    }

    fn token(&mut self) -> u64 {
        let token = self.share.next_token;
        self.share.next_token += self.share.clients;
        token
    }

    fn key(&self, n: u64) -> Vec<Option<String>> {
        self.share.table.key.encode(n).into_iter().map(Some).collect()
    }

    fn content(&self, n: u64, token: u64) -> Vec<Option<String>> {
        self.share.table.content(&self.share.base, n, token)
    }

    fn write(&mut self, statement: Statement, values: Vec<Option<String>>) {
        self.steps.push(Step::Write {
            statement,
            values,
            rows: 1,
        });
    }

    fn new_row(&mut self) -> Row {
        let token = self.token();
        Row {
            token,
            born: token,
            version: 0,
            // Every second one: null is a value too.
            slot: (self.share.table.has_slots() && (token / self.share.clients).is_multiple_of(2))
                .then_some(token),
        }
    }

    /// Inserts (or, as an upsert, overwrites) row `n`.
    fn put(&mut self, statement: Statement, n: u64) {
        let new = self.new_row();
        let mut values = self.key(n);
        values.extend(self.content(n, new.token));
        values.push(self.share.table.lasting(&new));
        self.write(statement, values);
        let row = match self.row(n) {
            Some(old) => Row {
                token: new.token,
                version: old.version + 1,
                ..old
            },
            None => new,
        };
        self.states.insert(n, Some(row));
    }

    fn remove(&mut self, n: u64) {
        let key = self.key(n);
        self.write(Statement::Delete, key);
        self.states.insert(n, None);
    }

    /// One piece of work; `None` when no row fits.
    fn work(&mut self, work: Work, habits: &Habits) -> Option<()> {
        match work {
            Work::Insert => {
                let n = self.absent()?;
                self.put(Statement::Insert, n);
            }
            Work::Upsert => {
                let n = self.any();
                self.put(Statement::Upsert, n);
            }
            Work::Update => {
                let (n, row) = self.present()?;
                let token = self.token();
                let mut values = self.key(n);
                values.extend(self.content(n, token));
                self.write(Statement::Update, values);
                self.change(n, Row { token, ..row });
            }
            Work::Touch => {
                let (n, row) = self.present()?;
                let key = self.key(n);
                self.write(Statement::Touch, key);
                self.change(n, row);
            }
            Work::Delete => {
                let (n, _) = self.present()?;
                self.remove(n);
            }
            Work::DeleteReinsert => {
                let (n, _) = self.present()?;
                self.remove(n);
                self.put(Statement::Insert, n);
            }
            Work::KeyChange => self.key_change()?,
            Work::UniqueSwap => self.unique_swap()?,
            Work::Bulk => self.bulk(habits.bulk_rows)?,
            Work::Read => {
                let n = self.any();
                let expected = self
                    .row(n)
                    .map(|row| self.share.table.reading(&self.share.base, n, &row));
                self.steps.push(Step::Read {
                    values: self.key(n),
                    expected,
                });
            }
            // Transactions are made of the others.
            Work::Transaction | Work::LongTransaction | Work::TwoPhase => return None,
        }
        Some(())
    }

    /// A statement changed row `n`, which counts in its version.
    fn change(&mut self, n: u64, row: Row) {
        let version = row.version + 1;
        self.states.insert(n, Some(Row { version, ..row }));
    }

    fn key_change(&mut self) -> Option<()> {
        let (from, row) = self.present()?;
        let to = self.absent()?;
        let mut values = self.key(from);
        values.extend(self.key(to));
        if !self.share.table.has_slots() {
            // Its content follows from its key.
            values.extend(self.content(to, row.token));
        }
        self.write(Statement::ChangeKey, values);
        self.states.insert(from, None);
        self.change(to, row);
        Some(())
    }

    fn unique_swap(&mut self) -> Option<()> {
        let (a, row_a) = self.present()?;
        let (b, row_b) = self.present()?;
        if a == b {
            return None;
        }
        // Through null, since the constraint is checked row by row.
        for (n, slot) in [(a, None), (b, row_a.slot), (a, row_b.slot)] {
            let row = self.row(n)?;
            let mut values = self.key(n);
            values.push(slot.map(|s| s.to_string()));
            self.write(Statement::SetSlot, values);
            self.change(n, Row { slot, ..row });
        }
        Some(())
    }

    fn bulk(&mut self, rows_max: usize) -> Option<()> {
        let mut chosen = BTreeMap::new();
        for _ in 0..rows_max {
            let n = self.any();
            if let Some(row) = self.row(n) {
                chosen.insert(n, row);
            }
        }
        if chosen.is_empty() {
            return None;
        }
        let keys: Vec<Vec<String>> = chosen.keys().map(|n| self.share.table.key.encode(*n)).collect();
        let columns = keys.first().map_or(0, Vec::len);
        let values = (0..columns)
            .map(|i| {
                let column: Vec<String> = keys.iter().filter_map(|key| key.get(i).cloned()).collect();
                Some(array_text(&column))
            })
            .collect();
        self.steps.push(Step::Write {
            statement: Statement::TouchMany,
            values,
            rows: chosen.len() as u64,
        });
        for (n, row) in chosen {
            self.change(n, row);
        }
        Some(())
    }

    /// Two to five pieces of work, then, half the time, some more behind a savepoint that may be rolled back to.
    fn transaction(&mut self, habits: &Habits, lasts: Option<Duration>) -> Option<()> {
        let draw = |draft: &mut Self| {
            let has_slots = draft.share.table.has_slots();
            let work = habits.mix.draw(draft.random, |work| {
                !matches!(work, Work::Transaction | Work::LongTransaction | Work::TwoPhase)
                    && (work != Work::UniqueSwap || has_slots)
            });
            // What finds no row is left out.
            work.and_then(|work| draft.work(work, habits));
        };
        let level = match self.random.u8(0..100) < habits.strict_percent {
            true if self.random.bool() => SERIALIZABLE,
            true => REPEATABLE_READ,
            false => READ_COMMITTED,
        };
        self.steps.push(Step::Begin(level));
        for _ in 0..self.random.usize(2..=5) {
            draw(self);
            if let Some(lasts) = lasts {
                self.steps.push(Step::Pause(lasts / 5));
            }
        }
        if self.random.bool() {
            self.steps.push(Step::Savepoint);
            let before = self.states.clone();
            for _ in 0..self.random.usize(1..=3) {
                draw(self);
            }
            if self.random.bool() {
                self.steps.push(Step::RollbackToSavepoint);
                self.states = before;
                draw(self);
            }
        }
        self.steps.push(Step::Commit);
        Some(())
    }

    /// A transaction in two phases; a quarter of them is given up between the two.
    fn two_phase(&mut self, habits: &Habits) -> Option<()> {
        self.transaction(habits, None)?;
        self.steps.pop();
        // Names are the cluster's, not the database's.
        let name = format!("traffic {} {:x}", self.share.client, self.random.u64(..));
        let is_commit = self.random.u8(0..4) > 0;
        if !is_commit {
            self.states.clear();
        }
        self.steps.push(Step::Prepare(name.clone()));
        self.steps
            .push(Step::Pause(Duration::from_millis(self.random.u64(0..300))));
        self.steps.push(Step::EndPrepared {
            name: name.clone(),
            is_commit,
        });
        self.prepared_as = Some(name);
        Some(())
    }

    /// Of a delete and an insert only the delete now; the insert comes whenever an insert hits the free key.
    fn keep_first_half(&mut self) {
        self.steps.truncate(1);
        for state in self.states.values_mut() {
            *state = None;
        }
    }
}
