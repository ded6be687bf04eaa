//! The codes of the command line itself, and all codes of all rooms.

use corridor_pg::near::{did_you_mean, near, remoteness};
use corridor_pg::{Code, Exit, Fault, Retry};

macro_rules! codes {
    ($($name:ident $id:literal $exit:ident $title:literal $hint:literal $page:literal)*) => {
        $(
            #[doc = $title]
            pub(crate) static $name: Code = Code {
                id: $id,
                title: $title,
                retry: Retry::Never,
                exit: Exit::$exit,
                hint: $hint,
                page: $page,
            };
        )*
        static OWN: &[&Code] = &[$(&$name),*];
    };
}

codes! {
USAGE "CLI-001" Usage
    "the command line cannot be read"
    "`corridor --help` lists the commands, `corridor COMMAND --help` what each one takes."
    "A word of the command line is unknown, missing, or does not fit. The message names it. Nothing was looked up or changed."
NO_SUCH_CODE "CLI-002" Usage
    "there is no such code"
    "`corridor explain` lists all codes."
    "The word after `explain` is not a code of this version of Corridor. Codes look like MOV-018. A newer version may know more of them than this one. A number alone, as in `explain 18`, lists all codes that have it."
PANIC "CLI-003" Bug
    "a bug in Corridor"
    "Please report it with what was printed; then look with `corridor status`."
    "Corridor came into a state that its authors believed impossible, and ended at once. What was not committed was rolled back by the server; what was committed stands, and is in the ledger. A migration that was being worked on can be taken up again: `corridor resume NAME`."
OUTPUT "CLI-004" BadResult
    "the result cannot be written"
    "Check where stdout goes: a full disk, a closed file."
    "Corridor did its work, or is doing it, and could not write to its standard output. A reader that went away early, as `head` does, is not a fault. `corridor status` shows what the state of things is."
RUNTIME "CLI-005" BadResult
    "the process cannot be set up"
    "Check what the message names: an address that is in use, or a limit of the system (threads, memory, open files)."
    "The operating system refused something that Corridor needs before it can begin: threads, memory, or the handling of signals. Nothing was looked up or changed."
DEMO "CLI-006" BadResult
    "the demo did not come to its end"
    "See the message; `script/setup` installs a PostgreSQL server where there is none."
    "`corridor demo` makes a cluster of its own from the PostgreSQL that it finds, and something in it failed: there is no server, it did not start, or a step of the incident or of the move met a fault, which the message names. No database but the demo's own was touched; the cluster is gone, unless `--keep` was given."
HELD_BACK "CLI-007" NotFinished
    "the hook held the cut-over back"
    "See why your command said no; then `corridor cutover NAME`."
    "`--hook-gate` was given, and the command of `--hook` did not exit with 0 at the event `before-cutover`, could not be run, or took longer than `--hook-timeout`. Nothing was cut over. The migration waits as before: the new table is complete and proven equal, and is kept in step by whoever resumes it."
BAD_CONFIG "CLI-008" Usage
    "the settings of the service cannot be read"
    "`corridor config show` prints every setting, its value and where it came from."
    "The file (`corridor.toml`, or what `--config` names), a variable of the environment or a flag has a value that makes no sense, or a setting that does not exist. The message names it and where it stands. A service that runs keeps the settings that it has."
}

/// The rooms with their codes, from the floor up.
pub(crate) fn rooms() -> Vec<(&'static str, Vec<&'static Code>)> {
    vec![
        (
            "the server and the connection",
            corridor_pg::fault::CODES.to_vec(),
        ),
        (
            "copying, catching up and verifying",
            corridor_mirror::fault::CODES.to_vec(),
        ),
        ("migrations", corridor_migration::CODES.to_vec()),
        (
            "carrying your own migrations out",
            corridor_migration::data::fault::CODES.to_vec(),
        ),
        ("planning a move", corridor_move::fault::PLAN_CODES.to_vec()),
        ("carrying a move out", corridor_move::run::RUN_CODES.to_vec()),
        ("what a check finds", corridor_limits::fault::CODES.to_vec()),
        ("what lint finds", corridor_lint::rules::codes()),
        (
            "what lint finds for ClickHouse",
            corridor_lint::clickhouse::CODES.to_vec(),
        ),
        (
            "what a rehearsal finds",
            corridor_lint::rehearse::RULES
                .iter()
                .map(|rule| rule.code)
                .collect(),
        ),
        ("why lint judges nothing", corridor_lint::fault::FAULTS.to_vec()),
        (
            "the console and its accounts",
            corridor_console::fault::CODES.to_vec(),
        ),
        (
            "doing what a check advises",
            corridor_limits::fault::FAULTS.to_vec(),
        ),
        ("the command line", OWN.to_vec()),
    ]
}

