//! Every page with something on it: in both themes, in pictures, and 320 pixels wide.

use super::visit::{Visit, pictures};
use super::{FILL, TABLES};
use crate::desk::{Desk, mark};

const FAILS: &str =
    "[[operations]]\nkind = \"check\"\nname = \"no-bad-rows\"\nquery = \"select count(*) = 0 from fills\"\n";
const MOVE: &[&str] = &[
    "move",
    "persons",
    "--execute",
    "--detach",
    "--name",
    "persons-by-team",
];
const SHAPE: &[&str] = &["--partition-by", "hash(team_id)", "--partitions", "8"];

/// A page, what a picture of it is called, and what is clicked on it before.
struct View {
    name: &'static str,
    path: String,
    click: &'static str,
}

fn views() -> Vec<View> {
    let mut views = Vec::new();
    let mut add = |name, path: &str, click| {
        views.push(View {
            name,
            path: path.to_owned(),
            click,
        });
    };
    add("fleet", "/", "");
    add("migrations-running", "/migrations", "");
    add("migrations-needed", "/migrations?tab=needed", "");
    add("migrations-future", "/migrations?tab=future", "");
    add("migrations-done", "/migrations?tab=done", "");
    for (prefix, page) in [
        (
            [
                "fill",
                "fill-plan",
                "fill-ledger",
                "fill-verification",
                "fill-journal",
                "fill-settings",
                "fill-json",
            ],
            "0002_fill",
        ),
        (
            [
                "move",
                "move-plan",
                "move-ledger",
                "move-verification",
                "move-journal",
                "move-settings",
                "move-json",
            ],
            "persons-by-team",
        ),
    ] {
        let path = format!("/clusters/main/migrations/{page}");
        for (name, tab) in prefix.into_iter().zip([
            "",
            "plan",
            "ledger",
            "verification",
            "journal",
            "settings",
            "json",
        ]) {
            match tab {
                "" => add(name, &path, ""),
                tab => add(name, &format!("{path}?tab={tab}"), ""),
            }
        }
    }
    add("failed", "/clusters/main/migrations/0003_fails", "");
    add(
        "dialog-start",
        "/clusters/main/migrations/0004_next",
        "[id='do-Start']",
    );
    add(
        "dialog-skip",
        "/clusters/main/migrations/0004_next",
        "[id='do-Skip']",
    );
    add(
        "dialog-pause",
        "/clusters/main/migrations/0002_fill",
        "[id='do-Pause']",
    );
    add(
        "dialog-stop",
        "/clusters/main/migrations/0002_fill",
        "[id='do-Stop']",
    );
    add(
        "dialog-roll-back",
        "/clusters/main/migrations/0002_fill",
        "[id='do-Stop and roll back']",
    );
    add(
        "dialog-cut-over",
        "/clusters/main/migrations/persons-by-team",
        "[id='do-Cut over']",
    );
    add(
        "dialog-verify",
        "/clusters/main/migrations/persons-by-team",
        "[id='do-Verify']",
    );
    add(
        "dialog-resume",
        "/clusters/main/migrations/0003_fails",
        "[id='do-Resume']",
    );
    add(
        "dialog-set",
        "/clusters/main/migrations/0002_fill?tab=settings",
        "//main//tbody/tr[1]//a[.='Change']",
    );
    add("dialog-page", "/clusters/main/migrations/0002_fill/do/pause", "");
    add("settings", "/settings", "");
    add("audit", "/audit", "");
    add("accounts", "/accounts", "");
    add("account", "/account", "");
    add("keys", "/", "?");
    add("error", "/clusters/main/migrations/0009_none", "");
    views
}

/// What there is to see. The backfill is slow enough to last as long as somebody looks.
async fn exhibit(desk: &Desk) {
    desk.account("anna", "admin").await;
    desk.account("otto", "operator").await;
    desk.account("vera", "viewer").await;
    for (name, description, text) in [
        ("0001_note", "notes which release was here first", mark("noted")),
        (
            "0002_fill",
            "marks every row, team by team",
            FILL.replace("0.003", "0.008"),
        ),
        ("0003_fails", "no rows may be left behind", FAILS.to_owned()),
        (
            "0004_next",
            "marks the rest, with a word of yours",
            FILL.to_owned(),
        ),
        (
            "0005_later",
            "what the next release wants",
            format!("versions = \">=2.0.0\"\n{}", mark("later")),
        ),
    ] {
        let path = desk.write(
            &format!("{name}.toml"),
            &format!("description = \"{description}\"\n{text}"),
        );
        desk.run(&["migration", "add", &path]).await.expect_code(0);
    }
    for name in ["0001_note", "0003_fails"] {
        desk.run(&["migration", "start", name, "--detach"])
            .await
            .expect_code(0);
    }
    desk.run(&[MOVE, SHAPE].concat()).await.expect_code(0);
    desk.run(&["set", "--all", "throttle.replica_lag_ms=2000"])
        .await
        .expect_code(0);
}

