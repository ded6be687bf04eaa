//! The command line itself: what is offered, what is refused, and that no input brings it down.

use crate::driver::corridor;

const VERBS: &[&str] = &[
    "pause", "resume", "stop", "verify", "cutover", "rollback", "finish", "logs", "set",
];

#[tokio::test]
async fn help_and_version_are_data() {
    let help = corridor(&["--help"]).run().await.expect_code(0);
    assert!(help.stdout.contains("Exit codes:") && help.stderr.is_empty());
    for verb in VERBS.iter().chain(&[
        "check",
        "watch",
        "lint",
        "move",
        "migration",
        "gate",
        "serve",
        "user",
        "status",
        "explain",
        "demo",
    ]) {
        assert!(
            help.stdout.contains(&format!("  {verb} ")),
            "{verb}: {}",
            help.stdout
        );
        let own = corridor(&[verb, "--help"]).run().await.expect_code(0);
        assert!(own.stdout.contains(&format!("corridor {verb}")), "{}", own.stdout);
    }
    for later in ["maintain"] {
        corridor(&[later]).run().await.expect_code(2);
    }
    let version = corridor(&["--version"]).run().await.expect_code(0);
    assert!(version.stdout.starts_with("corridor 0."), "{}", version.stdout);
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_exits_2() {
    let cases: &[&[&str]] = &[
        &[],
        &["fly"],
        &["move"],
        &["move", "t"],
        &["move", "t", "--partition-by", "hash(a)"],
        &["move", "t", "--partition-by", "hash(a)", "--partitions", "many"],
        &["move", "t", "--partition-by", "range(a)", "--every", "-3"],
        &["move", "t", "--same-shape", "--accept", "everything"],
        &["move", "t", "--same-shape", "--set", "workers"],
        &["move", "t", "--same-shape", "--set", "workers=0"],
        &["move", "t", "--same-shape", "--set", "wrokers=2"],
        &["move", "t", "--same-shape", "--name", "No Name"],
        &["move", "t", "--same-shape", "--target", "x"],
        &["status", "--watch"],
        &["status", "Not A Name"],
        &["set", "x", "workers"],
        &["set", "x", "workers=🐘"],
        &["logs", "x", "--limit", "0"],
        &["explain", "XYZ-001"],
        &["explain", "🐘"],
        &["explain", ""],
        &["pause"],
        &["finish", "x", "--dorp"],
        &["explain", "--quiet", "--verbose"],
        &["--database", "postgres://[", "status"],
        &["--database", "host=a hst=b", "status"],
    ];
    for args in cases {
        let run = corridor(args).run().await.expect_code(2);
        assert!(
            run.stdout.is_empty() && !run.stderr.is_empty(),
            "{args:?}: {run:?}"
        );
        let with_json: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let run = corridor(&with_json).run().await.expect_code(2);
        let value = run.json();
        assert_eq!(value["outcome"], "fault", "{args:?}: {value}");
        assert_eq!(value["fault"]["change"], "none", "{args:?}: {value}");
    }
}

#[tokio::test]
async fn the_wrong_word_is_named() {
    let run = corridor(&["move", "t", "--same-shape", "--set", "wrokers=2"])
        .run()
        .await;
    assert!(run.stderr.contains("did you mean `workers`?"), "{}", run.stderr);
    let run = corridor(&["move", "t", "--partition-by", "modulo(a)"])
        .run()
        .await
        .expect_fault("MOV-001");
    assert!(
        run.stderr.contains("\"modulo\"") && run.stderr.contains("nothing was changed"),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_fault() {
    // `true` reads nothing and closes the pipe at once; the list of codes is longer than a pipe takes in one go.
    let binary = env!("CARGO_BIN_EXE_corridor");
    for what in ["explain", "explain --json", "--help"] {
        let script = format!("{{ '{binary}' {what}; echo $? >&2; }} | true");
        let output = tokio::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .await
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "0\n", "{what}");
    }
}

#[tokio::test]
async fn a_full_disk_under_stdout_is_told() {
    let binary = env!("CARGO_BIN_EXE_corridor");
    let output = tokio::process::Command::new("sh")
        .args(["-c", &format!("'{binary}' explain >/dev/full")])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("CLI-004: "));
}

#[tokio::test]
async fn arguments_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_corridor"))
        .arg("logs")
        .arg(std::ffi::OsStr::from_bytes(b"\xff\xfe"))
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
