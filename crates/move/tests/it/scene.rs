//! A table in a fresh database, and a plan for it that is carried out by hand: create, copy by a plain insert, index,
//! swap, settle; swap back, settle back, drop; and again to the end.

use corridor_move::MovePlan;
use corridor_move::plan::{Lock, Step, plan};
use corridor_move::preflight::{Request, read};
use corridor_move::shape::{Shape, ShapeWords};
use corridor_pg::catalog::{Table, read_table, resolve};
use corridor_pg::ident::join;
use corridor_pg::lock_budget::lock_tables;
use corridor_pg::{ApplicationName, ConnectOptions, Isolation, Result, Session};
use corridor_testbed::{Cluster, Database};
use serde_json::Value;

/// Majors to run on: all, or 15 alone with `CORRIDOR_TEST_QUICK`.
pub(crate) fn majors() -> Vec<u32> {
    if std::env::var_os("CORRIDOR_TEST_QUICK").is_some() {
        vec![15]
    } else {
        vec![14, 15, 16, 17, 18]
    }
}

pub(crate) fn hash(columns: &str, partitions: &str) -> Shape {
    let by = format!("hash({columns})");
    Shape::parse(&ShapeWords {
        partition_by: Some(&by),
        partitions: Some(partitions),
        ..Default::default()
    })
    .unwrap()
}

pub(crate) fn range(column: &str, every: &str) -> Shape {
    let by = format!("range({column})");
    Shape::parse(&ShapeWords {
        partition_by: Some(&by),
        every: Some(every),
        ..Default::default()
    })
    .unwrap()
}

pub(crate) fn list(column: &str) -> Shape {
    let by = format!("list({column})");
    Shape::parse(&ShapeWords {
        partition_by: Some(&by),
        ..Default::default()
    })
    .unwrap()
}

/// Where in its life a move is when the test looks at the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Before,
    Swapped,
    SwappedBack,
    Finished,
}

pub(crate) struct Scene {
    pub(crate) major: u32,
    pub(crate) database: Database,
    /// The application: its search path is what PostgreSQL gives by default.
    pub(crate) app: tokio_postgres::Client,
    pub(crate) session: Session,
    pub(crate) table: String,
}

impl Scene {
    /// A fresh database with `setup` run in it. `ROLE` in the setup becomes a name that no other test has.
    pub(crate) async fn new(major: u32, label: &str, table: &str, setup: &str) -> Scene {
        let cluster = Cluster::shared(major).await;
        let database = cluster.fresh_database(label).await.unwrap();
        let app = cluster.connect(&database.name).await.unwrap();
        let setup = setup.replace("ROLE", &database.name);
        app.batch_execute(&setup)
            .await
            .unwrap_or_else(|e| panic!("{major}: {e:?}"));
        let session = Scene::session(&database.url).await;
        Scene {
            major,
            database,
            app,
            session,
            table: table.to_owned(),
        }
    }

    pub(crate) async fn session(url: &str) -> Session {
        let options = ConnectOptions::from_process(Some(url)).unwrap();
        options.connect(&ApplicationName::new("test", "-")).await.unwrap()
    }

