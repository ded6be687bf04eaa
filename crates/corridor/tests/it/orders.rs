//! Orders that nobody alive could take: rows that are left, and a service that carries them out.

use serde_json::{Value, json};

use crate::desk::{Desk, lasting_mark as mark};
use crate::serving::{Service, TABLES, WAITS};

impl Desk {
    /// Leaves a request, as the console does; returns its id.
    async fn ask(&self, name: &str, verb: &str, argument: &Value) -> i64 {
        self.client
            .query_one(
                "insert into corridor.request (migration_id, verb, argument, asked_by) \
                 select id, $2, $3::text::jsonb, 'anna' from corridor.migration where name = $1 returning id",
                &[&name, &verb, &argument.to_string()],
            )
            .await
            .unwrap()
            .get(0)
    }

    /// What it is answered with.
    async fn answer(&self, id: i64) -> Value {
        self.until(&format!(
            "select coalesce((select answered_at is not null from corridor.request where id = {id}), false)"
        ))
        .await;
        let row = self
            .client
            .query_one("select outcome::text from corridor.request where id = $1", &[&id])
            .await
            .unwrap();
        serde_json::from_str(row.get(0)).unwrap()
    }

    /// Asks, and wants it granted.
    async fn granted(&self, name: &str, verb: &str, argument: &Value) {
        let id = self.ask(name, verb, argument).await;
        let answer = self.answer(id).await;
        assert_eq!(answer["granted"], true, "{verb} of {name}: {answer}");
    }

    /// How often the journal says that anna asked for it, for this reason.
    async fn entries(&self, name: &str, event: &str, why: &str) -> i64 {
        self.client
            .query_one(
                "select count(*) from corridor.journal j join corridor.migration m on m.id = j.migration_id \
                 where m.name = $1 and j.event = $2 and j.detail ->> 'by' = 'anna' \
                 and coalesce(j.detail ->> 'why', '') = $3",
                &[&name, &event, &why],
            )
            .await
            .unwrap()
            .get(0)
    }

    async fn until_free(&self) {
        self.until(
            "select coalesce(bool_and(l.holder is null or h.at < clock_timestamp() - h.ttl_ms * interval '1 ms'), true) \
             from corridor.lease l join corridor.heartbeat h using (migration_id)",
        )
        .await;
    }

    async fn kill(&self, mut service: Service) {
        service.child.kill().await.unwrap();
        self.until_free().await;
    }

    async fn open_gate(&self) {
        self.client
            .batch_execute("insert into gate default values")
            .await
            .unwrap();
    }
}

fn why(words: &str) -> Value {
    json!({ "why": words })
}

/// Start, pause of one whose worker died, resume, roll back, finish, stop: each from its row, with who and why.
#[tokio::test]
async fn each_order_of_a_migration_of_ones_own_is_carried_out_from_its_row() {
    let desk = Desk::new("orders_own", TABLES).await;
    desk.add("0001_wait", &format!("{}{WAITS}", mark("one"))).await;
    desk.add(
        "0002_held",
        &format!(
            "finish = \"by_hand\"\n[parameters.word]\ntype = \"text\"\ndefault = \"none\"\n{}",
            mark("two").replace("'two'", ":word")
        ),
    )
    .await;
    desk.add(
        "0003_fails",
        "[[operations]]\nkind = \"check\"\nname = \"never\"\nquery = \"select exists (select from gate)\"\n",
    )
    .await;
    let service = desk.serve("").await;
    desk.granted("0001_wait", "start", &why("the night is quiet"))
        .await;
    desk.until("select exists (select from corridor.operation where name = 'wait' and state = 'running')")
        .await;
    desk.kill(service).await;
    let pause = desk.ask("0001_wait", "pause", &why("a backup runs")).await;
    let service = desk.serve("").await;
    assert_eq!(desk.answer(pause).await["granted"], true);
    desk.until_state("0001_wait", "paused").await;
    desk.until_free().await;
    desk.granted("0001_wait", "resume", &why("the backup is done"))
        .await;
    desk.until_state("0001_wait", "running").await;
    desk.kill(service).await;
    let back = desk.ask("0001_wait", "rollback", &why("wrong column")).await;
    let service = desk.serve("").await;
    assert_eq!(desk.answer(back).await["granted"], true);
    desk.until_state("0001_wait", "rolled_back").await;
    for (event, words) in [
        ("start", "the night is quiet"),
        ("pause", "a backup runs"),
        ("resume", "the backup is done"),
        ("rollback", "wrong column"),
    ] {
        assert_eq!(desk.entries("0001_wait", event, words).await, 1, "{event}");
    }

    let with = json!({ "parameters": { "word": "said" }, "why": "asked by sales" });
    desk.granted("0002_held", "start", &with).await;
    desk.until_state("0002_held", "waiting").await;
    desk.until("select exists (select from done where what = 'said')")
        .await;
    desk.until_free().await;
    desk.granted("0002_held", "finish", &why("it is good")).await;
    desk.until_state("0002_held", "finished").await;
    assert_eq!(desk.entries("0002_held", "start", "asked by sales").await, 1);
    assert_eq!(desk.entries("0002_held", "finish", "it is good").await, 1);

    desk.granted("0003_fails", "start", &json!({})).await;
    desk.until_state("0003_fails", "failed").await;
    desk.until_free().await;
    desk.granted("0003_fails", "resume", &why("again")).await;
    desk.until("select (select count(*) from corridor.journal where event = 'operation_failed') = 2")
        .await;
    desk.until_free().await;
    desk.granted("0003_fails", "stop", &why("give it up")).await;
    desk.until_state("0003_fails", "stopped").await;
    assert_eq!(desk.entries("0003_fails", "resume", "again").await, 1);
    assert_eq!(desk.entries("0003_fails", "stop", "give it up").await, 1);
    service.stop().await;
}

