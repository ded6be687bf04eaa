//! `--hook`: a real script is told what happens, in order, with figures; whatever it does, the work goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::driver::{Run, corridor_on, end};
use crate::stage::{BRAKE, SHAPE, Stage, Worker};

/// A script in a directory of its own, which the test removes.
struct Script {
    directory: PathBuf,
    command: String,
}

impl Script {
    /// `body` is run by `sh`; what it writes to `$HEARD` can be read afterwards.
    fn new(label: &str, body: &str) -> Script {
        let directory = std::env::temp_dir().join(format!("corridor-hook-{label}-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let command = directory.join("hook").display().to_string();
        let script = Script { directory, command };
        let heard = script.directory.join("heard");
        fs::write(&heard, "").unwrap();
        let text = format!("#!/bin/sh\nHEARD='{}'\n{body}\n", heard.display());
        fs::write(script.directory.join("hook"), text).unwrap();
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(script.directory.join("hook"), mode).unwrap();
        script
    }

    fn command(&self) -> &str {
        &self.command
    }

    fn heard(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("heard")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn forget(&self) {
        fs::write(self.directory.join("heard"), "").unwrap();
    }

    /// Waits until a line begins like this; the hook runs beside the work.
    async fn until(&self, beginning: &str) -> String {
        let search = async {
            loop {
                if let Some(line) = self.heard().into_iter().find(|line| line.starts_with(beginning)) {
                    return line;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(60), search).await;
        found.unwrap_or_else(|_| panic!("{beginning} was never heard: {:?}", self.heard()))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).ok();
    }
}

/// A line for each event: its name, the operation, and what was asked for.
const LIST: &str = r#"echo "$CORRIDOR_EVENT $CORRIDOR_OPERATION$CORRIDOR_VERB" | sed 's/ $//' >> "$HEARD""#;

async fn run(stage: &Stage, args: &[&str], hook: &Script) -> Run {
    stage.run(&[args, &["--hook", hook.command()]].concat()).await
}

fn execute() -> Vec<&'static str> {
    [&["move", "persons", "--execute"], SHAPE].concat()
}

#[tokio::test]
async fn a_script_hears_a_whole_life_in_its_order() {
    let stage = Stage::new("hook_life").await;
    let hook = Script::new("life", LIST);
    run(&stage, &execute(), &hook).await.expect_code(5);
    let operation = |name: &str| {
        [
            format!("operation-begun {name}"),
            format!("operation-done {name}"),
        ]
    };
    let mut wanted = vec!["started start".to_owned()];
    for name in ["prepare", "copy", "index", "constrain"] {
        wanted.extend(operation(name));
    }
    let [begun, done] = operation("verify");
    wanted.extend([begun, "verified".to_owned(), done, "ready".to_owned()]);
    // The throttle may have had a word in between.
    let without_throttle = |heard: Vec<String>| -> Vec<String> {
        let is_throttle = |line: &String| line.starts_with("throttled") || line.starts_with("let-go");
        heard.into_iter().filter(|line| !is_throttle(line)).collect()
    };
    let mut heard = without_throttle(hook.heard());
    let mut sorted = wanted.clone();
    // The verdict is said on the way to the end of its operation, before or after it.
    sorted.sort();
    assert_eq!(heard.len(), wanted.len(), "{heard:?}");
    assert_eq!(heard[..10], wanted[..10], "{heard:?}");
    heard.sort();
    assert_eq!(heard, sorted);

    hook.forget();
    run(&stage, &["cutover", "persons"], &hook).await.expect_code(0);
    let heard = without_throttle(hook.heard());
    assert_eq!(
        (heard[0].as_str(), heard.last().unwrap().as_str()),
        ("started cutover", "holding")
    );
    assert!(heard.contains(&"swapped".to_owned()), "{heard:?}");
    hook.forget();
    run(&stage, &["rollback", "persons"], &hook).await.expect_code(0);
    let heard = without_throttle(hook.heard());
    assert_eq!(
        (heard[0].as_str(), heard.last().unwrap().as_str()),
        ("started rollback", "rolled-back")
    );
    assert!(heard.contains(&"swapped-back".to_owned()), "{heard:?}");

    let again = [&execute()[..], &["--name", "again", "--auto-cutover"]].concat();
    run(&stage, &again, &hook).await.expect_code(5);
    hook.forget();
    run(&stage, &["finish", "again"], &hook).await.expect_code(0);
    assert_eq!(hook.heard().last().unwrap(), "finished");
    stage.settle().await;
}

#[tokio::test]
async fn what_is_told_has_its_figures() {
    let stage = Stage::new("hook_facts").await;
    // In one write: whoever waits for the line reads all of it.
    let all =
        r#"facts=$(env | grep '^CORRIDOR_' | sort | tr '\n' ' '); echo "$CORRIDOR_EVENT $facts" >> "$HEARD""#;
    let hook = Script::new("facts", all);
    stage.close_gate().await;
    let args = [&execute()[..], BRAKE, &["--hook", hook.command()]].concat();
    let worker = Worker::start(&stage.database, &args);
    let line = hook.until("throttled").await;
    for fact in [
        "CORRIDOR_EVENT=throttled ",
        "CORRIDOR_MIGRATION=persons ",
        "CORRIDOR_TABLE=public.persons ",
        &format!("CORRIDOR_DATABASE={} ", stage.database.name),
        "CORRIDOR_REASONS=custom is 1, limit 0",
    ] {
        assert!(line.contains(fact), "{fact}: {line}");
    }
    stage.open_gate().await;
    hook.until("let-go").await;
    assert_eq!(worker.end().await.0, 5);
    let line = hook.until("verified").await;
    assert!(
        line.contains("CORRIDOR_IS_PROVEN=true") && line.contains("CORRIDOR_SOURCE_ROWS="),
        "{line}"
    );
    let line = hook.until("ready").await;
    assert!(line.contains("CORRIDOR_EXIT=5"), "{line}");

    // Somebody holds the lock that the swap needs.
    let mut other = corridor_testbed::cluster::connect(&stage.database.url)
        .await
        .unwrap();
    let pid: i32 = other
        .query_one("select pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let tx = other.transaction().await.unwrap();
    tx.batch_execute("select from persons limit 1").await.unwrap();
    let child = corridor_on(&stage.database, &["cutover", "persons", "--hook", hook.command()]).start();
    let line = hook.until("lock-busy").await;
    assert!(
        line.contains(&format!("pid {pid}")) && line.contains("CORRIDOR_ATTEMPT=1 "),
        "{line}"
    );
    tx.rollback().await.unwrap();
    end(child).await.expect_code(0);
    let line = hook.until("swapped").await;
    assert!(
        line.contains("CORRIDOR_HELD_MS=") && line.contains("CORRIDOR_WAITED_MS="),
        "{line}"
    );

    // A failure has its code; a pause who and why.
    hook.forget();
    let run = run(&stage, &["resume", "nobody"], &hook).await;
    run.expect_fault("MIG-003");
    let worker = Worker::start(&stage.database, &["resume", "persons", "--hook", hook.command()]);
    hook.until("holding").await;
    stage
        .run(&["pause", "persons", "--why", "lunch"])
        .await
        .expect_code(0);
    assert_eq!(worker.end().await.0, 5);
    let line = hook.until("paused").await;
    assert!(line.contains("CORRIDOR_WHY=lunch"), "{line}");
    let failing = ["cutover", "persons"];
    let run = self::run(&stage, &failing, &hook).await;
    assert_ne!(run.code, 0);
    let line = hook.until("failed").await;
    assert!(line.contains("CORRIDOR_CODE=MIG-"), "{line}");
    stage.run(&["rollback", "persons"]).await.expect_code(0);
    stage.settle().await;
}

#[tokio::test]
async fn a_hook_that_fails_is_said_and_changes_nothing() {
    let stage = Stage::new("hook_fails").await;
    let hook = Script::new(
        "fails",
        "echo first >&2; echo 'no such room' >&2; echo noise; exit 3",
    );
    let run = run(&stage, &[&execute()[..], &["--json"]].concat(), &hook)
        .await
        .expect_code(5);
    assert!(
        run.stderr.contains("hook at started: exit code 3: no such room"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("hook at ready: exit code 3"),
        "{}",
        run.stderr
    );
    // Nothing of it among the data.
    run.json_lines();
    let gone = stage
        .run(&["rollback", "persons", "--hook", "/nonexistent/hook"])
        .await
        .expect_code(0);
    assert!(
        gone.stderr.contains("hook at rolled-back: exit code 127"),
        "{}",
        gone.stderr
    );
    stage.settle().await;
}

/// It would sleep for an hour at each event; the move is ready as soon as without it, and nothing is left behind.
#[tokio::test]
async fn a_hook_that_hangs_is_killed_and_holds_nothing_up() {
    let stage = Stage::new("hook_hangs").await;
    let hook = Script::new(
        "hangs",
        "echo x >> \"$HEARD\"; sleep 3597 & sleep 3598; echo y >> \"$HEARD\"",
    );
    let args = [&execute()[..], &["--hook", hook.command(), "--hook-timeout", "2"]].concat();
    let child = corridor_on(&stage.database, &args).start();
    hook.until("x").await;
    stage.until_ready().await;
    // All operations are done, and most events are not told yet.
    assert!(hook.heard().len() < 9, "{:?}", hook.heard());
    let run = end(child).await.expect_code(5);
    assert!(
        run.stderr.contains("hook at started: killed after 2 s"),
        "{}",
        run.stderr
    );
    assert!(!hook.heard().contains(&"y".to_owned()));
    let left = async || {
        let list = tokio::process::Command::new("ps")
            .args(["-eo", "args"])
            .output()
            .await
            .unwrap();
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        list.lines()
            .any(|line| line == "sleep 3597" || line == "sleep 3598")
    };
    let gone = async {
        while left().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .expect("something was left behind");
    stage.run(&["rollback", "persons"]).await.expect_code(0);
    stage.settle().await;
}

#[tokio::test]
async fn a_gate_holds_the_cut_over_back_until_it_opens() {
    let stage = Stage::new("hook_gate").await;
    let closed = "[ \"$CORRIDOR_EVENT\" = before-cutover ] || exit 0; echo 'not during the sale' >&2; exit 1";
    let gate = Script::new("gate", closed);
    let gated = ["--auto-cutover", "--hook", gate.command(), "--hook-gate"];
    let run = stage.run(&[&execute()[..], &gated].concat()).await;
    let run = run.expect_code(5).expect_fault("CLI-007");
    assert!(run.stderr.contains("not during the sale"), "{}", run.stderr);
    assert_eq!(stage.kind().await, "r");
    assert_eq!(stage.status().await["waits_for"], "cutover");
    let cutover = ["cutover", "persons", "--hook", gate.command(), "--hook-gate"];
    stage.run(&cutover).await.expect_code(5).expect_fault("CLI-007");
    assert_eq!(stage.kind().await, "r");

    // Without being asked it decides nothing; and one that says nothing within its time has not said yes.
    let slow = [
        "cutover",
        "persons",
        "--hook",
        "sleep 60",
        "--hook-gate",
        "--hook-timeout",
        "1",
    ];
    stage.run(&slow).await.expect_code(5).expect_fault("CLI-007");
    stage
        .run(&["cutover", "persons", "--hook", gate.command()])
        .await
        .expect_code(0);
    stage.run(&["rollback", "persons"]).await.expect_code(0);

    let open = Script::new("open", LIST);
    let gated = [
        "--auto-cutover",
        "--hook",
        open.command(),
        "--hook-gate",
        "--name",
        "again",
    ];
    stage.run(&[&execute()[..], &gated].concat()).await.expect_code(5);
    assert_eq!(stage.kind().await, "p");
    let heard = open.heard();
    let at = |event: &str| heard.iter().position(|line| line == event);
    assert!(
        at("before-cutover") < at("swapped") && at("before-cutover").is_some(),
        "{heard:?}"
    );
    stage.run(&["rollback", "again"]).await.expect_code(0);
    stage.settle().await;
}
