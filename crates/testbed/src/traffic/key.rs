//! Keys of many types, each a reversible picture of one number.
//!
//! The traffic counts its rows: row `n` has the key that [`KeyType::encode`] makes of `n`, and a key that is found in
//! a table gives `n` back. So the ledger stays small, whatever the key's type is, and clients share the keys out by
//! `n` without a column for it.

/// The type of a table's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyType {
    /// `team_id bigint, id bigint`, as in the `persons` table; rows go round the teams.
    TeamAndId {
        /// How many teams.
        teams: u64,
    },
    /// `k bigint`, with gaps, some negative.
    BigInt,
    /// `k integer`, with the same values.
    Int,
    /// `k1 text, k2 bigint`. The text has few values, among them quotes, a backslash and accents.
    Composite {
        /// The collation of the text; `None` is the database's own.
        collation: Option<String>,
    },
    /// `k uuid`, scattered.
    Uuid,
    /// `k timestamptz`, to the microsecond.
    Timestamptz,
    /// `k numeric`: both signs, scales from 0 to 21.
    Numeric,
    /// `k text` whose order differs from its bytes' order: case, accents, hyphens.
    Text {
        /// For example `de-x-icu`.
        collation: String,
    },
}

/// One column of a key.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumn {
    pub(crate) name: &'static str,
    /// Type and collation, for `create table`.
    pub(crate) definition: String,
    kind: ColumnKind,
}

#[derive(Debug, Clone, Copy)]
enum ColumnKind {
    Cast(&'static str),
    Microseconds,
}

impl KeyColumn {
    fn new(name: &'static str, kind: &'static str) -> Self {
        KeyColumn {
            name,
            definition: kind.to_owned(),
            kind: ColumnKind::Cast(kind),
        }
    }

    fn text(name: &'static str, collation: Option<&str>) -> Self {
        let mut column = KeyColumn::new(name, "text");
        if let Some(collation) = collation {
            column.definition = format!("text collate \"{}\"", collation.replace('"', "\"\""));
        }
        column
    }

    /// SQL that turns the text form of a value into the column's type.
    pub(crate) fn typed(&self, text: &str) -> String {
        match self.kind {
            ColumnKind::Cast(kind) => format!("{text}::{kind}"),
            // The text form is the number of microseconds since 1970: no time zone, no date style.
            ColumnKind::Microseconds => {
                format!("(timestamptz 'epoch' + {text}::bigint * interval '1 microsecond')")
            }
        }
    }

    /// SQL that turns the column into its text form.
    pub(crate) fn to_text(&self, column: &str) -> String {
        match self.kind {
            ColumnKind::Cast(_) => format!("{column}::text"),
            ColumnKind::Microseconds => format!("(extract(epoch from {column}) * 1000000)::bigint::text"),
        }
    }
}

/// First parts of composite keys.
const GROUPS: [&str; 8] = [
    "alpha",
    "Beta",
    "\u{e4}ther",
    "Zeta 9",
    "beta",
    "o'clock",
    "back\\slash",
    "",
];
/// Beginnings of text keys: their order by an ICU collation is not that of their bytes.
const WORDS: [&str; 8] = [
    "co-op",
    "Coop",
    "coop",
    "\u{c4}rger",
    "arger",
    "zebra",
    "Zebra",
    "r\u{e9}sum\u{e9}",
];
const FRACTIONS: [&str; 4] = ["", ".5", ".25", ".125000000000000000001"];

const FIRST_MICROSECOND: u64 = 1_000_000_000_000_000;
const MICROSECONDS_APART: u64 = 1_000_003;
/// Knuth's multiplicative hash: odd, so that it scatters 32-bit numbers without collisions.
const SCATTER: u64 = 2_654_435_761;

impl KeyType {
    /// The columns, in key order.
    pub(crate) fn columns(&self) -> Vec<KeyColumn> {
        match self {
            KeyType::TeamAndId { .. } => {
                vec![
                    KeyColumn::new("team_id", "bigint"),
                    KeyColumn::new("id", "bigint"),
                ]
            }
            KeyType::BigInt => vec![KeyColumn::new("k", "bigint")],
            KeyType::Int => vec![KeyColumn::new("k", "integer")],
            KeyType::Composite { collation } => vec![
                KeyColumn::text("k1", collation.as_deref()),
                KeyColumn::new("k2", "bigint"),
            ],
            KeyType::Uuid => vec![KeyColumn::new("k", "uuid")],
            KeyType::Timestamptz => vec![KeyColumn {
                name: "k",
                definition: "timestamptz".to_owned(),
                kind: ColumnKind::Microseconds,
            }],
            KeyType::Numeric => vec![KeyColumn::new("k", "numeric")],
            KeyType::Text { collation } => vec![KeyColumn::text("k", Some(collation))],
        }
    }

