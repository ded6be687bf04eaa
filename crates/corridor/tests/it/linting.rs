//! `corridor lint` from the outside: forms, exit codes, mends, plans.

use std::path::{Path, PathBuf};

use crate::driver::corridor;

/// A directory of our own, gone at the end.
struct Ground(PathBuf);

impl Ground {
    fn new(label: &str) -> Ground {
        let path = std::env::temp_dir().join(format!("corridor-lint-{label}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Ground(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SAFE: &str = "set lock_timeout = '2s';\nalter table t add column x int;\n";
const UNSAFE: &str = "set lock_timeout = '2s';\ncreate index i on t (a);\n";

#[tokio::test]
async fn the_exit_code_follows_the_severity() {
    let ground = Ground::new("exit");
    let (safe, bad) = (ground.file("a.sql", SAFE), ground.file("b.sql", UNSAFE));
    corridor(&["lint", &safe]).run().await.expect_code(0);
    let run = corridor(&["lint", &safe, &bad]).run().await.expect_code(1);
    assert!(
        run.stdout.contains("error[LNT-001]") && run.stdout.contains("b.sql:2:1"),
        "{}",
        run.stdout
    );
    let notice = ground.file("c.sql", "call p();\n");
    corridor(&["lint", &notice]).run().await.expect_code(0);
    corridor(&["lint", "--fail-on", "notice", &notice])
        .run()
        .await
        .expect_code(1);
    corridor(&["lint"]).run().await.expect_code(2);
    corridor(&["lint", &ground.path("none.sql")])
        .run()
        .await
        .expect_fault("LNT-901");
    let config = ground.file("c.toml", "rules.LNT-999 = 'off'");
    corridor(&["lint", "--config", &config, &safe])
        .run()
        .await
        .expect_fault("LNT-902");
}

#[tokio::test]
async fn each_form_can_be_read_by_its_readers() {
    let ground = Ground::new("forms");
    let bad = ground.file("b.sql", UNSAFE);
    let json = corridor(&["lint", "--json", &bad])
        .run()
        .await
        .expect_code(1)
        .json();
    assert_eq!(json["version"], 1);
    assert_eq!(json["findings"][0]["rule"]["code"], "LNT-001");
    assert_eq!(json["findings"][0]["start"]["line"], 2);
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let sarif = read(
        &corridor(&["lint", "--format", "sarif", &bad])
            .run()
            .await
            .expect_code(1)
            .stdout,
    );
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(
        sarif["runs"][0]["tool"]["driver"]["rules"][rule]["id"],
        result["ruleId"]
    );
    let gitlab = read(
        &corridor(&["lint", "--format", "gitlab", &bad])
            .run()
            .await
            .expect_code(1)
            .stdout,
    );
    assert_eq!(gitlab[0]["location"]["lines"]["begin"], 2);
    let github = corridor(&["lint", "--format", "github", &bad])
        .run()
        .await
        .expect_code(1)
        .stdout;
    assert!(
        github.starts_with("::error file=") && github.contains("line=2"),
        "{github}"
    );
}

#[tokio::test]
async fn a_file_is_mended_and_planned() {
    let ground = Ground::new("mend");
    let bad = ground.file("V1__b.sql", UNSAFE);
    let plans = ground.path("plans");
    corridor(&["lint", "--plan", &plans, &bad])
        .run()
        .await
        .expect_code(0);
    let plan = std::fs::read_to_string(Path::new(&plans).join("v1__b.toml")).unwrap();
    assert!(plan.contains("kind = \"index\""), "{plan}");
    corridor(&["lint", "--plan", &plans, &bad])
        .run()
        .await
        .expect_fault("LNT-905");
    let plain = ground.file("b.sql", UNSAFE);
    corridor(&["lint", "--fix", &plain]).run().await.expect_code(0);
    assert!(
        std::fs::read_to_string(&plain)
            .unwrap()
            .contains("create index concurrently i")
    );
}

#[tokio::test]
async fn what_is_known_is_not_said_again() {
    let ground = Ground::new("baseline");
    let bad = ground.file("b.sql", UNSAFE);
    let baseline = ground.path("known.json");
    corridor(&["lint", "--baseline", &baseline, "--write-baseline", &bad])
        .run()
        .await
        .expect_code(0);
    corridor(&["lint", "--baseline", &baseline, &bad])
        .run()
        .await
        .expect_code(0);
    ground.file(
        "b.sql",
        &format!("-- moved down\n{UNSAFE}create index j on t (b);\n"),
    );
    let run = corridor(&["lint", "--baseline", &baseline, &bad])
        .run()
        .await
        .expect_code(1);
    assert!(
        run.stdout.contains("index j") && !run.stdout.contains("index i on"),
        "{}",
        run.stdout
    );
    let broken = ground.file("broken.json", "{}");
    corridor(&["lint", "--baseline", &broken, &bad])
        .run()
        .await
        .expect_fault("LNT-903");
}

#[tokio::test]
async fn only_what_has_changed_is_looked_at() {
    let ground = Ground::new("since");
    let bad = ground.file("b.sql", UNSAFE);
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git")
            .arg("-C")
            .arg(&ground.0)
            .args(["-c", "user.name=x", "-c", "user.email=x@example.invalid"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let unbounded = ground.file("c.sql", "alter table t add column a int;\n");
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "x"]);
    corridor(&["lint", "--since", "HEAD", &bad])
        .run()
        .await
        .expect_code(0);
    ground.file("b.sql", &format!("{UNSAFE}create index j on t (b);\n"));
    let run = corridor(&["lint", "--since", "HEAD", &bad])
        .run()
        .await
        .expect_code(1);
    assert!(
        run.stdout.contains("b.sql:3:1") && !run.stdout.contains("b.sql:2:1"),
        "{}",
        run.stdout
    );
    // What is said once a file is said of what is new.
    ground.file(
        "c.sql",
        "alter table t add column a int;\nalter table u add column b int;\n",
    );
    let run = corridor(&["lint", "--since", "HEAD", &unbounded])
        .run()
        .await
        .expect_code(1);
    assert!(
        run.stdout.contains("LNT-053") && run.stdout.contains("c.sql:2:1"),
        "{}",
        run.stdout
    );
    corridor(&["lint", "--since", "no-such", &bad])
        .run()
        .await
        .expect_fault("LNT-904");
}

#[tokio::test]
async fn with_a_database_the_type_that_is_there_decides() {
    let cluster = corridor_testbed::Cluster::shared(15).await;
    let database = cluster.fresh_database("lint").await.unwrap();
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    client
        .batch_execute("create table t (a varchar(10)); insert into t values ('x'); analyze t")
        .await
        .unwrap();
    let ground = Ground::new("live");
    let file = ground.file(
        "a.sql",
        "set lock_timeout = '2s';\nalter table t alter column a type varchar(20);\n",
    );
    corridor(&["lint", &file]).run().await.expect_code(1);
    let run = corridor(&["lint", "--database", &database.url, &file])
        .run()
        .await
        .expect_code(0);
    assert!(run.stdout.contains("nothing to say"), "{}", run.stdout);
}

#[tokio::test]
async fn a_hot_table_wants_what_the_policy_says() {
    let ground = Ground::new("policy");
    let policy = ground.file(
        "hot.toml",
        "[[tables]]\nname = \"t*\"\nreason = \"every request reads it\"\nowner = \"team accounts\"\nacknowledgement = \"CHG-\"\n",
    );
    let bare = ground.file("a.sql", SAFE);
    let run = corridor(&["lint", "--json", "--policy", &policy, &bare])
        .run()
        .await
        .expect_code(1)
        .json();
    let finding = &run["findings"][0];
    assert_eq!(finding["rule"]["code"], "LNT-055");
    for (key, part) in [
        ("what", "every request reads it"),
        ("safe_way", "team accounts"),
        ("safe_way", "CHG-"),
    ] {
        assert!(finding[key].as_str().unwrap().contains(part), "{finding}");
    }
    // Named by the settings, as a path from where they are; an allowance without the ticket does not count.
    let config = ground.file("c.toml", "policy = \"hot.toml\"\n");
    for (reason, code) in [("it is agreed", 1), ("of CHG-1234, agreed", 0)] {
        let allowed = ground.file(
            "b.sql",
            &format!("set lock_timeout = '2s';\n-- corridor: allow LNT-055 because {reason}\nalter table t add column x int;\n"),
        );
        let run = corridor(&["lint", "--config", &config, &allowed])
            .run()
            .await
            .expect_code(code);
        assert_eq!(run.stdout.contains("lacks \"CHG-\""), code == 1, "{}", run.stdout);
    }
    let wrong = ground.file("wrong.toml", "[[tables]]\nnmae = \"t\"\n");
    let run = corridor(&["lint", "--policy", &wrong, &bare])
        .run()
        .await
        .expect_fault("LNT-902");
    assert!(run.stderr.contains("did you mean `name`?"), "{}", run.stderr);
}

#[tokio::test]
async fn two_moments_say_what_was_called_in_between() {
    let options =
        corridor_testbed::ClusterOptions::new(15).setting("shared_preload_libraries", "pg_stat_statements");
    let cluster = corridor_testbed::Cluster::start(options).await.unwrap();
    let database = cluster.fresh_database("moments").await.unwrap();
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    client
        .batch_execute("create extension pg_stat_statements; create table t (a int, b int)")
        .await
        .unwrap();
    let ground = Ground::new("moments");
    let moment = ground.path("moment.json");
    let (a, b) = (
        ground.file(
            "a.sql",
            "set lock_timeout = '2s';\nalter table t drop column a;\n",
        ),
        ground.file(
            "b.sql",
            "set lock_timeout = '2s';\nalter table t drop column b;\n",
        ),
    );
    client.execute("select b from t", &[]).await.unwrap();
    corridor(&["lint", "--usage-snapshot", &moment, "-d", &database.url])
        .run()
        .await
        .expect_code(0);
    client.execute("select a from t", &[]).await.unwrap();
    let run = |file: String| corridor(&["lint", "--usage-since", &moment, "-d", &database.url, &file]).run();
    let used = run(a.clone()).await.expect_code(1);
    assert!(
        used.stdout.contains("LNT-101") && used.stdout.contains("select a from t"),
        "{}",
        used.stdout
    );
    let unused = run(b).await.expect_code(0);
    assert!(unused.stdout.contains("0 calls"), "{}", unused.stdout);
    corridor(&["lint", "--usage-since", &moment, &a])
        .run()
        .await
        .expect_code(2);
    corridor(&["lint", "--usage-snapshot", &moment, "-d", &database.url, &a])
        .run()
        .await
        .expect_code(2);
    let broken = ground.file("broken.json", "{}");
    corridor(&["lint", "--usage-since", &broken, "-d", &database.url, &a])
        .run()
        .await
        .expect_fault("LNT-912");
}
