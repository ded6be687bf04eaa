//! Who may do what, at every address: nobody, a viewer, an operator, an admin; with a forged form; with a token; behind a proxy.

use std::net::IpAddr;
use std::time::Duration;

use corridor_console::access::account::{self, Change};
use corridor_console::access::{Access, Role};
use corridor_console::route::{self, Kind};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::house::{Ask, House, PASSWORD, Who, options};
use crate::stage::Stage;

/// An address with something in its places that does no harm when it is let through.
fn filled(path: &str) -> String {
    path.replace("{cluster}", "nowhere")
        .replace("{name}", "nothing")
        .replace("{verb}", "pause")
        .replace("{what}", "nothing")
        .replace("{id}", "999999")
        .replace("{file}", "nothing")
}

fn needs(access: Access) -> Option<Role> {
    match access {
        Access::Open => None,
        Access::Role(role) => Some(role),
    }
}

/// Every address, asked by everybody. What a role may do is tested by what is refused to the one below it.
#[tokio::test(flavor = "multi_thread")]
async fn every_address_is_for_whom_the_table_says() {
    let house = House::new("access_every").await;
    let mut people = vec![(None, Who::Nobody)];
    for (name, role) in [
        ("vera", Role::Viewer),
        ("otto", Role::Operator),
        ("anna", Role::Admin),
    ] {
        people.push((Some(role), house.sign_in(name).await));
        people.push((Some(role), Who::Token(house.token(name, role).await)));
    }
    // Streams never end, and whoever has signed out is nobody: they have tests of their own.
    let is_asked = |path: &str| {
        ["/live", "logout", "sign-out"]
            .iter()
            .all(|part| !path.contains(part))
    };
    let routes: Vec<_> = route::all()
        .into_iter()
        .filter(|route| is_asked(route.path))
        .collect();
    assert!(routes.len() > 30);
    for route in routes {
        let path = filled(route.path);
        for (role, who) in &people {
            let is_page = route.kind == Kind::Page;
            let mut ask = Ask::new(route.method.as_str(), &path).by(who);
            if route.method != "GET" {
                ask = match is_page {
                    true => ask.form(&[("csrf", who.csrf())]),
                    false => ask.header("x-csrf-token", who.csrf()).json(&json!({})),
                };
            }
            let answer = house.send(&ask).await;
            let told = format!(
                "{} {path} by {role:?}: {} {}",
                route.method, answer.status, answer.body
            );
            match needs(route.access) {
                Some(wanted) if role.is_none() => {
                    let is_sent_away = is_page
                        && route.method == "GET"
                        && answer.status == 303
                        && answer.header("location").unwrap().starts_with("/login?next=");
                    assert!(is_sent_away || answer.status == 401, "{wanted}: {told}");
                }
                Some(wanted) if *role < Some(wanted) => {
                    assert_eq!(answer.status, 403, "{told}");
                    assert!(answer.body.contains("CON-008"), "{told}");
                }
                // Accounts are looked after by people, not by tokens.
                _ if matches!(who, Who::Token(_))
                    && route.method == "POST"
                    && route.path.contains("/account") =>
                {
                    assert!(answer.status == 403 && answer.body.contains("CON-008"), "{told}");
                }
                // Nobody signs in with an empty name.
                _ if (route.method.as_str(), route.path) == ("POST", "/login") => {
                    assert!([401, 429].contains(&answer.status), "{told}");
                }
                _ => assert!(
                    // This one is not ready, and says so to everybody.
                    ![401, 403].contains(&answer.status) && (answer.status < 500 || path == "/readyz"),
                    "{told}"
                ),
            }
            assert!(
                answer
                    .header("content-security-policy")
                    .is_some_and(|policy| policy.contains("default-src 'none'") && !policy.contains("unsafe")),
                "{told}"
            );
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{told}");
        }
    }
}