    /// The key of row `n`, each column in its text form. `n` is below 2^31.
    pub fn encode(&self, n: u64) -> Vec<String> {
        match self {
            KeyType::TeamAndId { teams } => vec![(n % teams).to_string(), (n / teams).to_string()],
            KeyType::BigInt | KeyType::Int => vec![(n as i64 * 3 - 1000).to_string()],
            KeyType::Composite { .. } => vec![GROUPS[(n % 8) as usize].to_owned(), n.to_string()],
            KeyType::Uuid => vec![scattered_uuid(n)],
            KeyType::Timestamptz => vec![(FIRST_MICROSECOND + n * MICROSECONDS_APART).to_string()],
            KeyType::Numeric => {
                let sign = if n % 2 == 1 { "-" } else { "" };
                vec![format!("{sign}{}{}", n / 2 + 1, FRACTIONS[(n / 2 % 4) as usize])]
            }
            KeyType::Text { .. } => vec![format!("{} {n}", WORDS[(n % 8) as usize])],
        }
    }

    /// The row that a key belongs to; `None` when it is no key of ours.
    pub fn decode(&self, key: &[String]) -> Option<u64> {
        let last = key.last()?;
        let n = match self {
            KeyType::TeamAndId { teams } => {
                last.parse::<u64>().ok()? * teams + key.first()?.parse::<u64>().ok()?
            }
            KeyType::BigInt | KeyType::Int => u64::try_from(last.parse::<i64>().ok()? + 1000).ok()? / 3,
            KeyType::Composite { .. } => last.parse().ok()?,
            KeyType::Uuid => u64::from_str_radix(last.rsplit('-').next()?, 16).ok()?,
            KeyType::Timestamptz => {
                last.parse::<u64>().ok()?.checked_sub(FIRST_MICROSECOND)? / MICROSECONDS_APART
            }
            KeyType::Numeric => {
                let whole: u64 = last.trim_start_matches('-').split('.').next()?.parse().ok()?;
                whole.checked_sub(1)? * 2 + u64::from(last.starts_with('-'))
            }
            KeyType::Text { .. } => last.rsplit(' ').next()?.parse().ok()?,
        };
        (self.encode(n) == key).then_some(n)
    }

    /// The same as [`KeyType::encode`] in SQL, over a column `n`, already in the columns' types.
    pub(crate) fn sql_of_n(&self) -> Vec<String> {
        match self {
            KeyType::TeamAndId { teams } => vec![format!("n % {teams}"), format!("n / {teams}")],
            KeyType::BigInt => vec!["n * 3 - 1000".to_owned()],
            KeyType::Int => vec!["(n * 3 - 1000)::integer".to_owned()],
            KeyType::Composite { .. } => vec![format!("({})[1 + n % 8]", sql_array(&GROUPS)), "n".to_owned()],
            KeyType::Uuid => vec![scattered_uuid_sql("n")],
            KeyType::Timestamptz => vec![format!(
                "timestamptz 'epoch' + ({FIRST_MICROSECOND} + n * {MICROSECONDS_APART}) * interval '1 microsecond'"
            )],
            KeyType::Numeric => vec![format!(
                "(case n % 2 when 1 then '-' else '' end || (n / 2 + 1) || ({})[1 + n / 2 % 4])::numeric",
                sql_array(&FRACTIONS)
            )],
            KeyType::Text { .. } => vec![format!("({})[1 + n % 8] || ' ' || n", sql_array(&WORDS))],
        }
    }
}

/// A uuid in which the last group is `n` and the first looks random.
pub(crate) fn scattered_uuid(n: u64) -> String {
    format!("{:08x}-0000-4000-8000-{n:012x}", n * SCATTER % (1 << 32))
}

/// The same in SQL.
pub(crate) fn scattered_uuid_sql(n: &str) -> String {
    format!(
        "(lpad(to_hex(({n}) * {SCATTER} % 4294967296), 8, '0') || '-0000-4000-8000-' || \
         lpad(to_hex(({n})::bigint), 12, '0'))::uuid"
    )
}

fn sql_array(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|w| quoted(w)).collect();
    format!("array[{}]", quoted.join(", "))
}

/// A literal, safe whatever `standard_conforming_strings` says.
pub(crate) fn quoted(text: &str) -> String {
    match text.contains('\\') {
        true => format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_type_gives_its_number_back() {
        let types = [
            KeyType::TeamAndId { teams: 7 },
            KeyType::BigInt,
            KeyType::Int,
            KeyType::Composite { collation: None },
            KeyType::Uuid,
            KeyType::Timestamptz,
            KeyType::Numeric,
            KeyType::Text {
                collation: "de-x-icu".to_owned(),
            },
        ];
        for key_type in types {
            for n in (0..2_000).chain([1 << 20, (1 << 31) - 1]) {
                let key = key_type.encode(n);
                assert_eq!(key_type.decode(&key), Some(n), "{key_type:?} {key:?}");
            }
            assert_eq!(
                key_type.decode(&["-7".to_owned(), "-7".to_owned()]),
                None,
                "{key_type:?}"
            );
        }
    }
}
