//! Chores: `cargo xtask new-rule NAME` makes a rule of lint, its tests and its place in the list; `cargo xtask rule-pages [--check]`
//! writes the guide's page of each rule.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore speaks to the person who runs it"
)]

mod pages;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["new-rule", name] => new_rule(name),
        ["rule-pages"] => pages::run(false),
        ["rule-pages", "--check"] => pages::run(true),
        _ => Err("usage: cargo xtask new-rule NAME   (for example: new-rule index-on-json)\n       cargo xtask rule-pages [--check]".to_owned()),
    };
    match outcome {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

/// Makes the file of a rule under the next free code, and lists it.
fn new_rule(name: &str) -> Result<String, String> {
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && name.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_name {
        return Err(format!("{name:?}: lower-case letters, digits and `-`"));
    }
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lint/src");
    let module = name.replace('-', "_");
    let file = room.join(format!("rules/{module}.rs"));
    if file.exists() {
        return Err(format!("{} is there already", file.display()));
    }
    let list = room.join("rules.rs");
    let text = std::fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let number = next_number(&room.join("rules"))?;
    // At the end of the rules that look at statements; the order is that of the codes.
    let at = text.find("    ;\n    beside:").ok_or("rules.rs has no list")?;
    let listed = format!("{}        {module}\n{}", &text[..at], &text[at..]);
    let template = include_str!("rule.txt")
        .replace("NUMBER", &format!("{number:03}"))
        .replace("NAME", name);
    std::fs::write(&file, template).map_err(|error| format!("{}: {error}", file.display()))?;
    std::fs::write(&list, listed).map_err(|error| format!("{}: {error}", list.display()))?;
    Ok(format!(
        "LNT-{number:03}: write what it asks in crates/lint/src/rules/{module}.rs (its tests fail until then), then `script/codes`"
    ))
}

/// The first free code of a hazard; other classes have their hundreds, see the file's head.
fn next_number(directory: &Path) -> Result<u32, String> {
    let mut taken = Vec::new();
    let entries =
        std::fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for entry in entries.flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        taken.extend(
            text.split("\"LNT-")
                .nth(1)
                .and_then(|rest| rest.get(..3))
                .and_then(|digits| digits.parse::<u32>().ok()),
        );
    }
    (58..90)
        .find(|number| !taken.contains(number))
        .ok_or_else(|| "no code below LNT-090 is free".to_owned())
}
