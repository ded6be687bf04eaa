use super::*;

fn kept(key: &str, value: &str) -> Stored {
    let value = StoredValue {
        value: value.to_owned(),
        by: "anna".to_owned(),
        at: "2026-11-30T22:00:00Z".to_owned(),
    };
    BTreeMap::from([(key.to_owned(), value)])
}

fn read_with(text: &str, environment: &[(&str, &str)], flags: &Flags, stored: &Stored) -> Result<Config> {
    let environment = environment
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let sources = Sources::of("corridor.toml", text, environment, flags.clone());
    Config::read(&sources, stored)
}

fn read(text: &str, environment: &[(&str, &str)], flags: &Flags) -> Result<Config> {
    read_with(text, environment, flags, &Stored::new())
}

fn origin(config: &Config, key: &str) -> String {
    let shown = config.shown.iter().find(|shown| shown.key == key).unwrap();
    format!("{} from {}", shown.value, shown.origin)
}

#[test]
fn each_value_knows_where_it_came_from_and_the_nearest_wins() {
    let text = "listen = \"127.0.0.1:1\"\nworkers = 7\nauto_start = true\nwindows = [\"22:00-06:00\"]\n\
                [alerts]\nwebhook = \"https://u:secret@example.org/T0/secret\"\n\
                [[clusters]]\nname = \"main\"\ndatabase = \"postgres://u:secret@h/db\"";
    let flags = Flags {
        listen: Some("127.0.0.1:3".to_owned()),
        ..Flags::default()
    };
    let config = read(
        text,
        &[("CORRIDOR_LISTEN", "127.0.0.1:2"), ("CORRIDOR_WORKERS", "2")],
        &flags,
    )
    .unwrap();
    assert_eq!(
        origin(&config, "listen"),
        "127.0.0.1:3 from command line, --listen"
    );
    assert_eq!(origin(&config, "workers"), "2 from environment, CORRIDOR_WORKERS");
    assert_eq!(origin(&config, "auto_start"), "true from corridor.toml");
    assert_eq!(origin(&config, "collect"), "true from default");
    assert!(config.shown.iter().all(|shown| !shown.value.contains("secret")));
    assert_eq!(config.windows.len(), 1);
    let other = read(&text.replace('7', "9"), &[], &flags).unwrap();
    assert_eq!(
        config.differences(&other),
        ["workers: 2 is now 9 (corridor.toml)"]
    );
}

#[test]
fn what_makes_no_sense_is_refused_and_says_where_it_stands() {
    for (text, wanted) in [
        ("worker = 7", "there is no setting worker; did you mean"),
        ("workers = 65", "a number from 0 to 64"),
        ("workers = [1]", "cannot be array"),
        ("auto_start = \"maybe\"", "true or false"),
        ("windows = [\"25:00-26:00\"]", "25:00"),
        ("listen = \"nowhere\"", "an address and a port"),
        ("app_version = \"new\"", "app_version"),
        ("[[clusters]]\nname = \"a\"", "needs a database"),
        (
            "[[clusters]]\nname = \"a\"\ndatabase = \"\"\nport = 1",
            "has no port",
        ),
        (
            "[[clusters]]\nname = \"a\"\ndatabase = \"\"\n[[clusters]]\nname = \"a\"\ndatabase = \"\"",
            "two clusters are called a",
        ),
        ("[alerts]\nslack = \"ftp://x\"", "begins with http"),
        ("x = = 1", "corridor.toml"),
    ] {
        let fault = read(text, &[], &Flags::default()).unwrap_err();
        assert_eq!(fault.code().id, "CLI-008");
        assert!(fault.detail().contains(wanted), "{text}: {}", fault.detail());
    }
}

