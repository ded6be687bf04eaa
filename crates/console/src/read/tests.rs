use std::sync::atomic::{AtomicUsize, Ordering};

use corridor_pg::{ConnectOptions, FaultContext};
use corridor_testbed::Cluster as Server;

use super::*;

fn cluster(url: &str) -> Cluster {
    Cluster {
        name: "main".into(),
        connect: ConnectOptions::from_process(Some(url)).unwrap(),
        seen: None,
    }
}

#[tokio::test]
async fn fifty_who_ask_at_once_cost_one_question() {
    let database = Server::shared(15)
        .await
        .fresh_database("console_reader")
        .await
        .unwrap();
    let (reader, cluster) = (Arc::new(Reader::default()), cluster(&database.url));
    let asked = Arc::new(AtomicUsize::new(0));
    let ask = || {
        let asked = Arc::clone(&asked);
        reader.ask(&cluster, "count", "", move |session| {
            let asked = Arc::clone(&asked);
            Box::pin(async move {
                asked.fetch_add(1, Ordering::SeqCst);
                let row = session
                    .query_one("select 7 from pg_sleep(0.2)", &[])
                    .await
                    .doing(|| "counting")?;
                Ok(row.get::<_, i32>(0))
            })
        })
    };
    let answers = futures_util::future::join_all((0..50).map(|_| ask())).await;
    assert!(answers.iter().all(|answer| **answer.as_ref().unwrap() == 7));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // Who has changed something sees it at once.
    reader.forget("main");
    assert_eq!(*ask().await.unwrap(), 7);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn no_more_than_four_connections_and_no_statement_for_long() {
    let database = Server::shared(15)
        .await
        .fresh_database("console_pool")
        .await
        .unwrap();
    let (reader, cluster) = (Arc::new(Reader::default()), cluster(&database.url));
    let ask = |about: usize| {
        reader.ask(&cluster, "count", about.to_string(), |session| {
            Box::pin(async move {
                let sql = "select count(*) from pg_stat_activity, pg_sleep(0.05) \
                           where application_name = 'corridor:console:-' and datname = current_database()";
                Ok(session
                    .query_one(sql, &[])
                    .await
                    .doing(|| "counting")?
                    .get::<_, i64>(0))
            })
        })
    };
    let answers = futures_util::future::join_all((0..40).map(ask)).await;
    let most = answers.iter().map(|answer| **answer.as_ref().unwrap()).max();
    assert!(most <= Some(pool::SESSIONS_MAX as i64), "{most:?}");
    let slow = reader
        .ask(&cluster, "slow", "", |session| {
            Box::pin(async move {
                session
                    .execute("select pg_sleep(60)", &[])
                    .await
                    .doing(|| "sleeping")
            })
        })
        .await;
    assert_eq!(slow.unwrap_err().sqlstate(), Some("57014"));
}

#[tokio::test]
async fn a_connection_that_has_died_is_replaced() {
    let server = Server::shared(15).await;
    let database = server.fresh_database("console_died").await.unwrap();
    let (reader, cluster) = (Arc::new(Reader::default()), cluster(&database.url));
    let ask = |about: &'static str| {
        reader.ask(&cluster, "pid", about, |session| {
            Box::pin(async move {
                Ok(session
                    .query_one("select pg_backend_pid()", &[])
                    .await
                    .doing(|| "asking")?
                    .get::<_, i32>(0))
            })
        })
    };
    let first = ask("1").await.unwrap();
    let killer = server.connect(&database.name).await.unwrap();
    killer
        .query_one("select pg_terminate_backend($1)", &[&*first])
        .await
        .unwrap();
    assert_ne!(*ask("2").await.unwrap(), *first);
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_hangs_nobody() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cluster = cluster(&format!("postgres://u@{}/x", listener.local_addr().unwrap()));
    let reader = Arc::new(Reader::default());
    let ask = |about: &'static str| reader.ask(&cluster, "x", about, |_| Box::pin(async { Ok(1) }));
    let begun = Instant::now();
    let fault = ask("1").await.unwrap_err();
    assert_eq!(fault.code().id, "CON-015");
    assert!(
        begun.elapsed() < ANSWER_MAX + Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    // The next one hears it at once.
    let begun = Instant::now();
    assert_eq!(ask("2").await.unwrap_err().code().id, "CON-015");
    assert!(
        begun.elapsed() < Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
}
