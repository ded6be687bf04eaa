//! Completions and manual pages: made from the command line itself, and complete.

use std::path::Path;
use std::process::{Command, Stdio};

/// The commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = stdout(&["--help"]);
    let listed = help
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    let names = listed
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<String> = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    assert!(
        names.len() >= 15 && names.contains(&"grants".to_owned()),
        "{names:?}"
    );
    names
}

/// Not by the driver: these are files, with tabs and lines as long as they like.
fn stdout(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_corridor"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&["completions", shell]);
        for command in commands() {
            assert!(script.contains(&command), "{shell}: {command}");
        }
        assert!(script.contains("partition-by"), "{shell}");
    }
    let refused = Command::new(env!("CARGO_BIN_EXE_corridor"))
        .args(["completions", "cmd"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

/// What the shell itself makes of it.
#[test]
fn bash_completes_commands_and_options() {
    let script = stdout(&["completions", "bash"]);
    let file = std::env::temp_dir().join(format!("corridor-completions-{}.bash", std::process::id()));
    std::fs::write(&file, script).unwrap();
    let complete = |words: &str, cursor: usize| {
        let ask = format!(
            ". {}; COMP_WORDS=({words}); COMP_CWORD={cursor}; _corridor corridor \"${{COMP_WORDS[{cursor}]}}\" x; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file.display()
        );
        let output = Command::new("bash")
            .args(["--norc", "-c", &ask])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete("corridor cut", 1), ["cutover"]);
    assert_eq!(
        complete("corridor move persons --par", 3),
        ["--partition-by", "--partitions"]
    );
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let directory = std::env::temp_dir().join(format!("corridor-man-{}", std::process::id()));
    let listed = stdout(&["man", directory.to_str().unwrap()]);
    let whole = std::fs::read_to_string(directory.join("corridor.1")).unwrap();
    assert_eq!(stdout(&["man"]).trim_end(), whole.trim_end());
    let mut wanted = vec![directory.join("corridor.1")];
    for command in commands() {
        let path = directory.join(format!("corridor-{command}.1"));
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.contains(&format!(".TH corridor-{command} 1")), "{page}");
        // Roff writes a hyphen that is one with a backslash.
        assert!(
            whole.contains(&format!("corridor\\-{command}(1)")),
            "{command}: {whole}"
        );
        assert!(page.contains(&format!("corridor {command}")), "{page}");
        wanted.push(path);
    }
    let files: Vec<&Path> = listed.lines().map(Path::new).collect();
    assert_eq!(files, wanted);
    let page = std::fs::read_to_string(directory.join("corridor-move.1")).unwrap();
    assert!(page.contains("partition\\-by"), "{page}");
    std::fs::remove_dir_all(&directory).unwrap();
}
