//! Who overrides whom, on an invented environment.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// A process that does not exist: variables, files with their modes, and a user.
#[derive(Clone)]
struct Invented {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, (String, u32)>,
    user: Option<&'static str>,
}

fn nothing() -> Invented {
    Invented {
        variables: BTreeMap::new(),
        files: BTreeMap::new(),
        user: Some("os_user"),
    }
}

impl Invented {
    fn var(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn file(mut self, path: &str, mode: u32, text: &str) -> Self {
        self.files.insert(PathBuf::from(path), (text.to_owned(), mode));
        self
    }

    fn service(self, text: &str) -> Self {
        self.file("/home/me/.pg_service.conf", 0o644, text)
    }

    fn pgpass(self, text: &str) -> Self {
        self.file("/home/me/.pgpass", 0o600, text)
    }

    fn resolve(&self, text: &str) -> ConnectOptions {
        ConnectOptions::resolve(Some(text), self).unwrap()
    }

    fn refusal(&self, text: &str) -> String {
        let fault = ConnectOptions::resolve(Some(text), self).unwrap_err();
        assert_eq!(fault.code().id, "PG-001");
        fault.detail().to_owned()
    }
}

impl Environment for Invented {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<FileText> {
        let (text, mode) = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(FileText {
            text: text.clone(),
            mode: Some(*mode),
            is_plain: true,
        })
    }

