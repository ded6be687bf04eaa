//! Connecting: who is let in, what is said when not, servers that go away, statements that are cancelled.

use std::time::{Duration, Instant};

use corridor_pg::{Fault, Session};
use corridor_testbed::{Auth, Cluster, ClusterOptions, Mode};

use crate::{Around, connect, name, wait_until};

async fn refusal(around: &Around, text: &str) -> Fault {
    around
        .resolve(text)
        .connect(&name())
        .await
        .map(|_| ())
        .unwrap_err()
}

async fn setting(session: &Session, setting: &str) -> String {
    let row = session
        .query_one("select current_setting($1)", &[&setting])
        .await
        .unwrap();
    row.get(0)
}

#[tokio::test]
async fn over_tcp_and_over_the_socket_a_session_has_its_settings() {
    let cluster = Cluster::shared(15).await;
    for url in [cluster.url("postgres"), cluster.socket_url("postgres")] {
        let session = connect(&url).await;
        assert_eq!(session.major(), 15);
        assert_eq!(setting(&session, "application_name").await, "corridor:test:-");
        assert_eq!(setting(&session, "lock_timeout").await, "10s");
        assert_eq!(setting(&session, "search_path").await, "pg_catalog, pg_temp");
        session.set_timeouts(50, 1500).await.unwrap();
        assert_eq!(setting(&session, "lock_timeout").await, "50ms");
        assert_eq!(setting(&session, "statement_timeout").await, "1500ms");
        let pid: i32 = session
            .query_one("select pg_backend_pid()", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(pid, session.backend_pid());
    }
}

#[tokio::test]
async fn the_application_name_is_ours_from_the_first_moment() {
    let cluster = Cluster::shared(15).await;
    let around = Around::nothing().var("PGAPPNAME", "theirs");
    let session = around
        .resolve(&cluster.url("postgres"))
        .connect(&name())
        .await
        .unwrap();
    assert_eq!(setting(&session, "application_name").await, "corridor:test:-");
}

#[tokio::test]
async fn a_wrong_password_is_sent_once_and_never_again() {
    let options = ClusterOptions {
        auth: Auth::ScramSha256 {
            password: "right".to_owned(),
        },
        ..ClusterOptions::new(15)
    };
    let cluster = Cluster::start(options).await.unwrap();
    let url = format!("postgres://postgres:wrong@127.0.0.1:{}/postgres", cluster.port());
    let around = Around::nothing();
    let mut waits = 0;
    let fault = around
        .resolve(&url)
        .connect_with_retry(&name(), Duration::from_secs(60), |_, _| waits += 1)
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        (fault.code().id, fault.sqlstate()),
        ("PG-003", Some("28P01")),
        "{fault}"
    );
    assert!(
        fault
            .to_string()
            .contains(&format!("127.0.0.1:{}", cluster.port())),
        "{fault}"
    );
    assert_eq!(waits, 0);
    let log = cluster.server_log().unwrap();
    assert_eq!(log.matches("password authentication failed").count(), 1, "{log}");

    // The second host must not be tried with it either.
    let twice = url.replace("127.0.0.1", &format!("127.0.0.1:{},127.0.0.1", cluster.port()));
    assert_eq!(refusal(&around, &twice).await.code().id, "PG-003");
    let log = cluster.server_log().unwrap();
    assert_eq!(log.matches("password authentication failed").count(), 2, "{log}");

    let fault = refusal(&around, &url.replace(":wrong", "")).await;
    assert_eq!(fault.code().id, "PG-003");
    assert!(fault.detail().contains("PGPASSWORD"), "{fault}");

    connect(&cluster.url("postgres")).await;
    let fault = refusal(
        &around,
        &format!("{}?channel_binding=require", cluster.url("postgres")),
    )
    .await;
    assert_eq!(fault.code().id, "PG-022", "{fault}");
}

#[tokio::test]
async fn a_missing_database_and_a_missing_role_have_their_own_codes() {
    let cluster = Cluster::shared(15).await;
    let around = Around::nothing();
    let fault = refusal(&around, &cluster.url("not there")).await;
    assert_eq!(fault.code().id, "PG-004");
    assert!(fault.detail().contains("\"not there\""), "{fault}");
    let fault = refusal(&around, &cluster.url("postgres").replace("postgres@", "nobody@")).await;
    assert_eq!(fault.code().id, "PG-003", "{fault}");
}

#[tokio::test]
async fn when_nobody_answers_each_address_is_named() {
    let gone = Cluster::shared(15).await.directory().join("no-socket-here");
    let text = format!(
        "host=127.0.0.1,{},nowhere.invalid port=1,2,3 user=u",
        gone.display()
    );
    let fault = refusal(&Around::nothing(), &text).await;
    assert_eq!(fault.code().id, "PG-002");
    for part in [
        "127.0.0.1:1: ",
        "no-socket-here/.s.PGSQL.2: ",
        "nowhere.invalid:3: ",
        "onnection refused",
    ] {
        assert!(fault.detail().contains(part), "{part}: {fault}");
    }
}

