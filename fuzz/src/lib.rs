//! Properties that hold for every input. Each panics where one does not.
//!
//! They use what the rooms offer to other rooms, and a reader of SQL of their own: it knows nothing of how the statements
//! are written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use corridor_lint::clickhouse::Topology;
use corridor_lint::judge::{Settings, Source, judge, judge_clickhouse};
use corridor_lint::world::World;
use corridor_lint::{mend, parse, plan};
use corridor_migration::definition::placeholder::lexer::{Kind, tokens};
use corridor_migration::definition::placeholder::{bind, fill, literal};
use corridor_migration::definition::{Definition, ParameterType, file, validate};
use corridor_mirror::MirrorSpec;
use corridor_mirror::lane::Lane;
use corridor_mirror::spec::KeyColumn;
use corridor_mirror::statement::Range;
use corridor_pg::conninfo::{ConnectOptions, Environment, FileText};
use corridor_pg::{Ident, QualifiedName};

/// A machine on which every file has one content.
struct Machine<'a>(&'a str);

impl Environment for Machine<'_> {
    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn read(&self, _path: &Path) -> std::io::Result<FileText> {
        Ok(FileText {
            text: self.0.to_owned(),
            mode: Some(0o600),
            is_plain: true,
        })
    }

    fn exists(&self, _path: &Path) -> bool {
        false
    }

    fn user_name(&self) -> Option<String> {
        Some("somebody".to_owned())
    }

    fn home(&self) -> Option<PathBuf> {
        Some(PathBuf::from("/home/somebody"))
    }
}

/// Whatever somebody types as a connection string, or has in a password or service file, is understood or refused; and
/// what is shown of it is understood again, as the same.
pub fn connection_string(text: &str) {
    let Ok(options) = ConnectOptions::resolve(Some(text), &Machine(text)) else {
        return;
    };
    let shown = options.describe();
    if let Ok(again) = ConnectOptions::resolve(Some(&shown), &Machine("")) {
        assert_eq!(again.describe(), shown, "of {text:?}");
    }
}

/// The bounds of a range get into a statement as they are, whatever is in them, and nothing else gets in with them.
pub fn key_encoding(from: &[String], to: &[String]) {
    // No text of the server has a NUL in it.
    let is_text = |key: &[String]| key.iter().all(|text| !text.contains('\0'));
    let columns = from.len().min(to.len()).min(8);
    if columns == 0 || !is_text(from) || !is_text(to) {
        return;
    }
    let (from, to) = (from[..columns].to_vec(), to[..columns].to_vec());
    let sql = spec(columns, "text").in_range(
        "s",
        &Range {
            from: Some(from.clone()),
            to: Some(to.clone()),
        },
    );
    let (skeleton, constants) = read_sql(&sql);
    assert_eq!(constants, [from, to].concat(), "in {sql}");
    let list = |item: &dyn Fn(usize) -> String| (1..=columns).map(item).collect::<Vec<_>>().join(", ");
    let (key, places) = (list(&|i| format!("s.k{i}")), list(&|_| "?::text".to_owned()));
    assert_eq!(
        skeleton,
        format!("({key}) >= ({places}) and ({key}) < ({places})")
    );
}

/// However a key space is cut into lanes, and each lane into chunks: every key is in exactly one chunk, and what is left of a
/// lane is what no chunk has had.
pub fn range_arithmetic(cuts: &[i64], ends: &[i64], keys: &[i64]) {
    let spec = spec(1, "bigint");
    let cuts: Vec<i64> = cuts
        .iter()
        .copied()
        .take(32)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let bounds: Vec<Option<i64>> = std::iter::once(None)
        .chain(cuts.into_iter().map(Some))
        .chain(std::iter::once(None))
        .collect();
    let text = |bound: Option<i64>| bound.map(|b| vec![b.to_string()]);
    let mut chunks = Vec::new();
    for (number, pair) in bounds.windows(2).enumerate() {
        let mut lane = Lane {
            lane: number as i32,
            range: Range {
                from: text(pair[0]),
                to: text(pair[1]),
            },
            at: None,
            is_done: false,
            rows: 0,
        };
        let is_inside =
            |end: &i64| pair[0].is_none_or(|from| *end > from) && pair[1].is_none_or(|to| *end < to);
        let inside: BTreeSet<i64> = ends.iter().copied().take(64).filter(is_inside).collect();
        for end in inside.into_iter().map(Some).chain(std::iter::once(None)) {
            let rest = lane.rest();
            let chunk = Range {
                from: rest.from,
                to: text(end).or(rest.to),
            };
            chunks.push(spec.in_range("s", &chunk));
            lane.at = text(end).or(lane.at);
        }
    }
    for key in keys.iter().take(64).copied().chain([i64::MIN, 0, i64::MAX]) {
        let holders = chunks.iter().filter(|chunk| is_true(chunk, key)).count();
        assert_eq!(holders, 1, "key {key} in {chunks:?}");
    }
}