#[test]
fn what_is_kept_stands_between_the_file_and_the_environment() {
    let none = Flags::default();
    let text = "workers = 7\nlisten = \"127.0.0.1:1\"";
    let config = read_with(text, &[], &none, &kept("workers", "9")).unwrap();
    assert_eq!(
        origin(&config, "workers"),
        "9 from set by anna, 2026-11-30T22:00:00Z"
    );
    assert_eq!(config.workers, 9);
    let environment = [("CORRIDOR_WORKERS", "2")];
    let config = read_with(text, &environment, &none, &kept("workers", "9")).unwrap();
    assert_eq!(config.workers, 2);
    assert!(is_fixed(
        config.shown.iter().find(|one| one.key == "workers").unwrap()
    ));
    // What holds from a restart on, and what says who is let in, is not taken from there.
    let config = read_with(text, &[], &none, &kept("listen", "0.0.0.0:1")).unwrap();
    assert_eq!(origin(&config, "listen"), "127.0.0.1:1 from corridor.toml");
    let config = read_with(text, &[], &none, &kept("console.proxy_header", "X-User")).unwrap();
    assert_eq!(config.access.proxy_header, None);
    // One of a newer version says nothing to this one; a value that makes no sense is refused.
    assert!(read_with(text, &[], &none, &kept("newer", "1")).is_ok());
    let fault = read_with(text, &[], &none, &kept("workers", "many")).unwrap_err();
    assert!(fault.detail().contains("set by anna"), "{fault}");
    for (key, wanted) in [
        ("worker", "did you mean"),
        ("tls.key", "is not changed while"),
        ("listen", "is not changed while"),
        ("clusters.main", "there is no setting"),
    ] {
        let fault = check_key(key).unwrap_err();
        assert!(fault.detail().contains(wanted), "{fault}");
    }
}

#[test]
fn who_is_let_in_is_read_and_checked() {
    let text = "[console]\nproxy_header = \"X-Forwarded-User\"\nproxy_from = \"10.0.0.1, ::1\"\nsign_in_hours = 8\n\
                [tls]\ncert = \"/c.pem\"\nkey = \"/k.pem\"";
    let access = read(text, &[], &Flags::default()).unwrap().access;
    assert_eq!(access.proxy_header.as_deref(), Some("X-Forwarded-User"));
    assert_eq!(access.proxy_from.len(), 2);
    assert_eq!(access.sign_in_hours, 8);
    assert_eq!(access.tls, Some(("/c.pem".into(), "/k.pem".into())));
    for (text, wanted) in [
        ("[tls]\ncert = \"x\"", "needs a key"),
        ("[tls]\nkey = \"x\"", "needs a certificate"),
        ("[console]\nproxy_header = \"a b\"", "name of a header"),
        ("[console]\nproxy_from = \"everyone\"", "IP addresses"),
        ("[console]\nsign_in_hours = 0", "a number from 1"),
        ("[console]\nproxyheader = \"x\"", "did you mean"),
    ] {
        let fault = read(text, &[], &Flags::default()).unwrap_err();
        assert!(fault.detail().contains(wanted), "{text}: {}", fault.detail());
    }
}

#[test]
fn an_address_that_nothing_can_be_posted_to_is_refused_before_anybody_waits_for_it() {
    for key in ["webhook", "slack"] {
        for address in [
            "hooks.example.org/T0/secret",
            "//hooks.example.org/T0/secret",
            "ftp://hooks.example.org/T0/secret",
            "https:///T0/secret",
            "https://u:p@/T0/secret",
            "https://:8080/T0/secret",
            "https://hooks.example.org:http/T0/secret",
            "https://hooks.example.org/T0 secret",
        ] {
            let text = format!("[alerts]\n{key} = \"{address}\"");
            let fault = read(&text, &[], &Flags::default()).unwrap_err();
            assert_eq!(fault.code().id, "CLI-008", "{address}");
            let said = fault.to_string();
            assert!(said.contains(key) && !said.contains("secret"), "{said}");
            let fault = read_with(
                "",
                &[],
                &Flags::default(),
                &kept(&format!("alerts.{key}"), address),
            );
            assert!(fault.is_err(), "{address} is not kept either");
        }
    }
    let text = "[alerts]\nwebhook = \"http://u:p@[::1]:8080/a?b=c\"\nslack = \"https://example.org\"";
    assert!(read(text, &[], &Flags::default()).is_ok());
}

#[test]
fn what_holds_from_a_restart_on_stays_until_then_and_is_said_to() {
    let before = read("workers = 2\nlisten = \"127.0.0.1:1\"", &[], &Flags::default()).unwrap();
    let mut now = read("workers = 3\nlisten = \"127.0.0.1:2\"", &[], &Flags::default()).unwrap();
    let waiting = now.hold_until_restart(&before);
    assert_eq!(
        waiting,
        ["listen stays \"127.0.0.1:1\": \"127.0.0.1:2\" (corridor.toml) needs a restart"]
    );
    assert_eq!(before.differences(&now), ["workers: 2 is now 3 (corridor.toml)"]);
    assert_eq!(now.listen, before.listen);
}
