//! What statements do, as it was measured: locks by role, new files, scans, failures, on each major.
//!
//! `facts/facts.tsv` is written by `script/facts` from real servers, and a test measures again. [`key`](mod@key) says which
//! line of it a statement is.
//!
//! **Invariant:** nothing in this crate says in words of its own which lock a statement takes.

pub mod key;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// The newest major that was measured; a later one is judged by it.
pub const MAJOR_MAX: u32 = 18;
/// The oldest.
pub const MAJOR_MIN: u32 = 14;

/// A mode of a lock on a relation, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "named as PostgreSQL names them")]
pub enum Mode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl Mode {
    const ALL: [Mode; 8] = [
        Mode::AccessShare,
        Mode::RowShare,
        Mode::RowExclusive,
        Mode::ShareUpdateExclusive,
        Mode::Share,
        Mode::ShareRowExclusive,
        Mode::Exclusive,
        Mode::AccessExclusive,
    ];

    /// The mode's name, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Mode::AccessShare => "access share",
            Mode::RowShare => "row share",
            Mode::RowExclusive => "row exclusive",
            Mode::ShareUpdateExclusive => "share update exclusive",
            Mode::Share => "share",
            Mode::ShareRowExclusive => "share row exclusive",
            Mode::Exclusive => "exclusive",
            Mode::AccessExclusive => "access exclusive",
        }
    }

    /// The mode of these words.
    pub fn of_words(words: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.words() == words)
    }

    /// The mode as `pg_locks` calls it: `AccessShareLock`.
    pub fn of_server(name: &str) -> Option<Mode> {
        let name = name.strip_suffix("Lock")?;
        Mode::ALL.into_iter().find(|mode| format!("{mode:?}") == name)
    }

    /// Whoever waits for `weaker` waits for this one too, and for more.
    pub fn covers(self, weaker: Mode) -> bool {
        self > weaker && (self != Mode::Share || weaker < Mode::RowExclusive)
    }

    /// Writers (`row exclusive`) wait for it.
    pub fn blocks_writes(self) -> bool {
        self >= Mode::Share
    }

    /// Readers (`access share`) wait for it.
    pub fn blocks_reads(self) -> bool {
        self == Mode::AccessExclusive
    }
}

impl serde::Serialize for Mode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.words())
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// What one kind of statement does on some majors.
#[derive(Debug, Clone)]
pub struct Fact {
    /// The kind, as `facts/cases.sql` calls it.
    pub key: &'static str,
    majors: (u32, u32),
    row: &'static str,
    /// Whether the server allows it in a transaction.
    pub in_transaction: bool,
    /// Who is locked how.
    pub locks: Vec<(&'static str, Mode)>,
    /// Who gets a new file: is written anew, or emptied.
    pub files: Vec<&'static str>,
    /// Whose rows are read. `None`: not looked at.
    pub scans: Option<Vec<&'static str>>,
    /// It fails with this SQLSTATE on the measured schema.
    pub failure: Option<&'static str>,
}

impl Fact {
    fn read(line: &'static str) -> Option<Fact> {
        let mut columns = line.splitn(3, '\t');
        let (key, majors, row) = (columns.next()?, columns.next()?, columns.next()?);
        let mut cells = row.split('\t');
        let words = |cell: &'static str| -> Vec<&'static str> {
            cell.split(' ').filter(|word| *word != "-").collect()
        };
        let in_transaction = cells.next()? == "yes";
        let locks = words(cells.next()?)
            .into_iter()
            .filter_map(|lock| {
                let (role, mode) = lock.split_once(':')?;
                Some((
                    role,
                    Mode::ALL.into_iter().find(|known| format!("{known:?}") == mode)?,
                ))
            })
            .collect();
        let files = words(cells.next()?);
        let scans = cells.next()?;
        let scans = (scans != "?").then(|| words(scans));
        let failure = cells.next()?.strip_prefix("fails ");
        let (first, last) = majors.split_once('-').unwrap_or((majors, majors));
        Some(Fact {
            key,
            majors: (first.parse().ok()?, last.parse().ok()?),
            row,
            in_transaction,
            locks,
            files,
            scans,
            failure,
        })
    }

    /// The cells of its line behind the majors.
    pub fn row(&self) -> &'static str {
        self.row
    }

    /// The strongest lock on a role.
    pub fn lock(&self, role: &str) -> Option<Mode> {
        self.locks
            .iter()
            .filter(|(of, _)| *of == role)
            .map(|(_, mode)| *mode)
            .max()
    }

    /// Whether a role's rows are written anew.
    pub fn rewrites(&self, role: &str) -> bool {
        self.files.contains(&role)
    }

    /// Whether a role's rows are read.
    pub fn scans(&self, role: &str) -> bool {
        self.scans.as_ref().is_some_and(|scans| scans.contains(&role))
    }

    /// Locks in words: `access exclusive on the table, share row exclusive on the referenced table`. Those of indexes and TOAST are said
    /// only where they stop more than the table's own.
    pub fn locks_in_words(&self) -> String {
        let mut words = Vec::new();
        for (role, mode) in &self.locks {
            let (of, part) = role.split_once('.').unwrap_or((role, ""));
            let relation = match of {
                "new" => continue,
                "table" => "the table",
                "referenced" => "the referenced table",
                "referencing" => "the tables that reference it",
                "partition" => "the partition",
                "default" => "the default partition",
                "parent" => "the parent",
                "source" => "the tables that it reads",
                "user" => "the tables that use it",
                other => other,
            };
            match part {
                "" => words.push(format!("{mode} on {relation}")),
                part if self.lock(of) < Some(*mode) && mode.blocks_writes() => {
                    words.push(format!("{mode} on the {part} of {relation}"))
                }
                _ => {}
            }
        }
        if words.is_empty() {
            "no lock on a table".to_owned()
        } else {
            words.join(", ")
        }
    }
}

static FACTS: LazyLock<BTreeMap<&'static str, Vec<Fact>>> = LazyLock::new(|| {
    let mut facts: BTreeMap<&'static str, Vec<Fact>> = BTreeMap::new();
    for line in include_str!("../facts/facts.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        if let Some(fact) = Fact::read(line) {
            facts.entry(fact.key).or_default().push(fact);
        }
    }
    facts
});

/// What a kind of statement does on a major. `None` where this major does not have it.
pub fn of(key: &str, major: u32) -> Option<&'static Fact> {
    let major = major.clamp(MAJOR_MIN, MAJOR_MAX);
    FACTS
        .get(key)?
        .iter()
        .find(|fact| (fact.majors.0..=fact.majors.1).contains(&major))
}

/// All kinds.
pub fn keys() -> impl Iterator<Item = &'static str> {
    FACTS.keys().copied()
}
