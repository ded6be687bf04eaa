//! Two moments of pg_stat_statements on real servers: used, not used, used only before, and every way in which calls get lost.

use corridor_lint::evidence::read::{moment, names, read_since};
use corridor_lint::finding::{Finding, Severity};
use corridor_lint::judge::{Settings, Source, judge};
use corridor_lint::parse;
use corridor_lint::usage::Moment;
use corridor_testbed::cluster::connect;
use corridor_testbed::{Cluster, ClusterOptions, Mode};
use tokio_postgres::Client;

fn majors() -> &'static [u32] {
    match std::env::var_os("CORRIDOR_TEST_QUICK") {
        Some(_) => &[15],
        None => &[14, 15, 18],
    }
}

async fn dropped(client: &Client, column: &str, then: &Moment) -> Finding {
    let sql = format!("alter table users drop column {column}");
    let found = judged(client, &sql, then).await.unwrap();
    found
        .into_iter()
        .find(|finding| finding.rule.code.id == "LNT-101")
        .unwrap()
}

async fn judged(client: &Client, sql: &str, then: &Moment) -> corridor_pg::Result<Vec<Finding>> {
    // As it comes back from a file.
    let then = Moment::parse("then", &then.render())?;
    let (world, live) = read_since(client, &names(&[parse::read(sql)]), Some(then)).await?;
    let settings = Settings {
        major: live.major,
        ..Settings::default()
    };
    let source = Source {
        path: "x.sql",
        text: sql,
        config: None,
    };
    Ok(judge(&[source], &settings, &world, Some(&live)))
}

/// Nothing was called, and that is proven.
fn is_unused(finding: &Finding) -> bool {
    finding.severity == Severity::Notice && finding.what.contains(", 0 calls") && finding.unknown.is_empty()
}

/// Nothing that was counted was called, and that proves nothing, for this reason.
fn is_unknown(finding: &Finding, why: &str) -> bool {
    finding.severity == Severity::Error && finding.unknown.iter().any(|it| it.contains(why))
}

#[tokio::test]
async fn what_was_called_between_two_moments() {
    for major in majors() {
        between_two_moments(*major).await;
    }
}

