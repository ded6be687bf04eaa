//! A role that lacks a right: each refusal has its code and names the object, nothing is half done, and after the grant the work
//! goes on where it was.

use tokio_postgres::Client;

use crate::desk::{Desk, mark};
use crate::driver::{Run, corridor};

const TABLES: &str = "create table people (id bigint generated always as identity primary key, n int not null default 0, name text);
     insert into people (name) select 'n' || i from generate_series(1, 500) i;
     create table done (what text not null);
     analyze people";

struct Clerk {
    desk: Desk,
    role: String,
}

impl Clerk {
    /// A role that may log in, and see the schema of the tables.
    async fn new(label: &str) -> Clerk {
        let desk = Desk::new(label, TABLES).await;
        let role = format!("{}_clerk", desk.database.name);
        let setup = format!("create role {role} login; grant select, insert, delete on done to {role}");
        desk.client.batch_execute(&setup).await.unwrap();
        Clerk { desk, role }
    }

    async fn run(&self, args: &[&str]) -> Run {
        let url = self
            .desk
            .database
            .url
            .replace("postgres@", &format!("{}@", self.role));
        corridor(&[args, &["--database", &url]].concat()).run().await
    }

    /// What the worker itself needs.
    async fn grant_corridor(&self) {
        let role = &self.role;
        self.admin(&format!(
            "grant usage on schema corridor to {role}; grant select, insert, update, delete on all tables in schema corridor to {role}; \
             grant usage on all sequences in schema corridor to {role}"
        ))
        .await;
    }

    async fn admin(&self, sql: &str) {
        let client: &Client = &self.desk.client;
        client.batch_execute(sql).await.unwrap();
    }
}

#[tokio::test]
async fn who_may_not_make_the_schema_or_see_it_is_told() {
    let clerk = Clerk::new("rights_schema").await;
    let path = clerk.desk.write_migration("0001_m", &mark("x"));
    clerk
        .run(&["migration", "add", &path])
        .await
        .expect_code(4)
        .expect_fault("PG-007");
    let schemas = "select count(*) from pg_namespace where nspname = 'corridor'";
    assert_eq!(clerk.desk.figure(schemas).await, 0);
    // Somebody else has added it: it cannot be listed, looked at, started or steered.
    clerk.desk.add("0001_m", &mark("x")).await;
    for args in [
        &["migration", "list"][..],
        &["status", "0001_m"],
        &["migration", "plan", "0001_m"],
        &["migration", "start", "0001_m"],
        &["pause", "0001_m"],
        &["rollback", "0001_m"],
        &["gate", "--app-version", "1.0.0"],
    ] {
        let run = clerk.run(args).await.expect_code(4).expect_fault("PG-007");
        assert!(run.stderr.contains("corridor"), "{args:?}: {}", run.stderr);
    }
    assert_eq!(clerk.desk.state("0001_m").await, "planned");
    assert!(clerk.desk.done().await.is_empty());
    clerk.grant_corridor().await;
    clerk.run(&["migration", "start", "0001_m"]).await.expect_code(0);
    assert_eq!(clerk.desk.done().await, ["x"]);
}