/// A stream is for those who are signed in, and signing out everywhere ends all sign-ins but the one that asks.
#[tokio::test(flavor = "multi_thread")]
async fn streams_want_a_sign_in_and_signing_out_everywhere_ends_the_others() {
    let house = House::new("access_streams").await;
    for path in ["/live", "/clusters/main/migrations/nothing/live"] {
        let answer = house.get(path, &Who::Nobody).await;
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.header("location").unwrap().starts_with("/login"));
        let token = Who::Token("0".repeat(64));
        assert_ne!(house.get(path, &token).await.status, 200, "{path}");
    }
    let (here, there) = (house.sign_in("vera").await, house.sign_in("vera").await);
    let path = "/account/sign-out-everywhere";
    let form = Ask::new("POST", path).by(&here).form(&[("csrf", here.csrf())]);
    assert_eq!(house.send(&form).await.status, 303);
    assert_eq!(house.get("/account", &here).await.status, 200);
    assert_eq!(house.get("/account", &there).await.status, 303);
}

/// Whoever may not look any more hears no more either.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_account() {
    let stage = Stage::new("access_stream_ends").await;
    let mut open = stage.as_viewer().await.open("/live").await;
    open.until("event: fleet").await;
    let mut session = stage.session().await;
    account::change(&mut session, "vera", &Change::Removed, "test")
        .await
        .unwrap();
    assert!(open.ends_within(Duration::from_secs(20)).await, "it still tells");
}

