//! The service's interface for programs: what is asked for over HTTP is done by a worker, with who asked and why.

use std::time::Duration;

use serde_json::{Value, json};

use crate::desk::{Desk, mark};
use crate::serving::{Service, TABLES, WAITS};

const PARAMETER: &str = "[parameters.what]\ntype = \"text\"\n[[operations]]\nkind = \"sql\"\nname = \"say\"\n\
                         statement = \"insert into done values (:what)\"\nrollback = \"delete from done where what = :what\"\n";

impl Service {
    async fn ask(&self, name: &str, verb: &str, body: &Value) -> (u16, Value) {
        self.post(&format!("/api/clusters/main/migrations/{name}/do/{verb}"), body)
            .await
    }

    async fn granted(&self, name: &str, verb: &str, body: &Value) {
        let (status, said) = self.ask(name, verb, body).await;
        assert_eq!(status, 200, "{verb}: {said}");
    }
}

/// A migration's whole life over HTTP: added, started with a parameter, paused, resumed, taken back, begun anew, kept.
#[tokio::test]
async fn a_whole_life_is_asked_for_over_http() {
    let desk = Desk::new("interface_life", TABLES).await;
    let service = desk.serve("").await;
    let text = format!("description = \"a test\"\nfinish = \"by_hand\"\n{PARAMETER}{WAITS}");
    let file = json!({ "file": "0001_say.toml", "text": text });
    let (status, added) = service.post("/api/clusters/main/migrations", &file).await;
    assert_eq!(
        (status, added["name"].as_str()),
        (200, Some("0001_say")),
        "{added}"
    );
    let ttl = json!({ "key": "lease.ttl_ms", "value": 1000 });
    let path = "/api/clusters/main/migrations/0001_say/settings";
    assert_eq!(service.post(path, &ttl).await.0, 200);
    // What cannot be is refused before anything is written.
    let (status, refused) = service.ask("0001_say", "start", &json!({})).await;
    assert!((400..500).contains(&status), "{refused}");
    assert!(
        refused["error"]["detail"].as_str().unwrap().contains("what"),
        "{refused}"
    );
    let (status, refused) = service.ask("0001_say", "pause", &json!({})).await;
    assert_eq!(
        (status, refused["error"]["code"].as_str()),
        (409, Some("MIG-007")),
        "{refused}"
    );
    let open = "select count(*) from corridor.request";
    assert_eq!(desk.figure(open).await, 0);

    let parameters = json!({ "parameters": { "what": "it's; drop table done" }, "why": "release 7" });
    service.granted("0001_say", "start", &parameters).await;
    desk.until_running("wait").await;
    assert_eq!(desk.done().await, ["it's; drop table done"]);
    service
        .granted("0001_say", "pause", &json!({ "why": "lunch" }))
        .await;
    desk.until_state("0001_say", "paused").await;
    let why = "select state_detail ->> 'why' = 'lunch' and state_detail ->> 'by' like 't127.0.0.1-%(token test)' from corridor.migration";
    desk.until(why).await;
    // The journal says who asked, and which worker did it: on the terminal and on the page.
    let logs = desk.run(&["logs", "0001_say"]).await.expect_code(0).stdout;
    let logs = logs.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = service
        .get("/clusters/main/migrations/0001_say?tab=journal")
        .await
        .1;
    for told in [&logs, &page] {
        assert!(told.contains("(token test), carried out by "), "{told}");
    }
    assert!(logs.contains("lunch; by t127.0.0.1-"), "{logs}");
    service.granted("0001_say", "resume", &json!({})).await;
    desk.until_state("0001_say", "running").await;
    service
        .granted("0001_say", "rollback", &json!({ "why": "no" }))
        .await;
    desk.until_state("0001_say", "rolled_back").await;
    assert_eq!(desk.figure("select count(*) from done").await, 0);
    // A start that is refused leaves nothing behind that somebody could begin later, with other parameters.
    let one = service.json("/api/clusters/main/migrations/0001_say").await;
    let allowed = one["migration"]["allowed"].to_string();
    assert!(
        allowed.contains("start") && !allowed.contains("rollback"),
        "{allowed}"
    );
    let (status, refused) = service.ask("0001_say", "start", &json!({})).await;
    assert!((400..500).contains(&status), "{refused}");
    assert_eq!(desk.state("0001_say").await, "rolled_back");
    assert_eq!(desk.figure("select count(*) from corridor.migration").await, 1);
    // Anew, under the same name.
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    service
        .granted("0001_say", "start", &json!({ "parameters": { "what": "again" } }))
        .await;
    desk.until_state("0001_say", "waiting").await;
    service.granted("0001_say", "finish", &json!({})).await;
    desk.until_state("0001_say", "finished").await;
    assert_eq!(desk.done().await, ["again"]);

    let journal = service
        .json("/api/clusters/main/migrations/0001_say/journal")
        .await;
    let said = journal.to_string();
    assert!(said.contains("(token test)"), "{said}");
    let audit = service.json("/api/audit?limit=100").await.to_string();
    for words in [
        "release 7",
        "lunch",
        "\"refused\"",
        "migration main/0001_say",
        "(token test)",
    ] {
        assert!(audit.contains(words), "{words}: {audit}");
    }
    service.stop().await;
}

