//! Single kinds of operations of a person's own migrations: waits, columns that are never null, lists.

use corridor_testbed::{Cluster, Servers};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::desk::Desk;
use crate::driver::{corridor_on, end};

/// What a shell says of a process that aborted.
const ABORTED: i32 = 134;

const PEOPLE: &str =
    "create table people (id bigint generated always as identity primary key, team_id int not null, \
     name text);
     insert into people (team_id, name) select 1 + i % 5, 'n' || i from generate_series(1, 500) i;
     create table done (what text not null);
     create table gate ();
     analyze people";

const WAITS: &str = r#"
[[operations]]
kind = "wait_until"
name = "wait"
query = "select exists (select from gate)"
every = "100ms"
at_most = "30min"
"#;

/// As if the operation had begun that long ago.
async fn age(desk: &Desk, by: &str) {
    let sql = format!(
        "update corridor.operation set started_at = started_at - interval '{by}', \
         progress = case when progress ? 'begun_anew_at' then progress || jsonb_build_object('begun_anew_at', \
         (progress ->> 'begun_anew_at')::timestamptz - interval '{by}') else progress end where name = 'wait'"
    );
    desk.client.execute(&sql, &[]).await.unwrap();
}

/// A worker that dies, is paused or is followed by another one does not give the wait its whole time again.
#[tokio::test]
async fn the_longest_wait_is_counted_from_the_first_begin() {
    let desk = Desk::new("own_at_most", PEOPLE).await;
    desk.add("0001_waits", WAITS).await;
    let mut worker = corridor_on(&desk.database, &["migration", "start", "0001_waits"]).start();
    desk.until_running("wait").await;
    worker.start_kill().unwrap();
    worker.wait().await.unwrap();
    age(&desk, "20 minutes").await;
    // There is time left: who takes over waits on, and can be paused.
    let worker = corridor_on(&desk.database, &["resume", "0001_waits"]).start();
    desk.until("select epoch >= 2 and holder is not null from corridor.lease")
        .await;
    desk.run(&["pause", "0001_waits"]).await.expect_code(0);
    end(worker).await.expect_code(5);
    age(&desk, "11 minutes").await;
    desk.run(&["resume", "0001_waits"])
        .await
        .expect_code(5)
        .expect_fault("MIG-140");
    assert_eq!(desk.state("0001_waits").await, "failed");
    // After a failure a person gives it its whole time again, and only a person.
    let mut worker = corridor_on(&desk.database, &["resume", "0001_waits"]).start();
    desk.until_running("wait").await;
    worker.start_kill().unwrap();
    worker.wait().await.unwrap();
    age(&desk, "31 minutes").await;
    desk.run(&["resume", "0001_waits"])
        .await
        .expect_code(5)
        .expect_fault("MIG-140");
    // What has come counts, however late it is asked for.
    age(&desk, "31 minutes").await;
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    desk.run(&["resume", "0001_waits"]).await.expect_code(0);
}

const NOT_NULL: &str = r#"
finish = "by_hand"

[[operations]]
kind = "constraint"
name = "named"
table = "people"
constraint = "people_name_present"
definition = "not null name"
"#;

async fn is_not_null(desk: &Desk) -> bool {
    let sql = "select count(*) from pg_attribute where attrelid = 'people'::regclass and attname = 'name' and attnotnull";
    desk.figure(sql).await == 1
}

async fn checks(desk: &Desk) -> i64 {
    let sql = "select count(*) from pg_constraint where conrelid = 'people'::regclass and contype = 'c'";
    desk.figure(sql).await
}

#[tokio::test]
async fn a_column_is_made_not_null_with_one_scan_and_back_on_every_major() {
    for installation in Servers::find() {
        let major = installation.major;
        if major != 15 && std::env::var_os("CORRIDOR_TEST_QUICK").is_some() {
            continue;
        }
        let label = format!("own_not_null_{major}");
        let database = Cluster::shared(major).await.fresh_database(&label).await.unwrap();
        let desk = Desk::on(database, &label, PEOPLE).await;
        desk.add("0001_named", NOT_NULL).await;
        let run = desk
            .run(&["migration", "plan", "0001_named"])
            .await
            .expect_code(0);
        let told = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            told.contains("check (name is not null) not valid") && told.contains("drop not null"),
            "{told}"
        );
        let scans =
            "select coalesce(sum(seq_scan), 0)::bigint from pg_stat_user_tables where relname = 'people'";
        desk.until(&format!("select ({scans}) > 0")).await;
        let before = desk.figure(scans).await;
        desk.run(&["migration", "start", "0001_named"])
            .await
            .expect_code(5);
        assert!(is_not_null(&desk).await, "{major}");
        assert_eq!(checks(&desk).await, 0, "{major}: the check is gone");
        // The validation reads the rows, and nothing else does. Figures come with the end of the session that made them.
        desk.until(&format!("select ({scans}) > {before}")).await;
        desk.until("select not exists (select from pg_stat_activity where application_name like 'corridor:%' and datname = current_database())").await;
        assert_eq!(desk.figure(scans).await, before + 1, "{major}");
        desk.run(&["rollback", "0001_named"]).await.expect_code(0);
        assert!(!is_not_null(&desk).await, "{major}");
    }
}

