//! The library's own way to carry a migration out. What the command line adds is tested with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use corridor_migration::data::{self, Call, Listener, News, shelf};
use corridor_migration::definition::file;
use corridor_migration::{Name, Order, Outcome, State, Verb, schema, store};
use corridor_pg::ConnectOptions;
use tokio::sync::watch;

use crate::{fresh, session};

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Listener for Heard {
    fn on(&self, news: &News) {
        if let News::Operation { name, what, .. } = news {
            self.0.lock().unwrap().push(format!("{name} {what}"));
        }
    }
}

#[tokio::test]
async fn a_program_carries_a_migration_out_and_takes_it_back() {
    let database = fresh("data").await;
    let mut one = session(&database.url, "test", "-").await;
    one.batch_execute("create table public.t (id int primary key, n int); insert into public.t select i, 0 from generate_series(1, 100) i")
        .await
        .unwrap();
    schema::ensure(&mut one).await.unwrap();
    let text = r#"
        description = "count up"
        finish = "by_hand"
        [[operations]]
        kind = "backfill"
        name = "up"
        table = "t"
        set = { n = "n + 1" }
        rows = 7
        rollback = "update t set n = 0"
        [[operations]]
        kind = "check"
        name = "all"
        query = "select bool_and(n = 1) from t"
    "#;
    let definition = file::read("0001_up.toml", text).unwrap();
    shelf::add(&mut one, &[definition], "a test").await.unwrap();
    let heard = Arc::new(Heard::default());
    let connect = ConnectOptions::from_process(Some(&database.url)).unwrap();
    let name = Name::new("0001_up").unwrap();
    let carry = async |order: Order, is_asked: bool| {
        let (_sender, interrupt) = watch::channel(is_asked);
        data::carry_out(&Call {
            connect: &connect,
            name: &name,
            order,
            asked: None,
            why: "",
            parameters: &BTreeMap::new(),
            app_version: None,
            mover: None,
            listener: heard.clone(),
            interrupt,
        })
        .await
        .unwrap()
    };
    assert_eq!(
        carry(Order::Start, true).await,
        Outcome::Interrupted,
        "before its first step"
    );
    assert!(matches!(carry(Order::Resume, false).await, Outcome::Waits(_)));
    assert_eq!(
        carry(Order::Rollback, false).await,
        Outcome::Ended(State::RolledBack)
    );
    assert_eq!(
        *heard.0.lock().unwrap(),
        [
            "up began",
            "up done",
            "all began",
            "all done",
            "all undone",
            "up undone"
        ]
    );
    let left = one
        .query_one("select count(*) from public.t where n <> 0", &[])
        .await
        .unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_table_that_is_not_there_is_not_called_one_without_a_key() {
    let database = fresh("data_key").await;
    let mut one = session(&database.url, "test", "-").await;
    one.batch_execute("create table public.keyless (n int)")
        .await
        .unwrap();
    schema::ensure(&mut one).await.unwrap();
    for (table, code) in [("nowhere", "PG-014"), ("keyless", "MIG-142")] {
        let text = format!(
            "description = \"x\"\n[[operations]]\nkind = \"backfill\"\nname = \"up\"\ntable = \"{table}\"\n\
             set = {{ n = \"1\" }}\nrollback = \"\"\n"
        );
        let definition = file::read(&format!("{table}.toml"), &text).unwrap();
        shelf::add(&mut one, &[definition], "a test").await.unwrap();
        let (_sender, interrupt) = watch::channel(false);
        let fault = data::carry_out(&Call {
            connect: &ConnectOptions::from_process(Some(&database.url)).unwrap(),
            name: &Name::new(table).unwrap(),
            order: Order::Start,
            asked: None,
            why: "",
            parameters: &BTreeMap::new(),
            app_version: None,
            mover: None,
            listener: Arc::new(Heard::default()),
            interrupt,
        })
        .await
        .unwrap_err();
        assert_eq!(fault.code().id, code, "{fault}");
    }
}

/// Two saw the same request; the second one comes when the first has granted it and is gone again. It does nothing.
#[tokio::test]
async fn a_request_that_was_answered_is_not_carried_out_again() {
    let database = fresh("data_asked").await;
    let mut one = session(&database.url, "test", "-").await;
    schema::ensure(&mut one).await.unwrap();
    let text =
        "description = \"x\"\n[[operations]]\nkind = \"check\"\nname = \"never\"\nquery = \"select false\"\n";
    let definition = file::read("0001_never.toml", text).unwrap();
    shelf::add(&mut one, &[definition], "a test").await.unwrap();
    let connect = ConnectOptions::from_process(Some(&database.url)).unwrap();
    let name = Name::new("0001_never").unwrap();
    let id = store::load(&*one, &name).await.unwrap().id;
    let carry = async |request: &store::Request| {
        let (_sender, interrupt) = watch::channel(false);
        data::carry_out(&Call {
            connect: &connect,
            name: &name,
            order: request.order(),
            asked: Some(request),
            why: "",
            parameters: &BTreeMap::new(),
            app_version: None,
            mover: None,
            listener: Arc::new(Heard::default()),
            interrupt,
        })
        .await
    };
    let why = serde_json::json!({ "why": "please" });
    for verb in [Verb::Start, Verb::Resume] {
        store::ask(&*one, id, verb, &why, "anna").await.unwrap();
        let seen = store::unworked_requests(&*one).await.unwrap();
        assert_eq!((seen.len(), &seen[0].name), (1, &name));
        let request = &seen[0].request;
        assert_eq!(carry(request).await.unwrap_err().code().id, "MIG-134");
        // It failed again, so it could be resumed again; and `start` would be refused, which is no answer to a granted one.
        match verb {
            Verb::Start => assert_eq!(carry(request).await.unwrap_err().code().id, "MIG-007"),
            _ => assert_eq!(carry(request).await.unwrap(), Outcome::Interrupted),
        }
        let outcome = store::outcome(&*one, request.id).await.unwrap();
        let granted = serde_json::json!({ "granted": true });
        assert_eq!(outcome, store::Outcome::Answered { outcome: granted });
        let entries = store::logs(&*one, id, 0, 100).await.unwrap();
        let asked: Vec<_> = entries
            .iter()
            .filter(|entry| entry.event == verb.as_str())
            .collect();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!(
            (&asked[0].detail["by"], &asked[0].detail["why"]),
            (&"anna".into(), &"please".into())
        );
        assert!(store::unworked_requests(&*one).await.unwrap().is_empty());
    }
}
