//! `--to shape.sql` and its companions, unread: only the server knows what the words mean.

use corridor_pg::ident::parse_name;
use corridor_pg::{Ident, Result};
use serde::{Deserialize, Serialize};

use super::{Shape, ShapeWords, bad, forbid};

/// `column = expression`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The column that gets the value.
    pub column: Ident,
    /// The expression, as typed.
    pub expression: String,
}

/// A table in the user's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// What the words were read from, for people.
    pub file: String,
    /// `create table …; create index …`.
    pub sql: String,
    /// `--set`: columns of the new table, over a row of the old one.
    pub set: Vec<Assignment>,
    /// `--reverse-set`: columns of the old table, over a row of the new one.
    pub reverse_set: Vec<Assignment>,
    /// `--one-way`: no way back after the cut-over.
    pub is_one_way: bool,
}

/// The words of the command line, unread.
#[derive(Debug, Clone, Copy)]
pub struct WantedWords<'a> {
    /// The name of the file.
    pub file: &'a str,
    /// What stands in it.
    pub sql: &'a str,
    /// Each `--set`.
    pub set: &'a [String],
    /// Each `--reverse-set`.
    pub reverse_set: &'a [String],
    /// `--one-way`
    pub is_one_way: bool,
}

/// Reads the words. Fails with `MOV-001`, naming the word that is wrong.
pub(super) fn parse(words: &ShapeWords<'_>, wanted: &WantedWords<'_>) -> Result<Shape> {
    for (word, name) in [
        (words.partition_by, "--partition-by"),
        (words.partitions, "--partitions"),
        (words.every, "--every"),
        (words.ahead, "--ahead"),
    ] {
        forbid(word, name, "--to")?;
    }
    if words.is_same_shape || words.is_unpartitioned || words.has_default_partition {
        return Err(bad(
            "--same-shape, --unpartitioned and --default-partition make no sense with --to",
        ));
    }
    if wanted.is_one_way && !wanted.reverse_set.is_empty() {
        return Err(bad("--reverse-set is for the way back, and --one-way has none"));
    }
    Ok(Shape::Wanted(Box::new(Wanted {
        file: wanted.file.to_owned(),
        sql: wanted.sql.to_owned(),
        set: assignments(wanted.set, "--set")?,
        reverse_set: assignments(wanted.reverse_set, "--reverse-set")?,
        is_one_way: wanted.is_one_way,
    })))
}

fn assignments(words: &[String], name: &str) -> Result<Vec<Assignment>> {
    let mut all: Vec<Assignment> = Vec::new();
    for word in words {
        let assignment = assignment(word, name)?;
        if all.iter().any(|a| a.column == assignment.column) {
            return Err(bad(format!("{name}: {} stands there twice", assignment.column)));
        }
        all.push(assignment);
    }
    Ok(all)
}

/// `"a = b" = c + 1` to the column `a = b` and the expression `c + 1`.
fn assignment(word: &str, name: &str) -> Result<Assignment> {
    let mut is_quoted = false;
    let at = word.char_indices().find_map(|(at, c)| {
        is_quoted ^= c == '"';
        (c == '=' && !is_quoted).then_some(at)
    });
    let Some((column, expression)) = at.map(|at| (&word[..at], word[at + 1..].trim())) else {
        return Err(bad(format!("{name} {word:?}: write column = expression")));
    };
    let mut parts = parse_name(column).map_err(|e| bad(format!("{name} {word:?}: {}", e.detail())))?;
    match (parts.pop(), parts.is_empty(), expression.is_empty()) {
        (Some(column), true, false) => Ok(Assignment {
            column,
            expression: expression.to_owned(),
        }),
        _ => Err(bad(format!("{name} {word:?}: write column = expression"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[&str]) -> Result<Shape> {
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        Shape::parse(&ShapeWords {
            to: Some(WantedWords {
                file: "shape.sql",
                sql: "create table t ()",
                set: &set,
                reverse_set: &[],
                is_one_way: false,
            }),
            ..ShapeWords::default()
        })
    }

    #[test]
    fn assignments_are_split_at_the_first_sign_outside_of_quotes() {
        let Shape::Wanted(wanted) = read(&["Total = a = b", "\"A=\"\"b\" = 'x = y'"]).unwrap() else {
            panic!("another shape");
        };
        let shown: Vec<_> = wanted
            .set
            .iter()
            .map(|a| (a.column.as_str(), a.expression.as_str()))
            .collect();
        assert_eq!(shown, [("total", "a = b"), ("A=\"b", "'x = y'")]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (set, part) in [
            (&["total"][..], "column = expression"),
            (&["= 1"], "= 1"),
            (&["a = "], "column = expression"),
            (&["a.b = 1"], "column = expression"),
            (&["a = 1", "A = 2"], "twice"),
        ] {
            let fault = read(set).unwrap_err();
            assert_eq!(fault.code().id, "MOV-001");
            assert!(fault.detail().contains(part), "{}", fault.detail());
        }
    }
}
