//! Names and literals. Dynamic SQL is built only from these.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fault::{BAD_NAME, Fault, Result};

/// The longest name that PostgreSQL keeps, in bytes (NAMEDATALEN - 1).
pub const NAME_BYTES_MAX: usize = 63;

/// One SQL identifier, unquoted inside, always quoted when displayed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ident(String);

impl Ident {
    /// Checks the limits of PostgreSQL: 1 to 63 bytes, no NUL.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0') {
            return Err(Fault::new(
                &BAD_NAME,
                format!("{name:?} ({} bytes, 1 to {NAME_BYTES_MAX} allowed)", name.len()),
            ));
        }
        Ok(Ident(name))
    }

    /// A name that is made from `stem` and `suffix`, the stem cut at a character so that both fit into 63 bytes.
    pub fn derived(stem: &str, suffix: &str) -> Self {
        let room = NAME_BYTES_MAX.saturating_sub(suffix.len());
        let mut end = stem.len().min(room);
        while !stem.is_char_boundary(end) {
            end -= 1;
        }
        Ident(format!("{}{suffix}", &stem[..end]))
    }

    /// The bare name, as it stands in the catalogue.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ident {
    /// Quoted when it must be; lower-case plain names stay readable. Keywords are quoted too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        let is_plain = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
            && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && !is_keyword(&self.0);
        if is_plain {
            f.write_str(&self.0)
        } else {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        }
    }
}

/// Words that cannot stand unquoted as a column or table name everywhere (reserved, type-function and
/// column-name keywords of PostgreSQL 14 to 18; quoting one too many does no harm).
fn is_keyword(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asymmetric",
        "authorization",
        "between",
        "bigint",
        "binary",
        "bit",
        "boolean",
        "both",
        "case",
        "cast",
        "char",
        "character",
        "check",
        "coalesce",
        "collate",
        "collation",
        "column",
        "concurrently",
        "constraint",
        "create",
        "cross",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "dec",
        "decimal",
        "default",
        "deferrable",
        "desc",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "exists",
        "extract",
        "false",
        "fetch",
        "float",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "grant",
        "greatest",
        "group",
        "grouping",
        "having",
        "ilike",
        "in",
        "initially",
        "inner",
        "inout",
        "int",
        "integer",
        "intersect",
        "interval",
        "into",
        "is",
        "isnull",
        "join",
        "json",
        "json_array",
        "json_arrayagg",
        "json_exists",
        "json_object",
        "json_objectagg",
        "json_query",
        "json_scalar",
        "json_serialize",
        "json_table",
        "json_value",
        "lateral",
        "leading",
        "least",
        "left",
        "like",
        "limit",
        "localtime",
        "localtimestamp",
        "merge_action",
        "national",
        "natural",
        "nchar",
        "none",
        "normalize",
        "not",
        "notnull",
        "null",
        "nullif",
        "numeric",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "out",
        "outer",
        "overlaps",
        "overlay",
        "placing",
        "position",
        "precision",
        "primary",
        "real",
        "references",
        "returning",
        "right",
        "row",
        "select",
        "session_user",
        "setof",
        "similar",
        "smallint",
        "some",
        "substring",
        "symmetric",
        "system_user",
        "table",
        "tablesample",
        "then",
        "time",
        "timestamp",
        "to",
        "trailing",
        "treat",
        "trim",
        "true",
        "union",
        "unique",
        "user",
        "using",
        "values",
        "varchar",
        "variadic",
        "verbose",
        "when",
        "where",
        "window",
        "with",
        "xmlattributes",
        "xmlconcat",
        "xmlelement",
        "xmlexists",
        "xmlforest",
        "xmlnamespaces",
        "xmlparse",
        "xmlpi",
        "xmlroot",
        "xmlserialize",
        "xmltable",
    ];
    WORDS.binary_search(&word).is_ok()
}

/// A schema-qualified name. Displays quoted: `public."My Table"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QualifiedName {
    /// The schema.
    pub schema: Ident,
    /// The name inside the schema.
    pub name: Ident,
}