/// Some deeds, done as people do them.
async fn set_going(desk: &Desk, visit: &Visit) {
    visit.sign_in("otto");
    visit.go("/clusters/main/migrations/0002_fill");
    visit.ask("Start");
    visit.fill("#dialog input[name='p.word']", "release 1.42");
    visit.fill("#dialog textarea[name=why]", "the night is quiet");
    visit.agree();
    desk.until("select count(*) > 100 from fills where is_done").await;
    visit.ask("Pause");
    visit.fill("#dialog textarea[name=why]", "a backup runs");
    visit.agree();
    visit.sees("#actions", "Resume");
    visit.ask("Resume");
    visit.agree();
    visit.follow("//button[.='Sign out']");
    desk.until_state("0001_note", "finished").await;
    desk.until_state("0003_fails", "failed").await;
    desk.until_running("mark").await;
    desk.until_state("persons-by-team", "waiting").await;
    // So that there is a line to be drawn.
    desk.until("select count(*) >= 3 from corridor.pace p join corridor.migration m on m.id = p.migration_id where m.name = '0002_fill'")
        .await;
}

fn look_at(visit: &Visit, view: &View) {
    visit.go(&view.path);
    match view.click {
        "" => {}
        "?" => visit.type_text("?"),
        click => {
            visit.click(click);
            visit.until(
                "the dialog is open",
                "document.querySelector('#dialog[open] form')",
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_its_picture_in_both_themes_and_fits_a_narrow_window() {
    let tables = format!(
        "{TABLES}; create table persons (id bigint, team_id int, name text not null, properties text, primary key (team_id, id));
         insert into persons select i, i % 40, 'person ' || i, repeat('x', 80) from generate_series(1, 20000) i;
         create table orders (id serial primary key); select setval('orders_id_seq', 2100000000);
         insert into orders values (2100000000); analyze"
    );
    let desk = Desk::new("console_gallery", &tables).await;
    exhibit(&desk).await;
    let other = Desk::new("console_gallery_other", "create table quiet ()").await;
    let more = format!(
        "app_version = \"1.42.0\"\ncollect = true\nwindows = [\"22:00-06:00\"]\n# behind\n\
         [[clusters]]\nname = \"reports\"\ndatabase = \"{}\"\n",
        other.database.url
    );
    let service = desk.serve(&more).await;
    let visit = Visit::of(&service);
    set_going(&desk, &visit).await;
    let directory = pictures(&desk);
    let is_quick = std::env::var_os("CORRIDOR_TEST_QUICK").is_some();
    for theme in ["light", "dark"] {
        visit.prefer(theme);
        visit.go("/login");
        visit
            .browser
            .picture(&directory.join(format!("login-{theme}.png")))
            .unwrap();
        visit.sign_in("anna");
        visit.sees("#fleet", "LIM-0");
        for view in views() {
            look_at(&visit, &view);
            let scheme = visit
                .browser
                .script("return getComputedStyle(document.documentElement).colorScheme")
                .unwrap();
            assert_eq!(scheme, theme, "{}", view.name);
            visit
                .browser
                .picture(&directory.join(format!("{}-{theme}.png", view.name)))
                .unwrap();
        }
        visit.go("/");
        visit.follow("//button[.='Sign out']");
        if is_quick {
            break;
        }
    }
    // On paper there is nothing to click on; and nothing moves for whoever wants it so.
    visit.sign_in("anna");
    visit.go("/clusters/main/migrations/0002_fill");
    let still = "getComputedStyle(document.querySelector('progress'), '::-webkit-progress-value').transitionDuration === '0s'";
    visit.until("nothing moves", still);
    visit.browser.prefer(&[], "print").unwrap();
    for what in [".top nav", ".who", "#actions", ".tabs"] {
        let is_away = format!("getComputedStyle(document.querySelector('{what}')).display === 'none'");
        visit.until(&format!("{what} is not printed"), &is_away);
    }
    visit.prefer("dark");
    visit.follow("//button[.='Sign out']");
    visit.browser.resize(320, 640).unwrap();
    visit.go("/login");
    assert!(visit.fits(), "login");
    visit.sign_in("anna");
    let mut wide = Vec::new();
    for view in views() {
        look_at(&visit, &view);
        if !visit.fits() {
            wide.push(view.name);
        }
        if !is_quick {
            visit
                .browser
                .picture(&directory.join(format!("{}-narrow.png", view.name)))
                .unwrap();
        }
    }
    assert!(wide.is_empty(), "wider than the window: {wide:?}");
    visit.forget_refusals();
    service.stop().await;
}
