//! The keywords of a connection string, their `PG*` variables, and what Corridor does with each.

use crate::fault::{BAD_CONNINFO, Fault, Result};

/// What Corridor does with a keyword that libpq knows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Support {
    /// It is followed.
    Used,
    /// It is read and has no effect: every session of Corridor decides this by itself, or it only tunes libpq.
    Ignored,
    /// Only these values (and the empty one) can be followed. Anything else asks for a protection or a protocol that
    /// Corridor does not have, and must not be dropped silently.
    OnlyIf(&'static [&'static str]),
}

/// One keyword.
#[derive(Debug)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    pub(super) variable: Option<&'static str>,
    pub(super) support: Support,
}

const fn used(name: &'static str, variable: Option<&'static str>) -> Keyword {
    Keyword {
        name,
        variable,
        support: Support::Used,
    }
}

const fn ignored(name: &'static str) -> Keyword {
    // The variable of an ignored keyword is of no interest either.
    Keyword {
        name,
        variable: None,
        support: Support::Ignored,
    }
}

const fn only(
    name: &'static str,
    variable: Option<&'static str>,
    values: &'static [&'static str],
) -> Keyword {
    Keyword {
        name,
        variable,
        support: Support::OnlyIf(values),
    }
}

/// Every keyword of libpq 14 to 18.
pub(super) static KEYWORDS: &[Keyword] = &[
    used("service", Some("PGSERVICE")),
    used("servicefile", Some("PGSERVICEFILE")),
    used("host", Some("PGHOST")),
    used("hostaddr", Some("PGHOSTADDR")),
    used("port", Some("PGPORT")),
    used("dbname", Some("PGDATABASE")),
    used("user", Some("PGUSER")),
    used("password", Some("PGPASSWORD")),
    used("passfile", Some("PGPASSFILE")),
    used("sslmode", Some("PGSSLMODE")),
    used("sslrootcert", Some("PGSSLROOTCERT")),
    used("sslcert", Some("PGSSLCERT")),
    used("sslkey", Some("PGSSLKEY")),
    used("sslsni", Some("PGSSLSNI")),
    used("channel_binding", Some("PGCHANNELBINDING")),
    used("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    used("options", Some("PGOPTIONS")),
    used("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    used("load_balance_hosts", Some("PGLOADBALANCEHOSTS")),
    used("keepalives", None),
    used("keepalives_idle", None),
    used("keepalives_interval", None),
    used("keepalives_count", None),
    used("tcp_user_timeout", None),
    // Ours wins: every session is named after what it does.
    ignored("application_name"),
    ignored("fallback_application_name"),
    // Ours is always UTF-8.
    ignored("client_encoding"),
    // Compression has been gone from servers since 14; the flag only switched it off.
    ignored("sslcompression"),
    ignored("krbsrvname"),
    ignored("gsslib"),
    ignored("gssdelegation"),
    only("gssencmode", Some("PGGSSENCMODE"), &["disable", "prefer"]),
    only("sslnegotiation", Some("PGSSLNEGOTIATION"), &["postgres"]),
    only("sslcertmode", Some("PGSSLCERTMODE"), &["allow"]),
    only(
        "ssl_min_protocol_version",
        Some("PGSSLMINPROTOCOLVERSION"),
        &["TLSv1", "TLSv1.1", "TLSv1.2"],
    ),
    only(
        "ssl_max_protocol_version",
        Some("PGSSLMAXPROTOCOLVERSION"),
        &["TLSv1.3"],
    ),
    only("min_protocol_version", Some("PGMINPROTOCOLVERSION"), &["3.0"]),
    only(
        "max_protocol_version",
        Some("PGMAXPROTOCOLVERSION"),
        &["3.0", "3.2", "latest"],
    ),
    only("replication", None, &["false", "off", "no", "0"]),
    only("requirepeer", Some("PGREQUIREPEER"), &[]),
    only("require_auth", Some("PGREQUIREAUTH"), &[]),
    only("sslcrl", Some("PGSSLCRL"), &[]),
    only("sslcrldir", Some("PGSSLCRLDIR"), &[]),
    only("sslpassword", None, &[]),
    only("sslkeylogfile", None, &[]),
    only("scram_client_key", None, &[]),
    only("scram_server_key", None, &[]),
    only("oauth_issuer", None, &[]),
    only("oauth_client_id", None, &[]),
    only("oauth_client_secret", None, &[]),
    only("oauth_scope", None, &[]),
];

/// Finds a keyword, or fails with the closest one as a suggestion. `origin` says where the word stood.
pub(super) fn find(name: &str, origin: &str) -> Result<&'static Keyword> {
    if let Some(keyword) = KEYWORDS.iter().find(|k| k.name == name) {
        return Ok(keyword);
    }
    let suggestion = match closest(name) {
        Some(close) => format!("; did you mean \"{close}\"?"),
        None => String::new(),
    };
    Err(Fault::new(
        &BAD_CONNINFO,
        format!("unknown keyword {name:?} {origin}{suggestion}"),
    ))
}

impl Keyword {
    /// Refuses a value that cannot be followed.
    pub(super) fn check(&self, value: &str, origin: &str) -> Result<()> {
        let Support::OnlyIf(values) = self.support else {
            return Ok(());
        };
        if value.is_empty() || values.contains(&value) {
            return Ok(());
        }
        let allowed = match values {
            [] => "it cannot be followed at all".to_owned(),
            values => format!("only {} can be followed", values.join(", ")),
        };
        Err(Fault::new(
            &BAD_CONNINFO,
            format!("{}={value:?} {origin} is not supported: {allowed}", self.name),
        ))
    }
}

fn closest(name: &str) -> Option<&'static str> {
    // A third of the word may be wrong: enough for "pasword" and "data_base", too little for nonsense.
    let aliases = [
        ("database", "dbname"),
        ("db", "dbname"),
        ("username", "user"),
        ("hostname", "host"),
        ("pass", "password"),
        ("ssl", "sslmode"),
    ];
    if let Some((_, known)) = aliases.iter().find(|(alias, _)| *alias == name) {
        return Some(known);
    }
    let distance_max = name.chars().count().div_ceil(3);
    KEYWORDS
        .iter()
        .map(|k| (edit_distance(name, k.name), k.name))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_keyword_gets_the_closest_as_a_suggestion() {
        let said = |name: &str| find(name, "in the connection string").unwrap_err().to_string();
        assert!(
            said("pasword").ends_with("did you mean \"password\"?"),
            "{}",
            said("pasword")
        );
        assert!(said("database").ends_with("did you mean \"dbname\"?"));
        assert!(said("ssl_mode").ends_with("did you mean \"sslmode\"?"));
        assert!(said("conect_timeout").ends_with("did you mean \"connect_timeout\"?"));
        assert!(said("xyzzy").ends_with("in the connection string"));
    }

    #[test]
    fn a_protection_that_cannot_be_followed_is_refused_and_not_dropped() {
        for (name, value) in [
            ("require_auth", "scram-sha-256"),
            ("gssencmode", "require"),
            ("sslcrl", "/x"),
        ] {
            let fault = find(name, "").unwrap().check(value, "in PGX").unwrap_err();
            assert_eq!(fault.code().id, "PG-001");
            assert!(fault.to_string().contains(name), "{fault}");
        }
        find("gssencmode", "").unwrap().check("prefer", "").unwrap();
        find("require_auth", "").unwrap().check("", "").unwrap();
    }

    #[test]
    fn edit_distances_are_right() {
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("user", "user"), 0);
    }
}