/// What cannot be granted is answered with why, once, whether the state, the file, the parameters or a check refuses it.
#[tokio::test]
async fn a_refusal_is_an_answer_and_not_tried_again() {
    let desk = Desk::new("orders_refused", TABLES).await;
    desk.add("0001_wait", WAITS).await;
    desk.add(
        "0002_checked",
        &format!(
            "[[prechecks]]\nname = \"gate\"\nquery = \"select exists (select from gate)\"\n{}",
            mark("x")
        ),
    )
    .await;
    desk.add("0003_broken", &mark("y")).await;
    let service = desk.serve("").await;
    for (name, verb, argument, code) in [
        ("0001_wait", "finish", json!({}), "MIG-007"),
        ("0001_wait", "verify", json!({}), "MIG-"),
        (
            "0001_wait",
            "start",
            json!({ "parameters": { "x": "y" } }),
            "MIG-",
        ),
        ("0001_wait", "start", json!({ "parameters": [1] }), "MIG-"),
        ("0002_checked", "start", json!({}), "MIG-134"),
    ] {
        let id = desk.ask(name, verb, &argument).await;
        let answer = desk.answer(id).await;
        assert_eq!(answer["granted"], false, "{verb} of {name}: {answer}");
        assert!(answer["code"].as_str().unwrap().starts_with(code), "{answer}");
        assert!(!answer["detail"].as_str().unwrap().is_empty(), "{answer}");
        desk.until_free().await;
    }
    desk.until("select bool_and(state = 'planned') from corridor.migration")
        .await;
    // The next one is granted: a refusal is not held against it. And each was tried once.
    desk.open_gate().await;
    desk.granted("0002_checked", "start", &json!({})).await;
    desk.until_state("0002_checked", "finished").await;
    desk.client
        .batch_execute("update corridor.migration set plan = '{}' where name = '0003_broken'")
        .await
        .unwrap();
    let id = desk.ask("0003_broken", "start", &json!({})).await;
    assert_eq!(desk.answer(id).await["code"], "MIG-006");
    let said = service.stop().await;
    assert_eq!(
        said.matches("0001_wait: finish, asked by anna").count(),
        1,
        "{said}"
    );
    assert_eq!(
        said.matches("0003_broken: start, asked by anna").count(),
        1,
        "{said}"
    );
}

/// A service that ends right before or right after it has granted: the next one carries it out, once.
#[tokio::test]
async fn a_service_that_is_killed_over_an_order_has_lost_nothing_and_doubles_nothing() {
    for (at, label) in [("before-order", "orders_before"), ("after-order", "orders_after")] {
        let desk = Desk::new(label, TABLES).await;
        desk.add("0001_mark", &format!("finish = \"by_hand\"\n{}", mark("once")))
            .await;
        for (verb, state) in [("start", "waiting"), ("rollback", "rolled_back")] {
            let mut service = desk.serve_with("", at).await;
            let id = desk.ask("0001_mark", verb, &why("now")).await;
            service.child.wait().await.unwrap();
            let is_answered: bool = desk
                .client
                .query_one(
                    "select answered_at is not null from corridor.request where id = $1",
                    &[&id],
                )
                .await
                .unwrap()
                .get(0);
            assert_eq!(is_answered, at == "after-order", "{verb}, {at}");
            let service = desk.serve("").await;
            assert_eq!(desk.answer(id).await["granted"], true);
            desk.until_state("0001_mark", state).await;
            assert_eq!(desk.entries("0001_mark", verb, "now").await, 1, "{verb}, {at}");
            service.stop().await;
        }
        desk.until("select count(*) = 1 from done").await;
    }
}

