//! What is asked before a migration of a person's own begins, the gate, and operations outside of the database.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::desk::{Desk, mark};
use crate::driver::corridor_on;

const DONE: &str = "create table done (what text)";

#[tokio::test]
async fn what_is_not_ready_is_refused_and_nothing_is_done() {
    let desk = Desk::new("ready", DONE).await;
    let start =
        async |name: &str, more: &[&str]| desk.run(&[&["migration", "start", name], more].concat()).await;
    desk.add("0001_first", &mark("first")).await;
    desk.add(
        "0002_second",
        &format!(
            "depends_on = [\"0001_first\"]\nversions = \">=1.33.0, <1.42.0\"\n{}",
            mark("second")
        ),
    )
    .await;
    start("0002_second", &[])
        .await
        .expect_code(4)
        .expect_fault("MIG-131");
    start("0001_first", &[]).await.expect_code(0);
    start("0002_second", &["--app-version", "1.42.0"])
        .await
        .expect_code(4)
        .expect_fault("MIG-132");
    start("0002_second", &["--app-version", "1.41.9"])
        .await
        .expect_code(0);
    let needs = "[requires]\npostgres = \">=99\"\n";
    desk.add("0003_needs", &format!("{needs}{}", mark("third"))).await;
    start("0003_needs", &[])
        .await
        .expect_code(4)
        .expect_fault("MIG-133");
    let needs = "[requires.extensions]\nno_such_thing = \"*\"\n";
    desk.add("0004_needs", &format!("{needs}{}", mark("fourth")))
        .await;
    start("0004_needs", &[])
        .await
        .expect_code(4)
        .expect_fault("MIG-133");
    let precheck = "[[prechecks]]\nname = \"room\"\nquery = \"select null::bool\"\nmessage = \"no room\"\n";
    desk.add("0005_checks", &format!("{precheck}{}", mark("fifth")))
        .await;
    let run = start("0005_checks", &[])
        .await
        .expect_code(4)
        .expect_fault("MIG-134");
    assert!(run.stderr.contains("no room"), "{}", run.stderr);
    let run = desk
        .run(&["migration", "plan", "0005_checks"])
        .await
        .expect_code(4);
    assert!(run.stdout.contains("in the way: MIG-134"), "{}", run.stdout);
    assert_eq!(desk.done().await, ["first", "second"]);
    assert_eq!(desk.state("0005_checks").await, "planned");
    start("0009_nowhere", &[])
        .await
        .expect_code(2)
        .expect_fault("MIG-003");
}