/// Skipped with a reason; settled after a try whose end nobody knows.
#[tokio::test]
async fn skipping_needs_a_reason_and_unknown_words_are_told() {
    let desk = Desk::new("interface_skip", TABLES).await;
    desk.add("0001_mark", &mark("x")).await;
    let service = desk.serve("").await;
    let (status, said) = service.ask("0001_mark", "skip", &json!({})).await;
    assert_eq!(
        (status, said["error"]["code"].as_str()),
        (400, Some("CON-014")),
        "{said}"
    );
    let (status, said) = service.ask("0001_mark", "strat", &json!({})).await;
    assert!(
        status == 400
            && said["error"]["detail"]
                .as_str()
                .unwrap()
                .contains("did you mean start?"),
        "{said}"
    );
    let (status, said) = service.ask("0001_mark", "start", &json!({ "wyh": "x" })).await;
    assert!(
        status == 400 && said["error"]["detail"].as_str().unwrap().contains("wyh"),
        "{said}"
    );
    let (status, said) = service.ask("0001_mark", "cutover", &json!({})).await;
    assert_eq!(
        (status, said["error"]["code"].as_str()),
        (409, Some("CON-018")),
        "{said}"
    );
    let (status, said) = service
        .ask("0001_mark", "settle", &json!({ "operation": "mark" }))
        .await;
    assert_eq!(status, 400, "{said}");
    service
        .granted("0001_mark", "skip", &json!({ "why": "not here" }))
        .await;
    desk.until_state("0001_mark", "finished").await;
    assert_eq!(desk.figure("select count(*) from done").await, 0);
    let skipped = "select count(*) = 1 from corridor.journal where event = 'skipped' and detail ->> 'by' like '%(token test)' \
                   and detail ->> 'why' = 'not here'";
    desk.until(skipped).await;
    let bad = json!({ "file": "0002_x.toml", "text": "nme = 1" });
    let (status, said) = service.post("/api/clusters/main/migrations", &bad).await;
    assert_eq!(status, 400, "{said}");
    let (status, said) = service.post("/api/clusters/mian/migrations", &bad).await;
    assert!(
        status == 404
            && said["error"]["detail"]
                .as_str()
                .unwrap()
                .contains("did you mean main?"),
        "{said}"
    );
    service.stop().await;
}

/// A query is run with all that the worker's role may do: only an admin says what is run. What it says of rows is not shown.
#[tokio::test]
async fn a_setting_that_is_a_query_is_for_admins() {
    let desk = Desk::new("interface_query", TABLES).await;
    desk.add("0001_wait", WAITS).await;
    let service = desk.serve("").await;
    desk.run(&["user", "add", "otto", "--role", "operator", "--no-password"])
        .await
        .expect_code(0);
    let token = desk
        .run(&["user", "token", "otto", "--name", "t", "--role", "operator"])
        .await
        .expect_code(0);
    let path = "/api/clusters/main/migrations/0001_wait/settings";
    let query = json!({ "key": "throttle.custom.query", "value": "select repeat('ab', 3)::float8" });
    let (status, said) = service.post_as(token.stdout.trim(), path, &query).await;
    assert_eq!(
        (status, said["error"]["code"].as_str()),
        (403, Some("CON-008")),
        "{said}"
    );
    let limit = json!({ "key": "throttle.custom", "value": 1 });
    assert_eq!(service.post_as(token.stdout.trim(), path, &limit).await.0, 200);
    assert_eq!(service.post(path, &query).await.0, 200, "an admin may");
    service.granted("0001_wait", "start", &json!({})).await;
    desk.until("select exists (select from corridor.journal where event = 'throttle')")
        .await;
    let journal = service
        .json("/api/clusters/main/migrations/0001_wait/journal")
        .await
        .to_string();
    assert!(
        journal.contains("22P02") && !journal.contains("ababab"),
        "{journal}"
    );
    service.stop().await;
}

