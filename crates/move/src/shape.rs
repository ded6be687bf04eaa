//! The wanted shape: what stands after `--partition-by` and its companions.
//!
//! Reading the words is pure; which columns exist and which boundaries there are is known only later
//! ([`crate::preflight`]).

use std::fmt;

use corridor_pg::ident::{join, parse_name};
use corridor_pg::{Fault, Ident, Result};
use serde::{Deserialize, Serialize};

use crate::fault::BAD_SHAPE;

mod wanted;

pub use wanted::{Assignment, Wanted, WantedWords};

/// Range partitions beyond the newest value, when nothing else is said.
pub const AHEAD_DEFAULT: u32 = 4;
/// More partitions than this make planning slow; refused.
pub const PARTITIONS_MAX: u32 = 4096;

/// The largest count of a unit in `--every`: a thousand years of months times twelve, and far from overflow.
const EVERY_COUNT_MAX: u32 = 100_000;

/// A unit of time for range partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Months.
    Month,
}

/// The width of a range partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// So many hours, days or months, for dates and times. Weeks are seven days, years twelve months.
    Time {
        /// How many; above zero.
        count: u32,
        /// Of what.
        unit: TimeUnit,
    },
    /// So much, for numbers; above zero.
    Number(i64),
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Every::Number(n) => write!(f, "{n}"),
            Every::Time { count, unit } => {
                let unit = match unit {
                    TimeUnit::Hour => "hour",
                    TimeUnit::Day => "day",
                    TimeUnit::Month => "month",
                };
                write!(f, "{count} {unit}{}", if *count == 1 { "" } else { "s" })
            }
        }
    }
}

/// What the table becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// What it is already, written anew without bloat; a partitioned table partition by partition.
    Same,
    /// One table without partitions.
    Plain,
    /// Partitioned by hash.
    Hash {
        /// The partition columns.
        columns: Vec<Ident>,
        /// How many partitions.
        partitions: u32,
    },
    /// Partitioned by range.
    Range {
        /// The partition column.
        column: Ident,
        /// The width of a partition.
        every: Every,
        /// Partitions beyond the newest value.
        ahead: u32,
        /// A partition for rows that no other takes.
        has_default_partition: bool,
    },
    /// One partition for each value that is there.
    List {
        /// The partition column.
        column: Ident,
        /// A partition for rows that no other takes.
        has_default_partition: bool,
    },
    /// A plain table in the user's own words.
    Wanted(Box<Wanted>),
}

impl Shape {
    /// The partition columns; empty for a plain table.
    pub fn columns(&self) -> &[Ident] {
        match self {
            Shape::Same | Shape::Plain | Shape::Wanted(_) => &[],
            Shape::Hash { columns, .. } => columns,
            Shape::Range { column, .. } | Shape::List { column, .. } => std::slice::from_ref(column),
        }
    }

    /// True when it makes a partitioned table of any table. The same shape has the partitions that the table has.
    pub fn is_partitioned(&self) -> bool {
        !matches!(self, Shape::Same | Shape::Plain | Shape::Wanted(_))
    }

    /// The user's own words, when the shape is in them.
    pub fn wanted(&self) -> Option<&Wanted> {
        match self {
            Shape::Wanted(wanted) => Some(wanted),
            _ => None,
        }
    }

    /// A default partition takes what fits nowhere else.
    pub fn has_default_partition(&self) -> bool {
        match self {
            Shape::Same | Shape::Plain | Shape::Wanted(_) | Shape::Hash { .. } => false,
            Shape::Range {
                has_default_partition,
                ..
            }
            | Shape::List {
                has_default_partition,
                ..
            } => *has_default_partition,
        }
    }

