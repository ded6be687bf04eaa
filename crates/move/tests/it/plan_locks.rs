//! What the plan says about locks is what the server takes: each statement of a plan is run, and asked about.

use std::collections::BTreeMap;

use corridor_move::plan::{Lock, LockMode, MovePlan, Step, WantedView, plan};
use corridor_move::preflight::{Request, read};
use corridor_move::{Shape, plan::MirrorSteps};
use corridor_pg::{Ident, Isolation, QualifiedName};

use crate::scene::{Scene, hash, majors};

const SETUP: &str = r#"
    create table teams (id int primary key);
    insert into teams select generate_series(0, 6);
    create table "Thi""ngs 🐘" (
        team_id int not null references teams, id bigint generated always as identity, name text check (name <> ''),
        primary key (team_id, id)
    );
    insert into "Thi""ngs 🐘" (team_id, name) select g % 7, 'n' || g from generate_series(1, 100) g;
    create index on "Thi""ngs 🐘" (name);
    create table pets (team_id int, thing bigint, foreign key (team_id, thing) references "Thi""ngs 🐘");
    create view looks as select name from "Thi""ngs 🐘";
    create function touch() returns trigger language plpgsql as 'begin return new; end';
    create trigger touch before update on "Thi""ngs 🐘" for each row execute function touch();
"#;

/// Tables and views that the application may use, by their ids, and the partitioned table of each partition.
const RELATIONS: &str = "select c.oid::int8, n.nspname::text, c.relname::text, i.inhparent::int8
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    left join pg_inherits i on i.inhrelid = c.oid
    where n.nspname in ('public', 'corridor_retired') and c.relkind in ('r', 'p', 'v')";

/// What this transaction holds that a reader or writer could meet.
const HELD: &str = "select relation::int8, mode from pg_locks
    where pid = pg_backend_pid() and locktype = 'relation' and mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock')";

/// Runs a step in a transaction and fails when it holds a lock that the plan does not name.
async fn check(scene: &mut Scene, step: &Step, held_before: &[Lock]) {
    let tx = scene.session.begin(Isolation::ReadCommitted).await.unwrap();
    let mut names = BTreeMap::new();
    let mut parents = BTreeMap::new();
    for row in tx.query(RELATIONS, &[]).await.unwrap() {
        let oid: i64 = row.get(0);
        let part = |i: usize| Ident::new(row.get::<_, &str>(i)).unwrap();
        names.insert(oid, QualifiedName::new(part(1), part(2)));
        if let Some(parent) = row.get::<_, Option<i64>>(3) {
            parents.insert(oid, parent);
        }
    }
    tx.batch_execute(&step.sql)
        .await
        .unwrap_or_else(|e| panic!("{}: {e:?}", step.sql));
    for row in tx.query(HELD, &[]).await.unwrap() {
        let oid: i64 = row.get(0);
        let mode = LockMode::from_pg_locks(row.get(1)).unwrap();
        // What the statement itself has made is nobody's yet; indexes and sequences are not used without their table.
        let Some(name) = names.get(&oid) else { continue };
        let parent = parents.get(&oid).and_then(|parent| names.get(parent));
        let is_said = step.locks.iter().chain(held_before).any(|lock| {
            let is_meant = &lock.relation == name || Some(&lock.relation) == parent;
            is_meant && lock.mode >= mode
        });
        assert!(
            is_said,
            "{mode} on {name} is not said of `{}`: {:?}",
            step.sql, step.locks
        );
    }
    tx.commit().await.unwrap();
}

async fn check_all(scene: &mut Scene, steps: &[Step], held_before: &[Lock]) {
    for step in steps {
        check(scene, step, held_before).await;
    }
}