    fn exists(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    fn user_name(&self) -> Option<String> {
        self.user.map(str::to_owned)
    }

    fn home(&self) -> Option<PathBuf> {
        Some(PathBuf::from("/home/me"))
    }
}

fn passwords(options: &ConnectOptions) -> Vec<Option<&str>> {
    let all = options.password.as_ref();
    let each = options.hosts.iter().map(|h| h.password.as_ref());
    each.map(|own| all.or(own).map(Secret::reveal)).collect()
}

#[test]
fn with_nothing_given_the_defaults_are_those_of_libpq() {
    let options = ConnectOptions::resolve(None, &nothing()).unwrap();
    assert_eq!(
        options.describe(),
        "postgres://os_user@%2Ftmp:5432/os_user?sslmode=prefer"
    );
    let debian = nothing().file("/var/run/postgresql", 0o755, "");
    assert_eq!(
        debian.resolve("").hosts()[0].socket_dir(),
        Some("/var/run/postgresql")
    );
    assert_eq!(options.connect_timeout(), Some(CONNECT_TIMEOUT_DEFAULT));
    let nobody = Invented {
        user: None,
        ..nothing()
    };
    assert!(nobody.refusal("").contains("no user is given"));
    assert_eq!(nobody.resolve("user=u").dbname(), "u");
}

#[test]
fn the_string_overrides_the_service_which_overrides_the_variables() {
    let env = nothing()
        .var("PGHOST", "env")
        .var("PGPORT", "1")
        .var("PGUSER", "env")
        .var("PGDATABASE", "env")
        .service("[s]\nhost=service\nport=2\nuser=service\nuser=later_is_ignored\n");
    assert_eq!(
        env.resolve("").describe(),
        "postgres://env@env:1/env?sslmode=prefer"
    );
    assert_eq!(
        env.resolve("service=s").describe(),
        "postgres://service@service:2/env?sslmode=prefer"
    );
    assert_eq!(
        env.resolve("service=s user=text").describe(),
        "postgres://text@service:2/env?sslmode=prefer"
    );
    assert_eq!(
        env.resolve("postgres://text/?service=s").describe(),
        "postgres://service@text:2/env?sslmode=prefer"
    );
    assert_eq!(
        env.resolve("other").dbname(),
        "other",
        "a bare word is the database"
    );
    assert_eq!(
        env.resolve("user=a user=b").user(),
        "b",
        "the last word in a string counts"
    );
}

#[test]
fn a_service_is_found_by_variable_by_file_and_in_the_system_directory() {
    let own = "[s]\nhost=own\n";
    let env = nothing()
        .service(own)
        .var("PGSERVICE", "s")
        .file(
            "/etc/postgresql-common/pg_service.conf",
            0o644,
            "[sys]\nhost=sys\n",
        )
        .file("/x/pg_service.conf", 0o644, "[sys]\nhost=x\n[s]\nhost=x\n")
        .file("/y.conf", 0o644, "[s]\nhost=y\n");
    let host = |env: &Invented, text: &str| env.resolve(text).hosts()[0].host.clone().unwrap();
    assert_eq!(host(&env, ""), "own");
    assert_eq!(host(&env, "service=sys"), "sys");
    assert_eq!(host(&env.clone().var("PGSYSCONFDIR", "/x"), "service=sys"), "x");
    assert_eq!(host(&env.clone().var("PGSYSCONFDIR", "/x"), ""), "own");
    assert_eq!(host(&env.clone().var("PGSERVICEFILE", "/y.conf"), ""), "y");
    assert_eq!(host(&env, "servicefile=/y.conf"), "y");
    assert!(
        env.refusal("service=gone")
            .contains("\"gone\" in the connection string is not defined")
    );
    let broken = nothing().service("[s]\nhots=a\n");
    let said = broken.refusal("service=s");
    assert!(
        said.contains("\"hots\"") && said.contains("pg_service.conf") && said.contains("\"host\"?"),
        "{said}"
    );
}

#[test]
fn each_variable_reaches_its_setting() {
    let env = nothing()
        .var("PGHOST", "h")
        .var("PGHOSTADDR", "10.0.0.1")
        .var("PGPORT", "6000")
        .var("PGDATABASE", "d")
        .var("PGUSER", "u")
        .var("PGPASSWORD", "s3cret")
        .var("PGSSLMODE", "verify-ca")
        .var("PGSSLROOTCERT", "/r.crt")
        .var("PGSSLCERT", "/c.crt")
        .var("PGSSLKEY", "/c.key")
        .var("PGSSLSNI", "0")
        .var("PGAPPNAME", "theirs")
        .var("PGCONNECT_TIMEOUT", "3")
        .var("PGOPTIONS", "-c work_mem=1MB")
        .var("PGTARGETSESSIONATTRS", "read-write")
        .var("PGLOADBALANCEHOSTS", "random")
        .var("PGCHANNELBINDING", "require");
    let options = env.resolve("");
    assert_eq!(
        options.describe(),
        "postgres://u@h:6000/d?hostaddr=10.0.0.1&sslmode=verify-ca&sslrootcert=%2Fr.crt&sslcert=%2Fc.crt\
         &sslkey=%2Fc.key&sslsni=0&channel_binding=require&target_session_attrs=read-write\
         &load_balance_hosts=random&connect_timeout=3&options=-c%20work_mem%3D1MB"
    );
    assert_eq!(passwords(&options), [Some("s3cret")]);
}

#[test]
fn empty_values_count_as_not_given_but_hide_what_lies_below() {
    let env = nothing().var("PGHOST", "").var("PGPORT", "").var("PGUSER", "");
    assert_eq!(
        env.resolve("").describe(),
        "postgres://os_user@%2Ftmp:5432/os_user?sslmode=prefer"
    );
    let env = nothing().var("PGHOST", "env");
    assert_eq!(env.resolve("host=''").hosts()[0].socket_dir(), Some("/tmp"));
}

#[test]
fn host_lists_are_matched_with_addresses_and_ports() {
    let env = nothing();
    let shown = |text: &str| crate::ident::join(env.resolve(text).hosts(), " ");
    assert_eq!(shown("host=a,b port=1,2"), "a:1 b:2");
    assert_eq!(shown("host=a,b port=7"), "a:7 b:7");
    assert_eq!(
        shown("host=a,,/s port=,2,"),
        "a:5432 /tmp/.s.PGSQL.2 /s/.s.PGSQL.5432"
    );
    assert_eq!(shown("host=a,b hostaddr=10.0.0.1,"), "a:5432 (10.0.0.1) b:5432");
    assert_eq!(shown("hostaddr=::1"), "[::1]:5432");
    assert_eq!(shown("postgres://[::1]:5,a"), "[::1]:5 a:5432");
    assert_eq!(shown("postgres://%2Frun%2Fpg,b:3"), "/run/pg/.s.PGSQL.5432 b:3");
    for (text, why) in [
        (
            "host=a,b hostaddr=10.0.0.1",
            "2 host names, but 1 values of hostaddr",
        ),
        ("host=a,b port=1,2,3", "2 hosts, but 3 ports"),
        ("hostaddr=db1", "\"db1\" is not a numeric address"),
        ("port=70000", "a port is a number"),
        ("port=0", "a port is a number"),
        ("sslmode=verify", "expected one of disable, allow"),
        ("connect_timeout=soon", "expected a whole number"),
        ("target_session_attrs=primry", "expected one of any, read-write"),
        ("load_balance_hosts=yes", "expected disable or random"),
        ("usr=bob", "did you mean \"user\"?"),
        ("postgres://h/d?sslmod=x", "did you mean \"sslmode\"?"),
    ] {
        let said = env.refusal(text);
        assert!(said.contains(why), "{text}: {said}");
    }
    let said = nothing().var("PGPORT", "x").refusal("");
    assert!(said.contains("in PGPORT"), "{said}");
}

#[test]
fn the_password_file_is_asked_per_host_and_only_without_a_password() {
    let env = nothing().pgpass(
        "a:5432:d:u:for_a\nb:*:*:*:for_b\n10.0.0.9:*:*:*:for_addr\nlocalhost:*:*:*:local\n/other:*:*:*:for_other\n",
    );
    let found = |text: &str| {
        passwords(&env.resolve(text))
            .into_iter()
            .map(|p| p.unwrap_or("-").to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(found("host=a,b,c user=u dbname=d"), "for_a for_b -");
    assert_eq!(found("host=a user=u dbname=other"), "-");
    assert_eq!(
        found("host=a hostaddr=10.0.0.9 user=u dbname=d"),
        "for_a",
        "the name goes before the address"
    );
    assert_eq!(found("hostaddr=10.0.0.9"), "for_addr");
    assert_eq!(found(""), "local", "the default socket counts as localhost");
    assert_eq!(found("host=/tmp"), "local");
    assert_eq!(found("host=/other"), "for_other");
    assert_eq!(found("host=/another"), "-", "another socket does not");
    assert_eq!(found("host=b password=given"), "given");
    assert_eq!(found("host=b password=''"), "for_b");
    let elsewhere = env.clone().file("/p", 0o600, "*:*:*:*:elsewhere");
    assert_eq!(
        passwords(&elsewhere.resolve("host=b passfile=/p")),
        [Some("elsewhere")]
    );
    assert_eq!(
        passwords(&elsewhere.var("PGPASSFILE", "/p").resolve("host=b")),
        [Some("elsewhere")]
    );
}

#[test]
fn a_password_file_that_others_can_read_is_ignored() {
    for mode in [0o640, 0o604, 0o660] {
        let env = nothing().file("/home/me/.pgpass", mode, "*:*:*:*:leaked");
        assert_eq!(passwords(&env.resolve("host=b")), [None], "{mode:o}");
    }
    let env = nothing().file("/home/me/.pgpass", 0o400, "*:*:*:*:kept");
    assert_eq!(passwords(&env.resolve("host=b")), [Some("kept")]);
}

#[test]
fn root_certificates_are_found_where_libpq_finds_them() {
    let env = nothing();
    assert_eq!(env.resolve("").tls().roots, RootCertificates::None);
    let env = nothing().file("/home/me/.postgresql/root.crt", 0o644, "");
    let file = RootCertificates::File(PathBuf::from("/home/me/.postgresql/root.crt"));
    assert_eq!(env.resolve("").tls().roots, file);
    let system = env.resolve("host=h sslrootcert=system");
    assert_eq!(
        (&system.tls().roots, system.tls().mode),
        (&RootCertificates::System, SslMode::VerifyFull)
    );
    assert!(
        env.refusal("sslrootcert=system sslmode=require")
            .contains("verify-full")
    );
    assert_eq!(env.resolve("").tls().client_certificate, None);
    let env = env.file("/home/me/.postgresql/postgresql.crt", 0o644, "");
    assert!(env.resolve("").tls().client_certificate.is_some());
}

#[test]
fn timeouts_and_keepalives_follow_the_string() {
    let env = nothing();
    assert_eq!(env.resolve("connect_timeout=0").connect_timeout(), None);
    assert_eq!(env.resolve("connect_timeout=-1").connect_timeout(), None);
    assert_eq!(
        env.resolve("connect_timeout=4").connect_timeout(),
        Some(Duration::from_secs(4))
    );
    let keepalive = env
        .resolve("keepalives_idle=60 keepalives_count=0 tcp_user_timeout=1500")
        .keepalive;
    assert_eq!(keepalive.idle, Some(Duration::from_secs(60)));
    assert_eq!(keepalive.retries, None);
    assert_eq!(keepalive.user_timeout, Some(Duration::from_millis(1500)));
    assert!(!env.resolve("keepalives=0").keepalive.is_on);
    // What is promised: a half-open connection ends within about 30 seconds.
    let default = Keepalive::default();
    let silence = default.idle.unwrap() + default.interval.unwrap() * default.retries.unwrap();
    assert!(silence <= Duration::from_secs(30) && default.user_timeout.unwrap() <= Duration::from_secs(30));
}

#[test]
fn no_password_is_ever_shown() {
    let env = nothing().pgpass("*:*:*:*:hidden_in_file");
    for text in ["postgres://u:hidden_in_url@h/d", "password=hidden_in_string", ""] {
        let options = env.resolve(text);
        assert!(passwords(&options)[0].unwrap().starts_with("hidden"));
        for shown in [
            format!("{options:?} {:?}", options.hosts()),
            format!("{options}"),
            options.describe(),
        ] {
            assert!(!shown.contains("hidden"), "{shown}");
        }
    }
}

/// Host, port and `hostaddr` of one entry.
type Entry = (String, u16, Option<std::net::IpAddr>);

/// A fuzzer's find: in brackets it was shown as it is, and read back as another host with a database behind it.
#[test]
fn a_host_with_a_colon_that_is_no_address_is_shown_so_that_it_is_read_back() {
    for host in ["a%0c:b", "a]/:b", ":", "::1", "fe80::1%eth0"] {
        let first = nothing().resolve(&format!("host='{host}'"));
        assert_eq!(first.hosts()[0].host.as_deref(), Some(host));
        let again = nothing().resolve(&first.describe());
        assert!(first == again, "{host}: {}", first.describe());
    }
}

proptest! {
    #[test]
    fn no_text_makes_resolving_panic(text in "\\PC{0,60}") {
        let _ = ConnectOptions::resolve(Some(&text), &nothing().var("PGPORT", &text).service(&text).pgpass(&text));
    }

    #[test]
    fn what_is_described_is_read_back(
        hosts in proptest::collection::vec(("[^\\x00,]{0,20}", 1u16.., proptest::option::of(any::<std::net::IpAddr>())), 1..4),
        user in "[^\\x00]{1,20}",
        dbname in "[^\\x00]{1,20}",
        mode in 0usize..6,
        wanted in 0usize..6,
        timeout in proptest::option::of(0u32..1000),
        idle in proptest::option::of(0u32..1000),
        options in proptest::option::of("[^\\x00]{1,20}"),
        root in proptest::option::of("/[a-z ]{1,9}"),
    ) {
        let quote = |value: &str| format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
        let list = |f: &dyn Fn(&Entry) -> String| crate::ident::join(hosts.iter().map(f), ",");
        let mut text = format!(
            "host={} hostaddr={} port={} user={} dbname={} sslmode={} target_session_attrs={}",
            quote(&list(&|h| h.0.clone())),
            quote(&list(&|h| h.2.map_or_else(String::new, |a| a.to_string()))),
            quote(&list(&|h| h.1.to_string())),
            quote(&user),
            quote(&dbname),
            SslMode::WORDS[mode],
            TargetSessionAttrs::WORDS[wanted],
        );
        for (name, value) in [("connect_timeout", timeout), ("keepalives_idle", idle)] {
            if let Some(value) = value {
                text.push_str(&format!(" {name}={value}"));
            }
        }
        for (name, value) in [("options", options), ("sslrootcert", root)] {
            if let Some(value) = value {
                text.push_str(&format!(" {name}={}", quote(&value)));
            }
        }
        let first = nothing().resolve(&text);
        let again = nothing().resolve(&first.describe());
        prop_assert_eq!(first.describe(), again.describe());
        prop_assert!(first == again);
    }
}
