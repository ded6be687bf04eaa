//! Texts with `commands` in them, as a page shows them.

use std::fmt::{Display, Write};

/// Filters of all templates: `use super::prose::filters` brings them into a page.
#[allow(unreachable_pub, reason = "the macro makes items of its own")]
pub(crate) mod filters {
    use std::fmt::Display;

    use askama::Values;
    use askama::filters::Safe;

    /// Escaped, with what stands between backticks as code.
    #[askama::filter_fn]
    pub(crate) fn prose(text: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
        Ok(Safe(super::marked(&text)))
    }
}

fn marked(text: &impl Display) -> String {
    let text = text.to_string();
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick that has no partner is one.
    let whole = parts.len() - (parts.len() + 1) % 2;
    let mut out = String::with_capacity(text.len() + 32);
    for (place, part) in parts.iter().enumerate() {
        let is_code = place % 2 == 1 && place < whole;
        match is_code {
            true => out.push_str("<code>"),
            false if place >= whole => out.push('`'),
            false => {}
        }
        escape(part, &mut out);
        if is_code {
            out.push_str("</code>");
        }
    }
    out
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '"' | '\'' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_code_and_everything_is_escaped() {
        assert_eq!(marked(&"run `a <b>` now"), "run <code>a &#60;b&#62;</code> now");
        assert_eq!(marked(&"`<i>`"), "<code>&#60;i&#62;</code>");
        assert_eq!(marked(&"one ` alone & \"x\""), "one ` alone &#38; &#34;x&#34;");
        assert_eq!(marked(&""), "");
    }
}
