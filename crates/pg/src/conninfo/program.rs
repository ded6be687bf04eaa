//! A connection string for another program, such as `pg_dump`.

use super::text::parse;
use crate::fault::Result;

/// What another program is called with.
#[derive(Clone, PartialEq, Eq)]
pub struct ForProgram {
    /// Keywords, for `--dbname`; without the password: everybody on the machine can read what a program is called with.
    pub text: String,
    /// For its environment, as `PGPASSWORD`.
    pub password: Option<String>,
}

impl ForProgram {
    /// The same connection, or the same one to another database.
    pub fn new(text: &str, database: Option<&str>) -> Result<ForProgram> {
        let mut pairs = parse(text)?;
        if let Some(database) = database {
            pairs.retain(|(key, _)| key != "dbname");
            pairs.push(("dbname".to_owned(), database.to_owned()));
        }
        let mut password = None;
        let mut words = Vec::new();
        for (key, value) in pairs {
            if key == "password" {
                password = Some(value);
            } else {
                let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
                words.push(format!("{key}='{quoted}'"));
            }
        }
        Ok(ForProgram {
            text: words.join(" "),
            password,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ForProgram;

    #[test]
    fn the_password_is_apart_and_the_database_is_the_one_that_is_named() {
        for (text, database, expected, password) in [
            (
                "postgres://a:p%40w@h:1/x?sslmode=require",
                None,
                "user='a' host='h' port='1' dbname='x' sslmode='require'",
                Some("p@w"),
            ),
            ("postgresql://h", Some("n"), "host='h' dbname='n'", None),
            (
                "postgres://h/x?host=/s&password=p",
                Some("it's"),
                "host='h' host='/s' dbname='it\\'s'",
                Some("p"),
            ),
            (
                "host=h dbname=x password='a b'",
                Some("n"),
                "host='h' dbname='n'",
                Some("a b"),
            ),
            ("x", Some("n"), "dbname='n'", None),
            ("x", None, "dbname='x'", None),
            ("", None, "", None),
        ] {
            let program = ForProgram::new(text, database).unwrap();
            assert_eq!(
                (program.text.as_str(), program.password.as_deref()),
                (expected, password),
                "{text}"
            );
        }
    }
}
