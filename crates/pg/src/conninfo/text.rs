//! Reading and writing the text of a connection string: a URL, keywords, or a bare database name.
//!
//! Pure: only splitting and unescaping. What the keywords mean is decided in [`super`].

use crate::fault::{BAD_CONNINFO, Fault, Result};

/// Keywords and values in the order in which they stood; a later one overrides an earlier one.
pub(super) type Pairs = Vec<(String, String)>;

fn bad(why: impl Into<String>) -> Fault {
    Fault::new(&BAD_CONNINFO, why.into())
}

/// Reads whatever psql takes as its database argument.
pub(super) fn parse(text: &str) -> Result<Pairs> {
    if text.contains('\0') {
        return Err(bad("the connection string holds a NUL byte"));
    }
    if let Some(rest) = after_scheme(text) {
        parse_url(rest)
    } else if text.contains('=') {
        parse_keywords(text)
    } else if text.is_empty() {
        Ok(Vec::new())
    } else {
        Ok(vec![("dbname".to_owned(), text.to_owned())])
    }
}

fn after_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("postgresql://")
        .or_else(|| text.strip_prefix("postgres://"))
}

/// `host=… dbname='a b'`: spaces around `=`, backslash escapes, single quotes.
fn parse_keywords(text: &str) -> Result<Pairs> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| c == '=' || c.is_ascii_whitespace())
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(after) = after.trim_start().strip_prefix('=') else {
            // After an unquoted password with a space in it, the word is the password's second half.
            return Err(match pairs.last() {
                Some((last, _)) if last == "password" => {
                    bad("\"=\" is missing after the word behind the password")
                }
                _ => bad(format!("\"=\" is missing after {name:?}")),
            });
        };
        if name.is_empty() {
            return Err(bad("a keyword is missing before \"=\""));
        }
        let (value, after) = keyword_value(name, after.trim_start())?;
        pairs.push((name.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

fn keyword_value<'a>(name: &str, text: &'a str) -> Result<(String, &'a str)> {
    let quoted = text.strip_prefix('\'');
    let body = quoted.unwrap_or(text);
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                // A backslash at the very end stands for nothing.
                if let Some((_, escaped)) = chars.next() {
                    value.push(escaped);
                }
            }
            '\'' if quoted.is_some() => return Ok((value, &body[at + 1..])),
            c if quoted.is_none() && c.is_ascii_whitespace() => return Ok((value, &body[at..])),
            c => value.push(c),
        }
    }
    match quoted {
        // The value is not shown: it may be the password.
        Some(_) => Err(bad(format!(
            "the quote around the value of {name:?} is not closed"
        ))),
        None => Ok((value, "")),
    }
}

/// `[user[:password]@][host[:port][,…]][/dbname][?keyword=value&…]`, after the scheme.
fn parse_url(text: &str) -> Result<Pairs> {
    let mut pairs = Pairs::new();
    let mut push = |name: &str, value: String| {
        if !value.is_empty() {
            pairs.push((name.to_owned(), value));
        }
    };
    let mut rest = text;
    let authority_end = text.find('/').unwrap_or(text.len());
    if let Some(at) = text[..authority_end].find('@') {
        let (user, password) = match text[..at].split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (&text[..at], None),
        };
        push("user", decode(user, "the user")?);
        if let Some(password) = password {
            push("password", decode(password, "the password")?);
        }
        rest = &text[at + 1..];
    }
    let (hosts, ports, after) = url_hosts(rest)?;
    if hosts.iter().any(|h| !h.is_empty()) || hosts.len() > 1 {
        push("host", hosts.join(","));
    }
    if ports.iter().any(|p| !p.is_empty()) {
        push("port", ports.join(","));
    }
    rest = after;
    if let Some(path) = rest.strip_prefix('/') {
        let end = path.find('?').unwrap_or(path.len());
        push("dbname", decode(&path[..end], "the database name")?);
        rest = &path[end..];
    }
    if let Some(query) = rest.strip_prefix('?') {
        pairs.extend(url_parameters(query)?);
    }
    Ok(pairs)
}

/// The host list, each host decoded, each port still text; and what follows it.
fn url_hosts(text: &str) -> Result<(Vec<String>, Vec<String>, &str)> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    let mut rest = text;
    loop {
        let (host, after) = if let Some(bracketed) = rest.strip_prefix('[') {
            let Some(end) = bracketed.find(']') else {
                return Err(bad("\"]\" is missing after an IPv6 address"));
            };
            if end == 0 {
                return Err(bad("an IPv6 address must not be empty"));
            }
            let after = &bracketed[end + 1..];
            if let Some(c) = after.chars().next().filter(|c| !":/?,".contains(*c)) {
                return Err(bad(format!("unexpected {c:?} after an IPv6 address")));
            }
            (&bracketed[..end], after)
        } else {
            rest.split_at(rest.find([':', '/', '?', ',']).unwrap_or(rest.len()))
        };
        hosts.push(decode(host, "a host")?);
        rest = after;
        let port = match rest.strip_prefix(':') {
            Some(after) => {
                let (port, after) = after.split_at(after.find(['/', '?', ',']).unwrap_or(after.len()));
                rest = after;
                decode(port, "a port")?
            }
            None => String::new(),
        };
        ports.push(port);
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok((hosts, ports, rest)),
        }
    }
}

fn url_parameters(query: &str) -> Result<Pairs> {
    let mut pairs = Pairs::new();
    for part in query.split('&') {
        if part.is_empty() && query.is_empty() {
            break;
        }
        let Some((name, value)) = part.split_once('=') else {
            return Err(bad(format!("\"=\" is missing after URL parameter {part:?}")));
        };
        if value.contains('=') {
            return Err(bad(format!("URL parameter {name:?} has more than one \"=\"")));
        }
        let name = decode(name, "the name of a URL parameter")?;
        let value = decode(value, "the value of a URL parameter")?;
        // JDBC's spelling, which libpq takes too.
        if name == "ssl" && value == "true" {
            pairs.push(("sslmode".to_owned(), "require".to_owned()));
        } else {
            pairs.push((name, value));
        }
    }
    Ok(pairs)
}