    /// `partition by hash (a, b)`, or nothing.
    pub fn clause(&self) -> String {
        let columns = join(self.columns(), ", ");
        match self {
            Shape::Same | Shape::Plain | Shape::Wanted(_) => String::new(),
            Shape::Hash { .. } => format!("partition by hash ({columns})"),
            Shape::Range { .. } => format!("partition by range ({columns})"),
            Shape::List { .. } => format!("partition by list ({columns})"),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = join(self.columns(), ", ");
        match self {
            Shape::Same => f.write_str("the same shape, written anew"),
            Shape::Wanted(wanted) => write!(f, "the shape of {}", wanted.file),
            Shape::Plain => f.write_str("one table without partitions"),
            Shape::Hash { partitions, .. } => write!(f, "{partitions} partitions by hash of ({columns})"),
            Shape::Range { every, .. } => {
                write!(f, "partitions by range of {columns}, one for every {every}")
            }
            Shape::List { .. } => write!(f, "partitions by list of {columns}, one for every value"),
        }
    }
}

/// The words of the command line, unread.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShapeWords<'a> {
    /// `--partition-by`
    pub partition_by: Option<&'a str>,
    /// `--partitions`
    pub partitions: Option<&'a str>,
    /// `--every`
    pub every: Option<&'a str>,
    /// `--ahead`
    pub ahead: Option<&'a str>,
    /// `--default-partition`
    pub has_default_partition: bool,
    /// `--same-shape`
    pub is_same_shape: bool,
    /// `--to` and its companions
    pub to: Option<WantedWords<'a>>,
    /// `--unpartitioned`
    pub is_unpartitioned: bool,
}

impl Shape {
    /// Reads the words. Fails with `MOV-001`, naming the word that is wrong.
    pub fn parse(words: &ShapeWords<'_>) -> Result<Shape> {
        if let Some(wanted) = &words.to {
            return wanted::parse(words, wanted);
        }
        let Some(text) = words.partition_by else {
            let (word, shape) = match (words.is_same_shape, words.is_unpartitioned) {
                (true, false) => ("--same-shape", Shape::Same),
                (false, true) => ("--unpartitioned", Shape::Plain),
                (true, true) => return Err(bad("--same-shape and --unpartitioned exclude each other")),
                (false, false) => {
                    return Err(bad(
                        "say --partition-by …, --to FILE, --unpartitioned or --same-shape",
                    ));
                }
            };
            forbid(words.partitions, "--partitions", word)?;
            forbid(words.every, "--every", word)?;
            forbid(words.ahead, "--ahead", word)?;
            if words.has_default_partition {
                return Err(bad(format!("--default-partition makes no sense with {word}")));
            }
            return Ok(shape);
        };
        for (is_said, word) in [
            (words.is_same_shape, "--same-shape"),
            (words.is_unpartitioned, "--unpartitioned"),
        ] {
            if is_said {
                return Err(bad(format!("--partition-by and {word} exclude each other")));
            }
        }
        let (method, columns) = parse_method(text)?;
        match method.as_str() {
            "hash" => parse_hash(words, columns),
            "range" => parse_range(words, columns),
            "list" => parse_list(words, columns),
            other => Err(bad(format!(
                "{other:?} is no way to partition: hash, range or list"
            ))),
        }
    }
}

fn bad(why: impl Into<String>) -> Fault {
    Fault::new(&BAD_SHAPE, why.into())
}

fn forbid(word: Option<&str>, name: &str, with: &str) -> Result<()> {
    match word {
        Some(_) => Err(bad(format!("{name} makes no sense with {with}"))),
        None => Ok(()),
    }
}

fn parse_hash(words: &ShapeWords<'_>, columns: Vec<Ident>) -> Result<Shape> {
    forbid(words.every, "--every", "hash")?;
    forbid(words.ahead, "--ahead", "hash")?;
    if words.has_default_partition {
        return Err(bad(
            "--default-partition makes no sense with hash: every row has its partition",
        ));
    }
    let text = words.partitions.ok_or_else(|| bad("hash needs --partitions N"))?;
    let partitions = parse_count(text, "--partitions")?;
    if !(1..=PARTITIONS_MAX).contains(&partitions) {
        return Err(bad(format!("--partitions {partitions}: 1 to {PARTITIONS_MAX}")));
    }
    Ok(Shape::Hash { columns, partitions })
}