/// The page names the statement that runs: by the words before it, its process, and the id that the server computes.
#[tokio::test]
async fn the_statement_that_runs_is_named_on_the_page() {
    let desk = Desk::new("interface_statement", TABLES).await;
    desk.client
        .batch_execute(
            "do $$ begin execute format('alter database %I set compute_query_id = on', current_database()); end $$",
        )
        .await
        .unwrap();
    let sleeps = "[[operations]]\nkind = \"sql\"\nname = \"sleep\"\nno_transaction = true\ndone_when = \"select false\"\nstatement = \"select pg_sleep(60)\"\n\
                  rollback = \"\"\n";
    desk.add("0001_sleep", sleeps).await;
    let service = desk.serve("").await;
    service.granted("0001_sleep", "start", &json!({})).await;
    desk.until("select exists (select from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid() and datname = current_database())")
        .await;
    let mut page = String::new();
    for _ in 0..100 {
        page = service.get("/clusters/main/migrations/0001_sleep").await.1;
        if page.contains("query ") && page.contains("backend ") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ids = "select query_id::text from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid() and datname = current_database()";
    let id: Option<String> = desk.client.query_one(ids, &[]).await.unwrap().get(0);
    let id = id.expect("the server computes it");
    assert!(page.contains(&format!("query {id}")), "{id}: {page}");
    service.granted("0001_sleep", "rollback", &json!({})).await;
    desk.until_state("0001_sleep", "rolled_back").await;
    service.stop().await;
}

/// What is not needed is completed also when what it depends on waits, and is not needed either.
#[tokio::test]
async fn nothing_waits_for_what_is_not_needed() {
    let desk = Desk::new("interface_noop", TABLES).await;
    let none = format!("required_when = \"select false\"\n{}", mark("x"));
    desk.add("0001_none", &none).await;
    desk.add("0002_none", &format!("depends_on = [\"0001_none\"]\n{none}"))
        .await;
    desk.add("0003_needed", &mark("y")).await;
    desk.add("0004_none", &format!("depends_on = [\"0003_needed\"]\n{none}"))
        .await;
    desk.run(&["migration", "start", "0002_none"])
        .await
        .expect_code(0);
    assert_eq!(desk.state("0002_none").await, "finished");
    // What is needed may change whether the next one is.
    desk.run(&["migration", "start", "0004_none"])
        .await
        .expect_fault("MIG-131");
    assert_eq!(desk.done().await, [""; 0]);
}

/// Changed over HTTP, a setting holds at once, and stands with who and when.
#[tokio::test]
async fn a_setting_is_changed_over_http() {
    let desk = Desk::new("interface_set", TABLES).await;
    let service = desk.serve("").await;
    let (status, said) = service
        .post("/api/settings/workers", &json!({ "value": 7 }))
        .await;
    assert_eq!(status, 200, "{said}");
    service.until_said("setting workers: 4 is now 7").await;
    let settings = service.json("/api/settings").await;
    let of = |key: &str| {
        let all = settings["settings"].as_array().unwrap();
        all.iter().find(|one| one["key"] == key).unwrap().clone()
    };
    assert_eq!(of("workers")["value"], "7");
    assert!(of("workers")["set_by"].as_str().unwrap().contains("(token test)"));
    assert_eq!(of("listen")["is_fixed"], true);
    for (key, value) in [("workers", "many"), ("listen", "0.0.0.0:1"), ("wrokers", "1")] {
        let (status, said) = service
            .post(&format!("/api/settings/{key}"), &json!({ "value": value }))
            .await;
        assert!((400..500).contains(&status), "{key}: {said}");
    }
    assert_eq!(service.post("/api/settings/workers", &json!({})).await.0, 200);
    service.until_said("setting workers: 7 is now 4").await;
    service.stop().await;
}

/// What is added to another cluster than home is in both audits: in that of the cluster with the deed, in home's before it.
#[tokio::test]
async fn a_deed_on_another_cluster_is_in_its_audit_and_in_that_of_home() {
    let desk = Desk::new("interface_home", TABLES).await;
    let other = Desk::new("interface_other", TABLES).await;
    let behind = format!(
        "# behind\n[[clusters]]\nname = \"other\"\ndatabase = \"{}\"\n",
        other.database.url
    );
    let service = desk.serve(&behind).await;
    let file =
        |text: &str| json!({ "file": "0001_there.toml", "text": format!("description = \"x\"\n{text}") });
    let path = "/api/clusters/other/migrations";
    let (status, said) = service.post(path, &file(&mark("x"))).await;
    assert_eq!(status, 200, "{said}");
    other
        .run(&["migration", "start", "0001_there"])
        .await
        .expect_code(0);
    // Another text under its name.
    let (status, said) = service.post(path, &file(&mark("y"))).await;
    assert_eq!(status, 409, "{said}");
    let audit = async |desk: &Desk| -> Vec<String> {
        let sql = "select action || ' ' || object from corridor.audit \
                   where actor like '%(token test)' order by id";
        let rows = desk.client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(audit(&other).await, ["add migration other/0001_there"]);
    assert_eq!(
        audit(&desk).await,
        [
            "add migration other/0001_there",
            "add migration other/0001_there",
            "refused migration other/0001_there"
        ]
    );
    service.stop().await;
}

/// Over TLS, by files; a new certificate is shown after SIGHUP, and cookies never go over anything else.
#[tokio::test]
async fn it_speaks_tls_by_file() {
    let desk = Desk::new("interface_tls", TABLES).await;
    let make = async |name: &str| {
        let (cert, key) = (
            desk.dir.join(format!("{name}.crt")),
            desk.dir.join(format!("{name}.key")),
        );
        let made = tokio::process::Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ])
            .args([
                "-days",
                "2",
                "-subj",
                &format!("/CN={name}"),
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&cert)
            .output()
            .await
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        (cert, key)
    };
    let (cert, key) = make("one").await;
    let settings = format!(
        "[tls]\ncert = \"{}\"\nkey = \"{}\"\n[console]\nsign_in_hours = 2\n",
        cert.display(),
        key.display()
    );
    let mut service = desk.serve(&settings).await;
    let shown = async |address: &str| {
        let look = tokio::process::Command::new("openssl")
            .args(["s_client", "-connect", address, "-servername", "localhost"])
            .stdin(std::process::Stdio::null())
            .output();
        let look = tokio::time::timeout(Duration::from_secs(10), look)
            .await
            .unwrap()
            .unwrap();
        String::from_utf8_lossy(&look.stdout).into_owned()
    };
    assert!(shown(&service.address).await.contains("CN = one"));
    let (other_cert, other_key) = make("two").await;
    std::fs::copy(other_cert, &cert).unwrap();
    std::fs::copy(other_key, &key).unwrap();
    service.signal("-HUP").await;
    let begun = std::time::Instant::now();
    service
        .until_said("read the certificate anew: new connections are shown another one")
        .await;
    while !shown(&service.address).await.contains("CN = two") {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the new certificate is never shown"
        );
    }
    service.signal("-HUP").await;
    service
        .until_said("read the certificate anew: it is the same")
        .await;
    service.stop().await;
    // Files that do not fit are told before anything is begun.
    std::fs::write(&key, "nothing").unwrap();
    let config = desk.config(&format!("collect = false\n{settings}"));
    desk.run(&["serve", "--config", &config, "--listen", "127.0.0.1:0"])
        .await
        .expect_code(2)
        .expect_fault("CON-017");
}