/// The same of a move: killed right before it grants a cut-over, and right after it has granted the way back.
#[tokio::test]
async fn a_service_that_is_killed_over_an_order_of_a_move_has_lost_nothing() {
    let desk = Desk::new("orders_move_killed", TABLES).await;
    desk.client
        .batch_execute(
            "create table persons (team_id int, id int, primary key (team_id, id)); \
             insert into persons select i % 5, i from generate_series(1, 2000) i; analyze persons",
        )
        .await
        .unwrap();
    let args = [
        "move",
        "persons",
        "--same-shape",
        "--execute",
        "--detach",
        "--setting",
        "lease.ttl_ms=1000",
    ];
    desk.run(&args).await.expect_code(0);
    let service = desk.serve("").await;
    desk.until_state("persons", "waiting").await;
    desk.kill(service).await;
    for (verb, at, done) in [
        ("cutover", "before-order", "cut_over"),
        ("rollback", "after-order", "swapped_back"),
    ] {
        let id = desk.ask("persons", verb, &why("now")).await;
        let mut service = desk.serve_with("", at).await;
        service.child.wait().await.unwrap();
        desk.until_free().await;
        let service = desk.serve("").await;
        assert_eq!(desk.answer(id).await["granted"], true);
        desk.until(&format!(
            "select count(*) = 1 from corridor.journal where event = '{done}'"
        ))
        .await;
        assert_eq!(desk.entries("persons", verb, "now").await, 1, "{verb}");
        desk.kill(service).await;
    }
    let service = desk.serve("").await;
    desk.until_state("persons", "rolled_back").await;
    desk.until("select count(*) = 2000 from persons").await;
    service.stop().await;
}

/// Two services see each request at the same time; each is granted once.
#[tokio::test]
async fn two_services_do_not_both_do_it() {
    let desk = Desk::new("orders_two", TABLES).await;
    let names: Vec<String> = (1..=4).map(|n| format!("000{n}_mark")).collect();
    for name in &names {
        desk.add(name, &format!("finish = \"by_hand\"\n{}", mark(name)))
            .await;
    }
    let one = desk.serve("").await;
    let two = desk.serve("").await;
    for (verb, state) in [("start", "waiting"), ("finish", "finished")] {
        for name in &names {
            desk.ask(name, verb, &why("both")).await;
        }
        for name in &names {
            desk.until_state(name, state).await;
            assert_eq!(desk.entries(name, verb, "both").await, 1, "{verb} of {name}");
        }
        desk.until("select bool_and((outcome ->> 'granted')::bool) from corridor.request")
            .await;
        desk.until_free().await;
    }
    desk.until("select count(*) = 4 from done").await;
    one.stop().await;
    two.stop().await;
}

/// A person takes the migration up in the foreground while a request waits: their worker takes it, and no service does.
#[tokio::test]
async fn a_persons_own_command_neither_loses_nor_doubles_a_request() {
    let desk = Desk::new("orders_person", TABLES).await;
    desk.add("0001_wait", WAITS).await;
    let service = desk.serve("").await;
    desk.granted("0001_wait", "start", &json!({})).await;
    desk.until_state("0001_wait", "running").await;
    service.stop().await;
    desk.run(&["pause", "0001_wait"]).await.expect_code(0);
    let id = desk.ask("0001_wait", "resume", &why("by the console")).await;
    let person = crate::driver::corridor_on(&desk.database, &["resume", "0001_wait"]).start();
    desk.until_state("0001_wait", "running").await;
    let service = desk.serve("").await;
    assert_eq!(desk.answer(id).await["granted"], true);
    desk.open_gate().await;
    crate::driver::end(person).await.expect_code(0);
    desk.until_state("0001_wait", "finished").await;
    assert_eq!(desk.entries("0001_wait", "resume", "by the console").await, 1);
    let said = service.stop().await;
    assert!(!said.contains("resume, asked by anna"), "{said}");
}

