//! `not null COLUMN`, as the definition of a constraint.

use corridor_pg::{Fault, Ident, Result, ident};

use super::fault::UNFIT_VALUE;

/// The column of a definition that says `not null`; `None` when it says something else.
pub fn column(definition: &str) -> Option<Result<Ident>> {
    let text = definition.trim().trim_end_matches(';');
    let rest = after_word(after_word(text, "not")?, "null")?;
    Some(name(rest.trim()))
}

/// What stands behind the word; the word ends where no letter follows.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.trim_start().split_at_checked(word.len())?;
    let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
    (head.eq_ignore_ascii_case(word) && ends).then_some(rest)
}

fn name(text: &str) -> Result<Ident> {
    let parts = ident::parse_name(text)?;
    match <[Ident; 1]>::try_from(parts) {
        Ok([column]) => Ok(column),
        Err(_) => Err(Fault::new(
            &UNFIT_VALUE,
            format!("{text:?}: `not null` and the name of one column"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_as_the_server_reads_it() {
        let read = |text: &str| column(text).map(|name| name.map(|name| name.as_str().to_owned()).ok());
        assert_eq!(read("not null email"), Some(Some("email".to_owned())));
        assert_eq!(read(" NOT\n NULL  Email ;"), Some(Some("email".to_owned())));
        assert_eq!(read("not null \"E Mail\""), Some(Some("E Mail".to_owned())));
        for text in [
            "not null",
            "not null a.b",
            "not null (a)",
            "not null a, b",
            "not null a no inherit",
        ] {
            assert_eq!(read(text), Some(None), "{text}");
        }
        for text in [
            "check (a is not null)",
            "not nullable",
            "nothing",
            "foreign key (a) references b",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
