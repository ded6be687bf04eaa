//! The console as people see it: a real browser in front of a real service.

mod gallery;
mod keys;
mod visit;

use crate::desk::{Desk, mark};
use crate::driver::corridor_on;
use crate::serving::WAITS;
use crate::stage::{SHAPE, Stage};
use visit::Visit;

/// Rows in 30 teams: a backfill of some seconds.
pub(super) const TABLES: &str = "create table done (what text); create table gate ();
    create table fills (id bigint primary key, team_id int not null, is_done bool not null default false);
    insert into fills select i, 1 + i % 30, false from generate_series(1, 6000) i;
    analyze fills";

/// With a parameter, and slow enough to be watched.
pub(super) const FILL: &str = r#"
finish = "by_hand"
[parameters.word]
type = "text"
description = "what is left in the table done"
[[operations]]
kind = "sql"
name = "note"
statement = "insert into done values (:word)"
rollback = "delete from done"
[[operations]]
kind = "backfill"
name = "mark"
table = "fills"
statement = "update fills set is_done = pg_sleep(0.003) is not null where team_id = :each and :range"
for_each = "select distinct team_id from fills order by 1"
rows = 25
rollback = "update fills set is_done = false where is_done"
"#;

const PAGE: &str = "/clusters/main/migrations/0001_fill";

async fn fill_desk(label: &str) -> Desk {
    let desk = Desk::new(label, TABLES).await;
    desk.add("0001_fill", FILL).await;
    desk
}

/// Rows that the backfill has marked.
async fn marked(desk: &Desk) -> i64 {
    desk.figure("select count(*) from fills where is_done").await
}

/// Signs in, starts with a parameter, watches, pauses with a reason, resumes, and takes all back.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_starts_watches_pauses_resumes_and_takes_back() {
    let desk = fill_desk("console_operator").await;
    desk.account("otto", "operator").await;
    let service = desk.serve("").await;
    let visit = Visit::of(&service);
    visit.go(PAGE);
    assert_eq!(visit.path(), "/login");
    visit.sign_in("otto");
    visit.follow("//nav//a[.='Migrations']");
    visit.follow("//nav//a[starts-with(., 'Needed')]");
    visit.follow("//a[.='0001_fill']");
    assert_eq!(visit.path(), PAGE);
    assert_eq!(visit.actions(), ["Start", "Put aside", "Skip"]);

    visit.ask("Start");
    visit.sees("#dialog", "What happens");
    // What is required is required: the browser does not send it without.
    visit.click("#dialog .buttons button");
    assert!(visit.is_there("#dialog[open] input[name='p.word']:invalid"));
    visit.fill(
        "#dialog input[name='p.word']",
        "it's \"<b>bold</b>\"; drop table done",
    );
    visit.fill("#dialog textarea[name=why]", "the night is quiet");
    visit.agree();
    visit.sees("#head .state-line", "running");
    visit.sees("#timeline", "the night is quiet");
    desk.until("select count(*) = 1 from done").await;
    assert_eq!(desk.done().await, ["it's \"<b>bold</b>\"; drop table done"]);

    // It moves on the page that is there: no other page has come since.
    visit.browser.script("window.isTheSame = true").unwrap();
    visit.sees("#operations", "mark");
    for _ in 0..3 {
        let before = visit.text("#head");
        visit
            .browser
            .until("another figure", |browser| Ok(browser.text("#head")? != before))
            .unwrap();
    }
    visit.until("the same page", "window.isTheSame");

    visit.ask("Pause");
    visit.fill("#dialog textarea[name=why]", "a backup runs");
    visit.agree();
    visit.sees("#head .state-line", "paused");
    visit.sees("#timeline", "a backup runs");
    assert_eq!(desk.state("0001_fill").await, "paused");
    visit.sees("#actions", "Resume");
    visit.ask("Resume");
    visit.agree();
    visit.sees("#head .state-line", "running");
    let at = marked(&desk).await;
    desk.until(&format!("select count(*) > {at} from fills where is_done"))
        .await;

    visit.ask("Stop and roll back");
    visit.sees("#dialog", "taken back");
    visit.fill("#dialog textarea[name=why]", "wrong column");
    visit.agree();
    visit.sees("#head .state-line", "rolled back");
    // Nothing goes on, and it may be begun anew.
    assert_eq!(visit.actions(), ["Start"]);
    assert_eq!(marked(&desk).await, 0);
    assert_eq!(desk.done().await, [""; 0]);

    // Who did what and why is there to be read.
    visit.follow("//nav//a[.='Audit']");
    for words in ["the night is quiet", "a backup runs", "wrong column"] {
        visit.sees("main", words);
    }
    visit.follow("//button[.='Sign out']");
    assert_eq!(visit.path(), "/login");
    visit.is_content();
    service.stop().await;
}

