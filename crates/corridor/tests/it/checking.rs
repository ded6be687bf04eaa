//! `corridor check`, as a person and as a program see it.

use corridor_testbed::cluster::connect;

use crate::driver::{corridor_on, database};

/// A sequence near its end is found, worst first, on every surface; the way out is a move, which `--apply` does not do.
#[tokio::test]
async fn what_is_found_is_said_on_every_surface() {
    let database = database("checking").await;
    let client = connect(&database.url).await.unwrap();
    client
        .batch_execute(
            "create table orders (id serial primary key, body text); \
             insert into orders (body) select repeat('x', 500) from generate_series(1, 60000); \
             select setval('orders_id_seq', 2147483000); \
             create index by_body on orders (left(body, 10)); create index by_body_again on orders (left(body, 10)); \
             analyze orders",
        )
        .await
        .unwrap();
    let check = async |more: &[&str]| {
        let args = [&["check", "--only", "sequences,indexes"], more].concat();
        corridor_on(&database, &args).run().await
    };
    let short = check(&[]).await.expect_code(1).stdout;
    assert!(
        short
            .lines()
            .nth(1)
            .unwrap()
            .starts_with("!!  LIM-017  public.orders.id"),
        "{short}"
    );
    let long = check(&["--long"]).await.expect_code(1).stdout;
    for part in ["because", "rejected", "corridor explain LIM-017", "fact"] {
        assert!(long.contains(part), "{part}: {long}");
    }
    let run = check(&["--nagios"]).await.expect_code(2);
    assert!(
        run.stdout
            .starts_with("CORRIDOR CRITICAL - LIM-017 public.orders.id: "),
        "{}",
        run.stdout
    );
    let json = check(&["--json"]).await.expect_code(1).json();
    assert_eq!(json["findings"][0]["code"], "LIM-017");
    assert!(json["findings"][0]["advice"]["way"].is_string(), "{json}");
    assert_eq!(json["version"], 1);
    // What is not one safe statement is not done.
    let run = check(&["--apply", "LIM-017", "--execute"]).await.expect_code(4);
    assert!(run.stderr.contains("LIM-901"), "{}", run.stderr);
    let run = check(&["--apply", "LIM-001"]).await.expect_code(4);
    assert!(run.stderr.contains("nothing of that kind"), "{}", run.stderr);
    let page = corridor_on(&database, &["explain", "lim-17"])
        .run()
        .await
        .expect_code(0)
        .stdout;
    assert!(page.contains("├─ yes"), "{page}");
}

#[tokio::test]
async fn an_empty_database_is_well_and_a_typing_error_is_named() {
    let database = database("checking_empty").await;
    let run = corridor_on(&database, &["check", "--only", "toast,sequences,bloat"])
        .run()
        .await
        .expect_code(0);
    assert!(run.stdout.starts_with("No limit is near."), "{}", run.stdout);
    let run = corridor_on(&database, &["check", "--nagios", "--only", "toast"])
        .run()
        .await
        .expect_code(0);
    assert!(run.stdout.starts_with("CORRIDOR OK"), "{}", run.stdout);
    // What a monitoring program shows when nothing could be looked at, and not the exit code of *critical*.
    for [option, wrong] in [["--only", "toost"], ["--table", "nothing"]] {
        let run = corridor_on(&database, &["check", "--nagios", option, wrong])
            .run()
            .await
            .expect_code(3);
        assert!(run.stdout.starts_with("CORRIDOR UNKNOWN - "), "{}", run.stdout);
        assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
    }
    let run = corridor_on(&database, &["check", "--only", "toost"])
        .run()
        .await
        .expect_code(2);
    assert!(run.stderr.contains("did you mean toast?"), "{}", run.stderr);
    let run = corridor_on(&database, &["check", "--table", "nothing"])
        .run()
        .await;
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("nothing"), "{}", run.stderr);
}
