//! Columns of text, the last of which is wrapped.

use super::WIDTH;
use super::text::{Paint, cut, paint, width, wrap};

/// Spaces between two columns.
const GAP: usize = 2;
/// The least that is left for the last column, however wide the others are.
const LAST_MIN: usize = 24;

/// Rows of cells. Every cell is harmless text (see [`super::text::harmless`]).
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings; the last column is wrapped.
    pub(crate) fn new(head: &[&str]) -> Self {
        Table {
            head: head.iter().map(|h| (*h).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row of as many cells as there are headings.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// The table, at most [`WIDTH`] columns wide.
    pub(crate) fn render(&self) -> String {
        let columns = self.head.len();
        let mut widths: Vec<usize> = (0..columns)
            .map(|i| {
                let cells = self.rows.iter().filter_map(|row| row.get(i));
                cells
                    .map(|c| width(c))
                    .chain([width(&self.head[i])])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        // The widest column gives way until the last one has room.
        let fixed = columns.saturating_sub(1);
        loop {
            let taken: usize = widths[..fixed].iter().map(|w| w + GAP).sum();
            if taken + LAST_MIN <= WIDTH {
                break;
            }
            // The first column names things, and is copied: it is cut last.
            let (first, others) = widths[..fixed].split_at_mut(1.min(fixed));
            match others.iter_mut().max() {
                Some(widest) if *widest > 8 => *widest -= 1,
                _ => match first.iter_mut().chain(others).max() {
                    Some(widest) if *widest > 4 => *widest -= 1,
                    _ => break,
                },
            }
        }
        let taken: usize = widths[..fixed].iter().map(|w| w + GAP).sum();
        let last = WIDTH.saturating_sub(taken).max(1);
        let mut lines = vec![paint(
            Paint::Dim,
            &self.line(&self.head, &widths, last).join("\n"),
        )];
        for row in &self.rows {
            lines.extend(self.line(row, &widths, last));
        }
        lines.join("\n")
    }

    fn line(&self, row: &[String], widths: &[usize], last: usize) -> Vec<String> {
        let Some((end, fixed)) = row.split_last() else {
            return Vec::new();
        };
        let mut start = String::new();
        for (cell, width_wanted) in fixed.iter().zip(widths) {
            let cell = cut(cell, *width_wanted);
            start.push_str(&cell);
            start.push_str(&" ".repeat(width_wanted - width(&cell) + GAP));
        }
        let indent = " ".repeat(width(&start));
        wrap(end, last)
            .iter()
            .enumerate()
            .map(|(i, text)| {
                let before = if i == 0 { &start } else { &indent };
                format!("{before}{text}").trim_end().to_owned()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace("\x1b[2m", "").replace("\x1b[0m", "")
    }

    #[test]
    fn columns_stand_under_their_headings() {
        let mut table = Table::new(&["name", "state"]);
        table.push(vec!["🐘".into(), "running".into()]);
        table.push(vec!["persons".into(), String::new()]);
        insta::assert_snapshot!(plain(&table.render()), @r"
        name     state
        🐘       running
        persons
        ");
    }

    #[test]
    fn a_table_never_gets_too_wide() {
        let mut table = Table::new(&["a", "b", "c"]);
        table.push(vec!["x".repeat(100), "y".repeat(70), "word ".repeat(30)]);
        let text = plain(&table.render());
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
        assert!(text.contains("xx…") && text.contains("yy…"), "{text}");
    }
}