/// A move under traffic, from its page: cut over and back; and another one, cut over and finished.
#[tokio::test(flavor = "multi_thread")]
async fn a_move_is_cut_over_rolled_back_and_finished_by_dialogs() {
    let stage = Stage::new("console_move").await;
    let desk = Desk::on(stage.database.clone(), "console_move", "select").await;
    desk.account("otto", "operator").await;
    let service = desk.serve("").await;
    let visit = Visit::of(&service);
    visit.sign_in("otto");
    for (name, word) in [("there-and-back", "Roll back"), ("for-good", "Finish")] {
        let start = ["move", "persons", "--execute", "--detach", "--name", name];
        stage.run(&[&start, SHAPE].concat()).await.expect_code(0);
        visit.go(&format!("/clusters/main/migrations/{name}"));
        visit.sees("#head .state-line", "waits for cut-over");
        visit.ask("Cut over");
        visit.sees("#dialog", "ACCESS EXCLUSIVE on public.persons");
        visit.agree();
        visit.sees("#head .state-line", "waits for finish");
        assert_eq!(stage.kind().await, "p");
        visit.ask(word);
        if word == "Finish" {
            visit.click("#dialog input[name=drop][value=on]");
        }
        visit.agree();
        let (end, kind) = match word {
            "Finish" => ("finished", "p"),
            _ => ("rolled back", "r"),
        };
        visit.sees("#head .state-line", end);
        assert_eq!(stage.kind().await, kind);
    }
    visit.is_content();
    service.stop().await;
    drop(desk);
    stage.settle().await;
}

/// Nothing that changes something is offered to a viewer, and whoever sends it nevertheless is refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_viewer_may_not_do_is_not_offered_and_refused() {
    let desk = fill_desk("console_viewer").await;
    desk.account("vera", "viewer").await;
    let service = desk.serve("").await;
    let visit = Visit::of(&service);
    for (name, password) in [("vera", "wrong"), ("nobody", visit::PASSWORD)] {
        visit.try_to_sign_in(name, password);
        assert_eq!(visit.path(), "/login");
        visit.sees("[role=alert]", "name or password is wrong");
        // The name stays, the password does not.
        let kept =
            "return ['name', 'password'].map(one => document.querySelector(`input[name=${one}]`).value)";
        assert_eq!(visit.browser.script(kept).unwrap(), serde_json::json!([name, ""]));
    }
    visit.sign_in("vera");
    visit.forget_refusals();
    assert!(!visit.is_there("//nav//a[.='Accounts']"));
    visit.go(PAGE);
    visit.sees("#head .state-line", "not started");
    assert!(!visit.is_there("#actions"));
    visit.go(&format!("{PAGE}?tab=settings"));
    assert!(!visit.is_there("//main//a[.='Change']"));
    visit.go("/settings");
    assert!(!visit.is_there("main form"));
    visit.is_content();
    let post = |path: &str| {
        let script = format!(
            "const csrf = document.querySelector('input[name=csrf]').value;
             return fetch('{path}', {{ method: 'POST', body: new URLSearchParams({{ csrf, 'p.word': 'x', key: 'workers', value: '2', name: 'eve', role: 'admin' }}) }})
                 .then(answer => answer.status)"
        );
        visit.browser.script(&script).unwrap()
    };
    for path in [
        format!("{PAGE}/do/start"),
        "/settings".to_owned(),
        "/clusters/main/settings".to_owned(),
        "/accounts".to_owned(),
    ] {
        assert_eq!(post(&path), 403, "{path}");
    }
    for path in [format!("{PAGE}/do/start"), "/accounts".to_owned()] {
        visit.go(&path);
        visit.sees("main", "403");
    }
    visit.forget_refusals();
    assert_eq!(desk.state("0001_fill").await, "planned");
    assert_eq!(desk.figure("select count(*) from corridor.request").await, 0);
    service.stop().await;
}

