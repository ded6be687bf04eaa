//! The service file: named groups of keywords, `[name]` and `key=value` lines.

use crate::fault::{BAD_CONNINFO, Fault, Result};

use super::text::Pairs;

/// The keywords of service `name`; `None` when the file does not define it. `file` names the file in errors.
pub(super) fn find(content: &str, name: &str, file: &str) -> Result<Option<Pairs>> {
    let mut found: Option<Pairs> = None;
    for (number, line) in content.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if header.strip_suffix(']') == Some(name) {
                found = Some(Pairs::new());
            }
            continue;
        }
        let Some(pairs) = &mut found else { continue };
        let number = number + 1;
        let bad = |why: &str| Fault::new(&BAD_CONNINFO, format!("{file}, line {number}: {why}"));
        if line.starts_with("ldap") {
            return Err(bad("a service that is looked up in LDAP is not supported"));
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(bad("\"=\" is missing"));
        };
        let key = key.trim_end();
        if key == "service" || key == "servicefile" {
            return Err(bad("a service cannot refer to another service"));
        }
        pairs.push((key.to_owned(), value.trim_start().to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_group_is_read_and_no_other() {
        let content =
            "# services\n[a]\nhost=a.example\n\n[b]\n host = b.example \n# x\nport=5433\n[c]\nnonsense\n";
        let read = |name: &str| find(content, name, "f").unwrap();
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        assert_eq!(read("a"), Some(vec![pair("host", "a.example")]));
        assert_eq!(
            read("b"),
            Some(vec![pair("host", "b.example"), pair("port", "5433")])
        );
        assert_eq!(read("d"), None);
        let fault = find(content, "c", "pg_service.conf").unwrap_err();
        assert!(fault.detail().contains("pg_service.conf, line 10"), "{fault}");
        assert!(find("[x]\nservice=y\n", "x", "f").is_err());
    }
}