fn parse_range(words: &ShapeWords<'_>, columns: Vec<Ident>) -> Result<Shape> {
    forbid(words.partitions, "--partitions", "range (say --every)")?;
    let column = single(columns, "range")?;
    let every = parse_every(
        words
            .every
            .ok_or_else(|| bad("range needs --every, for example '1 month' or 1000000"))?,
    )?;
    let ahead = match words.ahead {
        Some(text) => parse_count(text, "--ahead")?,
        None => AHEAD_DEFAULT,
    };
    if ahead > PARTITIONS_MAX {
        return Err(bad(format!("--ahead {ahead}: at most {PARTITIONS_MAX}")));
    }
    Ok(Shape::Range {
        column,
        every,
        ahead,
        has_default_partition: words.has_default_partition,
    })
}

fn parse_list(words: &ShapeWords<'_>, columns: Vec<Ident>) -> Result<Shape> {
    forbid(words.partitions, "--partitions", "list")?;
    forbid(words.every, "--every", "list")?;
    forbid(words.ahead, "--ahead", "list")?;
    Ok(Shape::List {
        column: single(columns, "list")?,
        has_default_partition: words.has_default_partition,
    })
}

fn single(mut columns: Vec<Ident>, method: &str) -> Result<Ident> {
    match (columns.pop(), columns.is_empty()) {
        (Some(column), true) => Ok(column),
        _ => Err(bad(format!("{method} takes one column"))),
    }
}

fn parse_count(text: &str, name: &str) -> Result<u32> {
    text.trim()
        .parse()
        .map_err(|_| bad(format!("{name} {text:?} is no whole number")))
}

/// `hash(a, "B c")` to `hash` and its columns.
fn parse_method(text: &str) -> Result<(String, Vec<Ident>)> {
    let trimmed = text.trim();
    let Some((method, rest)) = trimmed.split_once('(') else {
        return Err(bad(format!(
            "{text:?}: write hash(column), range(column) or list(column)"
        )));
    };
    let Some(inside) = rest.strip_suffix(')') else {
        return Err(bad(format!(
            "{text:?}: the closing parenthesis is missing, or something follows it"
        )));
    };
    let mut columns: Vec<Ident> = Vec::new();
    for word in split_outside_quotes(inside) {
        let mut parts =
            parse_name(&word).map_err(|e| bad(format!("column {:?}: {}", word.trim(), e.detail())))?;
        let column = match (parts.pop(), parts.is_empty()) {
            (Some(column), true) => column,
            _ => return Err(bad(format!("{:?} is no column name", word.trim()))),
        };
        if columns.contains(&column) {
            return Err(bad(format!("column {column} stands there twice")));
        }
        columns.push(column);
    }
    Ok((method.trim().to_lowercase(), columns))
}

