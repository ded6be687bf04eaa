//! The small incidents, each from the cluster to its account.

use serde_json::Value;

use crate::driver::{Run, corridor};
use crate::incident::TURN;

/// Two seconds a phase and few rows.
async fn play(incident: &str, rows: &str) -> (Run, Value) {
    let args = [
        "demo",
        incident,
        "--rows",
        rows,
        "--seconds",
        "2",
        "--major",
        "15",
        "--json",
    ];
    let run = corridor(&args).run().await.expect_code(0);
    let value = run.json();
    assert_eq!(value["incident"], incident);
    assert_eq!(value["is_proven"], true);
    let claims = value["claims"].as_array().unwrap();
    assert!(claims.iter().all(|claim| claim["holds"] == true), "{claims:?}");
    for name in ["named", "nothing_lost", "nothing_noticed"] {
        assert!(
            claims.iter().any(|claim| claim["name"] == name),
            "{name}: {claims:?}"
        );
    }
    // Nothing else comes before it; more may be said of the same object.
    let look = &value["looks"][0];
    let object = look["object"].as_str().unwrap();
    for ahead in look["ahead"].as_array().unwrap() {
        assert!(ahead.as_str().unwrap().ends_with(object), "{look}");
    }
    // What was carried out is what was printed, save what a demo has to add.
    for step in value["steps"].as_array().unwrap() {
        let recommended = step["recommended"]
            .as_str()
            .unwrap()
            .split(" --to ")
            .next()
            .unwrap();
        assert!(
            step["carried_out"].as_str().unwrap().starts_with(recommended),
            "{step}"
        );
    }
    assert_eq!(value["kept"], Value::Null);
    assert!(value["acknowledged_writes"].as_u64().unwrap() > 500);
    (run, value)
}

fn gauge(value: &Value, phase: &str, key: &str) -> f64 {
    let phases = value["phases"].as_array().unwrap();
    let found = phases.iter().find(|p| p["phase"] == phase);
    let found = found.unwrap_or_else(|| panic!("{phase}: {phases:?}"));
    found["gauges"][key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key}: {found}"))
}

#[tokio::test]
async fn a_slot_that_nobody_reads_is_named_and_dropped() {
    let _turn = TURN.lock().await;
    let (_, value) = play("slot", "1000").await;
    assert_eq!(value["looks"][0]["code"], "LIM-019");
    assert_eq!(value["looks"][0]["object"], "slot reporting_standby");
    assert_eq!(value["steps"][0]["way"], "drop-slot");
    let kept = |phase| gauge(&value, phase, "slot_keeps_bytes");
    assert!(kept("during") > 10.0 * kept("before") && kept("after") == 0.0);
    assert!(gauge(&value, "after", "wal_bytes") < gauge(&value, "during", "wal_bytes"));
}

#[tokio::test]
async fn a_key_near_its_end_is_named_with_its_days_and_moved_to_bigint() {
    let _turn = TURN.lock().await;
    let (_, value) = play("sequence", "30000").await;
    let look = &value["looks"][0];
    assert_eq!(
        (&look["code"], &look["object"]),
        (&"LIM-017".into(), &"public.orders.id".into())
    );
    assert!(look["days_left"].as_f64().unwrap() > 0.1, "{look}");
    assert_eq!(
        value["steps"][0]["recommended"],
        "corridor move 'public.orders' --to shape.sql --execute"
    );
    assert_eq!(value["verification"]["is_proven"], true);
    assert!(gauge(&value, "during", "type_used_ratio") > 0.98);
    assert!(gauge(&value, "after", "last_id") > 2_147_483_647.0);
    assert!(gauge(&value, "after", "type_used_ratio") < 0.001);
}

#[tokio::test]
async fn a_bloated_table_is_named_and_written_anew() {
    let _turn = TURN.lock().await;
    let (_, value) = play("bloat", "10000").await;
    let look = &value["looks"][0];
    assert_eq!(
        (&look["code"], &look["object"]),
        (&"LIM-043".into(), &"public.accounts".into())
    );
    let steps = value["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["way"], "repack", "{steps:?}");
    assert_eq!(value["verification"]["is_proven"], true);
    let bytes = |phase| gauge(&value, phase, "table_bytes");
    assert!(bytes("during") > 2.0 * bytes("before") && bytes("after") < 1.3 * bytes("before"));
}

#[tokio::test]
async fn a_wraparound_is_named_with_who_holds_it_and_frozen() {
    let _turn = TURN.lock().await;
    let (_, value) = play("wraparound", "1000").await;
    let looks = value["looks"].as_array().unwrap();
    let seen: Vec<_> = looks
        .iter()
        .map(|look| (look["code"].as_str(), look["object"].as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (Some("LIM-010"), Some("database postgres")),
            (Some("LIM-015"), Some("slot old_cdc"))
        ]
    );
    assert_eq!(
        value["steps"][1]["recommended"],
        "select pg_drop_replication_slot('old_cdc')"
    );
    let age = |phase| gauge(&value, phase, "oldest_xid_age");
    assert!(age("during") > 2.0e9 && age("after") < 2.0e8 && age("before") < 1.0e6);
}

#[tokio::test]
async fn the_incidents_are_listed_and_an_unknown_one_is_told() {
    let run = corridor(&["demo", "--list"]).run().await.expect_code(0);
    for name in ["toast", "wraparound", "sequence", "slot", "bloat"] {
        assert!(
            run.stdout.contains(&format!("\n{name} ")) || run.stdout.starts_with(name),
            "{}",
            run.stdout
        );
    }
    let run = corridor(&["demo", "--list", "--json"]).run().await.expect_code(0);
    assert_eq!(run.json()["incidents"][0]["name"], "toast");
    let run = corridor(&["demo", "slott"])
        .run()
        .await
        .expect_code(2)
        .expect_fault("CLI-001");
    assert!(run.stderr.contains("did you mean slot?"), "{}", run.stderr);
    let run = corridor(&["demo", "slot", "--remedy", "jump"]).run().await;
    run.expect_code(2).expect_fault("CLI-001");
}
