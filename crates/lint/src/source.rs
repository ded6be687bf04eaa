//! Files by the conventions of the tools that run them: which statements go forward, and whether the tool opens a
//! transaction around them.
//!
//! The convention is known by the path and by the marks in the file ([`Runner::guess`]); a configuration may say it instead.

use std::ops::Range;
use std::path::Path;

use crate::ir::Kind;

/// Who runs the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runner {
    /// psql, or nobody in particular: each statement by itself unless the file says `begin`.
    Plain,
    /// The text that `sqlmigrate` prints: it has `BEGIN` and `COMMIT` where the migration is atomic.
    Django,
    /// `db/structure.sql`: a dump that is loaded into an empty database.
    Rails,
    /// `V1__name.sql`
    Flyway,
    /// `1_name.up.sql`
    GolangMigrate,
    /// sqlx: `migrations/1_name.sql`
    Sqlx,
    /// Diesel: `up.sql` in a directory of its own.
    Diesel,
    /// Prisma: `migration.sql` in a directory of its own.
    Prisma,
    /// dbmate: `-- migrate:up`
    Dbmate,
    /// goose: `-- +goose Up`
    Goose,
    /// `alembic upgrade --sql`
    Alembic,
}

/// How a file is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Who runs it.
    pub runner: Runner,
    /// The parts that go forward.
    pub forward: Vec<Range<usize>>,
    /// The runner opens a transaction around it.
    pub in_transaction: bool,
    /// It is run into an empty database, or backwards: nothing in it meets live data on the way forward.
    pub is_passed_over: bool,
}

impl Runner {
    /// Of the word in a configuration.
    pub fn of_word(word: &str) -> Option<Runner> {
        serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
    }

    /// By the path and the marks in the text.
    pub fn guess(path: &str, text: &str) -> Runner {
        let file = Path::new(path)
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or(path);
        let in_directory = |name: &str| {
            Path::new(path)
                .parent()
                .is_some_and(|parent| parent.components().any(|part| part.as_os_str() == name))
        };
        let has_line = |start: &str| {
            text.lines()
                .any(|line| line.trim_start().to_ascii_lowercase().starts_with(start))
        };
        if has_line("-- +goose up") {
            Runner::Goose
        } else if has_line("-- migrate:up") {
            Runner::Dbmate
        } else if file == "structure.sql" {
            Runner::Rails
        } else if file == "migration.sql" {
            Runner::Prisma
        } else if matches!(file, "up.sql" | "down.sql") {
            Runner::Diesel
        } else if text.contains("alembic_version") && has_line("-- running upgrade") {
            Runner::Alembic
        } else if is_flyway(file) {
            Runner::Flyway
        } else if file.ends_with(".up.sql") || file.ends_with(".down.sql") {
            // sqlx has the same names for migrations that can be taken back; its files stand in `migrations`, and its
            // transaction is the safer thing to assume only where it is really there.
            if in_directory("migrations") && has_line("-- no-transaction") {
                Runner::Sqlx
            } else {
                Runner::GolangMigrate
            }
        } else if has_line("-- no-transaction") || in_directory("migrations") && is_numbered(file) {
            Runner::Sqlx
        } else if has_line("--") && text.contains("\nBEGIN;\n--\n-- ") {
            Runner::Django
        } else {
            Runner::Plain
        }
    }

    /// How a file of this runner is read. `config` is the text of the file beside it that this runner looks at
    /// (`name.sql.conf` of Flyway, `metadata.toml` of Diesel).
    pub fn read(self, path: &str, text: &str, config: Option<&str>) -> Reading {
        let file = Path::new(path)
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or(path);
        let whole = 0..text.len();
        let reading = |in_transaction| Reading {
            runner: self,
            forward: vec![whole.clone()],
            in_transaction,
            is_passed_over: false,
        };
        match self {
            Runner::Plain | Runner::Django | Runner::Alembic => reading(false),
            Runner::Rails => Reading {
                is_passed_over: true,
                ..reading(false)
            },
            Runner::Flyway => {
                let says_no = config.is_some_and(|config| {
                    setting_of(config, "executeintransaction").is_some_and(|value| value == "false")
                });
                let has_lone = crate::parse::read(text)
                    .statements
                    .iter()
                    .any(|statement| is_lone(&statement.kind));
                // Flyway itself sees that a file of such statements alone cannot be run in a transaction.
                Reading {
                    is_passed_over: file.starts_with('U'),
                    ..reading(!says_no && !has_lone)
                }
            }
            // Several statements in one message are one transaction of the server's, unless the file says otherwise.
            Runner::GolangMigrate => Reading {
                is_passed_over: file.ends_with(".down.sql"),
                ..reading(is_one_transaction(text))
            },
            Runner::Sqlx => Reading {
                is_passed_over: file.ends_with(".down.sql"),
                ..reading(
                    !text
                        .lines()
                        .next()
                        .is_some_and(|line| line.trim_start().starts_with("-- no-transaction")),
                )
            },
            Runner::Diesel => {
                let says_no = config.is_some_and(|config| {
                    setting_of(config, "run_in_transaction").is_some_and(|value| value == "false")
                });
                Reading {
                    is_passed_over: file == "down.sql",
                    ..reading(!says_no)
                }
            }
            // It sends the file as one message.
            Runner::Prisma => reading(is_one_transaction(text)),
            Runner::Dbmate => {
                let (forward, marks) = sections(text, "-- migrate:up", "-- migrate:down");
                let says_no = marks.iter().any(|mark| mark.contains("transaction:false"));
                Reading {
                    forward,
                    ..reading(!says_no)
                }
            }
            Runner::Goose => {
                let (forward, _) = sections(text, "-- +goose up", "-- +goose down");
                let says_no = text
                    .lines()
                    .any(|line| line.trim().eq_ignore_ascii_case("-- +goose no transaction"));
                Reading {
                    forward,
                    ..reading(!says_no)
                }
            }
        }
    }
}