/// Somebody who opens connections and says nothing takes no place from those who come from elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_lock_nobody_else_out() {
    let house = House::new("access_silent").await;
    let mut silent = Vec::new();
    for _ in 0..400 {
        silent.push(tokio::net::TcpStream::connect(&house.address).await.unwrap());
    }
    // From another address of this machine.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut stream = socket.connect(house.address.parse().unwrap()).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer));
    read.await.expect("it is answered").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // And the silent ones are let go after half a minute.
    let mut first = silent.remove(0);
    let mut nothing = [0; 1];
    let read = tokio::time::timeout(Duration::from_secs(60), first.read(&mut nothing));
    assert!(matches!(read.await.expect("it is closed"), Ok(0) | Err(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_another_site_sends_is_refused() {
    let house = House::new("access_forged").await;
    let anna = house.sign_in("anna").await;
    let other = house.sign_in("anna").await;
    let routes: Vec<_> = route::all()
        .into_iter()
        .filter(|route| route.method != "GET" && route.access != Access::Open)
        .collect();
    for route in &routes {
        let path = filled(route.path);
        let ask = || Ask::new(route.method.as_str(), &path).by(&anna);
        let forged = [
            ask(),
            ask().form(&[("csrf", "")]),
            ask().form(&[("csrf", other.csrf())]),
            ask().header("x-csrf-token", other.csrf()),
            ask()
                .form(&[("csrf", anna.csrf())])
                .header("sec-fetch-site", "cross-site"),
            ask()
                .form(&[("csrf", anna.csrf())])
                .header("sec-fetch-site", "same-site"),
            ask()
                .form(&[("csrf", anna.csrf())])
                .header("origin", "https://evil.example"),
        ];
        for one in forged {
            let answer = house.send(&one).await;
            assert!(
                answer.status == 403 && answer.body.contains("CON-009"),
                "{one:?}: {} {}",
                answer.status,
                answer.body
            );
        }
    }
    // Still signed in: nothing went through.
    assert_eq!(house.get("/account", &anna).await.status, 200);
    let mut session = house.session().await;
    let count = account::list(&*session).await.unwrap().len();
    assert_eq!(count, 3);
    account::change(&mut session, "anna", &Change::Removed, "test")
        .await
        .expect_err("the last admin stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_kept_from_scripts_and_ends_with_the_sign_in() {
    let house = House::new("access_cookie").await;
    let answer = house.try_sign_in("anna", PASSWORD).await;
    assert_eq!(answer.header("location"), Some("/audit"));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let anna = house.sign_in("anna").await;
    // The table has no secret that could be sent.
    let session = house.session().await;
    let Who::Cookie(cookie, csrf) = &anna else {
        unreachable!()
    };
    let secret = cookie.split_once('=').unwrap().1;
    let rows = session
        .query(
            "select encode(digest, 'hex') as digest from corridor.sign_in",
            &[],
        )
        .await
        .unwrap();
    assert!(rows.iter().all(|row| row.get::<_, String>("digest") != secret));
    assert_ne!(secret, csrf);
    let out = house
        .send(&Ask::new("POST", "/logout").by(&anna).form(&[("csrf", csrf)]))
        .await;
    assert_eq!(out.status, 303);
    assert_eq!(
        house.get("/account", &anna).await.status,
        303,
        "signed out at once"
    );
    // An expired one is none.
    let again = house.sign_in("anna").await;
    session
        .execute("update corridor.sign_in set expires_at = clock_timestamp()", &[])
        .await
        .unwrap();
    let gone = async || house.get("/account", &again).await.status == 303;
    crate::until(gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_and_another_password_end_what_was_signed_in() {
    let house = House::new("access_disabled").await;
    let (vera, otto) = (house.sign_in("vera").await, house.sign_in("otto").await);
    let token = Who::Token(house.token("vera", Role::Viewer).await);
    assert_eq!(house.get("/api/me", &token).await.status, 200);
    let mut session = house.session().await;
    account::change(&mut session, "vera", &Change::Disabled(true), "test")
        .await
        .unwrap();
    account::change(
        &mut session,
        "otto",
        &Change::Password("another password".into()),
        "test",
    )
    .await
    .unwrap();
    for who in [&vera, &token, &otto] {
        crate::until(async || house.get("/api/me", who).await.status == 401).await;
    }
    assert_eq!(house.try_sign_in("vera", PASSWORD).await.status, 401);
    assert_eq!(house.try_sign_in("otto", PASSWORD).await.status, 401);
    assert_eq!(house.try_sign_in("otto", "another password").await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_ends_every_secret_of_one_account_and_of_no_other() {
    let house = House::new("access_revoked").await;
    let vera = [
        house.sign_in("vera").await,
        Who::Token(house.token("vera", Role::Viewer).await),
    ];
    let otto = Who::Token(house.token("otto", Role::Operator).await);
    let mut session = house.session().await;
    account::change(&mut session, "vera", &Change::Revoked, "test")
        .await
        .unwrap();
    for who in &vera {
        crate::until(async || house.get("/api/me", who).await.status == 401).await;
    }
    assert_eq!(house.get("/api/me", &otto).await.status, 200);
    house.sign_in("vera").await;
    let missing = account::change(&mut session, "nobody", &Change::Revoked, "test")
        .await
        .unwrap_err();
    assert_eq!(missing.code().id, "CON-005");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_made_slow() {
    let house = House::new("access_guess").await;
    for _ in 0..6 {
        let answer = house.try_sign_in("anna", "not the password").await;
        assert_eq!(answer.status, 401);
    }
    let answer = house.try_sign_in("anna", PASSWORD).await;
    assert_eq!(
        answer.status, 429,
        "not looked at, though it is right: {}",
        answer.body
    );
    let words = |body: &str| body.contains("too many tries");
    assert!(words(&answer.body), "{}", answer.body);
    // What is wrong is not said: an unknown name is answered like a wrong password.
    let other = House::new("access_unknown").await;
    let (known, unknown) = (
        other.try_sign_in("anna", "not the password").await,
        other.try_sign_in("nobody", "not the password").await,
    );
    assert_eq!(known.body.replace("anna", "nobody"), unknown.body);
}

/// Failed tries are counted in the audit, and whoever tries without end does not fill it.
#[tokio::test(flavor = "multi_thread")]
async fn failed_sign_ins_are_counted_and_not_written_one_by_one() {
    let house = House::new("access_failed").await;
    let session = house.session().await;
    for n in 0..8 {
        house.try_sign_in("anna", "not the password").await;
        house
            .try_sign_in(&format!("stranger{n}"), "not the password")
            .await;
    }
    let told = async |object: &str| -> (i64, i64) {
        let sql = "select count(*), coalesce(sum((detail ->> 'times')::int), 0) from corridor.audit \
                   where action = 'sign_in_failed' and object = $1";
        let row = session.query_one(sql, &[&object]).await.unwrap();
        (row.get(0), row.get(1))
    };
    crate::until(async || told("account anna").await.0 > 0 && told("names without an account").await.0 > 0)
        .await;
    // What came after the first line comes with the next one, a minute later.
    let (lines, times) = told("account anna").await;
    assert!(lines == 1 && (1..=8).contains(&times), "{lines} {times}");
    let (lines, times) = told("names without an account").await;
    assert!(lines == 1 && (1..=8).contains(&times), "{lines} {times}");
    let names = "select count(*) from corridor.audit where object like '%stranger%' or detail::text like '%stranger%'";
    let names: i64 = session.query_one(names, &[]).await.unwrap().get(0);
    assert_eq!(names, 0, "somebody may have typed a password there");
}

/// Whoever sets something for all of another cluster is in home's audit before it is done, and so is what came of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_on_a_cluster_that_is_away_is_known_at_home() {
    let house = House::new("access_foretold").await;
    let session = house.session().await;
    let anna = house.sign_in("anna").await;
    let set = async |cluster: &str, value: &str| -> u16 {
        let form = [("csrf", anna.csrf()), ("key", "workers"), ("value", value)];
        let ask = Ask::new("POST", &format!("/clusters/{cluster}/settings"));
        house.send(&ask.by(&anna).form(&form)).await.status
    };
    assert_eq!(set("main", "2").await, 303);
    // What makes no sense was never asked for.
    assert_eq!(set("away", "many").await, 400);
    assert_eq!(set("away", "2").await, 503);
    let sql = "select action || ' ' || object from corridor.audit where object like 'setting %' order by id";
    let rows = session.query(sql, &[]).await.unwrap();
    let told: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        told,
        [
            "default_set setting workers",
            "default_set setting away/workers",
            "refused setting away/workers"
        ]
    );
}

/// Who comes by a token was seen, too.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_only_programs_use_was_seen() {
    let house = House::new("access_seen").await;
    let anna = house.sign_in("anna").await;
    let seen = async || -> bool {
        let page = house.get("/accounts", &anna).await.body;
        let row = page
            .split("<tr>")
            .find(|row| row.contains("\"what\">otto"))
            .unwrap();
        !row.contains("never")
    };
    let otto = Who::Token(house.token("otto", Role::Operator).await);
    assert!(!seen().await);
    assert_eq!(house.get("/api/me", &otto).await.status, 200);
    assert!(seen().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_never_may_more_than_its_account_and_needs_no_form() {
    let house = House::new("access_token").await;
    let vera = Who::Token(house.token("vera", Role::Admin).await);
    let me = house.get("/api/me", &vera).await.json();
    assert_eq!(
        (me["name"].as_str(), me["role"].as_str()),
        (Some("vera"), Some("viewer"))
    );
    let anna = Who::Token(house.token("anna", Role::Viewer).await);
    assert_eq!(house.get("/accounts", &anna).await.status, 403);
    for text in [
        "Bearer",
        "Bearer x",
        "Basic YTpi",
        &format!("Bearer {}", "0".repeat(64)),
    ] {
        let answer = house
            .send(&Ask::new("GET", "/api/me").header("authorization", text))
            .await;
        assert_eq!(answer.status, 401, "{text}");
        assert!(answer.header("www-authenticate").is_some());
    }
    // One that expires.
    let mut session = house.session().await;
    let short = account::add_token(&mut session, "anna", "short", Role::Admin, Some(1), "test")
        .await
        .unwrap();
    let short = Who::Token(short);
    assert_eq!(house.get("/api/me", &short).await.status, 200);
    session
        .execute(
            "update corridor.token set expires_at = clock_timestamp() where name = 'short'",
            &[],
        )
        .await
        .unwrap();
    crate::until(async || house.get("/api/me", &short).await.status == 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_names_the_account_and_nobody_else_does() {
    let trusting = |from: &str| corridor_console::Options {
        proxy_header: Some("x-forwarded-user".to_owned()),
        proxy_from: vec![from.parse::<IpAddr>().unwrap()],
        ..options()
    };
    let house = House::with("access_proxy", trusting("127.0.0.1"), None).await;
    let as_anna = |path: &str| Ask::new("GET", path).header("x-forwarded-user", "anna");
    let me = house.send(&as_anna("/api/me")).await.json();
    assert_eq!(me["role"], "admin");
    let unknown = house
        .send(&Ask::new("GET", "/api/me").header("x-forwarded-user", "eve"))
        .await;
    assert_eq!(unknown.status, 401);
    let twice = house
        .send(&as_anna("/api/me").header("x-forwarded-user", "vera"))
        .await;
    assert_eq!(twice.status, 401, "somebody has added one");
    // Its forms need the page's secret as well.
    let page = house.send(&as_anna("/account")).await;
    let cookie = page
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let post = |csrf: &str| {
        Ask::new("POST", "/account/tokens")
            .header("x-forwarded-user", "anna")
            .header("cookie", &cookie)
            .form(&[("csrf", csrf), ("name", "t"), ("role", "viewer")])
    };
    assert_eq!(house.send(&post("x")).await.status, 403);
    assert_eq!(house.send(&post(&page.csrf())).await.status, 200);
    // From an address that is not trusted the header says nothing.
    let other = House::with("access_no_proxy", trusting("192.0.2.1"), None).await;
    assert_eq!(other.send(&as_anna("/api/me")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_goes_on_only_within_the_console() {
    let house = House::new("access_onward").await;
    for (next, location) in [
        ("/audit", "/audit"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("", "/"),
    ] {
        let form = [("name", "vera"), ("password", PASSWORD), ("next", next)];
        let answer = house.send(&Ask::new("POST", "/login").form(&form)).await;
        assert_eq!(answer.header("location"), Some(location), "{next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_changed_by_admins_and_one_is_always_left() {
    let house = House::new("access_accounts").await;
    let anna = house.sign_in("anna").await;
    let post = async |path: &str, fields: &[(&str, &str)]| {
        let fields = [&[("csrf", anna.csrf())], fields].concat();
        house.send(&Ask::new("POST", path).by(&anna).form(&fields)).await
    };
    let added = post(
        "/accounts",
        &[("name", "eva"), ("role", "operator"), ("password", PASSWORD)],
    )
    .await;
    assert_eq!(added.status, 303, "{}", added.body);
    house.sign_in("eva").await;
    let taken = post("/accounts", &[("name", "eva"), ("role", "viewer")]).await;
    assert!(
        taken.status == 409 && taken.body.contains("CON-004"),
        "{}",
        taken.body
    );
    for (name, password, code) in [("Eva", PASSWORD, "CON-002"), ("eve", "short", "CON-003")] {
        let bad = post(
            "/accounts",
            &[("name", name), ("role", "viewer"), ("password", password)],
        )
        .await;
        assert!(bad.status == 400 && bad.body.contains(code), "{}", bad.body);
    }
    for (path, fields) in [
        ("/accounts/anna/disabled", [("disabled", "on")]),
        ("/accounts/anna/role", [("role", "viewer")]),
        ("/accounts/anna/remove", [("x", "y")]),
    ] {
        let refused = post(path, &fields).await;
        assert!(
            refused.status == 409 && refused.body.contains("CON-006"),
            "{path}"
        );
    }
    assert_eq!(post("/accounts/eva/role", &[("role", "admin")]).await.status, 303);
    assert_eq!(
        post("/accounts/anna/role", &[("role", "viewer")]).await.status,
        303
    );
    crate::until(async || house.get("/accounts", &anna).await.status == 403).await;
    let session = house.session().await;
    let rows = session
        .query(
            "select action, object, actor from corridor.audit order by id",
            &[],
        )
        .await
        .unwrap();
    let said: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                "{} {} {}",
                row.get::<_, &str>(2),
                row.get::<_, &str>(0),
                row.get::<_, &str>(1)
            )
        })
        .collect();
    assert!(
        said.contains(&"anna account_role_set account eva".to_owned()),
        "{said:?}"
    );
    assert!(said.contains(&"eva signed_in account eva".to_owned()), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_account_the_page_says_how_to_make_one() {
    let database = corridor_testbed::Cluster::shared(15)
        .await
        .fresh_database("access_none")
        .await
        .unwrap();
    let house = House::empty(database, options(), None).await;
    let page = house.get("/login", &Who::Nobody).await;
    assert!(
        page.status == 200 && page.body.contains("corridor user add"),
        "{}",
        page.body
    );
    assert_eq!(house.try_sign_in("admin", "admin").await.status, 401);
}