/// Undoes percent-encoding. `what` names the part in the error; the part itself may be a secret.
fn decode(text: &str, what: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let digits = match tail {
            [high, low, ..] => (hex(*high), hex(*low)),
            _ => (None, None),
        };
        let (Some(high), Some(low)) = digits else {
            return Err(bad(format!("\"%\" needs two hexadecimal digits in {what}")));
        };
        match high * 16 + low {
            0 => return Err(bad(format!("%00 is not allowed in {what}"))),
            byte => bytes.push(byte),
        }
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| bad(format!("{what} is not UTF-8 after percent-decoding")))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Percent-encodes everything but letters, digits and `-._~`.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        match parse(text) {
            Ok(pairs) => pairs
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" | "),
            Err(fault) => format!("{}: {}", fault.code().id, fault.detail()),
        }
    }

    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        assert_eq!(read("postgres://"), "");
        assert_eq!(
            read("postgresql://b%40b:s%3Acret@db1:5433/my%20db?sslmode=require&options=-c%20x%3D1"),
            "user=b@b | password=s:cret | host=db1 | port=5433 | dbname=my db | sslmode=require | options=-c x=1"
        );
        assert_eq!(
            read("postgres://a,b:5433,[::1]:5434/d"),
            "host=a,b,::1 | port=,5433,5434 | dbname=d"
        );
        assert_eq!(
            read("postgres://%2Fvar%2Frun%2Fpg/d"),
            "host=/var/run/pg | dbname=d"
        );
        assert_eq!(
            read("postgres:///d?host=/tmp&port=5"),
            "dbname=d | host=/tmp | port=5"
        );
        assert_eq!(read("postgres://u@/d"), "user=u | dbname=d");
        assert_eq!(read("postgres://:5433"), "port=5433");
        assert_eq!(read("postgres://h?user=u"), "host=h | user=u");
        assert_eq!(
            read("postgres://h/d?ssl=true"),
            "host=h | dbname=d | sslmode=require"
        );
        assert_eq!(read("postgres://h/?"), "host=h");
    }

    #[test]
    fn broken_urls_are_refused_without_showing_the_password() {
        for (text, part) in [
            ("postgres://u:sec%zzret@h", "the password"),
            ("postgres://h/%00", "%00"),
            ("postgres://[::1/d", "\"]\""),
            ("postgres://[]/d", "empty"),
            ("postgres://[::1]x/d", "'x'"),
            ("postgres://h/d?sslmode", "sslmode"),
            ("postgres://h/d?a=b=c", "more than one"),
            ("postgres://h/%ff", "UTF-8"),
            ("postgres://h/%2", "hexadecimal"),
        ] {
            let said = read(text);
            assert!(
                said.starts_with("PG-001") && said.contains(part),
                "{text}: {said}"
            );
            assert!(!said.contains("sec"), "{said}");
        }
    }

    #[test]
    fn keyword_strings_are_read_as_libpq_reads_them() {
        assert_eq!(read("host=a port = 5 "), "host=a | port=5");
        assert_eq!(read("dbname='a b' user=o\\'x"), "dbname=a b | user=o'x");
        assert_eq!(
            read(r"password='it\'s \\' dbname=d"),
            r"password=it's \ | dbname=d"
        );
        assert_eq!(read("host='' user=u"), "host= | user=u");
        assert_eq!(read("options='-c a=b'"), "options=-c a=b");
        assert_eq!(read("persons"), "dbname=persons");
        assert_eq!(read(""), "");
        // Blanks after "=" are skipped, so the next word is the value. Surprising, but libpq's rule.
        assert_eq!(read("host= dbname=x"), "host=dbname=x");
        for (text, part) in [
            ("password='secret", "not closed"),
            ("host=a dbname", "\"=\" is missing after \"dbname\""),
            ("password=my secret", "behind the password"),
            ("=x", "a keyword is missing"),
        ] {
            let said = read(text);
            assert!(
                said.starts_with("PG-001") && said.contains(part),
                "{text}: {said}"
            );
            assert!(!said.contains("secret"), "{said}");
        }
    }

    fn quoted(value: &str) -> String {
        format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC*") {
            let _ = parse(&text);
            let _ = parse(&format!("postgres://{text}"));
            let _ = parse(&format!("host={text}"));
        }

        #[test]
        fn no_punctuation_makes_the_reader_panic(text in r"[\[\]:/?@,%=&' \\a0]{0,40}") {
            let _ = parse(&text);
            let _ = parse(&format!("postgresql://{text}"));
        }

        #[test]
        fn quoted_keyword_values_are_read_back(value in "[^\\x00]*", other in "[^\\x00]*") {
            let text = format!("dbname = {} password={}", quoted(&value), quoted(&other));
            let expected = vec![("dbname".to_owned(), value), ("password".to_owned(), other)];
            prop_assert_eq!(parse(&text).unwrap(), expected);
        }

        #[test]
        fn encoded_url_parts_are_read_back(user in "[^\\x00]+", password in "[^\\x00]+", name in "[^\\x00]+") {
            let text = format!("postgres://{}:{}@h/{}", encode(&user), encode(&password), encode(&name));
            let expected: Pairs = [("user", user), ("password", password), ("host", "h".to_owned()), ("dbname", name)]
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect();
            prop_assert_eq!(parse(&text).unwrap(), expected);
        }
    }
}
