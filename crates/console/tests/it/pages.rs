//! The pages on a real server, asked over HTTP as a browser asks.

use std::time::{Duration, Instant};

use corridor_migration::data::shelf;
use corridor_migration::definition::file;
use corridor_migration::schema;

use crate::stage::Stage;

const EVIL: &str = "<script>alert(\"1\")</script>'><img src=x>";

/// Every page of one migration.
const TABS: [&str; 7] = [
    "overview",
    "plan",
    "ledger",
    "verification",
    "journal",
    "settings",
    "json",
];

async fn add(stage: &Stage, name: &str, text: &str) {
    let mut session = stage.session().await;
    schema::ensure(&mut session).await.unwrap();
    let definition = file::read(&format!("{name}.toml"), text).unwrap();
    shelf::add(&mut session, &[definition], EVIL).await.unwrap();
}

const SIMPLE: &str = "description = 'marks'\n[parameters.mode]\ntype = 'text'\n[[operations]]\nkind = 'sql'\nname = 'go'\nstatement = \"select :mode, '<script>alert(1)</script>'\"\nrollback = ''\n";

#[tokio::test]
async fn what_people_and_servers_write_is_shown_and_not_obeyed() {
    let stage = Stage::new("console_evil").await;
    add(&stage, "0001_evil", SIMPLE).await;
    stage
        .run(&format!(
            "update corridor.migration set description = {EVIL}, state = 'failed', started_at = now(), \
             state_detail = jsonb_build_object('code', 'MIG-1', 'detail', {EVIL}::text, 'course', 'forward'); \
             insert into corridor.journal (migration_id, number, actor, event, from_state, to_state, detail) \
             select id, 100, {EVIL}, 'operation_failed', 'running', 'failed', jsonb_build_object('why', {EVIL}::text) from corridor.migration; \
             insert into corridor.audit (actor, action, object, detail) values ({EVIL}, 'start', {EVIL}, jsonb_build_object('why', {EVIL}::text)); \
             insert into corridor.setting select id, 'throttle.custom.query', {EVIL}, {EVIL} from corridor.migration",
            EVIL = "'<script>alert(\"1\")</script>''><img src=x>'"
        ))
        .await;
    let mut pages: Vec<String> = TABS
        .iter()
        .map(|tab| format!("/clusters/main/migrations/0001_evil?tab={tab}"))
        .collect();
    pages.extend(
        [
            "/",
            "/migrations",
            "/migrations?q=%3Cscript%3Ealert(1)",
            "/audit",
            "/settings",
        ]
        .map(String::from),
    );
    pages.extend(
        [
            "stop",
            "rollback",
            "resume",
            "set",
            "set?key=throttle.custom.query",
            "%3Cscript%3Ealert(1)",
        ]
        .map(|verb| format!("/clusters/main/migrations/0001_evil/do/{verb}")),
    );
    pages.push("/clusters/%3Cscript%3Ealert(1)/migrations/x".into());
    for page in pages {
        let answer = stage.get(&page).await;
        assert!(answer.status < 500, "{page}: {}", answer.status);
        assert!(
            !answer.body.contains("<script>alert") && !answer.body.contains("<img"),
            "{page}: {}",
            answer.body
        );
    }
    let events = stage
        .stream("/clusters/main/migrations/0001_evil/live", "event: timeline")
        .await;
    assert!(events.contains("&#60;script&#62;alert(&#34;1&#34;)"), "{events}");
    assert!(
        !events.contains("<script>alert") && !events.contains("<img"),
        "{events}"
    );
}

#[tokio::test]
async fn only_what_is_allowed_now_is_offered_and_only_to_whom_it_is_allowed() {
    let stage = Stage::new("console_offer").await;
    add(&stage, "0001_simple", SIMPLE).await;
    let page = stage.get("/clusters/main/migrations/0001_simple").await.body;
    assert!(
        page.contains("/do/start\"") && page.contains("/do/skip\""),
        "{page}"
    );
    assert!(
        !page.contains("/do/resume") && !page.contains("/do/verify") && !page.contains("/do/finish"),
        "{page}"
    );
    let start = stage
        .get("/clusters/main/migrations/0001_simple/do/start")
        .await
        .body;
    for field in [
        format!("name=\"csrf\" value=\"{}\"", stage.csrf()).as_str(),
        "name=\"p.mode\"",
        "name=\"why\"",
        "action=\"/clusters/main/migrations/0001_simple/do/start\"",
    ] {
        assert!(start.contains(field), "{field}: {start}");
    }
    let refused = stage.get("/clusters/main/migrations/0001_simple/do/finish").await;
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("Allowed now: start"), "{}", refused.body);
    let viewer = stage.as_viewer().await;
    let page = viewer.get("/clusters/main/migrations/0001_simple").await.body;
    assert!(!page.contains("/do/"), "{page}");
}