/// Whatever stands in a file of a migration, it is refused or understood, in both forms; and what is understood is valid,
/// is the same after it was stored, and binds to something that binds to itself.
pub fn migration_file(text: &str) {
    for form in ["m.toml", "m.sql"] {
        let Ok(definition) = file::read(form, text) else {
            continue;
        };
        validate::validate(&definition).expect("what was read is valid");
        let stored = serde_json::to_string(&definition).expect("it can be stored");
        let again: Definition = serde_json::from_str(&stored).expect("it can be read back");
        assert_eq!(again, definition, "of {text:?}");
        if let Ok(bound) = bind(&definition, &BTreeMap::new()) {
            assert_eq!(
                bind(&bound, &BTreeMap::new()).expect("bound"),
                bound,
                "of {text:?}"
            );
        }
    }
}

/// Whatever the statement and the value: the statement has the pieces that it would have with any other value, and the value
/// is one constant in it.
pub fn placeholders(sql: &str, value: &str) {
    let pieces: String = tokens(sql).iter().map(|token| token.text).collect();
    assert_eq!(pieces, sql, "nothing gets lost");
    if value.contains('\0') {
        return;
    }
    let with = |value: &str| fill(sql, Some(&literal(ParameterType::Text, value)), None);
    let kinds = |sql: &str| -> Vec<String> {
        let pieces = tokens(sql);
        let heard = pieces
            .iter()
            .filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment));
        heard
            .map(|token| match token.kind {
                Kind::Constant | Kind::Unended(_) => format!("{:?}", token.kind),
                _ => token.text.to_owned(),
            })
            .collect()
    };
    let (filled, harmless) = (with(value), with("harmless"));
    assert_eq!(kinds(&filled), kinds(&harmless), "{filled:?}");
    // The reader of this file agrees, on a statement that it can read.
    let plain = fill(
        "select 'a', :each, 'b'",
        Some(&literal(ParameterType::Text, value)),
        None,
    );
    let (skeleton, constants) = read_sql(&plain);
    assert_eq!(skeleton, "select ?, ((?::text)), ?");
    assert_eq!(constants, ["a", value, "b"]);
}

/// Evaluates a condition on one bigint column as the server would.
fn is_true(sql: &str, key: i64) -> bool {
    let (skeleton, constants) = read_sql(sql);
    let mut constants = constants
        .iter()
        .map(|text| text.parse::<i64>().expect("a bigint"));
    skeleton.split(" and ").all(|part| match part {
        "true" => true,
        "(s.k1) >= (?::bigint)" => key >= constants.next().expect("a bound"),
        "(s.k1) < (?::bigint)" => key < constants.next().expect("a bound"),
        other => panic!("not a condition on the key: {other}"),
    })
}

fn spec(columns: usize, type_sql: &str) -> MirrorSpec {
    let name = |text: &str| Ident::new(text).expect("a name");
    let table = |text: &str| QualifiedName::new(name("public"), name(text));
    let key = (1..=columns).map(|i| KeyColumn {
        name: name(&format!("k{i}")),
        target_name: None,
        type_sql: type_sql.to_owned(),
        collation: None,
    });
    MirrorSpec {
        tag: "1_fwd".to_owned(),
        source: table("old"),
        target: table("new"),
        key: key.collect(),
        columns: Vec::new(),
        is_noting_unfit: false,
    }
}

/// Takes the string constants out of a statement, as the server's lexer does with `standard_conforming_strings` on; a
/// question mark stands for each. Panics at one that does not end.
fn read_sql(sql: &str) -> (String, Vec<String>) {
    let (mut skeleton, mut constants) = (String::new(), Vec::new());
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        let is_escaped = c == 'E' && rest.peek() == Some(&'\'');
        if is_escaped {
            rest.next();
        } else if c != '\'' {
            skeleton.push(c);
            continue;
        }
        let mut constant = String::new();
        loop {
            match rest.next().expect("a constant ends") {
                '\'' if rest.peek() == Some(&'\'') => {
                    rest.next();
                    constant.push('\'');
                }
                '\'' => break,
                '\\' if is_escaped => match rest.next().expect("something is escaped") {
                    plain @ ('\\' | '\'') => constant.push(plain),
                    other => panic!("\\{other} means something else"),
                },
                // Without E a backslash means a backslash only while standard_conforming_strings is on.
                '\\' => panic!("a backslash in a plain constant"),
                plain => constant.push(plain),
            }
        }
        skeleton.push('?');
        constants.push(constant);
    }
    (skeleton, constants)
}

/// Whatever a file says, lint judges it, as PostgreSQL's and as ClickHouse's: every finding lies in the text, and mends and plans are
/// made without a panic.
pub fn lint(text: &str) {
    let source = Source {
        path: "x.sql",
        text,
        config: None,
    };
    let settings = Settings {
        hygiene: true,
        ..Settings::default()
    };
    let findings = judge(std::slice::from_ref(&source), &settings, &World::default(), None);
    for finding in &findings {
        assert!(text.get(finding.span.clone()).is_some(), "{finding:?}");
    }
    mend::mend(text, &findings.iter().collect::<Vec<_>>());
    plan::plan(&source, "x", &settings, &World::default());
    parse::accesses(text);
    let findings = judge_clickhouse(std::slice::from_ref(&source), &settings, &Topology::default());
    for finding in &findings {
        assert!(text.get(finding.span.clone()).is_some(), "{finding:?}");
    }
    mend::mend(text, &findings.iter().collect::<Vec<_>>());
}