#[tokio::test]
async fn the_first_host_that_answers_is_taken() {
    let cluster = Cluster::shared(15).await;
    let text = format!(
        "postgres://postgres@127.0.0.1:1,127.0.0.1:{}/postgres",
        cluster.port()
    );
    connect(&text).await;
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up() {
    // Bound and listening, but nobody ever accepts: the system completes the TCP handshake by itself.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = deaf.local_addr().unwrap().port();
    let start = Instant::now();
    let (around, text) = (
        Around::nothing(),
        format!("host=127.0.0.1 port={port} user=u connect_timeout=1"),
    );
    let fault = tokio::time::timeout(Duration::from_secs(20), refusal(&around, &text))
        .await
        .expect("it is given up");
    assert_eq!(fault.code().id, "PG-002");
    assert!(fault.detail().contains("no answer within 1 s"), "{fault}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn only_a_suitable_server_is_taken() {
    let cluster = Cluster::shared(15).await;
    let database = cluster.fresh_database("attrs").await.unwrap();
    let admin = connect(&database.url).await;
    let around = Around::nothing();
    let attrs = |word: &str| format!("{}?target_session_attrs={word}", database.url);
    for word in ["any", "read-write", "primary", "prefer-standby"] {
        connect(&attrs(word)).await;
    }
    for word in ["read-only", "standby"] {
        let fault = refusal(&around, &attrs(word)).await;
        assert_eq!(fault.code().id, "PG-002");
        assert!(
            fault.detail().contains("a primary that accepts writes"),
            "{fault}"
        );
    }
    admin
        .batch_execute(&format!(
            "alter database {} set default_transaction_read_only = on",
            database.name
        ))
        .await
        .unwrap();
    connect(&attrs("read-only")).await;
    connect(&attrs("primary")).await;
    let fault = refusal(&around, &attrs("read-write")).await;
    assert!(fault.detail().contains("does not accept writes"), "{fault}");
}

/// Two hosts, in both orders: a primary and its replica. Each word takes the host that it means, wherever it stands.
#[tokio::test]
async fn of_a_primary_and_its_replica_the_one_that_was_asked_for_is_taken() {
    let primary = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let replica = primary.replica("reader").await.unwrap();
    let (at_primary, at_replica) = (primary.port(), replica.standby().port());
    let url = |first: u16, second: u16, word: &str| {
        format!(
            "postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/postgres?target_session_attrs={word}"
        )
    };
    for (word, wanted) in [
        ("read-write", at_primary),
        ("primary", at_primary),
        ("read-only", at_replica),
        ("standby", at_replica),
        ("prefer-standby", at_replica),
    ] {
        for (first, second) in [(at_primary, at_replica), (at_replica, at_primary)] {
            let session = connect(&url(first, second, word)).await;
            let port: i32 = session
                .query_one("select inet_server_port()", &[])
                .await
                .unwrap()
                .get(0);
            assert_eq!(port, i32::from(wanted), "{word}, {first} first");
        }
    }
    // `any` takes the first that answers.
    for (first, second) in [(at_primary, at_replica), (at_replica, at_primary)] {
        let session = connect(&url(first, second, "any")).await;
        assert_eq!(setting(&session, "port").await, first.to_string());
    }
    // A primary that takes no writes by default is read-only, and still the primary.
    let admin = connect(&primary.url("postgres")).await;
    admin
        .batch_execute("alter database postgres set default_transaction_read_only = on")
        .await
        .unwrap();
    let session = connect(&url(at_replica, at_primary, "primary")).await;
    assert_eq!(setting(&session, "port").await, at_primary.to_string());
    let fault = refusal(&Around::nothing(), &url(at_replica, at_primary, "read-write")).await;
    assert_eq!(fault.code().id, "PG-002");
    for kind in [
        "the server is a standby that does not accept",
        "the server is a primary that does not accept",
    ] {
        assert!(fault.detail().contains(kind), "{fault}");
    }
    admin
        .batch_execute("alter database postgres reset default_transaction_read_only")
        .await
        .unwrap();

    // Without the replica, whoever needs one is told, and whoever only prefers one gets the primary.
    replica.standby().stop(Mode::Immediate).await.unwrap();
    let session = connect(&url(at_replica, at_primary, "prefer-standby")).await;
    assert_eq!(setting(&session, "port").await, at_primary.to_string());
    let fault = refusal(&Around::nothing(), &url(at_replica, at_primary, "standby")).await;
    assert_eq!(fault.code().id, "PG-002");
    assert!(
        fault.detail().contains(&format!("127.0.0.1:{at_replica}: "))
            && fault.detail().contains("a primary that accepts writes"),
        "{fault}"
    );
}

#[tokio::test]
async fn after_a_crash_the_session_says_so_and_a_new_one_waits_for_the_server() {
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let session = connect(&cluster.url("postgres")).await;
    cluster.stop(Mode::Immediate).await.unwrap();
    let fault = Fault::from(session.query_one("select 1", &[]).await.unwrap_err());
    assert_eq!(fault.code().id, "PG-006", "{fault}");
    assert!(session.is_closed());

    let options = Around::nothing().resolve(&cluster.url("postgres"));
    // Nobody there: the deadline ends it, with the last fault.
    let start = Instant::now();
    let fault = options
        .connect_with_retry(&name(), Duration::from_millis(400), |_, _| ())
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.code().id, "PG-002", "{fault}");
    assert!(
        (200..2_000).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );

    // It starts again only once the retry has begun to wait.
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let reconnecting = tokio::spawn(async move {
        let told = |fault: &Fault, _pause| told.send(fault.code().id).unwrap_or(());
        options
            .connect_with_retry(&name(), Duration::from_secs(60), told)
            .await
    });
    assert_eq!(hears.recv().await, Some("PG-002"));
    cluster.start_again().await.unwrap();
    let session = reconnecting.await.unwrap().unwrap();
    session.query_one("select 1", &[]).await.unwrap();
}

#[tokio::test]
async fn a_terminated_session_knows_why() {
    let cluster = Cluster::shared(15).await;
    let (session, admin) = (
        connect(&cluster.url("postgres")).await,
        connect(&cluster.url("postgres")).await,
    );
    assert_eq!(session.ending(), None);
    let pid = session.backend_pid();
    admin
        .query_one("select pg_terminate_backend($1)", &[&pid])
        .await
        .unwrap();
    wait_until(
        &admin,
        &format!("select not exists (select from pg_stat_activity where pid = {pid})"),
    )
    .await;
    // The connection's task reads the server's last word by itself. A statement sent meanwhile could have the network
    // throw it away: what the server has closed answers with a reset.
    while !session.is_closed() {
        tokio::task::yield_now().await;
    }
    session.query_one("select 1", &[]).await.unwrap_err();
    assert!(
        session.ending().is_some_and(|why| why.contains("57P01")),
        "{:?}",
        session.ending()
    );
}

#[tokio::test]
async fn a_running_statement_is_cancelled() {
    let cluster = Cluster::shared(15).await;
    let session = connect(&cluster.url("postgres")).await;
    let observer = connect(&cluster.url("postgres")).await;
    let token = session.cancel_token();
    let pid = session.backend_pid();
    let (slept, cancelled) = tokio::join!(session.query_one("select pg_sleep(60)", &[]), async {
        let sql = format!("select wait_event = 'PgSleep' from pg_stat_activity where pid = {pid}");
        wait_until(&observer, &format!("select coalesce(({sql}), false)")).await;
        token.cancel().await
    });
    cancelled.unwrap();
    assert_eq!(Fault::from(slept.unwrap_err()).code().id, "PG-012");
}

#[tokio::test]
async fn every_statement_of_the_floor_is_understood_by_every_major() {
    let statements = [
        include_str!("../../sql/session/adopt.sql"),
        include_str!("../../sql/session/backend_pid.sql"),
        include_str!("../../sql/session/kind.sql"),
        include_str!("../../sql/session/set_timeouts.sql"),
        include_str!("../../sql/lock/timeouts.sql"),
        include_str!("../../sql/lock/holders.sql"),
        include_str!("../../sql/lock/blockers.sql"),
    ];
    for major in [14, 15, 16, 17, 18] {
        let cluster = Cluster::shared(major).await;
        let session = connect(&cluster.url("postgres")).await;
        assert_eq!(session.major(), i32::try_from(major).unwrap());
        for sql in statements {
            session
                .prepare(sql)
                .await
                .unwrap_or_else(|e| panic!("{major}: {e:?}\n{sql}"));
        }
    }
}

/// The peer of a half-open connection says nothing for ever. Severing it frees whoever waits for the answer.
#[tokio::test]
async fn who_waits_on_a_severed_connection_is_told_at_once() {
    let cluster = Cluster::shared(15).await;
    let session = connect(&cluster.url("postgres")).await;
    let observer = connect(&cluster.url("postgres")).await;
    let (severer, pid) = (session.severer(), session.backend_pid());
    assert!(!severer.is_ended());
    let (slept, ()) = tokio::join!(session.query_one("select pg_sleep(60)", &[]), async {
        let sql = format!("select wait_event = 'PgSleep' from pg_stat_activity where pid = {pid}");
        wait_until(&observer, &format!("select coalesce(({sql}), false)")).await;
        severer.sever("nobody answers");
    });
    assert_eq!(Fault::from(slept.unwrap_err()).code().id, "PG-006");
    assert!(session.is_closed() && severer.is_ended());
    assert_eq!(session.ending(), Some("nobody answers"));
    observer
        .query_one("select pg_terminate_backend($1)", &[&pid])
        .await
        .unwrap();
}