/// Every page is a page without scripts: sign in, start with a parameter, pause, and a reload shows how far it is.
#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_the_same_is_done_by_plain_pages() {
    let desk = fill_desk("console_plain").await;
    desk.account("otto", "operator").await;
    let service = desk.serve("").await;
    let visit = Visit::of(&service);
    visit.browser.disable_scripts(true).unwrap();
    visit.sign_in("otto");
    assert!(!visit.is_there("html.has-js"), "no script has run");
    visit.go("/migrations?tab=needed");
    visit.fill("input[type=search]", "nothing like it");
    visit.follow("//form[@role='search']//button");
    visit.sees("main", "Nothing here fits the filter");
    visit.go("/migrations?tab=needed");
    visit.follow("//a[.='0001_fill']");
    visit.follow("[id='do-Start']");
    assert_eq!(visit.path(), format!("{PAGE}/do/start"));
    visit.fill("input[name='p.word']", "plainly");
    visit.follow("form.dialog .buttons button");
    assert_eq!(visit.path(), PAGE);
    desk.until("select count(*) > 100 from fills where is_done").await;
    visit.go(PAGE);
    visit.sees("#head .state-line", "running");
    assert!(visit.is_there("#grids svg"));
    visit.follow("[id='do-Pause']");
    visit.fill("textarea[name=why]", "enough for now");
    visit.follow("form.dialog .buttons button");
    desk.until_state("0001_fill", "paused").await;
    visit.go(PAGE);
    visit.sees("#timeline", "enough for now");
    assert_eq!(desk.done().await, ["plainly"]);
    visit.is_content();
    service.stop().await;
}

/// Paused, the page stays as it was while the work goes on; then it catches up.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_live_updates_is_one() {
    let desk = fill_desk("console_pause").await;
    desk.account("vera", "viewer").await;
    let service = desk.serve("").await;
    let asked = serde_json::json!({ "parameters": { "word": "x" } });
    let (status, answer) = service
        .post("/api/clusters/main/migrations/0001_fill/do/start", &asked)
        .await;
    assert_eq!(status, 200, "{answer}");
    let visit = Visit::of(&service);
    visit.sign_in("vera");
    visit.go(PAGE);
    desk.until("select count(*) > 50 from fills where is_done").await;
    let before = visit.text("#head");
    visit
        .browser
        .until("it moves", |browser| Ok(browser.text("#head")? != before))
        .unwrap();
    visit.press(&[corridor_testbed::Key::Char('p')]);
    visit.sees("#pause", "paused since");
    let shown = visit.text("main");
    let at = marked(&desk).await;
    // As long as some looks of the service, by what they leave behind.
    desk.until(&format!("select count(*) > {at} + 1200 from fills where is_done"))
        .await;
    assert_eq!(visit.text("main"), shown);
    visit.click("#pause");
    visit.sees("#pause", "live");
    visit
        .browser
        .until("it catches up", |browser| Ok(browser.text("main")? != shown))
        .unwrap();
    visit.is_content();
    service.stop().await;
}

/// A migration whose worker was killed, and a service that has its hands full: the banner says so on each page, and goes again
/// by itself when the service takes it up.
#[tokio::test(flavor = "multi_thread")]
async fn a_banner_says_that_no_worker_lives() {
    let desk = Desk::new("console_banner", TABLES).await;
    desk.add("0001_wait", WAITS).await;
    desk.add(
        "0002_orphan",
        &WAITS
            .replace("from gate", "from done")
            .replace("\"wait\"", "\"orphaned\""),
    )
    .await;
    desk.account("vera", "viewer").await;
    let service = desk.serve("workers = 1").await;
    desk.run(&["migration", "start", "0001_wait", "--detach"])
        .await
        .expect_code(0);
    desk.until_running("wait").await;
    let visit = Visit::of(&service);
    visit.sign_in("vera");
    assert_eq!(visit.text("#banner"), "");
    let mut worker = corridor_on(&desk.database, &["migration", "start", "0002_orphan"]).start();
    desk.until_running("orphaned").await;
    worker.kill().await.unwrap();
    visit.sees("#banner", "No worker is alive on main");
    visit.follow("//div[@id='banner']//a[.='0002_orphan']");
    visit.sees("#head dd.bad", "none");
    for path in ["/migrations", "/settings", "/audit"] {
        visit.go(path);
        visit.sees("#banner", "0002_orphan");
    }
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    visit
        .browser
        .until("the banner goes", |browser| {
            Ok(browser.text("#banner")?.is_empty())
        })
        .unwrap();
    desk.client
        .batch_execute(&format!("insert into done values ('{}')", mark("").len()))
        .await
        .unwrap();
    desk.until_state("0002_orphan", "finished").await;
    visit.is_content();
    service.stop().await;
}
