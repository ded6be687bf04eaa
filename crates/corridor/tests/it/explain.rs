//! `corridor explain`: every code of every room has a page.

use std::collections::BTreeSet;

use corridor_pg::Code;

use crate::driver::corridor;

/// The tables of the rooms, read beside the binary.
fn rooms() -> Vec<&'static Code> {
    [
        corridor_pg::fault::CODES,
        corridor_mirror::fault::CODES,
        corridor_migration::CODES,
        corridor_move::fault::PLAN_CODES,
        corridor_move::run::RUN_CODES,
    ]
    .concat()
}

#[tokio::test]
async fn the_list_has_every_code_of_every_room_once() {
    let run = corridor(&["explain", "--json"]).run().await.expect_code(0);
    let value = run.json();
    let listed: Vec<&str> = value["codes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| {
            for field in ["code", "title", "hint", "retry", "page"] {
                let text = code[field].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "{field} of {code}");
            }
            assert!((1..=7).contains(&code["exit"].as_u64().unwrap()), "{code}");
            code["code"].as_str().unwrap()
        })
        .collect();
    let unique: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len());
    for code in rooms() {
        assert!(unique.contains(code.id), "{} is not listed", code.id);
    }
    assert!(unique.iter().any(|id| id.starts_with("CLI-")));
    let text = corridor(&["explain"]).run().await.expect_code(0);
    for id in unique {
        assert!(text.stdout.contains(id), "{id}");
    }
}

#[tokio::test]
async fn every_code_has_a_page() {
    for code in rooms() {
        let run = corridor(&["explain", code.id]).run().await.expect_code(0);
        let flat = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in [code.id, code.title, code.hint, code.page] {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(&text), "{text:?} is not in {}", run.stdout);
        }
        let widest = run.stdout.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{}", run.stdout);
    }
}

#[tokio::test]
async fn a_code_is_found_as_people_type_it() {
    let run = corridor(&["explain", "pg2", "--json"]).run().await.expect_code(0);
    assert_eq!(run.json()["code"], "PG-002");
    for text in ["mov18", "MOV-18", "mov-018", "Mov_018"] {
        let run = corridor(&["explain", text, "--json"]).run().await.expect_code(0);
        assert_eq!(run.json()["code"], "MOV-018", "{text}");
    }
    for text in ["18", "018"] {
        let run = corridor(&["explain", text]).run().await.expect_code(0);
        assert!(
            run.stdout.contains("PG-018")
                && run.stdout.contains("MOV-018")
                && !run.stdout.contains("MOV-019"),
            "{}",
            run.stdout
        );
        let value = corridor(&["explain", text, "--json"])
            .run()
            .await
            .expect_code(0)
            .json();
        let codes = value["codes"].as_array().unwrap();
        assert!(codes.len() > 1, "{value}");
        assert!(
            codes
                .iter()
                .all(|c| c["code"].as_str().unwrap().ends_with("-018")),
            "{value}"
        );
    }
    let unknown = ["MOB-018", "999", "key", ""];
    for text in unknown {
        let run = corridor(&["explain", text]).run().await.expect_code(2);
        run.expect_fault("CLI-002");
    }
    let run = corridor(&["explain", "MOB-018"]).run().await;
    assert!(run.stderr.contains("did you mean MOV-018?"), "{}", run.stderr);
}
