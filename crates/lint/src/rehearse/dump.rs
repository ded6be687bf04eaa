//! Dumps of a schema: without what changes from one to the next, and the difference between two. Pure.

/// Lines around a difference.
const CONTEXT: usize = 3;
/// Edits after which the shortest way between two dumps is not looked for any more.
const EDITS_MAX: usize = 2_000;

/// The lines of a dump that say something of the schema.
pub fn lines(dump: &str) -> Vec<String> {
    let is_noise = |line: &str| {
        // The key of `\restrict` is drawn anew each time.
        line.starts_with("\\restrict ")
            || line.starts_with("\\unrestrict ")
            || line.starts_with("-- Dumped ")
            || line.starts_with("SET ") && !line.starts_with("SET default_")
            || line.trim().is_empty()
            || line == "--"
    };
    dump.lines()
        .filter(|line| !is_noise(line))
        .filter_map(without_marks)
        .collect()
}

/// A dump as a session takes it: without what only psql understands.
pub fn lines_to_run(dump: &str) -> String {
    let mut text = String::with_capacity(dump.len());
    for line in dump.lines().filter_map(without_marks) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Some minor releases keep a mark of their own among a column's options, which an older `pg_dump` takes for one.
fn without_marks(line: &str) -> Option<String> {
    let Some((head, tail)) = line.split_once("pg_attver=") else {
        return Some(line.to_owned());
    };
    let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    match tail.strip_prefix(", ") {
        Some(others) => Some(format!("{head}{others}")),
        None => (!head.ends_with('(')).then(|| format!("{}{tail}", head.trim_end_matches(", "))),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Keep(usize),
    Gone(usize),
    Come(usize),
}

/// The unified difference, line by line; empty where there is none.
pub fn difference(before: &[String], after: &[String]) -> Vec<String> {
    let edits = edits(before, after);
    let is_edit = |edit: &Edit| !matches!(edit, Edit::Keep(_));
    let places: Vec<usize> = (0..edits.len()).filter(|at| is_edit(&edits[*at])).collect();
    let mut shown = Vec::new();
    let mut at = 0;
    while at < places.len() {
        let from = places[at].saturating_sub(CONTEXT);
        let mut to = places[at];
        while at < places.len() && places[at] <= to + 2 * CONTEXT {
            to = places[at];
            at += 1;
        }
        let hunk = &edits[from..edits.len().min(to + CONTEXT + 1)];
        let old = hunk.iter().filter(|edit| !matches!(edit, Edit::Come(_))).count();
        let new = hunk.iter().filter(|edit| !matches!(edit, Edit::Gone(_))).count();
        let start = |wanted: fn(&Edit) -> bool| edits[..from].iter().filter(|edit| wanted(edit)).count() + 1;
        shown.push(format!(
            "@@ -{},{old} +{},{new} @@",
            start(|edit| !matches!(edit, Edit::Come(_))),
            start(|edit| !matches!(edit, Edit::Gone(_)))
        ));
        shown.extend(hunk.iter().map(|edit| match edit {
            Edit::Keep(line) => format!(" {}", before[*line]),
            Edit::Gone(line) => format!("-{}", before[*line]),
            Edit::Come(line) => format!("+{}", after[*line]),
        }));
    }
    shown
}

/// A shortest way from one to the other, by diagonals that reach ever farther.
fn edits(before: &[String], after: &[String]) -> Vec<Edit> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let tail = before[head..]
        .iter()
        .rev()
        .zip(after[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (old, new) = (
        &before[head..before.len() - tail],
        &after[head..after.len() - tail],
    );
    let mut found: Vec<Edit> = (0..head).map(Edit::Keep).collect();
    found.extend(middle(old, new).into_iter().map(|edit| match edit {
        Edit::Keep(at) => Edit::Keep(at + head),
        Edit::Gone(at) => Edit::Gone(at + head),
        Edit::Come(at) => Edit::Come(at + head),
    }));
    found.extend((before.len() - tail..before.len()).map(Edit::Keep));
    found
}

fn middle(old: &[String], new: &[String]) -> Vec<Edit> {
    let (rows, columns) = (old.len() as isize, new.len() as isize);
    let most = (old.len() + new.len()).min(EDITS_MAX) as isize;
    let offset = most + 1;
    let slot = |diagonal: isize| (diagonal + offset) as usize;
    let mut reach = vec![0_isize; (2 * offset + 1) as usize];
    let mut trail: Vec<Vec<isize>> = Vec::new();
    for count in 0..=most {
        trail.push(reach[slot(-count - 1)..=slot(count + 1)].to_vec());
        for diagonal in (-count..=count).step_by(2) {
            let is_down = diagonal == -count
                || diagonal != count && reach[slot(diagonal - 1)] < reach[slot(diagonal + 1)];
            let mut x = if is_down {
                reach[slot(diagonal + 1)]
            } else {
                reach[slot(diagonal - 1)] + 1
            };
            while x < rows
                && x - diagonal < columns
                && x >= 0
                && x - diagonal >= 0
                && old[x as usize] == new[(x - diagonal) as usize]
            {
                x += 1;
            }
            reach[slot(diagonal)] = x;
            if x >= rows && x - diagonal >= columns {
                return way_back(&trail, rows, columns);
            }
        }
    }
    // Too far apart: all of one, and all of the other.
    (0..old.len())
        .map(Edit::Gone)
        .chain((0..new.len()).map(Edit::Come))
        .collect()
}

fn way_back(trail: &[Vec<isize>], rows: isize, columns: isize) -> Vec<Edit> {
    let (mut x, mut y) = (rows, columns);
    let mut found = Vec::new();
    for (count, reach) in trail.iter().enumerate().rev() {
        let count = count as isize;
        let of = |diagonal: isize| reach[(diagonal + count + 1) as usize];
        let diagonal = x - y;
        let is_down = diagonal == -count || diagonal != count && of(diagonal - 1) < of(diagonal + 1);
        // Where the edit of this round led to; behind it everything was equal.
        let edited = if is_down {
            of(diagonal + 1)
        } else {
            of(diagonal - 1) + 1
        };
        while x > edited {
            x -= 1;
            y -= 1;
            found.push(Edit::Keep(x as usize));
        }
        if count > 0 {
            if is_down {
                y -= 1;
                found.push(Edit::Come(y as usize));
            } else {
                x -= 1;
                found.push(Edit::Gone(x as usize));
            }
        }
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// What the edits make of one text must be the other, and they must be as few as they can be.
    #[test]
    fn the_edits_lead_from_one_to_the_other() {
        proptest::proptest!(|(old in "([abc] ){0,12}", new in "([abc] ){0,12}")| {
            let (old, new) = (split(&old), split(&new));
            let way = edits(&old, &new);
            let made: Vec<String> = way.iter().filter_map(|edit| match edit {
                Edit::Keep(at) => Some(old[*at].clone()),
                Edit::Come(at) => Some(new[*at].clone()),
                Edit::Gone(_) => None,
            }).collect();
            proptest::prop_assert_eq!(&made, &new);
            let kept: Vec<usize> = way.iter().filter_map(|edit| match edit {
                Edit::Keep(at) | Edit::Gone(at) => Some(*at),
                Edit::Come(_) => None,
            }).collect();
            proptest::prop_assert_eq!(kept, (0..old.len()).collect::<Vec<_>>());
            let same = way.iter().filter(|edit| matches!(edit, Edit::Keep(_))).count();
            let mut table = vec![vec![0; new.len() + 1]; old.len() + 1];
            for i in 0..old.len() {
                for j in 0..new.len() {
                    table[i + 1][j + 1] = if old[i] == new[j] { table[i][j] + 1 } else { table[i][j + 1].max(table[i + 1][j]) };
                }
            }
            proptest::prop_assert_eq!(same, table[old.len()][new.len()]);
        });
    }

    #[test]
    fn a_difference_shows_what_stands_around_it() {
        let (old, new) = (split("a b c d e f g h"), split("a b c d X f g h"));
        assert_eq!(
            difference(&old, &new),
            ["@@ -2,7 +2,7 @@", " b", " c", " d", "-e", "+X", " f", " g", " h"]
        );
        assert!(difference(&old, &old).is_empty());
    }

    #[test]
    fn what_changes_from_dump_to_dump_is_left_out() {
        assert_eq!(
            lines("\\restrict abc\nSET lock_timeout = 0;\n--\n\nCREATE TABLE t ();\n"),
            ["CREATE TABLE t ();"]
        );
        assert_eq!(
            lines("ALTER COLUMN a SET (pg_attver=3, n_distinct=5)"),
            ["ALTER COLUMN a SET (n_distinct=5)"]
        );
    }
}
