//! Columns of text, the last of which is wrapped, and below its row where it has no room beside it.

use super::WIDTH;
use super::text::{Paint, cut, paint, width, wrap};

/// Spaces between two columns.
const GAP: usize = 2;
/// The least that is left for the last column, however wide the others are.
const LAST_MIN: usize = 24;
/// Before the last column where it stands below its row.
const BELOW: &str = "    ";

/// Rows of cells. Every cell is harmless text (see [`super::text::harmless`]).
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Columns from the first on that are never cut.
    whole: usize,
    /// No column is cut or wrapped.
    is_wide: bool,
}

impl Table {
    /// A table with these headings; the last column is wrapped.
    pub(crate) fn new(head: &[&str]) -> Self {
        Table {
            head: head.iter().map(|h| (*h).to_owned()).collect(),
            rows: Vec::new(),
            whole: 0,
            is_wide: false,
        }
    }

    /// The same, of which the first `columns` are never cut: people type what stands there.
    pub(crate) fn keep(self, columns: usize) -> Self {
        Table {
            whole: columns,
            ..self
        }
    }

    /// The same, one line for each row, with nothing cut: for programs, when `is_wide`.
    pub(crate) fn wide(self, is_wide: bool) -> Self {
        Table { is_wide, ..self }
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
        let fixed = columns.saturating_sub(1);
        let taken = |widths: &[usize]| widths[..fixed].iter().map(|w| w + GAP).sum::<usize>();
        let wanted = widths.clone();
        if !self.is_wide {
            self.give_way(&mut widths[..fixed], WIDTH - LAST_MIN);
        }
        let last = match self.is_wide {
            true => usize::MAX,
            false => WIDTH.saturating_sub(taken(&widths)).max(1),
        };
        if last < LAST_MIN && self.whole > 0 {
            // Then the others need not make room for it.
            widths = wanted;
            self.give_way(&mut widths[..fixed], WIDTH + GAP);
            return self.render_below(&widths[..fixed]);
        }
        let mut lines = vec![paint(
            Paint::Dim,
            &self.line(&self.head, &widths, last).join("\n"),
        )];
        for row in &self.rows {
            lines.extend(self.line(row, &widths, last));
        }
        lines.join("\n")
    }

    /// The widest column gives way until all of them fit into `room`, with the gap behind each.
    fn give_way(&self, widths: &mut [usize], room: usize) {
        while widths.iter().map(|w| w + GAP).sum::<usize>() > room {
            let kept = self.whole.min(widths.len());
            // The first column names things, and is copied: it is cut last.
            let names = usize::from(kept == 0 && !widths.is_empty());
            let (first, others) = widths[kept..].split_at_mut(names);
            match others.iter_mut().max() {
                Some(widest) if *widest > 8 => *widest -= 1,
                _ if kept > 0 => break,
                _ => match first.iter_mut().chain(others).max() {
                    Some(widest) if *widest > 4 => *widest -= 1,
                    _ => break,
                },
            }
        }
    }

    /// The last cell of each row below it.
    fn render_below(&self, widths: &[usize]) -> String {
        let upper = |row: &[String]| {
            let upper: Vec<String> = row
                .iter()
                .take(widths.len())
                .cloned()
                .chain([String::new()])
                .collect();
            self.line(&upper, widths, 1)
        };
        let mut lines = vec![paint(Paint::Dim, &upper(&self.head).join("\n"))];
        for row in &self.rows {
            lines.extend(upper(row));
            let below = row.last().filter(|cell| !cell.is_empty());
            lines.extend(
                below
                    .into_iter()
                    .flat_map(|cell| wrap(cell, WIDTH - BELOW.len()))
                    .map(|text| format!("{BELOW}{text}")),
            );
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

    #[test]
    fn names_and_states_are_never_cut() {
        let long = "m".repeat(40);
        let row = |what: &str| {
            vec![
                long.clone(),
                "waits for settle".into(),
                ">=1.33.0, <1.42.0".into(),
                what.into(),
            ]
        };
        let table = || Table::new(&["name", "state", "versions", "what"]).keep(2);
        let mut on_a_terminal = table();
        on_a_terminal.push(row("what it is for, and why"));
        insta::assert_snapshot!(plain(&on_a_terminal.render()), @r"
        name                                      state             versions
        mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm  waits for settle  >=1.33.0, <1.42.0
            what it is for, and why
        ");
        let mut in_a_pipe = table().wide(true);
        in_a_pipe.push(row(&"word ".repeat(30)));
        let text = plain(&in_a_pipe.render());
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.contains(&long) && text.contains("<1.42.0") && !text.contains('…'),
            "{text}"
        );
    }
}
