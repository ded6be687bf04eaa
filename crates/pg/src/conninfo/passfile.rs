//! `~/.pgpass`: a line per server, `host:port:database:user:password`.

use std::path::Path;

use super::Secret;
use super::environment::{Environment, FileText};

/// What a line must match. A socket in the default directory counts as `localhost`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) dbname: &'a str,
    pub(super) user: &'a str,
}

/// Reads the file when its permissions allow it. A file that others can read is ignored, with a warning, as libpq does.
pub(super) fn read(path: &Path, env: &impl Environment) -> Option<String> {
    let FileText { text, mode, is_plain } = env.read(path).ok()?;
    if !is_plain {
        tracing::warn!(path = %path.display(), "the password file is not a plain file; it is ignored");
        return None;
    }
    if let Some(mode) = mode.filter(|mode| mode & 0o077 != 0) {
        tracing::warn!(
            path = %path.display(),
            "the password file can be read by group or others (mode {mode:04o}); it is ignored; make it 0600 or less"
        );
        return None;
    }
    Some(text)
}

/// The password of the first line that matches.
pub(super) fn find(text: &str, wanted: Wanted<'_>) -> Option<Secret> {
    let port = wanted.port.to_string();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let (host, rest) = field(line)?;
            let (port_field, rest) = field(rest)?;
            let (dbname, rest) = field(rest)?;
            let (user, password) = field(rest)?;
            let is_match = matches(host, wanted.host)
                && matches(port_field, &port)
                && matches(dbname, wanted.dbname)
                && matches(user, wanted.user);
            // The password ends at the line's end or at the next unescaped colon.
            let password = field(password).map_or(password, |(password, _)| password);
            is_match.then(|| Secret::new(unescape(password)))
        })
}

/// Splits at the first colon that no backslash escapes; `None` when there is none.
fn field(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ':' => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn matches(field: &str, wanted: &str) -> bool {
    field == "*" || unescape(field) == wanted
}

fn unescape(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted<'_> = Wanted {
        host: "db1",
        port: 5432,
        dbname: "app",
        user: "bob",
    };

    fn password(text: &str) -> Option<String> {
        find(text, WANTED).map(|s| s.reveal().to_owned())
    }

    #[test]
    fn the_first_line_that_matches_wins() {
        let text =
            "# db1:5432:app:bob:comment\nother:5432:app:bob:no\ndb1:*:app:*:first\ndb1:5432:app:bob:second\n";
        assert_eq!(password(text).as_deref(), Some("first"));
        assert_eq!(password("db1:5433:app:bob:x"), None);
        assert_eq!(password("db1:5432:app:bob"), None);
        assert_eq!(password("*:*:*:*:any\r\n").as_deref(), Some("any"));
        assert_eq!(password(""), None);
    }

    #[test]
    fn colons_and_backslashes_are_escaped() {
        assert_eq!(password(r"*:*:*:*:a\:b\\c").as_deref(), Some(r"a:b\c"));
        let text = r"/var/run/x\:y:*:*:*:socket";
        let wanted = Wanted {
            host: "/var/run/x:y",
            ..WANTED
        };
        assert_eq!(
            find(text, wanted).map(|s| s.reveal().to_owned()).as_deref(),
            Some("socket")
        );
        assert_eq!(password(r"\*:*:*:*:literal"), None, "an escaped star is a star");
    }
}
