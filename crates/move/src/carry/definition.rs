//! Taking apart what the server writes: the few places where a definition must be changed and not only repeated.

use corridor_pg::{Ident, Literal};

/// What stands from `USING` on in a `create index` statement of the server (`pg_get_indexdef`).
///
/// The names before it may hold anything inside of their quotes, also ` USING `.
pub(crate) fn index_tail(definition: &str) -> Option<&str> {
    find_outside(definition, " USING ").map(|at| &definition[at + 1..])
}

/// Appends columns to the key of an index definition: `USING btree (id) WHERE …` to `USING btree (id, team_id) WHERE …`.
pub(crate) fn widen_tail(tail: &str, columns: &[&Ident]) -> Option<String> {
    let open = tail.find('(')?;
    let close = open + closing_parenthesis(&tail[open..])?;
    let added: String = columns.iter().map(|c| format!(", {c}")).collect();
    Some(format!("{}{added}{}", &tail[..close], &tail[close..]))
}

/// Puts the tablespace, which the server leaves out, before the predicate.
pub(crate) fn with_tablespace(tail: &str, tablespace: Option<&Ident>) -> String {
    let Some(tablespace) = tablespace else {
        return tail.to_owned();
    };
    match find_outside(tail, " WHERE ") {
        Some(at) => format!("{} tablespace {tablespace}{}", &tail[..at], &tail[at..]),
        None => format!("{tail} tablespace {tablespace}"),
    }
}

/// Storage parameters as the catalogue keeps them (`fillfactor=70`) for a `with (…)`; `prefix` is `toast.` or nothing.
pub(crate) fn parameters(options: &[String], prefix: &str) -> Vec<String> {
    options
        .iter()
        .map(|option| match option.split_once('=') {
            Some((name, value)) => format!("{prefix}{} = {}", Ident::derived(name, ""), Literal(value)),
            None => format!("{prefix}{}", Ident::derived(option, "")),
        })
        .collect()
}

/// True when an expression uses the whole row (`persons.*`): it names the table, which has another name meanwhile.
pub(crate) fn uses_whole_row(expression: &str, table: &Ident) -> bool {
    expression.contains(&format!("{table}.*"))
}

/// Where `word` begins outside of quotes and parentheses.
pub(crate) fn find_outside(text: &str, word: &str) -> Option<usize> {
    let mut scan = Scan::default();
    text.char_indices().find_map(|(at, c)| {
        let is_outside = scan.is_outside();
        scan.step(c);
        (is_outside && text[at..].starts_with(word)).then_some(at)
    })
}

/// The place of the parenthesis that closes the one at the start of `text`.
fn closing_parenthesis(text: &str) -> Option<usize> {
    let mut scan = Scan::default();
    text.char_indices().find_map(|(at, c)| {
        scan.step(c);
        (c == ')' && scan.is_outside()).then_some(at)
    })
}

/// Walks through SQL that the server wrote: quotes are doubled inside of quotes; escape strings double their
/// backslashes as well as their quotes.
#[derive(Default)]
struct Scan {
    quote: Option<char>,
    depth: usize,
}

impl Scan {
    fn is_outside(&self) -> bool {
        self.quote.is_none() && self.depth == 0
    }

    fn step(&mut self, c: char) {
        match (self.quote, c) {
            (Some(quote), _) if c == quote => self.quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => self.quote = Some(c),
            (None, '(') => self.depth += 1,
            (None, ')') => self.depth = self.depth.saturating_sub(1),
            (None, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_begins_at_the_real_using() {
        let definition = "CREATE INDEX \"a USING b\" ON public.\"x \"\" USING \" USING btree (a) WHERE (b = ' USING '::text)";
        assert_eq!(
            index_tail(definition).unwrap(),
            "USING btree (a) WHERE (b = ' USING '::text)"
        );
    }

    #[test]
    fn a_key_is_widened_inside_of_its_parentheses() {
        let team = Ident::new("Team").unwrap();
        let tail = "USING btree (lower((a || ')'::text)), \"b)\" DESC) INCLUDE (c) WHERE (d > 0)";
        assert_eq!(
            widen_tail(tail, &[&team]).unwrap(),
            "USING btree (lower((a || ')'::text)), \"b)\" DESC, \"Team\") INCLUDE (c) WHERE (d > 0)"
        );
    }

    #[test]
    fn the_tablespace_stands_before_the_predicate() {
        let space = Ident::new("fast").unwrap();
        assert_eq!(
            with_tablespace(
                "USING btree (a) WITH (fillfactor='70') WHERE (b IS NULL)",
                Some(&space)
            ),
            "USING btree (a) WITH (fillfactor='70') tablespace fast WHERE (b IS NULL)"
        );
        assert_eq!(
            with_tablespace("USING btree (a)", Some(&space)),
            "USING btree (a) tablespace fast"
        );
    }

    #[test]
    fn a_whole_row_is_seen() {
        let table = Ident::new("My T").unwrap();
        assert!(uses_whole_row("CHECK ((\"My T\".* IS NOT NULL))", &table));
        assert!(!uses_whole_row("CHECK ((a IS NOT NULL))", &table));
    }

    #[test]
    fn parameters_are_written_as_with_takes_them() {
        assert_eq!(
            parameters(
                &["fillfactor=70".into(), "autovacuum_enabled=off".into()],
                "toast."
            ),
            ["toast.fillfactor = '70'", "toast.autovacuum_enabled = 'off'"]
        );
    }
}
