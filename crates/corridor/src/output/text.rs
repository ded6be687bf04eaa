//! Width, wrapping, and text that cannot do harm to a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::WIDTH;

/// `text` with everything escaped that would steer a terminal or turn the direction of writing: names and reasons
/// come from people, and a line break in one must not look like a line of ours.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The same for text that may have several lines.
pub(crate) fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The columns that `text` takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` cut to `columns`, with `…` where something was cut off.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut taken = 1;
    for c in text.chars() {
        taken += c.width().unwrap_or(0);
        if taken > columns {
            break;
        }
        shown.push(c);
    }
    shown.push('…');
    shown
}

/// Words of `text` in lines of at most `columns`. A word that is longer gets a line of its own: names and commands
/// are copied by people, and a cut in the middle would make them wrong.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Wraps `text` to [`WIDTH`] behind `first`; the lines that follow begin with as many spaces.
pub(crate) fn hang(first: &str, text: &str) -> String {
    let indent = width(first);
    let lines = wrap(text, WIDTH.saturating_sub(indent));
    let mut shown = String::new();
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            shown.push('\n');
            if !line.is_empty() {
                shown.push_str(&" ".repeat(indent));
            }
        } else {
            shown.push_str(first);
        }
        shown.push_str(line);
    }
    shown.trim_end().to_owned()
}

/// Paragraphs, lists and code of simple Markdown, wrapped to [`WIDTH`] with `indent` spaces before each line.
pub(crate) fn paragraphs(text: &str, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let mut blocks: Vec<String> = Vec::new();
    let mut is_code = false;
    let mut is_new = true;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            is_code = !is_code;
            is_new = true;
        } else if is_code {
            blocks.push(format!("{margin}    {line}"));
        } else if trimmed.is_empty() {
            is_new = true;
        } else if is_new || trimmed.starts_with("- ") {
            if is_new && !blocks.is_empty() {
                blocks.push(String::new());
            }
            blocks.push(trimmed.to_owned());
            is_new = false;
        } else if let Some(block) = blocks.last_mut() {
            block.push(' ');
            block.push_str(trimmed);
        }
    }
    let lines: Vec<String> = blocks
        .iter()
        .map(|block| match block {
            block if block.starts_with(&format!("{margin}    ")) => block.trim_end().to_owned(),
            block if block.is_empty() => String::new(),
            block => match block.strip_prefix("- ") {
                Some(item) => hang(&format!("{margin}- "), item),
                None => hang(&margin, block),
            },
        })
        .collect();
    lines.join("\n")
}

/// How a piece of text stands out. Removed on the way out where colour is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Names and headings.
    Bold,
    /// What is well.
    Good,
    /// What waits for somebody.
    Wait,
    /// What is not well.
    Bad,
    /// What is of less interest.
    Dim,
}

/// `text`, painted. To be called last: paint has no width, but counts as characters.
pub(crate) fn paint(how: Paint, text: &str) -> String {
    let code = match how {
        Paint::Bold => "1",
        Paint::Good => "32",
        Paint::Wait => "33",
        Paint::Bad => "1;31",
        Paint::Dim => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_and_not_obeyed() {
        assert_eq!(
            harmless("a\x1b[2Jb\r\nc\u{202e}d"),
            "a\\u{1b}[2Jb\\r\\nc\\u{202e}d"
        );
        assert_eq!(harmless("Ä 🐘 \"x\""), "Ä 🐘 \"x\"");
        assert_eq!(harmless_lines("a\nb\x07"), "a\nb\\u{7}");
    }

    #[test]
    fn lines_are_wrapped_by_columns_and_words_stay_whole() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("🐘🐘 🐘🐘", 8), ["🐘🐘", "🐘🐘"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcdefghij", "k"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("🐘🐘🐘🐘", 6), "🐘🐘…");
    }

    #[test]
    fn a_hanging_text_stands_under_itself() {
        let text = hang("  what  ", &"word ".repeat(20));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("        word"));
        assert!(lines.iter().all(|line| width(line) <= WIDTH));
    }

    #[test]
    fn markdown_keeps_its_shape() {
        let text = paragraphs(
            "One\ntwo.\n\n- item\n  more\n- item\n\n```sql\nselect 1\n```\nEnd.",
            2,
        );
        assert_eq!(
            text,
            "  One two.\n\n  - item more\n  - item\n      select 1\n\n  End."
        );
    }
}
