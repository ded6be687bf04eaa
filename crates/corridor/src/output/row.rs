//! A line of the board: parts, some of them painted, cut where the terminal ends.

use super::text::{Paint, cut, harmless, paint, width};

/// Columns of a label.
const LABEL: usize = 10;

/// Parts of one line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row(Vec<(Option<Paint>, String)>);

impl Row {
    /// Begins with a label.
    pub(crate) fn label(label: &str) -> Self {
        Row::default().painted(Paint::Dim, &format!("{label:<LABEL$}"))
    }

    /// A label and a text.
    pub(crate) fn labelled(label: &str, text: &str) -> Self {
        Row::label(label).text(text)
    }

    /// Adds a text as it is.
    pub(crate) fn text(self, text: &str) -> Self {
        self.part(None, text)
    }

    /// Adds a painted text.
    pub(crate) fn painted(self, how: Paint, text: &str) -> Self {
        self.part(Some(how), text)
    }

    /// Adds a text. What would steer a terminal is escaped.
    pub(crate) fn part(mut self, how: Option<Paint>, text: &str) -> Self {
        self.0.push((how, harmless(text)));
        self
    }

    /// The line in at most so many columns.
    pub(crate) fn render(&self, columns: usize) -> String {
        let mut line = String::new();
        let mut room = columns;
        for (how, text) in &self.0 {
            let text = cut(text, room);
            room = room.saturating_sub(width(&text));
            match how {
                Some(how) if !text.trim().is_empty() => line.push_str(&paint(*how, &text)),
                _ => line.push_str(&text),
            }
            if room == 0 {
                break;
            }
        }
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_cut_at_the_end_of_the_terminal_and_never_in_its_paint() {
        let row = Row::labelled("held", "one")
            .text("  ")
            .painted(Paint::Bad, "t\x1b[2Jwo 🐘🐘");
        assert_eq!(
            row.render(80),
            "\x1b[2mheld      \x1b[0mone  \x1b[1;31mt\\u{1b}[2Jwo 🐘🐘\x1b[0m"
        );
        for columns in 1..40 {
            let line = row.render(columns);
            let plain = line
                .replace("\x1b[2m", "")
                .replace("\x1b[1;31m", "")
                .replace("\x1b[0m", "");
            assert!(
                width(&plain) <= columns && !plain.contains('\x1b'),
                "{columns}: {line:?}"
            );
        }
    }
}