/// What is not needed completes without doing anything; unknown does not complete it.
#[tokio::test]
async fn unknown_never_completes_a_migration() {
    let desk = Desk::new("required", DONE).await;
    let when = |query: &str, what: &str| format!("required_when = \"{query}\"\n{}", mark(what));
    desk.add("0001_no", &when("select false", "no")).await;
    desk.add("0002_unknown", &when("select 1/0 = 1", "unknown")).await;
    desk.add("0003_null", &when("select null::bool", "null")).await;
    let run = desk.run(&["migration", "list"]).await.expect_code(0);
    let line = |name: &str| {
        run.stdout
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(line("0001_no").contains(" no "), "{}", run.stdout);
    assert!(line("0002_unknown").contains(" unknown "), "{}", run.stdout);
    assert!(line("0003_null").contains(" unknown "), "{}", run.stdout);
    desk.run(&["migration", "start", "0001_no"]).await.expect_code(0);
    assert_eq!(desk.done().await, Vec::<String>::new());
    desk.run(&["migration", "start", "0002_unknown"])
        .await
        .expect_code(0);
    assert_eq!(desk.done().await, ["unknown"]);
    let run = desk.run(&["migration", "list"]).await.expect_code(0);
    assert!(run.stdout.contains("not required"), "{}", run.stdout);
}

#[tokio::test]
async fn the_gate_says_what_stands_in_the_way_and_starts_nothing() {
    let desk = Desk::new("gate", DONE).await;
    // An empty database has nothing that could stand in the way.
    desk.run(&["gate", "--app-version", "1.42.0"])
        .await
        .expect_code(0);
    let range = |text: &str, what: &str| format!("versions = \"{text}\"\n{}", mark(what));
    desk.add("0001_old", &range(">=1.33.0, <1.42.0", "old")).await;
    desk.add("0002_new", &range(">=1.42.0, <1.50.0", "new")).await;
    let fresh = format!("required_when = \"select false\"\n{}", range("<1.40.0", "fresh"));
    desk.add("0003_fresh", &fresh).await;
    let run = desk
        .run(&["gate", "--app-version", "1.42.0"])
        .await
        .expect_code(1);
    assert!(
        run.stdout.contains("1 migration stands in the way") && run.stdout.contains("0001_old"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("0003_fresh"), "{}", run.stdout);
    let run = desk
        .run(&["gate", "--app-version", "1.42.0", "--json"])
        .await
        .expect_code(1);
    assert_eq!(run.json()["standing_in_the_way"][0]["name"], "0001_old");
    assert_eq!(run.json()["standing_in_the_way"].as_array().unwrap().len(), 1);
    assert_eq!(desk.state("0001_old").await, "planned");
    desk.run(&["gate", "--app-version", "1.41.0"])
        .await
        .expect_code(0);
    desk.run(&["gate", "--app-version", "fortytwo"])
        .await
        .expect_code(2);
    desk.run(&["migration", "skip", "0001_old", "--reason", "done by hand"])
        .await
        .expect_code(0);
    desk.run(&["gate", "--app-version", "1.42.0"])
        .await
        .expect_code(0);
    let run = desk.run(&["logs", "0001_old"]).await.expect_code(0);
    assert!(run.stdout.contains("done by hand"), "{}", run.stdout);
    desk.run(&["migration", "skip", "0001_old", "--reason", "again"])
        .await
        .expect_code(4)
        .expect_fault("MIG-148");
}

/// A value is never read as SQL, whatever it holds.
#[tokio::test]
async fn parameters_are_values_and_nothing_else() {
    let desk = Desk::new("parameters", DONE).await;
    let text = "[parameters.what]\ntype = \"text\"\n[parameters.n]\ntype = \"integer\"\ndefault = \"7\"\n\
         [[operations]]\nkind = \"sql\"\nname = \"mark\"\nstatement = \"insert into done select :what || ' ' || :n\"\nrollback = \"\"\n";
    desk.add("0001_said", text).await;
    desk.run(&["migration", "start", "0001_said"])
        .await
        .expect_code(2);
    let evil = "what='); drop table done; --\\";
    desk.run(&[
        "migration",
        "start",
        "0001_said",
        "--set",
        evil,
        "--set",
        "n=1 or 1=1",
    ])
    .await
    .expect_code(2);
    desk.run(&["migration", "start", "0001_said", "--set", evil, "--set", "m=1"])
        .await
        .expect_code(2);
    desk.run(&["migration", "start", "0001_said", "--set", evil])
        .await
        .expect_code(0);
    assert_eq!(desk.done().await, ["'); drop table done; --\\ 7"]);
}

/// A program whose end is not known is not run a second time without a word.
#[tokio::test]
async fn what_may_have_been_done_waits_for_a_word() {
    let desk = Desk::new("settle", DONE).await;
    let file = desk.dir.join("told");
    let told = || {
        std::fs::read_to_string(desk.dir.join("told"))
            .unwrap_or_default()
            .lines()
            .count()
    };
    let text = format!(
        "[[operations]]\nkind = \"command\"\nname = \"tell\"\ncommand = [\"sh\", \"-c\", \"echo x >> {}\"]\nrollback = []\n",
        file.display()
    );
    for (name, how, times) in [("0001_done", "--done", 1), ("0002_again", "--again", 3)] {
        desk.add(name, &text).await;
        desk.run(&["set", name, "lease.ttl_ms=1000"]).await.expect_code(0);
        corridor_on(&desk.database, &["migration", "start", name])
            .env("CORRIDOR_FAILPOINT", "before-attempt-end")
            .run()
            .await
            .expect_code(134);
        desk.run(&["resume", name])
            .await
            .expect_code(6)
            .expect_fault("MIG-136");
        let command = format!("corridor migration settle {name} tell --done|--again");
        for args in [
            &["status", name][..],
            &["status", name, "--json"],
            &["migration", "list"],
            &["gate", "--app-version", "9.0.0"],
        ] {
            let shown = desk.run(args).await.stdout;
            let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(shown.contains(&command), "{args:?}: {shown}");
        }
        let shown = desk.run(&["status"]).await.expect_code(0).stdout;
        assert!(shown.contains("waits for settle"), "{shown}");
        desk.run(&["migration", "settle", name, "nothing", "--done"])
            .await
            .expect_code(4)
            .expect_fault("MIG-149");
        desk.run(&["migration", "settle", name, "tell", how])
            .await
            .expect_code(0);
        // The word is given: what is left is to go on.
        let shown = desk.run(&["status", name]).await.expect_code(0).stdout;
        assert!(
            !shown.contains("migration settle") && shown.contains(&format!("corridor resume {name}")),
            "{shown}"
        );
        desk.run(&["resume", name]).await.expect_code(0);
        assert_eq!(told(), times, "{name}");
    }
    let text = "[[operations]]\nkind = \"command\"\nname = \"fail\"\ncommand = [\"sh\", \"-c\", \"echo why; exit 3\"]\nrollback = []\n";
    desk.add("0003_fails", text).await;
    let run = desk
        .run(&["migration", "start", "0003_fails"])
        .await
        .expect_code(1)
        .expect_fault("MIG-138");
    assert!(
        run.stderr.contains("why") && run.stderr.contains('3'),
        "{}",
        run.stderr
    );
    desk.run(&["rollback", "0003_fails"]).await.expect_code(0);
}

/// A program goes on when its worker is killed. Whoever takes over waits for it, though it may be run again.
#[tokio::test]
async fn a_program_that_outlives_its_worker_is_waited_for() {
    let desk = Desk::new("survivor", DONE).await;
    let file = desk.dir.join("told");
    let text = format!(
        "[[operations]]\nkind = \"command\"\nname = \"tell\"\nrepeat = \"safe\"\nrollback = []\n\
         command = [\"sh\", \"-c\", \"echo begin >> {0}; sleep 3; echo end >> {0}\"]\n",
        file.display()
    );
    desk.add("0001_tell", &text).await;
    desk.run(&["set", "0001_tell", "lease.ttl_ms=1000"])
        .await
        .expect_code(0);
    let mut worker = corridor_on(&desk.database, &["migration", "start", "0001_tell"]).start();
    let told = || std::fs::read_to_string(desk.dir.join("told")).unwrap_or_default();
    while told().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    worker.kill().await.unwrap();
    let run = desk.run(&["resume", "0001_tell"]).await.expect_code(0);
    assert!(run.stderr.contains("waiting for process"), "{}", run.stderr);
    assert_eq!(
        told().split_whitespace().collect::<Vec<_>>(),
        ["begin", "end", "begin", "end"]
    );
}

/// A statement outside of a transaction of which nothing can tell whether it was done: a person's word counts.
#[tokio::test]
async fn a_statement_that_was_settled_as_done_is_not_done_again() {
    let desk = Desk::new("settled_sql", DONE).await;
    let text = "[[operations]]\nkind = \"sql\"\nname = \"mark\"\nno_transaction = true\nrollback = \"\"\n\
                statement = \"insert into done values ('x')\"\ndone_when = \"select null::bool\"\n";
    desk.add("0001_mark", text).await;
    desk.run(&["set", "0001_mark", "lease.ttl_ms=1000"])
        .await
        .expect_code(0);
    corridor_on(&desk.database, &["migration", "start", "0001_mark"])
        .env("CORRIDOR_FAILPOINT", "before-attempt-end")
        .run()
        .await
        .expect_code(134);
    desk.run(&["resume", "0001_mark"])
        .await
        .expect_code(6)
        .expect_fault("MIG-136");
    desk.run(&["migration", "settle", "0001_mark", "mark", "--done"])
        .await
        .expect_code(0);
    desk.run(&["resume", "0001_mark"]).await.expect_code(0);
    assert_eq!(desk.done().await, ["x"]);
}

/// A session that is ended amid a question has not answered it: it is asked again, and nothing fails.
#[tokio::test]
async fn a_session_that_ends_amid_a_question_is_no_answer() {
    let desk = Desk::new("asked_again", DONE).await;
    let text = "[[operations]]\nkind = \"check\"\nname = \"ask\"\n\
                query = \"select case when exists (select from done) then true \
                else pg_terminate_backend(pg_backend_pid()) and pg_sleep(10)::text = 'x' end\"\n";
    desk.add("0001_ask", text).await;
    let worker = corridor_on(&desk.database, &["migration", "start", "0001_ask"]).start();
    let attempts = "select coalesce((select attempts from corridor.operation), 0)";
    while desk
        .client
        .query_one(attempts, &[])
        .await
        .unwrap()
        .get::<_, i32>(0)
        < 2
    {
        if desk.state("0001_ask").await == "failed" {
            panic!("{}", crate::driver::end(worker).await.stderr);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    desk.client
        .batch_execute("insert into done values ('x')")
        .await
        .unwrap();
    crate::driver::end(worker).await.expect_code(0);
}

/// A worker that sleeps between its note and its statement wakes up after everything was taken back: it must find its
/// connection closed, or it would build the index then.
#[tokio::test]
async fn a_rollback_ends_what_another_worker_is_about_to_do() {
    let desk = Desk::new("about_to", DONE).await;
    let text = "finish = \"by_hand\"\n[[operations]]\nkind = \"index\"\nname = \"build\"\ntable = \"done\"\n\
                index = \"done_what\"\ndefinition = \"(what)\"\n";
    desk.add("0001_build", text).await;
    desk.run(&["set", "0001_build", "lease.ttl_ms=1000"])
        .await
        .expect_code(0);
    corridor_on(&desk.database, &["migration", "start", "0001_build"])
        .env("CORRIDOR_FAILPOINT", "after-attempt")
        .run()
        .await
        .expect_code(134);
    // The sleeper: a session of that name, at nothing, which the note speaks of.
    let sleeper = corridor_testbed::cluster::connect(&desk.database.url)
        .await
        .unwrap();
    sleeper
        .batch_execute(
            "set application_name = 'corridor:statement:0001_build'; \
             update corridor.attempt set backend_pid = pg_backend_pid(), backend_start = \
             (select backend_start from pg_stat_activity where pid = pg_backend_pid())",
        )
        .await
        .unwrap();
    desk.run(&["rollback", "0001_build"]).await.expect_code(0);
    let built = sleeper
        .batch_execute("create index concurrently done_what on done (what)")
        .await;
    assert!(built.is_err(), "it must not come after the rollback");
}

/// After its timeout a program is killed with what it has begun; what a statement sets for its session ends with it.
#[tokio::test]
async fn nothing_of_an_operation_outlives_it() {
    let desk = Desk::new("outlive", DONE).await;
    let text = format!(
        "[[operations]]\nkind = \"command\"\nname = \"tell\"\ntimeout = \"500ms\"\nrollback = []\n\
         command = [\"sh\", \"-c\", \"(sleep 2; echo late >> {}) & sleep 60\"]\n",
        desk.dir.join("told").display()
    );
    desk.add("0001_tell", &text).await;
    desk.run(&["migration", "start", "0001_tell"])
        .await
        .expect_code(1)
        .expect_fault("MIG-138");
    let text = "[[operations]]\nkind = \"sql\"\nname = \"one\"\nstatement = \"set session_replication_role = replica\"\nrollback = \"\"\n\
                [[operations]]\nkind = \"sql\"\nname = \"two\"\nrollback = \"\"\n\
                statement = \"insert into done select current_setting('session_replication_role')\"\n";
    desk.add("0002_set", text).await;
    desk.run(&["migration", "start", "0002_set"]).await.expect_code(0);
    assert_eq!(desk.done().await, ["origin"]);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(!desk.dir.join("told").exists(), "it was killed with its program");
}

/// What cannot be taken back makes the whole way back refused, before anything is undone.
#[tokio::test]
async fn nothing_is_undone_when_not_everything_can_be() {
    let desk = Desk::new("irreversible", DONE).await;
    let text = format!(
        "finish = \"by_hand\"\n{}\n[[operations]]\nkind = \"sql\"\nname = \"gone\"\nstatement = \"insert into done values ('gone')\"\n\
         irreversible = \"it is gone\"\n",
        mark("first")
    );
    desk.add("0001_gone", &text).await;
    desk.run(&["migration", "start", "0001_gone"])
        .await
        .expect_code(5);
    let run = desk
        .run(&["rollback", "0001_gone"])
        .await
        .expect_code(4)
        .expect_fault("MIG-137");
    assert!(run.stderr.contains("it is gone"), "{}", run.stderr);
    assert_eq!(desk.done().await, ["first", "gone"]);
    assert_eq!(desk.state("0001_gone").await, "waiting");
    desk.run(&["finish", "0001_gone"]).await.expect_code(0);
}

#[tokio::test]
async fn an_address_is_called_once_and_its_answer_counts() {
    let desk = Desk::new("http", DONE).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answering = tokio::spawn(async move {
        let mut asked = Vec::new();
        for status in ["503 Busy", "200 OK"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = vec![0u8; 4_096];
            let mut read = 0;
            while !buffer[..read].ends_with(b"ready") {
                read += stream.read(&mut buffer[read..]).await.unwrap();
            }
            asked.push(String::from_utf8_lossy(&buffer[..read]).into_owned());
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    let text = format!(
        "[[operations]]\nkind = \"http\"\nname = \"call\"\nmethod = \"POST\"\nurl = \"http://{address}/hook\"\nbody = \"ready\"\n\
         irreversible = \"somebody was told\"\n"
    );
    desk.add("0001_call", &text).await;
    let run = desk
        .run(&["migration", "start", "0001_call"])
        .await
        .expect_code(1)
        .expect_fault("MIG-139");
    assert!(run.stderr.contains("503"), "{}", run.stderr);
    desk.run(&["resume", "0001_call"]).await.expect_code(0);
    let asked = answering.await.unwrap();
    assert!(
        asked[1].starts_with("POST /hook") && asked[1].ends_with("ready"),
        "{asked:?}"
    );
}

/// A call that may have been heard, and has no answer, is not made again without a word; one that nobody heard is.
#[tokio::test]
async fn a_call_without_an_answer_waits_for_a_word() {
    let desk = Desk::new("http_unknown", DONE).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answering = tokio::spawn(async move {
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
        ] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = vec![0u8; 4_096];
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let text = |address: &str| {
        format!(
            "[[operations]]\nkind = \"http\"\nname = \"call\"\nmethod = \"POST\"\nurl = \"http://{address}/\"\nbody = \"x\"\n\
             irreversible = \"somebody was told\"\n"
        )
    };
    desk.add("0001_call", &text(&address.to_string())).await;
    desk.run(&["migration", "start", "0001_call"])
        .await
        .expect_code(6)
        .expect_fault("MIG-136");
    desk.run(&["resume", "0001_call"])
        .await
        .expect_code(6)
        .expect_fault("MIG-136");
    desk.run(&["migration", "settle", "0001_call", "call", "--again"])
        .await
        .expect_code(0);
    desk.run(&["resume", "0001_call"]).await.expect_code(0);
    // Called twice, and not a third time.
    answering.await.unwrap();
    desk.add("0002_refused", &text("127.0.0.1:1")).await;
    for verb in [
        &["migration", "start", "0002_refused"][..],
        &["resume", "0002_refused"],
    ] {
        desk.run(verb).await.expect_code(1).expect_fault("MIG-139");
    }
}

/// A move is a migration of its own, which goes there and comes back with the one that waits for it.
#[tokio::test]
async fn a_table_is_moved_as_one_operation_of_many() {
    let desk = Desk::new("own_move", DONE).await;
    desk.client
        .batch_execute("create table persons (team_id int, id int, primary key (team_id, id)); insert into persons select i % 5, i from generate_series(1, 300) i; analyze persons")
        .await
        .unwrap();
    let kind = async || -> String {
        let sql = "select relkind::text from pg_class where oid = 'persons'::regclass";
        desk.client.query_one(sql, &[]).await.unwrap().get(0)
    };
    let text = format!(
        "finish = \"by_hand\"\n{}\n[[operations]]\nkind = \"move\"\nname = \"split\"\ntable = \"persons\"\n\
         arguments = [\"--partition-by\", \"hash(team_id)\", \"--partitions\", \"4\"]\n",
        mark("first")
    );
    desk.add("0001_split", &text).await;
    desk.run(&["migration", "start", "0001_split"])
        .await
        .expect_code(5);
    assert_eq!(kind().await, "p");
    desk.run(&["rollback", "0001_split"]).await.expect_code(0);
    assert_eq!(kind().await, "r");
    assert_eq!(desk.done().await, Vec::<String>::new());
    // Begun anew it goes there again.
    desk.run(&["migration", "start", "0001_split"])
        .await
        .expect_code(5);
    assert_eq!(kind().await, "p");
    let bad = text.replace("--partitions", "--partitoins");
    let path = desk.write_migration("0002_bad", &bad);
    let run = desk.run(&["migration", "add", &path]).await.expect_code(2);
    assert!(run.stderr.contains("--partitoins"), "{}", run.stderr);
}

/// What a move needs is looked at before anything is done; where something before it may still bring it about, the plan says so,
/// and a refusal amid the work does not claim that nothing was changed.
#[tokio::test]
async fn what_a_move_needs_is_looked_at_before() {
    let tables = format!("{DONE}; create table persons (team_id int not null, id int not null)");
    let desk = Desk::new("own_move_needs", &tables).await;
    let split = "[[operations]]\nkind = \"move\"\nname = \"split\"\ntable = \"persons\"\narguments = [\"--same-shape\"]\n";
    desk.add("0001_alone", split).await;
    desk.add("0002_behind", &format!("{}{split}", mark("first")))
        .await;
    for verb in ["plan", "start"] {
        let run = desk.run(&["migration", verb, "0001_alone"]).await.expect_code(4);
        let told = format!("{}{}", run.stdout, run.stderr);
        assert!(
            told.contains("MOV-018") && told.contains("move split"),
            "{verb}: {told}"
        );
    }
    assert_eq!(desk.state("0001_alone").await, "planned");
    let run = desk
        .run(&["migration", "plan", "0002_behind"])
        .await
        .expect_code(0);
    assert!(run.stdout.contains("would be refused: MOV-"), "{}", run.stdout);
    let run = desk
        .run(&["migration", "start", "0002_behind"])
        .await
        .expect_code(1);
    assert!(
        run.stderr.contains("a change took place") && !run.stderr.contains("nothing was changed"),
        "{}",
        run.stderr
    );
    assert_eq!(desk.done().await, ["first"]);
    desk.client
        .batch_execute("alter table persons add primary key (team_id, id)")
        .await
        .unwrap();
    desk.run(&["migration", "plan", "0001_alone"])
        .await
        .expect_code(0);
    desk.run(&["resume", "0002_behind"]).await.expect_code(0);
    assert_eq!(desk.state("0002_behind").await, "finished");
}
