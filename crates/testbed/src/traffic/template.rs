//! A statement with numbered parameters that can be sent prepared, or as plain text with its values written in.

use super::key::quoted;

/// `update t set a = $2::text::bigint where k = $1::text`. Every parameter is text or null.
#[derive(Debug)]
pub(crate) struct Template {
    sql: String,
    /// Text, then the number of the parameter that follows it (0 after the last).
    pieces: Vec<(String, usize)>,
}

impl Template {
    /// Dollar signs in `sql` stand only before a parameter's number.
    pub(crate) fn new(sql: &str) -> Template {
        let mut pieces = Vec::new();
        let mut rest = sql;
        while let Some(at) = rest.find('$') {
            let after = &rest[at + 1..];
            let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            pieces.push((rest[..at].to_owned(), after[..digits].parse().unwrap_or(0)));
            rest = &after[digits..];
        }
        pieces.push((rest.to_owned(), 0));
        Template {
            sql: sql.to_owned(),
            pieces,
        }
    }

    /// For preparing.
    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }

    /// With the values written in.
    pub(crate) fn with_values(&self, values: &[Option<String>]) -> String {
        let mut out = String::with_capacity(self.sql.len());
        for (text, number) in &self.pieces {
            out.push_str(text);
            match number.checked_sub(1).and_then(|i| values.get(i)) {
                Some(Some(value)) => out.push_str(&quoted(value)),
                Some(None) => out.push_str("null"),
                None => {}
            }
        }
        out
    }
}

/// The text form of a text array.
pub(crate) fn array_text(values: &[String]) -> String {
    let quoted: Vec<String> = values
        .iter()
        .map(|v| format!("\"{}\"", v.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_in_by_number() {
        let template = Template::new("select $2::text, $1::text, $10::text");
        let mut values = vec![None; 10];
        values[1] = Some("it's $1".to_owned());
        values[9] = Some("a\\b".to_owned());
        assert_eq!(
            template.with_values(&values),
            "select 'it''s $1'::text, null::text, E'a\\\\b'::text"
        );
        assert_eq!(
            array_text(&["a\"b".to_owned(), "\\".to_owned()]),
            r#"{"a\"b","\\"}"#
        );
    }
}