#[tokio::test]
async fn each_operation_that_is_refused_is_named_and_goes_on_after_the_grant() {
    let clerk = Clerk::new("rights_each").await;
    let role = &clerk.role;
    let text = [
        "finish = \"by_hand\"\n",
        &mark("begun"),
        "[[operations]]\nkind = \"sql\"\nname = \"two\"\n\
         statement = \"insert into done values ('two'); update people set name = name\"\nrollback = \"delete from done where what = 'two'\"\n\
         [[operations]]\nkind = \"backfill\"\nname = \"fill\"\ntable = \"people\"\nset = { n = \"n + 1\" }\nrows = 100\n\
         rollback = \"update people set n = 0\"\n\
         [[operations]]\nkind = \"index\"\nname = \"build\"\ntable = \"people\"\nindex = \"people_name\"\ndefinition = \"(name)\"\n\
         [[operations]]\nkind = \"constraint\"\nname = \"small\"\ntable = \"people\"\nconstraint = \"small\"\ndefinition = \"check (n < 9)\"\n\
         [[operations]]\nkind = \"constraint\"\nname = \"named\"\ntable = \"people\"\nconstraint = \"named\"\ndefinition = \"not null name\"\n",
    ]
    .concat();
    clerk.desk.add("0001_m", &text).await;
    clerk.grant_corridor().await;
    let state_of = async |operation: &str| -> (String, Option<String>) {
        let sql = "select state, error from corridor.operation where name = $1";
        let row = clerk.desk.client.query_one(sql, &[&operation]).await.unwrap();
        (row.get(0), row.get(1))
    };
    let mut verb: &[&str] = &["migration", "start", "0001_m"];
    let may_write = format!("grant select, update on people to {role}");
    let may_own = format!("alter table people owner to {role}; grant create on schema public to {role}");
    for (operation, grant) in [("two", &may_write), ("build", &may_own)] {
        // 4 would say that nothing was changed.
        clerk.run(verb).await.expect_code(1).expect_fault("PG-007");
        let (state, error) = state_of(operation).await;
        assert_eq!(state, "failed", "{operation}");
        let error = error.unwrap();
        assert!(
            error.starts_with("PG-007: ") && error.contains("people"),
            "{error}"
        );
        assert_eq!(clerk.desk.state("0001_m").await, "failed");
        // Neither half of the statement, nor an index that is not valid.
        let half = "select count(*) from done where what = 'two'";
        assert_eq!(clerk.desk.figure(half).await, i64::from(operation != "two"));
        let left = "select count(*) from pg_class where relname = 'people_name'";
        assert_eq!(clerk.desk.figure(left).await, 0);
        clerk.admin(grant).await;
        verb = &["resume", "0001_m"];
    }
    // Each constraint is refused by itself.
    clerk.admin("alter table people owner to postgres").await;
    clerk
        .admin(&format!(
            "grant select, update on people to {role}; alter table people owner to {role}"
        ))
        .await;
    clerk.run(verb).await.expect_code(5);
    assert_eq!(clerk.desk.done().await, ["begun", "two"]);
    assert_eq!(
        clerk.desk.figure("select count(*) from people where n = 1").await,
        500
    );
    // The way back is refused in the same way: what came after is taken back, what was refused is named, and it goes on.
    clerk
        .admin(&format!(
            "alter table people owner to postgres; grant select on people to {role}"
        ))
        .await;
    clerk
        .run(&["rollback", "0001_m"])
        .await
        .expect_code(1)
        .expect_fault("PG-007");
    assert_eq!(clerk.desk.state("0001_m").await, "failed");
    assert_eq!(
        clerk.desk.figure("select count(*) from people where n = 1").await,
        500
    );
    clerk.admin(&format!("alter table people owner to {role}")).await;
    clerk.run(&["resume", "0001_m"]).await;
    assert_eq!(clerk.desk.state("0001_m").await, "rolled_back");
    assert!(clerk.desk.done().await.is_empty());
    let left = "select count(*) from pg_class where relname = 'people_name'";
    assert_eq!(clerk.desk.figure(left).await, 0);
}

/// An operation of each kind by a role that may do nothing with the table: refused with its code, and the rows are as they were.
#[tokio::test]
async fn each_kind_is_refused_to_who_may_nothing() {
    let clerk = Clerk::new("rights_kinds").await;
    for (i, operation) in [
        "kind = \"sql\"\nstatement = \"update people set n = 1\"\nrollback = \"\"",
        "kind = \"sql\"\nstatement = \"cluster people using people_pkey\"\nrollback = \"\"\nno_transaction = true\ndone_when = \"select false\"",
        "kind = \"backfill\"\ntable = \"people\"\nset = { n = \"n + 1\" }\nrollback = \"\"",
        "kind = \"backfill\"\ntable = \"people\"\nset = { n = \"n + 1\" }\nfor_each = \"select n from people\"\nrollback = \"\"",
        "kind = \"index\"\ntable = \"people\"\nindex = \"i\"\ndefinition = \"(name)\"",
        "kind = \"constraint\"\ntable = \"people\"\nconstraint = \"c\"\ndefinition = \"check (n < 9)\"",
        "kind = \"constraint\"\ntable = \"people\"\nconstraint = \"c\"\ndefinition = \"not null name\"",
        "kind = \"check\"\nquery = \"select count(*) > 0 from people\"",
        "kind = \"verify\"\nquery = \"select count(*) from people\"\ntolerance = 0",
        "kind = \"wait_until\"\nquery = \"select count(*) > 0 from people\"\nevery = \"100ms\"\nat_most = \"1s\"",
        "kind = \"move\"\ntable = \"people\"\narguments = [\"--same-shape\"]",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{:04}_m", i + 1);
        clerk
            .desk
            .add(&name, &format!("[[operations]]\nname = \"it\"\n{operation}\n"))
            .await;
        clerk.grant_corridor().await;
        let run = clerk.run(&["migration", "start", &name]).await;
        assert!(run.code != 0, "{operation}");
        let told = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            told.contains("permission denied") || told.contains("must be owner") || told.contains("MOV-021"),
            "{operation}: {told}"
        );
        // What a move needs is looked at before anything begins.
        let state = if operation.contains("\"move\"") { "planned" } else { "failed" };
        assert_eq!(clerk.desk.state(&name).await, state, "{operation}");
    }
    assert_eq!(
        clerk.desk.figure("select count(*) from people where n = 0").await,
        500
    );
    let more = "select (select count(*) from pg_index where indrelid = 'people'::regclass) \
         + (select count(*) from pg_constraint where conrelid = 'people'::regclass and contype = 'c')";
    assert_eq!(
        clerk.desk.figure(more).await,
        1,
        "the primary key and nothing else"
    );
}