fn is_lone(kind: &crate::ir::Kind) -> bool {
    use crate::ir::Kind;
    match kind {
        Kind::CreateIndex(it) => it.is_concurrent,
        Kind::Drop { concurrently, .. } | Kind::Reindex { concurrently, .. } => *concurrently,
        Kind::Vacuum { .. } | Kind::CreateDatabase | Kind::AlterSystem => true,
        _ => false,
    }
}

fn is_flyway(file: &str) -> bool {
    let Some((version, _)) = file.split_once("__") else {
        return false;
    };
    let mut chars = version.chars();
    match chars.next() {
        Some('V' | 'U') => {
            chars
                .as_str()
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, '.' | '_'))
                && version.len() > 1
        }
        Some('R') => version.len() == 1,
        _ => false,
    }
}

fn is_numbered(file: &str) -> bool {
    file.ends_with(".sql")
        && file
            .split_once('_')
            .is_some_and(|(number, _)| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

/// `key = value` of a file of settings.
fn setting_of(config: &str, key: &str) -> Option<String> {
    config.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim().to_ascii_lowercase() == key).then(|| value.trim().to_ascii_lowercase())
    })
}

/// The parts between the mark that goes forward and the one that goes back, and the marks themselves.
fn sections(text: &str, up: &str, down: &str) -> (Vec<Range<usize>>, Vec<String>) {
    let (mut found, mut marks, mut open, mut at) = (Vec::new(), Vec::new(), None, 0);
    for line in text.split_inclusive('\n') {
        let lower = line.trim_start().to_ascii_lowercase();
        if lower.starts_with(up) {
            marks.push(lower);
            open = Some(at + line.len());
        } else if lower.starts_with(down)
            && let Some(from) = open.take()
        {
            found.push(from..at);
        }
        at += line.len();
    }
    found.extend(open.map(|from| from..text.len()));
    (found, marks)
}

/// Whether a message of these statements is one transaction of the server's: of several, none of which begins its own.
fn is_one_transaction(text: &str) -> bool {
    let statements = crate::parse::read(text).statements;
    statements.len() > 1 && !statements.iter().any(|it| matches!(it.kind, Kind::Begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, text: &str) -> Reading {
        Runner::guess(path, text).read(path, text, None)
    }

    #[test]
    fn a_file_is_known_by_its_path_and_its_marks() {
        for (path, text, runner) in [
            ("x.sql", "select 1", Runner::Plain),
            ("db/V1_2__add.sql", "", Runner::Flyway),
            ("db/U1__add.sql", "", Runner::Flyway),
            ("db/R__views.sql", "", Runner::Flyway),
            ("Vacuum__x.sql", "", Runner::Plain),
            ("m/0001_a.up.sql", "", Runner::GolangMigrate),
            ("migrations/20240101_a.sql", "", Runner::Sqlx),
            ("migrations/2024_a/up.sql", "", Runner::Diesel),
            ("prisma/migrations/2024_a/migration.sql", "", Runner::Prisma),
            (
                "a.sql",
                "-- migrate:up\nselect 1;\n-- migrate:down\n",
                Runner::Dbmate,
            ),
            (
                "a.sql",
                "-- +goose Up\nselect 1;\n-- +goose Down\n",
                Runner::Goose,
            ),
            ("db/structure.sql", "", Runner::Rails),
            (
                "x.sql",
                "BEGIN;\n-- Running upgrade  -> ab\nupdate alembic_version set version_num='ab';\nCOMMIT;",
                Runner::Alembic,
            ),
        ] {
            assert_eq!(Runner::guess(path, text), runner, "{path}");
        }
    }

    #[test]
    fn each_runner_has_its_own_rule_for_transactions() {
        assert!(!read("x.sql", "select 1; select 2").in_transaction);
        assert!(read("V1__a.sql", "alter table t add x int;").in_transaction);
        assert!(!read("V1__a.sql", "create index concurrently i on t (a);").in_transaction);
        assert!(
            !Runner::Flyway
                .read("V1__a.sql", "select 1", Some("executeInTransaction=false"))
                .in_transaction
        );
        assert!(!read("1_a.up.sql", "create index concurrently i on t (a);").in_transaction);
        assert!(read("1_a.up.sql", "select 1; select 2;").in_transaction);
        assert!(!read("1_a.up.sql", "begin; select 1; select 2; commit;").in_transaction);
        assert!(
            !read(
                "prisma/migrations/2024_a/migration.sql",
                "BEGIN; select 1; COMMIT;"
            )
            .in_transaction
        );
        assert!(!read("migrations/1_a.sql", "-- no-transaction\nselect 1;").in_transaction);
        assert!(read("migrations/1_a.sql", "select 1;").in_transaction);
        assert!(
            !Runner::Diesel
                .read("a/up.sql", "", Some("run_in_transaction = false\n"))
                .in_transaction
        );
        assert!(!read("a.sql", "-- migrate:up transaction:false\nselect 1;").in_transaction);
        assert!(!read("a.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;").in_transaction);
        assert!(read("a.down.sql", "").is_passed_over && read("U1__a.sql", "").is_passed_over);
    }

    #[test]
    fn only_the_way_forward_is_read() {
        let text = "-- migrate:up\ncreate table t ();\n-- migrate:down\ndrop table t;\n";
        let reading = read("a.sql", text);
        assert_eq!(
            reading
                .forward
                .iter()
                .map(|part| &text[part.clone()])
                .collect::<Vec<_>>(),
            ["create table t ();\n"]
        );
    }
}