/// All codes of all rooms, from the floor up.
pub(crate) fn all() -> impl Iterator<Item = &'static Code> {
    rooms().into_iter().flat_map(|(_, codes)| codes)
}

/// The code that a person means: `mov-18` and `MOV018` are `MOV-018`.
pub(crate) fn find(text: &str) -> Option<&'static Code> {
    let wanted = canonical(text);
    all().find(|code| canonical(code.id) == wanted)
}

/// The codes that have a number, whatever their letters: `18` and `018` are MOV-018 and its namesakes. None when the
/// text is no number.
pub(crate) fn with_number(text: &str) -> Vec<&'static Code> {
    let (letters, number) = canonical(text);
    if !letters.is_empty() || number.is_empty() {
        return Vec::new();
    }
    all().filter(|code| canonical(code.id).1 == number).collect()
}

/// No code is called `text`; the fault says which ones come near.
pub(crate) fn no_such_code(text: &str) -> Fault {
    let (letters, number) = canonical(text);
    let wanted = format!("{letters}-{number:0>3}");
    let mut ids = near(&wanted, all().map(|code| code.id));
    // Many codes differ in one digit only: where one is nearer than the others, it alone.
    let nearest = ids.first().and_then(|id| remoteness(&wanted, id));
    ids.retain(|id| remoteness(&wanted, id) == nearest);
    let suggestions = did_you_mean(&ids);
    Fault::new(&NO_SUCH_CODE, format!("{text:?}{suggestions}"))
}

/// Letters and number, without what people leave out.
fn canonical(text: &str) -> (String, String) {
    let text = text.trim().to_ascii_uppercase();
    let letters = text.chars().take_while(char::is_ascii_alphabetic).collect();
    let number = text
        .trim_start_matches(|c: char| c.is_ascii_alphabetic())
        .trim_start_matches(['-', '_', ' '])
        .trim_start_matches('0')
        .to_owned();
    (letters, number)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_is_found_as_people_type_it() {
        for text in ["PG-002", "pg-2", " Pg002 ", "pg_02"] {
            assert_eq!(find(text).unwrap().id, "PG-002", "{text}");
        }
        for text in ["", "PG", "002", "PG-", "PG-9999", "PG-002x", "🐘"] {
            assert!(find(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_every_code_that_has_it() {
        let ids = |text: &str| with_number(text).iter().map(|code| code.id).collect::<Vec<_>>();
        assert_eq!(ids("18"), ["PG-018", "MOV-018", "LIM-018", "CON-018"]);
        assert_eq!(ids(" 018 "), ids("18"));
        assert_eq!(ids("111"), ["MIG-111", "MOV-111", "LNT-111"]);
        for text in ["", "0", "999", "MOV-18", "18x", "-"] {
            assert!(with_number(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_code_that_is_not_there_gets_suggestions() {
        for (text, detail) in [
            ("mob-18", "\"mob-18\"; did you mean MOV-018?"),
            (
                "CLI-099",
                "\"CLI-099\"; did you mean CLI-001, CLI-002 or CLI-003?",
            ),
            ("elephant", "\"elephant\""),
            ("", "\"\""),
        ] {
            let fault = no_such_code(text);
            assert_eq!((fault.code().id, fault.detail()), ("CLI-002", detail));
        }
    }

    #[test]
    fn every_code_of_every_room_is_whole_and_unique() {
        let mut seen = BTreeSet::new();
        for code in all() {
            assert!(seen.insert(code.id), "{} stands twice", code.id);
            assert_eq!(find(code.id).unwrap().id, code.id);
            for text in [code.title, code.hint, code.page] {
                assert!(text.len() > 10 && text.trim() == text, "{}: {text:?}", code.id);
            }
            // A sentence, or the example behind it.
            assert!(
                code.page.ends_with(['.', '`']) && code.hint.ends_with(['.', '…', ')']),
                "{}",
                code.id
            );
            assert!(!code.title.ends_with('.'), "{}", code.id);
        }
        assert!(seen.len() > 60, "{}", seen.len());
    }
}