#[tokio::test]
async fn what_is_not_there_is_said_with_words() {
    let stage = Stage::new("console_nothing").await;
    for (page, status, words) in [
        ("/", 200, "No limit is near"),
        ("/migrations", 200, "Nothing has begun"),
        ("/audit", 200, "account anna"),
        ("/clusters/main/migrations/none", 404, "MIG-"),
        ("/clusters/other/migrations/none", 404, "CON-019"),
        ("/clusters/away/migrations/none", 503, "PG-002"),
        ("/assets/none.css", 404, "no such file"),
    ] {
        let answer = stage.get(page).await;
        assert_eq!(answer.status, status, "{page}: {}", answer.body);
        assert!(answer.body.contains(words), "{page}: {}", answer.body);
    }
}

#[tokio::test]
async fn another_method_is_told_which_ones_there_are_and_what_is_not_there_has_no_stream() {
    let stage = Stage::new("console_method").await;
    add(&stage, "0001_simple", SIMPLE).await;
    for (method, path, allowed) in [
        ("POST", "/audit", "GET,HEAD"),
        ("DELETE", "/accounts", "GET,HEAD,POST"),
        ("PUT", "/api/settings/workers", "POST"),
        ("POST", "/api/clusters", "GET,HEAD"),
    ] {
        let answer = stage.send(method, path).await;
        assert_eq!(answer.status, 405, "{method} {path}: {}", answer.body);
        let mut sent: Vec<&str> = answer
            .header("allow")
            .unwrap()
            .split(',')
            .map(str::trim)
            .collect();
        sent.sort_unstable();
        assert_eq!(sent.join(","), allowed, "{method} {path}");
        assert!(answer.body.contains("CON-020"), "{}", answer.body);
    }
    assert_eq!(stage.send("POST", "/nothing").await.status, 404);
    for name in ["0002_none", "UPPER"] {
        let path = format!("/clusters/main/migrations/{name}/live");
        // A stream would never end.
        let answer = tokio::time::timeout(Duration::from_secs(60), stage.get(&path)).await;
        assert_eq!(answer.expect("no stream").status, 404, "{name}");
    }
    // A cluster that is away is not one that has no such migration.
    let away = stage.stream("/clusters/away/migrations/0001_simple/live", "event: trouble");
    assert!(away.await.contains("PG-002"));
}

#[tokio::test]
async fn a_stream_tells_what_changes_and_ends_with_the_process() {
    let stage = Stage::new("console_live").await;
    add(&stage, "0001_simple", SIMPLE).await;
    let mut open = stage.open("/clusters/main/migrations/0001_simple/live").await;
    open.until("event: timeline").await;
    stage
        .run("update corridor.migration set description = 'something else'")
        .await;
    let told = open.until("something else").await;
    assert!(told.contains("event: head"), "{told}");
    stage.leave();
    assert!(open.ends_within(Duration::from_secs(5)).await);
}

/// Whatever is there, a page is there within the time that it takes to look up.
#[tokio::test]
async fn a_thousand_migrations_and_a_million_entries_slow_nobody_down() {
    let stage = Stage::new("console_bulk").await;
    add(&stage, "0001_simple", SIMPLE).await;
    stage.run(include_str!("bulk.sql")).await;
    let pages = [
        "/",
        "/migrations",
        "/migrations?tab=needed&page=2",
        "/migrations?q=column+77",
        "/clusters/main/migrations/bulk_1",
        "/clusters/main/migrations/bulk_2?tab=journal&before=500",
        "/clusters/main/migrations/bulk_3?tab=plan",
        "/audit",
        "/settings",
    ];
    for page in pages {
        let answer = stage.get(page).await;
        assert_eq!(answer.status, 200, "{page}: {}", answer.body);
    }
    let readers = (0..50usize).map(|reader| {
        let stage = &stage;
        async move {
            let mut slowest = Duration::ZERO;
            for turn in 0..6 {
                let page = pages[(reader + turn) % pages.len()];
                let begun = Instant::now();
                assert_eq!(stage.get(page).await.status, 200, "{page}");
                slowest = slowest.max(begun.elapsed());
            }
            slowest
        }
    });
    let slowest = futures_util::future::join_all(readers)
        .await
        .into_iter()
        .max()
        .unwrap();
    // The figure that is promised is measured with an optimised build; this one is slow, and shares its machine.
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
}