    pub(crate) async fn run(&self, sql: &str) {
        let sql = sql.replace("ROLE", &self.database.name);
        self.app
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|e| panic!("{}: {sql}: {e:?}", self.major));
    }

    /// One text, or the error's SQLSTATE.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        let sql = sql.replace("ROLE", &self.database.name);
        match self.app.simple_query(&sql).await {
            Ok(rows) => rows
                .iter()
                .find_map(|message| match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => {
                        Some(row.get(0).unwrap_or("null").to_owned())
                    }
                    _ => None,
                })
                .unwrap_or_default(),
            Err(error) => error.code().expect("an answer of the server").code().to_owned(),
        }
    }

    pub(crate) async fn read(&mut self) -> Table {
        let tx = self.session.begin(Isolation::RepeatableRead).await.unwrap();
        let (oid, _) = resolve(&tx, &self.table).await.unwrap();
        read_table(&tx, oid).await.unwrap()
    }

    pub(crate) async fn try_plan(&mut self, shape: &Shape, tag: &str) -> Result<MovePlan> {
        let request = Request {
            table: self.table.clone(),
            shape: shape.clone(),
            tag: tag.into(),
            accepts_key_widening: true,
            accepts_partition_settings: true,
        };
        plan(&read(&mut self.session, &request).await?)
    }

    /// A plan whatever stands in the way; `is_lossy`: what only single partitions have may go.
    pub(crate) async fn plan_saying(&mut self, shape: &Shape, tag: &str, is_lossy: bool) -> MovePlan {
        let request = Request {
            table: self.table.clone(),
            shape: shape.clone(),
            tag: tag.into(),
            accepts_key_widening: true,
            accepts_partition_settings: is_lossy,
        };
        plan(&read(&mut self.session, &request).await.unwrap()).unwrap()
    }

    pub(crate) async fn plan(&mut self, shape: &Shape, tag: &str) -> MovePlan {
        let plan = self.try_plan(shape, tag).await.unwrap();
        plan.check_executable().unwrap();
        plan
    }

    async fn step(&self, step: &Step) {
        let done = self.session.batch_execute(&step.sql).await;
        done.unwrap_or_else(|e| panic!("{}: {}: {}: {e:?}", self.major, step.what, step.sql));
    }

    async fn in_one(&mut self, steps: &[Step]) {
        self.session.batch_execute("begin").await.unwrap();
        for step in steps {
            self.step(step).await;
        }
        self.session.batch_execute("commit").await.unwrap();
    }

    pub(crate) async fn create(&mut self, plan: &MovePlan) {
        self.in_one(&plan.create).await;
        let columns = join(plan.columns.iter().map(|c| &c.name), ", ");
        let copy = format!(
            "insert into {} ({columns}) overriding system value select {columns} from {}",
            plan.target, plan.source.name
        );
        self.session
            .batch_execute(&copy)
            .await
            .unwrap_or_else(|e| panic!("{}: {copy}: {e:?}", self.major));
        for step in &plan.index {
            self.step(step).await;
        }
    }

    async fn swap_with(&mut self, plan: &MovePlan, locks: &[Lock], steps: &[Step], settle: &[Step]) {
        let tx = self.session.begin(Isolation::ReadCommitted).await.unwrap();
        for step in &plan.swap_first {
            tx.batch_execute(&step.sql).await.unwrap();
        }
        let wanted: Vec<_> = locks.iter().map(|l| (l.relation.clone(), l.mode)).collect();
        lock_tables(&tx, &wanted, 5_000).await.unwrap();
        for step in steps {
            let done = tx.batch_execute(&step.sql).await;
            done.unwrap_or_else(|e| panic!("{}: {}: {}: {e:?}", self.major, step.what, step.sql));
        }
        tx.commit().await.unwrap();
        for step in settle {
            self.step(step).await;
        }
    }

    pub(crate) async fn swap(&mut self, plan: &MovePlan) {
        self.swap_with(plan, &plan.swap_locks, &plan.swap, &plan.settle)
            .await;
    }

    pub(crate) async fn swap_back(&mut self, plan: &MovePlan) {
        self.swap_with(plan, &plan.swap_back_locks, &plan.swap_back, &plan.settle_back)
            .await;
    }

    pub(crate) async fn drop_target(&mut self, plan: &MovePlan) {
        self.in_one(&plan.drop_target).await;
    }

    pub(crate) async fn drop_parked(&mut self, plan: &MovePlan) {
        self.in_one(&plan.drop_parked).await;
    }

    pub(crate) async fn retire(&mut self, plan: &MovePlan) {
        self.in_one(&plan.retire).await;
    }

    /// Everything in the database that a person could see, as sorted lines.
    pub(crate) async fn inventory(&self) -> Vec<String> {
        let rows = self.session.query(INVENTORY, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

const INVENTORY: &str = "
    select line from (
        select 'relation ' || relnamespace::regnamespace || '.' || relname || ' ' || relkind::text || coalesce(relacl::text, '')
            || coalesce(reloptions::text, '')
        from pg_class where relnamespace >= 2200 and relnamespace <> (select oid from pg_namespace where nspname = 'information_schema')
        union all
        select 'type ' || typnamespace::regnamespace || '.' || typname from pg_type where oid >= 16384
        union all
        select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated
        from pg_constraint k where conrelid >= 16384
            -- Of the parts of a foreign key for each partition that it references, validated or not says nothing.
            and not exists (select from pg_constraint p where p.oid = k.conparentid and p.conrelid = k.conrelid)
        union all
        select 'trigger ' || tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text from pg_trigger where not tgisinternal
        union all
        select 'default ' || adrelid::regclass || ' ' || adnum || ' ' || pg_get_expr(adbin, adrelid) from pg_attrdef
        union all
        select 'comment ' || pg_describe_object(classoid, objoid, objsubid) || ' ' || description from pg_description where objoid >= 16384
        union all
        select 'schema ' || nspname from pg_namespace where nspname not like 'pg_%'
        union all
        select 'depends ' || pg_describe_object(classid, objid, objsubid) || ' on ' || pg_describe_object(refclassid, refobjid, refobjsubid)
            || ' ' || deptype::text
        from pg_depend d where objid >= 16384 and classid <> 'pg_type'::regclass
            and not (classid = 'pg_trigger'::regclass and exists (select from pg_trigger t where t.oid = d.objid and t.tgisinternal))
            and not (classid = 'pg_class'::regclass and exists (select from pg_class c where c.oid = objid and c.relkind in ('t', 'i') and c.relnamespace = 'pg_toast'::regnamespace))
    ) x (line)
    order by line";

/// Goes through a whole life on one major: forth, back, cleaned up; forth again and finished. At each stage what hangs
/// on the name is compared with what hung there before, and `look` may look for itself.
pub(crate) async fn life(
    major: u32,
    label: &str,
    table: &str,
    setup: &str,
    shape: &Shape,
    look: impl AsyncFn(&Scene, Stage),
) {
    let mut scene = Scene::new(major, label, table, setup).await;
    look(&scene, Stage::Before).await;
    let before = scene.read().await;
    let inventory = scene.inventory().await;

    let first = scene.plan(shape, "one").await;
    scene.create(&first).await;
    scene.swap(&first).await;
    assert_same(&before, &scene.read().await, &first, major);
    look(&scene, Stage::Swapped).await;
    scene.swap_back(&first).await;
    let back = scene.read().await;
    assert_eq!(back.oid, before.oid, "{major}");
    pretty(&bare(&before, false), &bare(&back, false), major);
    look(&scene, Stage::SwappedBack).await;
    scene.drop_target(&first).await;
    let left = scene.inventory().await;
    pretty(&Value::from(inventory), &Value::from(left), major);

    let second = scene.plan(shape, "two").await;
    scene.create(&second).await;
    scene.swap(&second).await;
    scene.retire(&second).await;
    assert_same(&before, &scene.read().await, &second, major);
    let retired = format!("drop table {}", second.retired);
    scene
        .session
        .batch_execute(&retired)
        .await
        .unwrap_or_else(|e| panic!("{major}: {retired}: {e:?}"));
    look(&scene, Stage::Finished).await;
    let temporary: Vec<_> = scene
        .inventory()
        .await
        .into_iter()
        .filter(|l| l.contains("__c_new_") || l.contains("__c_old_"))
        .collect();
    assert_eq!(temporary, Vec::<String>::new(), "{major}");
}

/// [`life`] on every major.
pub(crate) async fn lives(
    label: &str,
    table: &str,
    setup: &str,
    shape: &Shape,
    look: impl AsyncFn(&Scene, Stage) + Copy,
) {
    for major in majors() {
        life(major, label, table, setup, shape, look).await;
    }
}

/// What hangs on the new table is what hung on the old one, save ids, sizes and what a partitioned table has to have
/// otherwise.
fn assert_same(before: &Table, after: &Table, plan: &MovePlan, major: u32) {
    let is_reshaped = plan.shape.is_partitioned() || before.kind != after.kind;
    let mut expected = bare(before, is_reshaped);
    let mut found = bare(after, is_reshaped);
    // A widened key has more columns; that it has exactly these is checked by name.
    for widened in &plan.widened {
        for side in [&mut expected, &mut found] {
            let indexes = side["indexes"].as_array_mut().unwrap();
            let index = indexes
                .iter_mut()
                .find(|i| i["name"] == widened.name.trim_matches('"'))
                .unwrap();
            let key: Vec<&str> = index["columns"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|c| !c["is_included"].as_bool().unwrap())
                .map(|c| c["definition"].as_str().unwrap())
                .collect();
            assert!(key == widened.before || key == widened.after, "{key:?}");
            index["columns"] = Value::Null;
            index["definition"] = Value::Null;
            for constraint in side["constraints"].as_array_mut().unwrap() {
                if constraint["name"] == widened.name.trim_matches('"') {
                    constraint["definition"] = Value::Null;
                    constraint["columns"] = Value::Null;
                }
            }
        }
    }
    pretty(&expected, &found, major);
}

fn pretty(expected: &Value, found: &Value, major: u32) {
    let text = |v: &Value| serde_json::to_string_pretty(v).unwrap();
    if expected != found {
        let (expected, found) = (text(expected), text(found));
        let missing: Vec<_> = expected.lines().filter(|l| !found.contains(l)).collect();
        let added: Vec<_> = found.lines().filter(|l| !expected.contains(l)).collect();
        panic!("{major}: gone: {missing:#?}\ncame: {added:#?}\n{found}");
    }
}

/// A table without ids and sizes; `is_reshaped` also without what another shape cannot have alike.
fn bare(table: &Table, is_reshaped: bool) -> Value {
    let mut value = serde_json::to_value(table).unwrap();
    strip(&mut value);
    // They come in the order of their ids, and a materialised view is made anew.
    let by_name = |view: &Value| view["name"].to_string();
    value["views"].as_array_mut().unwrap().sort_by_key(by_name);
    for view in value["materialized_views"].as_array_mut().unwrap() {
        view["relation"]["views"]
            .as_array_mut()
            .unwrap()
            .sort_by_key(by_name);
    }
    if is_reshaped {
        for key in [
            "kind",
            "access_method",
            "options",
            "toast_options",
            "inheritance",
            "partitions",
            "replica_identity",
        ] {
            value[key] = Value::Null;
        }
        let name = value["name"].clone();
        for check in value["constraints"].as_array_mut().unwrap() {
            // A table that references itself references what it has become.
            if check["referenced"]["table"] == name {
                check["referenced"]["kind"] = Value::Null;
            }
            check["is_no_inherit"] = Value::Null;
            let text = check["definition"].as_str().unwrap().replace(" NO INHERIT", "");
            check["definition"] = Value::from(text);
        }
        for index in value["indexes"].as_array_mut().unwrap() {
            index["is_clustered"] = Value::Null;
        }
    }
    value
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| {
                let is_id = key == "oid"
                    || (key.ends_with("_oid") && !key.contains("type"))
                    || key.ends_with("_oids");
                let is_size = key.ends_with("bytes") || key == "row_estimate";
                !is_id && !is_size && key != "number"
            });
            // Of keys this says nothing; it depends on how a partition came to have them.
            if map.get("kind").is_some_and(|kind| kind != "c") && map.contains_key("is_no_inherit") {
                map.insert("is_no_inherit".to_owned(), Value::Null);
            }
            if let Some(Value::String(text)) = map.get_mut("definition") {
                *text = text.replace(" ON ONLY ", " ON ");
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}
