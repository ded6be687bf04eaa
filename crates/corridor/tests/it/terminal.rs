//! `status --watch` on a real pseudo-terminal of 80 by 24, with keys.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::stage::{Stage, Worker};

const COLUMNS: usize = 80;
const ROWS: usize = 24;

/// The board in a terminal of its own; `script` is what makes it.
struct Terminal {
    child: Child,
    seen: String,
}

impl Terminal {
    fn open(stage: &Stage, environment: &str) -> Terminal {
        let watch = format!(
            "stty cols {COLUMNS} rows {ROWS}; TERM=xterm {environment} exec {} status persons --watch -d '{}'",
            env!("CARGO_BIN_EXE_corridor"),
            stage.database.url
        );
        let child = Command::new("script")
            .args(["-q", "-e", "-c", &watch, "/dev/null"])
            .env_remove("NO_COLOR")
            .env_remove("CI")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("script, of bsdutils");
        Terminal {
            child,
            seen: String::new(),
        }
    }

    /// Reads until a frame is whole and has all of `texts`; returns its lines without paint.
    async fn until(&mut self, texts: &[&str]) -> Vec<String> {
        let search = async {
            let mut buffer = [0; 4_096];
            loop {
                let out = self.child.stdout.as_mut().unwrap();
                let length = out.read(&mut buffer).await.unwrap();
                assert!(length > 0, "it ended before {texts:?}:\n{}", self.seen);
                self.seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
                let Some((whole, _)) = self.seen.rsplit_once("\x1b[J") else {
                    continue;
                };
                let frame = whole.rsplit("\x1b[J").next().unwrap();
                if texts.iter().all(|text| plain(frame).contains(text)) {
                    return plain(frame).lines().map(str::to_owned).collect();
                }
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(60), search).await;
        found.unwrap_or_else(|_| panic!("{texts:?} never came"))
    }

    async fn press(&mut self, key: &[u8]) {
        let keys = self.child.stdin.as_mut().unwrap();
        keys.write_all(key).await.unwrap();
        keys.flush().await.unwrap();
    }

    /// The exit code, and all that was written.
    async fn end(mut self) -> (i32, String) {
        let read = async {
            let mut rest = Vec::new();
            self.child
                .stdout
                .as_mut()
                .unwrap()
                .read_to_end(&mut rest)
                .await
                .unwrap();
            self.seen.push_str(&String::from_utf8_lossy(&rest));
            self.child.wait().await.unwrap()
        };
        let status = tokio::time::timeout(Duration::from_secs(20), read)
            .await
            .expect("it stays");
        (status.code().unwrap(), self.seen)
    }
}

/// Without what steers or paints.
fn plain(frame: &str) -> String {
    let mut text = String::new();
    let mut chars = frame.chars();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => while chars.next().is_some_and(|c| !c.is_ascii_alphabetic()) {},
            '\r' => {}
            c => text.push(c),
        }
    }
    text
}

#[tokio::test]
async fn the_board_fits_a_terminal_and_is_left_without_a_trace() {
    let stage = Stage::with_rows("board", 30_000).await;
    let worker = stage.held_move().await;
    let mut terminal = Terminal::open(&stage, "");
    let held = [
        "copy  ",
        "held  ",
        "custom is 1, limit 0",
        "pending",
        "lanes",
        "plan",
        "q leaves",
    ];
    let lines = terminal.until(&held).await;
    assert!(lines.len() < ROWS, "{lines:#?}");
    for line in &lines {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
    // Drawn over, not below.
    terminal.until(&held).await;
    assert!(
        terminal.seen.contains(&format!("\x1b[{}A", lines.len())),
        "{:?}",
        terminal.seen
    );
    assert!(terminal.seen.contains("\x1b[33m"), "paint: {:?}", terminal.seen);

    // q leaves at once, the cursor comes back, and the migration did not notice.
    terminal.press(b"q").await;
    let (code, seen) = terminal.end().await;
    assert_eq!(code, 0);
    assert!(seen.trim_end().ends_with("\x1b[?25h"), "{seen:?}");
    assert_eq!(stage.status().await["worker"]["is_alive"], true);

    // So does Ctrl-C; without paint the rest stays as it is.
    let mut terminal = Terminal::open(&stage, "NO_COLOR=1");
    terminal.until(&held).await;
    assert!(
        !terminal.seen.contains("\x1b[33m") && terminal.seen.contains("\x1b[K"),
        "{:?}",
        terminal.seen
    );
    terminal.press(b"\x03").await;
    let (code, seen) = terminal.end().await;
    assert_eq!(code, 130);
    assert!(seen.contains("\x1b[?25h"), "{seen:?}");

    stage.open_gate().await;
    assert_eq!(worker.end().await.0, 5);
    stage.run(&["rollback", "persons"]).await.expect_code(0);
    stage.settle().await;
}

#[tokio::test]
async fn the_board_names_who_is_in_the_way_and_ends_with_the_migration() {
    let stage = Stage::new("board_locks").await;
    let worker = stage.held_move().await;
    stage.open_gate().await;
    assert_eq!(worker.end().await.0, 5);
    let mut other = corridor_testbed::cluster::connect(&stage.database.url)
        .await
        .unwrap();
    let pid: i32 = other
        .query_one("select pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let tx = other.transaction().await.unwrap();
    tx.batch_execute("lock table persons in access share mode")
        .await
        .unwrap();
    let mut terminal = Terminal::open(&stage, "");
    terminal.until(&["corridor cutover persons", "verified"]).await;
    let cutover = Worker::start(&stage.database, &["cutover", "persons"]);
    let lines = terminal.until(&[&format!("pid {pid}")]).await;
    assert!(lines.iter().any(|line| line.starts_with("locks ")), "{lines:#?}");
    tx.rollback().await.unwrap();
    assert_eq!(cutover.end().await.0, 0);
    terminal.until(&["corridor finish persons"]).await;
    stage.run(&["finish", "persons"]).await.expect_code(0);
    let (code, seen) = terminal.end().await;
    assert_eq!(code, 0);
    assert!(seen.contains("It has ended."), "{seen:?}");
    stage.settle().await;
}