#[tokio::test]
async fn making_a_column_not_null_is_taken_up_again_from_each_step() {
    for point in [
        "after-progress",
        "before-statement:1",
        "after-statement:1",
        "before-statement:2",
        "after-statement:2",
        "before-statement:3",
        "after-statement:3",
    ] {
        let desk = Desk::new(&format!("own_nn_{}", point.replace([':', '-'], "_")), PEOPLE).await;
        desk.add("0001_named", NOT_NULL).await;
        corridor_on(&desk.database, &["migration", "start", "0001_named"])
            .env("CORRIDOR_FAILPOINT", point)
            .run()
            .await
            .expect_code(ABORTED);
        desk.run(&["resume", "0001_named"]).await.expect_code(5);
        assert!(is_not_null(&desk).await && checks(&desk).await == 0, "{point}");
        // And back, from half of it as well.
        corridor_on(&desk.database, &["rollback", "0001_named"])
            .env("CORRIDOR_FAILPOINT", "before-statement-back")
            .run()
            .await
            .expect_code(ABORTED);
        desk.run(&["resume", "0001_named"]).await;
        assert_eq!(desk.state("0001_named").await, "rolled_back", "{point}");
        assert!(!is_not_null(&desk).await && checks(&desk).await == 0, "{point}");
    }
}

/// What was there before stays there; what stands in the way is named; rows that are null are met before anything is locked for long.
#[tokio::test]
async fn a_column_that_was_not_null_before_stays_so() {
    let desk = Desk::new("own_nn_there", PEOPLE).await;
    desk.client
        .batch_execute("alter table people alter name set not null")
        .await
        .unwrap();
    desk.add("0001_named", NOT_NULL).await;
    desk.run(&["migration", "start", "0001_named"])
        .await
        .expect_code(5);
    let tries = "select count(*) from corridor.attempt";
    assert_eq!(desk.figure(tries).await, 0, "nothing was to be done");
    desk.run(&["rollback", "0001_named"]).await.expect_code(0);
    assert!(is_not_null(&desk).await, "it is not ours to take away");
    // Null rows: the validation fails, what was added stays until it is taken back or goes on.
    desk.client
        .batch_execute(
            "alter table people alter name drop not null; update people set name = null where id = 7",
        )
        .await
        .unwrap();
    desk.add("0002_null", NOT_NULL).await;
    let run = desk
        .run(&["migration", "start", "0002_null"])
        .await
        .expect_code(1);
    assert!(run.stderr.contains("people_name_present"), "{}", run.stderr);
    assert!(!is_not_null(&desk).await && checks(&desk).await == 1);
    desk.run(&["rollback", "0002_null"]).await.expect_code(0);
    assert!(!is_not_null(&desk).await && checks(&desk).await == 0);
    desk.add("0003_null", NOT_NULL).await;
    desk.run(&["migration", "start", "0003_null"])
        .await
        .expect_code(1);
    desk.client
        .batch_execute("update people set name = '' where name is null")
        .await
        .unwrap();
    desk.run(&["resume", "0003_null"]).await.expect_code(5);
    assert!(is_not_null(&desk).await && checks(&desk).await == 0);
    desk.run(&["rollback", "0003_null"]).await.expect_code(0);
    // Another constraint of that name, a column that is not there.
    desk.client
        .batch_execute("alter table people add constraint people_name_present check (name <> 'x')")
        .await
        .unwrap();
    desk.add("0004_busy", NOT_NULL).await;
    desk.run(&["migration", "start", "0004_busy"])
        .await
        .expect_code(4)
        .expect_fault("MIG-155");
    desk.add("0005_none", &NOT_NULL.replace("not null name", "not null nme"))
        .await;
    let run = desk.run(&["migration", "start", "0005_none"]).await;
    assert!(
        run.code != 0 && run.stderr.contains("nme of people"),
        "{}",
        run.stderr
    );
    // Somebody's own check of the same column is used and stays.
    desk.client
        .batch_execute(
            "alter table people drop constraint people_name_present; \
             alter table people add constraint people_name_present check (name is not null)",
        )
        .await
        .unwrap();
    desk.add("0006_theirs", NOT_NULL).await;
    desk.run(&["migration", "start", "0006_theirs"])
        .await
        .expect_code(5);
    assert!(is_not_null(&desk).await && checks(&desk).await == 1);
    desk.run(&["rollback", "0006_theirs"]).await.expect_code(0);
    assert!(!is_not_null(&desk).await && checks(&desk).await == 1);
}