async fn make(scene: &mut Scene, shape: &Shape, tag: &str) -> (MovePlan, MirrorSteps) {
    let request = Request {
        table: scene.table.clone(),
        shape: shape.clone(),
        tag: tag.into(),
        accepts_key_widening: true,
        accepts_partition_settings: false,
    };
    let mut input = read(&mut scene.session, &request).await.unwrap();
    input.fallback_view = Some(WantedView {
        name: QualifiedName::new(
            Ident::new("public").unwrap(),
            Ident::new("Both \"of\" 🐘").unwrap(),
        ),
        is_taken: false,
    });
    let plan = plan(&input).unwrap();
    plan.check_executable().unwrap();
    let mirror = plan.mirror_steps();
    (plan, mirror)
}

/// The new table before it is used: no lock on it can be met.
fn new(plan: &MovePlan) -> Lock {
    Lock {
        relation: plan.target.clone(),
        mode: LockMode::AccessExclusive,
    }
}

/// Everything up to and with the swap.
async fn forth(scene: &mut Scene, plan: &MovePlan, mirror: &MirrorSteps) {
    let view = plan.fallback_view.as_ref().unwrap();
    check_all(scene, &plan.create, &[new(plan)]).await;
    check_all(scene, &mirror.create, &[]).await;
    check_all(scene, &mirror.capture, &[]).await;
    check_all(scene, &view.create, &[]).await;
    check_all(scene, &plan.index, &[]).await;
    check_all(scene, &plan.swap_first, &[]).await;
    check_all(scene, &mirror.create_back, &[]).await;
    // The triggers that fire are not wanted here: the copy of a move is not what is looked at.
    for steps in [&mirror.end_capture, &view.drop, &plan.swap, &mirror.capture_back] {
        check_all(scene, steps, &plan.swap_locks).await;
    }
    let columns = corridor_pg::ident::join(plan.columns.iter().map(|c| &c.name), ", ");
    scene
        .run(&format!(
            "insert into {} ({columns}) overriding system value select {columns} from {} on conflict do nothing",
            plan.source.name, plan.parked
        ))
        .await;
    check_all(scene, &plan.settle, &[]).await;
}

#[tokio::test]
async fn each_statement_takes_the_locks_that_the_plan_names() {
    for major in majors() {
        for shape in [hash("team_id", "3"), Shape::Same] {
            let mut scene = Scene::new(major, "plan_locks", "\"Thi\"\"ngs 🐘\"", SETUP).await;
            scene.run("create schema corridor").await;
            let (plan, mirror) = make(&mut scene, &shape, "one").await;
            // Before the cut-over.
            let view = plan.fallback_view.as_ref().unwrap().clone();
            check_all(&mut scene, &plan.create, &[new(&plan)]).await;
            check_all(&mut scene, &mirror.create, &[]).await;
            check_all(&mut scene, &mirror.capture, &[]).await;
            check_all(&mut scene, &view.create, &[]).await;
            for steps in [&mirror.end_capture, &view.drop, &plan.drop_target, &mirror.drop] {
                check_all(&mut scene, steps, &plan.clean_up_locks).await;
            }
            // After it.
            forth(&mut scene, &plan, &mirror).await;
            check_all(&mut scene, &plan.swap_first, &[]).await;
            for steps in [&mirror.end_capture_back, &plan.swap_back] {
                check_all(&mut scene, steps, &plan.swap_back_locks).await;
            }
            check_all(&mut scene, &plan.settle_back, &[]).await;
            check_all(&mut scene, &plan.drop_target, &plan.clean_up_locks).await;
            check_all(&mut scene, &mirror.drop, &[]).await;
            // To the end, in both forms.
            for is_drop in [false, true] {
                let tag = if is_drop { "three" } else { "two" };
                let same = if is_drop { Shape::Same } else { shape.clone() };
                if is_drop && shape != Shape::Same {
                    continue; // a partitioned table is not moved again
                }
                let (plan, mirror) = make(&mut scene, &same, tag).await;
                forth(&mut scene, &plan, &mirror).await;
                let last = if is_drop { &plan.drop_parked } else { &plan.retire };
                for steps in [&mirror.end_capture_back, last, &mirror.drop] {
                    check_all(&mut scene, steps, &plan.finish_locks).await;
                }
            }
        }
    }
}