/// Nobody lives when a person looks, and somebody does when they take the lease: the order is left with that worker, and its
/// answer is what the person hears.
#[tokio::test]
async fn an_order_is_left_with_a_worker_that_came_between_two_looks() {
    for (verb, label) in [("stop", "orders_between_stop"), ("pause", "orders_between_pause")] {
        let desk = Desk::new(label, TABLES).await;
        desk.add("0001_wait", WAITS).await;
        let service = desk.serve("").await;
        desk.granted("0001_wait", "start", &json!({})).await;
        desk.until_state("0001_wait", "running").await;
        service.stop().await;
        desk.until_free().await;
        // Another worker takes the lease while the person waits for its row. On a connection of its own: who asks for the
        // sessions within a transaction is told the same each time.
        let other = corridor_testbed::cluster::connect(&desk.database.url)
            .await
            .unwrap();
        other
            .batch_execute(
                "begin; update corridor.lease set epoch = epoch + 1, holder = 'other@host 1', taken_at = clock_timestamp(); \
                 update corridor.heartbeat set epoch = epoch + 1, at = clock_timestamp(), ttl_ms = 600000",
            )
            .await
            .unwrap();
        let person = crate::driver::corridor_on(&desk.database, &[verb, "0001_wait"]).start();
        desk.until(
            "select exists (select from pg_stat_activity where datname = current_database() \
             and wait_event_type = 'Lock' and query like '%corridor.lease%')",
        )
        .await;
        other.batch_execute("commit").await.unwrap();
        desk.until("select exists (select from corridor.request where answered_at is null)")
            .await;
        desk.client
            .batch_execute(
                "update corridor.request set taken_at = now(), answered_at = now(), \
                 outcome = '{\"granted\": false, \"detail\": \"the other one says no\"}' where answered_at is null",
            )
            .await
            .unwrap();
        let run = crate::driver::end(person)
            .await
            .expect_code(4)
            .expect_fault("MIG-007");
        assert!(run.stderr.contains("the other one says no"), "{}", run.stderr);
    }
}

/// A move that nobody works any more: verify, cut over, verify, roll back; and another one, stopped, and one finished with drop.
#[tokio::test]
async fn each_order_of_a_move_is_carried_out_from_its_row() {
    let desk = Desk::new("orders_move", TABLES).await;
    desk.client
        .batch_execute(
            "create table persons (team_id int, id int, primary key (team_id, id)); \
             insert into persons select i % 5, i from generate_series(1, 2000) i; analyze persons",
        )
        .await
        .unwrap();
    let detached = async || {
        let args = [
            "move",
            "persons",
            "--same-shape",
            "--execute",
            "--detach",
            "--setting",
            "lease.ttl_ms=1000",
        ];
        desk.run(&args).await.expect_code(0);
    };
    // Left while nobody serves; carried out by the next who comes.
    let carried = async |name: &str, verb: &str, argument: Value, state: &str| {
        desk.until_free().await;
        let id = desk.ask(name, verb, &argument).await;
        let service = desk.serve("").await;
        let answer = desk.answer(id).await;
        assert_eq!(answer["granted"], true, "{verb}: {answer}");
        desk.until_state(name, state).await;
        let words = argument["why"].as_str().unwrap();
        assert_eq!(desk.entries(name, verb, words).await, 1, "{verb}");
        service
    };
    let verdicts = async |count: i64| {
        desk.until(&format!("select count(*) >= {count} from corridor.verification"))
            .await;
    };
    detached().await;
    let service = desk.serve("").await;
    desk.until_state("persons", "waiting").await;
    desk.kill(service).await;
    let service = carried("persons", "verify", why("sure?"), "waiting").await;
    verdicts(2).await;
    desk.until_state("persons", "waiting").await;
    desk.kill(service).await;
    let service = carried("persons", "pause", why("lunch"), "paused").await;
    service.stop().await;
    let service = carried("persons", "resume", why("fed"), "waiting").await;
    desk.kill(service).await;
    let service = carried("persons", "cutover", why("go"), "waiting").await;
    desk.until("select exists (select from corridor.journal where event = 'cut_over')")
        .await;
    desk.kill(service).await;
    let service = carried("persons", "rollback", why("no"), "rolled_back").await;
    service.stop().await;

    detached().await;
    let service = desk.serve("").await;
    desk.until_state("persons-2", "waiting").await;
    desk.kill(service).await;
    let service = carried("persons-2", "stop", why("not today"), "stopped").await;
    service.stop().await;

    detached().await;
    let service = desk.serve("").await;
    desk.until_state("persons-3", "waiting").await;
    desk.run(&["cutover", "persons-3"]).await.expect_code(0);
    desk.kill(service).await;
    let finish = json!({ "drop": true, "why": "it is good" });
    let service = carried("persons-3", "finish", finish, "finished").await;
    desk.until("select count(*) = 0 from pg_class where relname like '%persons%' and relkind = 'r' and relname <> 'persons'")
        .await;
    service.stop().await;
}