impl QualifiedName {
    /// Joins two checked names.
    pub fn new(schema: Ident, name: Ident) -> Self {
        QualifiedName { schema, name }
    }

    /// Another object in the same schema.
    pub fn sibling(&self, name: Ident) -> Self {
        QualifiedName {
            schema: self.schema.clone(),
            name,
        }
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// Reads a possibly qualified name as SQL does: unquoted parts fold to lower case, `"…"` keeps, `""` is a quote.
///
/// Returns one part (`persons`) or two (`public.persons`); the caller resolves one part by the search path.
pub fn parse_name(text: &str) -> Result<Vec<Ident>> {
    let bad = |why: &str| Fault::new(&BAD_NAME, format!("{text:?}: {why}"));
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut chars = quoted.char_indices();
            let end = loop {
                match chars.next() {
                    None => return Err(bad("a double quote is not closed")),
                    Some((i, '"')) => {
                        if quoted[i + 1..].starts_with('"') {
                            part.push('"');
                            chars.next();
                        } else {
                            break i + 1;
                        }
                    }
                    Some((_, c)) => part.push(c),
                }
            };
            (part, &quoted[end..])
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let word = &rest[..end];
            if let Some(c) = word
                .chars()
                .find(|c| !(c.is_alphanumeric() || *c == '_' || *c == '$'))
            {
                return Err(bad(&format!("{c:?} needs double quotes around the name")));
            }
            (word.to_lowercase(), &rest[end..])
        };
        parts.push(Ident::new(part)?);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => break,
            None => return Err(bad("unexpected text after a quoted name")),
        }
    }
    if parts.len() > 2 {
        return Err(bad("at most schema.name"));
    }
    Ok(parts)
}

/// A text literal, quoted when displayed; safe whatever `standard_conforming_strings` says.
#[derive(Debug, Clone, Copy)]
pub struct Literal<'a>(pub &'a str);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains('\\') {
            write!(f, "E'{}'", self.0.replace('\\', "\\\\").replace('\'', "''"))
        } else {
            write!(f, "'{}'", self.0.replace('\'', "''"))
        }
    }
}

/// Joins displayed items with a separator, for column lists and the like.
pub fn join<T: fmt::Display>(items: impl IntoIterator<Item = T>, separator: &str) -> String {
    let mut out = String::new();
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        out.push_str(&item.to_string());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_only_when_they_must_be() {
        let show = |s: &str| Ident::new(s).unwrap().to_string();
        assert_eq!(show("persons"), "persons");
        assert_eq!(show("order"), "\"order\"");
        assert_eq!(show("Größe 🐘"), "\"Größe 🐘\"");
        assert_eq!(show("a\"b"), "\"a\"\"b\"");
        assert_eq!(show("1st"), "\"1st\"");
    }

    #[test]
    fn names_are_read_as_sql_reads_them() {
        let read = |s: &str| {
            parse_name(s)
                .unwrap()
                .iter()
                .map(|i| i.as_str().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(read("Public.Persons"), ["public", "persons"]);
        assert_eq!(read("\"My \"\"T\"\"\".\"x.y\""), ["My \"T\"", "x.y"]);
        assert_eq!(read("persons"), ["persons"]);
        for bad in ["", "a.b.c", "\"open", "a b", "\"a\"b", "a..b", &"x".repeat(64)] {
            assert!(parse_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn derived_names_fit_and_stay_whole_characters() {
        let long = "é".repeat(31) + "x";
        let name = Ident::derived(&long, "__c7");
        assert!(name.as_str().len() <= NAME_BYTES_MAX);
        assert!(name.as_str().ends_with("__c7"));
    }

    #[test]
    fn literals_survive_quotes_and_backslashes() {
        assert_eq!(Literal("it's").to_string(), "'it''s'");
        assert_eq!(Literal("a\\'b").to_string(), "E'a\\\\''b'");
    }

    #[test]
    fn the_keyword_list_is_sorted() {
        assert!(is_keyword("user") && is_keyword("all") && is_keyword("xmltable") && !is_keyword("persons"));
    }
}