/// What `corridor user` takes away is gone with the next request that changes something, though the last one was a moment ago.
#[tokio::test]
async fn what_is_taken_from_an_account_changes_nothing_any_more() {
    let desk = Desk::new("interface_shut", TABLES).await;
    desk.add("0001_x", &mark("x")).await;
    let service = desk.serve("").await;
    let user = async |args: &[&str]| desk.run(&[&["user"], args].concat()).await.expect_code(0).stdout;
    service.token().await;
    user(&["add", "olga", "--role", "operator", "--no-password"]).await;
    let path = "/api/clusters/main/migrations/0001_x/settings";
    let body = json!({ "key": "lease.ttl_ms", "value": 5000 });
    for (taken, back, status, code) in [
        (
            vec!["role", "olga", "viewer"],
            vec!["role", "olga", "operator"],
            403,
            "CON-008",
        ),
        (vec!["disable", "olga"], vec!["enable", "olga"], 401, "CON-007"),
        (vec!["revoke", "olga"], vec!["enable", "olga"], 401, "CON-007"),
    ] {
        let token = user(&["token", "olga", "--name", taken[0], "--role", "operator"]).await;
        let token = token.trim();
        // Now it is known to the service.
        let (known, said) = service.post_as(token, path, &body).await;
        assert_eq!(known, 200, "{taken:?}: {said}");
        user(&taken).await;
        let (refused, said) = service.post_as(token, path, &body).await;
        assert_eq!(
            (refused, said["error"]["code"].as_str()),
            (status, Some(code)),
            "{taken:?}"
        );
        user(&back).await;
    }
    service.stop().await;
}