/// From PostgreSQL 18 on a not-null constraint may be there and not hold yet.
#[tokio::test]
async fn a_not_null_constraint_that_is_not_validated_is_validated() {
    if !Servers::find()
        .iter()
        .any(|installation| installation.major == 18)
    {
        return;
    }
    let database = Cluster::shared(18)
        .await
        .fresh_database("own_nn_18")
        .await
        .unwrap();
    let desk = Desk::on(database, "own_nn_18", PEOPLE).await;
    desk.client
        .batch_execute("alter table people add constraint theirs not null name not valid")
        .await
        .unwrap();
    desk.add("0001_named", NOT_NULL).await;
    desk.run(&["migration", "start", "0001_named"])
        .await
        .expect_code(5);
    let valid = "select count(*) from pg_constraint where conname = 'theirs' and convalidated";
    assert_eq!(desk.figure(valid).await, 1);
    assert_eq!(checks(&desk).await, 0);
    desk.run(&["rollback", "0001_named"]).await.expect_code(0);
    assert!(is_not_null(&desk).await, "it was there before");
}

const LISTED: &str = r#"
[[operations]]
kind = "backfill"
name = "fill"
table = "people"
alias = "p"
for_each = "select distinct team_id from people order by 1"
where = "p.team_id = :each"
statement = "insert into done select p.name from people p where p.team_id = :each and :range"
rows = 40
irreversible = "a test"
"#;

/// With `where` beside the statement the batches are made of each value's own rows, however many others lie between.
#[tokio::test]
async fn a_statement_for_each_value_is_led_by_its_where() {
    let desk = Desk::new("own_led", PEOPLE).await;
    desk.client
        .batch_execute("create index on people (team_id, id)")
        .await
        .unwrap();
    desk.add("0001_listed", LISTED).await;
    corridor_on(&desk.database, &["migration", "start", "0001_listed"])
        .env("CORRIDOR_FAILPOINT", "after-batch:4")
        .run()
        .await
        .expect_code(ABORTED);
    desk.run(&["resume", "0001_listed"]).await.expect_code(0);
    assert_eq!(
        desk.figure("select count(*) from done").await,
        500,
        "each row once"
    );
    assert_eq!(
        desk.figure("select count(distinct what) from done").await,
        500,
        "each row once"
    );
    // Each value has 100 rows; along the whole key it would be 500 for each.
    let batches = desk.figure("select max(batches) from corridor.item").await;
    assert!(batches <= 3, "{batches} batches for 100 rows");
}

/// What has the wanted name and is something else is refused; what is the same, however it is written, is taken as it is.
#[tokio::test]
async fn a_name_that_is_taken_by_something_else_is_refused() {
    let tables = format!(
        "{PEOPLE}; create table teams (id int primary key); insert into teams select generate_series(1, 5);
         alter table people add constraint taken check (id > 0);
         alter table people add constraint named check (name <> 'A');
         alter table people add constraint team_fk foreign key (team_id) references teams;
         create index by_id on people (id);
         create unique index by_name on people (lower(name)) where id > 5"
    );
    let desk = Desk::new("own_taken", &tables).await;
    let index = |name: &str, definition: &str, unique: &str| {
        format!(
            "[[operations]]\nkind = \"index\"\nname = \"it\"\ntable = \"people\"\nindex = \"{name}\"\ndefinition = \"{definition}\"\n{unique}\n"
        )
    };
    let constraint = |name: &str, definition: &str| {
        format!(
            "[[operations]]\nkind = \"constraint\"\nname = \"it\"\ntable = \"people\"\nconstraint = \"{name}\"\ndefinition = \"{definition}\"\n"
        )
    };
    let mut at = 0;
    for (text, fault) in [
        (index("by_id", "(id)", "unique = true"), Some("MIG-145")),
        (index("by_id", "(name)", ""), Some("MIG-145")),
        (index("by_id", "(id) where id > 5", ""), Some("MIG-145")),
        (index("by_id", "using btree ( ID )", ""), None),
        (
            index("by_name", "(LOWER(name)) where (id > 5)", "unique = true"),
            None,
        ),
        (constraint("taken", "check (team_id > 100)"), Some("MIG-155")),
        (constraint("taken", "CHECK ( id>0 )"), None),
        // Letters in a constant are not words.
        (constraint("named", "check (name <> 'a')"), Some("MIG-155")),
        (constraint("named", "check (name <> 'A')"), None),
        (
            constraint(
                "team_fk",
                "foreign key (team_id) references teams (id) on delete cascade",
            ),
            Some("MIG-155"),
        ),
        (
            constraint("team_fk", "foreign key (team_id) references teams (id)"),
            None,
        ),
    ] {
        at += 1;
        let name = format!("{at:04}_m");
        desk.add(&name, &text).await;
        let run = desk.run(&["migration", "start", &name]).await;
        match fault {
            Some(code) => drop(run.expect_code(4).expect_fault(code)),
            None => drop(run.expect_code(0)),
        }
    }
    // What was there before is not taken away by a rollback.
    let left = "select count(*) from pg_class where relname in ('by_id', 'by_name')";
    assert_eq!(desk.figure(left).await, 2);
}

