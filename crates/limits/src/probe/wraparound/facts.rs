//! What is read, as plain data.

use serde::Serialize;

use super::vacuum::CostSettings;

/// The counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Counters {
    /// Next transaction id, with its epoch: it does not go round.
    pub next_xid: f64,
    /// Next MultiXact id, as of the last checkpoint.
    pub next_mxid: f64,
    /// Next member, as of the last checkpoint.
    pub next_member: f64,
    /// A standby cannot vacuum.
    pub is_standby: bool,
}

/// When vacuums are forced, and what they may spend.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Settings {
    /// `autovacuum_freeze_max_age`.
    pub freeze_max_age: f64,
    /// `autovacuum_multixact_freeze_max_age`.
    pub mxid_freeze_max_age: f64,
    /// `vacuum_failsafe_age`.
    pub failsafe_age: f64,
    /// `vacuum_multixact_failsafe_age`.
    pub mxid_failsafe_age: f64,
    /// Cost settings of automatic vacuums.
    pub cost: CostSettings,
}

impl Default for Settings {
    /// PostgreSQL's own.
    fn default() -> Self {
        Settings {
            freeze_max_age: 200e6,
            mxid_freeze_max_age: 400e6,
            failsafe_age: 1.6e9,
            mxid_failsafe_age: 1.6e9,
            cost: CostSettings::default(),
        }
    }
}

/// One database.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Age of `datfrozenxid`.
    pub xid_age: f64,
    /// Age of `datminmxid`.
    pub mxid_age: f64,
    /// The one that this session is in: its tables can be seen.
    pub is_here: bool,
    /// False for `template0`: only automatic vacuums come there.
    pub can_connect: bool,
}

/// A table, or a TOAST relation, of this database that holds back its oldest ids.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// Its oid.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its own name.
    pub relation: String,
    /// Both, quoted.
    pub name: String,
    /// The table whose TOAST relation it is, quoted.
    pub parent: Option<String>,
    /// Another session's temporary table: no vacuum but that session's own comes there.
    pub is_temporary: bool,
    /// Age of `relfrozenxid`.
    pub xid_age: f64,
    /// Age of `relminmxid`.
    pub mxid_age: f64,
    /// Pages.
    pub pages: f64,
    /// Pages of its indexes.
    pub index_pages: f64,
    /// Pages that are frozen; counted since PostgreSQL 18.
    pub frozen_pages: Option<f64>,
}

impl Table {
    /// `public.persons`, or `pg_toast.pg_toast_16384 (TOAST of public.persons)`.
    pub fn title(&self) -> String {
        match &self.parent {
            Some(parent) => format!("{} (TOAST of {parent})", self.name),
            None => self.name.clone(),
        }
    }
}

/// A vacuum that runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Running {
    /// Its session.
    pub pid: i32,
    /// Its database.
    pub database: String,
    /// What it vacuums.
    pub oid: u32,
    /// `scanning heap`; `None` when this role may not see it.
    pub phase: Option<String>,
    /// Pages of the table.
    pub pages: f64,
    /// Of which scanned.
    pub scanned_pages: f64,
    /// An automatic one.
    pub is_automatic: Option<bool>,
    /// Started by the server to stop a wraparound: it does not give way to other sessions.
    pub is_against_wraparound: Option<bool>,
    /// How long, in seconds.
    pub running_s: Option<f64>,
}