async fn between_two_moments(major: u32) {
    let options = ClusterOptions::new(major)
        .setting("shared_preload_libraries", "pg_stat_statements")
        .setting("pg_stat_statements.max", "100");
    let cluster = Cluster::start(options).await.unwrap();
    let database = cluster.fresh_database("usage").await.unwrap();
    let client = connect(&database.url).await.unwrap();
    client
        .batch_execute(
            "create extension pg_stat_statements;
             create table users (id int primary key, nick text, code text, mail text, role text);
             insert into users (id) select generate_series(1, 100);
             create role web_app login; grant all on users to web_app;",
        )
        .await
        .unwrap();
    let app = connect(
        &database
            .url
            .replacen(&format!("{}@", cluster.superuser()), "web_app@", 1),
    )
    .await
    .unwrap();
    app.batch_execute("set application_name = 'web'").await.unwrap();
    let code = "select code from users where id = 1";
    app.execute(code, &[]).await.unwrap();

    let then = moment(&client).await.unwrap();
    assert!(then.entries.iter().any(|entry| {
        entry
            .text
            .as_deref()
            .is_some_and(|text| text.contains("select code"))
    }));
    for id in 0..20 {
        app.execute("select nick from users where id = $1", &[&id])
            .await
            .unwrap();
    }
    // Used; used only before; never used.
    let nick = dropped(&client, "nick", &then).await;
    assert_eq!(nick.severity, Severity::Error, "{major}: {}", nick.what);
    for part in [
        "1 do, 20 calls in the ",
        &format!(
            "since {} by web_app, one of them: select nick from users",
            then.taken_at
        ),
        "sessions name it in what they run or ran last: web (role web_app)",
    ] {
        assert!(nick.what.contains(part), "{major}: {part}\n{}", nick.what);
    }
    let before = dropped(&client, "code", &then).await;
    assert!(
        is_unused(&before)
            && before
                .what
                .contains("1 that name it were called before that only"),
        "{major}: {before:#?}"
    );
    let never = dropped(&client, "mail", &then).await;
    assert!(
        is_unused(&never) && !never.what.contains("before that only"),
        "{major}: {never:#?}"
    );
    // Looking at it has not become a use of it.
    assert!(is_unused(&dropped(&client, "code", &then).await));

    // One counter is reset: what it would have counted is not known, and a call after that is.
    let reset = "select pg_stat_statements_reset(0::oid, 0::oid, queryid) from pg_stat_statements where query like 'select code%'";
    client.execute(reset, &[]).await.unwrap();
    let lost = dropped(&client, "code", &then).await;
    assert!(
        is_unknown(&lost, "1 of the counters of then are gone or began anew"),
        "{major}: {lost:#?}"
    );
    app.execute(code, &[]).await.unwrap();
    let again = dropped(&client, "code", &then).await;
    assert!(
        again.severity == Severity::Error && again.what.contains("1 do, 1 calls in the"),
        "{major}: {again:#?}"
    );

    // More statements than there is room for.
    let then = moment(&client).await.unwrap();
    app.execute("select role from users", &[]).await.unwrap();
    for columns in 1..250 {
        client
            .batch_execute(&format!("select {}", vec!["1"; columns].join(", ")))
            .await
            .unwrap();
    }
    let evicted = dropped(&client, "mail", &then).await;
    assert!(
        is_unknown(&evicted, "threw entries away in between"),
        "{major}: {evicted:#?}"
    );

    // All counters are reset.
    let then = moment(&client).await.unwrap();
    client
        .execute("select pg_stat_statements_reset()", &[])
        .await
        .unwrap();
    let reset = dropped(&client, "mail", &then).await;
    assert!(
        is_unknown(&reset, "all counters were reset in between"),
        "{major}: {reset:#?}"
    );

    // A role that may not see what others call.
    let then = moment(&client).await.unwrap();
    app.execute("select nick from users where id = $1", &[&1])
        .await
        .unwrap();
    client.batch_execute("create role blind login").await.unwrap();
    let blind = connect(
        &database
            .url
            .replacen(&format!("{}@", cluster.superuser()), "blind@", 1),
    )
    .await
    .unwrap();
    let hidden = dropped(&blind, "mail", &then).await;
    assert!(
        is_unknown(&hidden, "whose text this role may not see"),
        "{major}: {hidden:#?}"
    );

    // Another database, another server, one without the extension.
    let other = cluster.fresh_database("other").await.unwrap();
    let elsewhere = connect(&other.url).await.unwrap();
    let sql = "alter table users drop column nick";
    assert_eq!(
        judged(&elsewhere, sql, &then).await.unwrap_err().code().id,
        "LNT-913"
    );
    assert_eq!(moment(&elsewhere).await.unwrap_err().code().id, "LNT-913");
    elsewhere
        .batch_execute("create extension pg_stat_statements")
        .await
        .unwrap();
    assert_eq!(
        judged(&elsewhere, sql, &then).await.unwrap_err().code().id,
        "LNT-912"
    );
    let foreign = Moment {
        server: "1".to_owned(),
        ..then.clone()
    };
    let fault = judged(&client, sql, &foreign).await.unwrap_err();
    assert!(fault.to_string().contains("another server"), "{fault}");

    // A stop keeps the counters, at once too; a crash of one backend loses them all.
    let then = moment(&client).await.unwrap();
    for mode in [Mode::Fast, Mode::Immediate] {
        cluster.restart(mode).await.unwrap();
        let client = connect(&database.url).await.unwrap();
        let kept = dropped(&client, "mail", &then).await;
        assert!(is_unused(&kept), "{major}: {kept:#?}");
    }
    let victim = connect(&database.url).await.unwrap();
    let watcher = connect(&database.url).await.unwrap();
    let pid: i32 = victim
        .query_one("select pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    // The server ends every session before it begins anew.
    while watcher.batch_execute("select 1").await.is_ok() {}
    let client = loop {
        if let Ok(client) = connect(&database.url).await {
            break client;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let crashed = dropped(&client, "mail", &then).await;
    assert!(is_unknown(&crashed, "in between"), "{major}: {crashed:#?}");
}