/// A build that somebody else has begun is waited for, and then is what was wanted.
#[tokio::test]
async fn a_build_of_somebody_else_is_waited_for() {
    let desk = Desk::new("own_other_build", PEOPLE).await;
    let holder = corridor_testbed::cluster::connect(&desk.database.url)
        .await
        .unwrap();
    holder
        .batch_execute("begin; lock table people in row exclusive mode; select txid_current()")
        .await
        .unwrap();
    let builder = corridor_testbed::cluster::connect(&desk.database.url)
        .await
        .unwrap();
    let built = tokio::spawn(async move {
        builder
            .batch_execute("create index concurrently people_by_name on people (name)")
            .await
    });
    desk.until("select exists (select from pg_index where indexrelid = to_regclass('people_by_name') and not indisvalid)")
        .await;
    desk.add(
        "0001_m",
        "[[operations]]\nkind = \"index\"\nname = \"it\"\ntable = \"people\"\nindex = \"people_by_name\"\ndefinition = \"(name)\"\n",
    )
    .await;
    let mut worker = corridor_on(&desk.database, &["migration", "start", "0001_m"]).start();
    let mut said = BufReader::new(worker.stderr.take().unwrap()).lines();
    while !said
        .next_line()
        .await
        .unwrap()
        .unwrap()
        .contains("waiting for a build")
    {}
    holder.batch_execute("commit").await.unwrap();
    while said.next_line().await.unwrap().is_some() {}
    assert!(worker.wait().await.unwrap().success());
    built.await.unwrap().unwrap();
    assert_eq!(desk.figure("select count(*) from corridor.attempt").await, 0);
}

/// What a dead worker has begun is not shown as under way for ever.
#[tokio::test]
async fn the_tries_of_a_dead_worker_are_closed() {
    let desk = Desk::new("own_dead_tries", PEOPLE).await;
    let waits =
        "do $$ begin while not exists (select from gate) loop perform pg_sleep(0.1); end loop; end $$";
    let text = format!(
        "[[operations]]\nkind = \"sql\"\nname = \"long\"\nstatement = \"{waits}\"\nrollback = \"\"\n\
         [[operations]]\nkind = \"sql\"\nname = \"alone\"\nno_transaction = true\nstatement = \"{waits}\"\nrollback = \"\"\n\
         done_when = \"select exists (select from gate)\"\n"
    );
    desk.add("0001_m", &text).await;
    let mut worker = corridor_on(&desk.database, &["migration", "start", "0001_m"]).start();
    desk.until(
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')",
    )
    .await;
    worker.start_kill().unwrap();
    worker.wait().await.unwrap();
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    desk.run(&["resume", "0001_m"]).await.expect_code(0);
    let open = "select count(*) from corridor.attempt where outcome is null";
    assert_eq!(desk.figure(open).await, 0);
    assert!(
        desk.figure("select count(*) from corridor.attempt where outcome = 'lost'")
            .await
            >= 1
    );
}

/// A table that is not there, or that has no key, is found before anything begins.
#[tokio::test]
async fn what_a_backfill_needs_is_looked_at_before() {
    let desk = Desk::new(
        "own_backfill_needs",
        &format!("{PEOPLE}; create table bare (n int)"),
    )
    .await;
    for (name, table) in [("0001_m", "nothere"), ("0002_m", "bare")] {
        let text = format!(
            "[[operations]]\nkind = \"backfill\"\nname = \"fill\"\ntable = \"{table}\"\nset = {{ n = \"1\" }}\nrollback = \"\"\n"
        );
        desk.add(name, &text).await;
        for verb in ["plan", "start"] {
            let run = desk.run(&["migration", verb, name]).await;
            assert!(
                [1, 4].contains(&run.code),
                "{verb} {table}: {}{}",
                run.stdout,
                run.stderr
            );
            let told = format!("{}{}", run.stdout, run.stderr);
            assert!(told.contains("backfill fill"), "{told}");
        }
        assert_eq!(desk.state(name).await, "planned");
    }
}