fn split_outside_quotes(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in text.chars() {
        if c == '"' {
            is_quoted = !is_quoted;
        }
        match (c, is_quoted) {
            (',', false) => words.push(String::new()),
            _ => {
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words
}

fn parse_every(text: &str) -> Result<Every> {
    let words: Vec<_> = text.split_whitespace().collect();
    let number = |word: &str| {
        word.replace('_', "")
            .parse::<i64>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| {
                bad(format!(
                    "--every {text:?}: {word:?} is no whole number above zero"
                ))
            })
    };
    match words.as_slice() {
        [count] => Ok(Every::Number(number(count)?)),
        [count, unit] => {
            let count = u32::try_from(number(count)?)
                .ok()
                .filter(|n| *n <= EVERY_COUNT_MAX)
                .ok_or_else(|| bad(format!("--every {text:?}: {count:?} is too large")))?;
            let (times, unit) = match unit.to_lowercase().trim_end_matches('s') {
                "hour" => (1, TimeUnit::Hour),
                "day" => (1, TimeUnit::Day),
                "week" => (7, TimeUnit::Day),
                "month" => (1, TimeUnit::Month),
                "quarter" => (3, TimeUnit::Month),
                "year" => (12, TimeUnit::Month),
                _ => {
                    return Err(bad(format!(
                        "--every {text:?}: {unit:?} is no unit: hours, days, weeks, months, quarters or years"
                    )));
                }
            };
            Ok(Every::Time {
                count: count * times,
                unit,
            })
        }
        _ => Err(bad(format!(
            "--every {text:?}: write a number, or a number and a unit"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<'a>(by: &'a str) -> ShapeWords<'a> {
        ShapeWords {
            partition_by: Some(by),
            ..Default::default()
        }
    }

    fn why(words: &ShapeWords<'_>) -> String {
        let fault = Shape::parse(words).unwrap_err();
        assert_eq!(fault.code().id, "MOV-001");
        fault.detail().to_owned()
    }

    fn id(name: &str) -> Ident {
        Ident::new(name).unwrap()
    }

    #[test]
    fn shapes_are_read() {
        let hash = ShapeWords {
            partitions: Some("64"),
            ..words("HASH( team_id , \"My, \"\"Col\" )")
        };
        assert_eq!(
            Shape::parse(&hash).unwrap(),
            Shape::Hash {
                columns: vec![id("team_id"), id("My, \"Col")],
                partitions: 64
            }
        );
        let range = ShapeWords {
            every: Some("2 Weeks"),
            ahead: Some("0"),
            ..words("range(at)")
        };
        let every = Every::Time {
            count: 14,
            unit: TimeUnit::Day,
        };
        assert_eq!(
            Shape::parse(&range).unwrap(),
            Shape::Range {
                column: id("at"),
                every,
                ahead: 0,
                has_default_partition: false
            }
        );
        let number = ShapeWords {
            every: Some("1_000_000"),
            ..words("range(id)")
        };
        assert!(matches!(
            Shape::parse(&number).unwrap(),
            Shape::Range {
                every: Every::Number(1_000_000),
                ahead: 4,
                ..
            }
        ));
        let same = ShapeWords {
            is_same_shape: true,
            ..Default::default()
        };
        assert_eq!(Shape::parse(&same).unwrap(), Shape::Same);
        let one = ShapeWords {
            is_unpartitioned: true,
            ..Default::default()
        };
        assert_eq!(Shape::parse(&one).unwrap(), Shape::Plain);
        let both = ShapeWords {
            is_same_shape: true,
            ..one
        };
        assert!(why(&both).contains("exclude each other"));
    }

    #[test]
    fn the_word_that_is_wrong_is_named() {
        let cases = [
            (ShapeWords::default(), "--partition-by"),
            (words("team_id"), "hash(column)"),
            (words("hash(a"), "parenthesis"),
            (words("modulo(a)"), "\"modulo\""),
            (words("hash(a)"), "--partitions"),
            (
                ShapeWords {
                    partitions: Some("many"),
                    ..words("hash(a)")
                },
                "\"many\"",
            ),
            (
                ShapeWords {
                    partitions: Some("0"),
                    ..words("hash(a)")
                },
                "1 to 4096",
            ),
            (
                ShapeWords {
                    partitions: Some("4"),
                    ..words("hash(a, a)")
                },
                "twice",
            ),
            (
                ShapeWords {
                    partitions: Some("4"),
                    ..words("hash()")
                },
                "column",
            ),
            (
                ShapeWords {
                    partitions: Some("4"),
                    ..words("hash(a b)")
                },
                "a b",
            ),
            (
                ShapeWords {
                    partitions: Some("4"),
                    ..words("hash(t.a)")
                },
                "t.a",
            ),
            (words("range(a)"), "--every"),
            (
                ShapeWords {
                    every: Some("3 fortnights"),
                    ..words("range(a)")
                },
                "fortnights",
            ),
            (
                ShapeWords {
                    every: Some("-3"),
                    ..words("range(a)")
                },
                "-3",
            ),
            (
                ShapeWords {
                    every: Some("1 month"),
                    ..words("range(a, b)")
                },
                "one column",
            ),
            (
                ShapeWords {
                    every: Some("1 month"),
                    partitions: Some("3"),
                    ..words("range(a)")
                },
                "--partitions",
            ),
            (
                ShapeWords {
                    every: Some("9999999999 days"),
                    ..words("range(a)")
                },
                "too large",
            ),
            (
                ShapeWords {
                    every: Some("1 day"),
                    ..words("list(a)")
                },
                "--every",
            ),
            (
                ShapeWords {
                    is_same_shape: true,
                    ..words("list(a)")
                },
                "exclude",
            ),
            (
                ShapeWords {
                    is_same_shape: true,
                    every: Some("1"),
                    ..Default::default()
                },
                "--every",
            ),
        ];
        for (words, part) in cases {
            let why = why(&words);
            assert!(why.contains(part), "{words:?}: {why}");
        }
    }
}
